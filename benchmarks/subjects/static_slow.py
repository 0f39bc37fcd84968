"""Two thousand clients that read a 10 MB file at 50 KB/s each: what they cost, and what the others notice."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import cpu, servers
from benchmarks.bars import at_least, at_most, times_own
from benchmarks.load import Load
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Metric, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage, faults
from benchmarks.subject import Subject

CLIENTS = 2_000
FILE_BYTES = 10_000_000
LIMIT_MB = 200
SLOWER = 2.0
ROOT = Path(__file__).resolve().parents[2]

MEMORY = Metric(key="memory_mb", title="PSS MB with them")
RATE = Metric(key="each_kb", title="KB/s each", digits=1, less_is_better=False)
CUT = Metric(key="cut", title="cut off")
P99_BEFORE = Metric(key="before_p99_ms", title="p99 ms without", digits=1)
P99_WITH = Metric(key="p99_ms", title="p99 ms with", digits=1)
CPU_WITH = Metric(key="cpu_us", title="CPU µs/request with")
SERVERS = (servers.nuages, servers.nginx)


@contextlib.contextmanager
def _reading(running: Running, core: int | None) -> Iterator[dict[str, Any]]:
    """Let the clients read while the block runs; what they got is in the mapping afterwards."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    arguments = [str(running.port), "/static/slow.bin", str(CLIENTS)]
    process = subprocess.Popen(
        [*pin, sys.executable, "-m", "benchmarks.slow_readers", *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    got: dict[str, Any] = {}
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "begun":
            raise StartError("not all clients got a first byte")
        yield got
        said, _ = process.communicate("\n")
        got.update(json.loads(said))
    finally:
        process.kill()
        process.wait()


def _measure(stage: Stage, project: Project, server: Server, number: int) -> Sample:
    load = Load(path="/static/small.txt")
    log = stage.folder / f"{server.name}.log"
    places = stage.places(project)
    try:
        with started(
            server, places=places, environ=project.environ, core=stage.server_core, probe=load, log=log
        ) as running:
            stage.burst(running, load)
            before, _ = stage.burst(running, load)
            with _reading(running, stage.load_core) as got:
                numbers, shot = stage.burst(running, load)
                memory = cpu.memory(running.pid) / 1e6
            command = running.command
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=number, faults=(str(error),))
    extra = {
        "memory_mb": memory,
        "each_kb": got["bytes"] / got["seconds"] / CLIENTS / 1e3,
        "cut": got["cut"],
        "before_p99_ms": before["p99_ms"],
    }
    return Sample(
        server=server.name, round=number, numbers={**numbers, **extra}, faults=faults(shot), command=command
    )


def run(stage: Stage) -> Outcome:
    """Measure 16 busy connections alone and beside the slow readers."""
    project = stage.prepare()
    folder = Path(project.environ["MEASURED_DATA"]) / "static"
    (folder / "slow.bin").write_bytes(os.urandom(FILE_BYTES))
    samples = []
    for number in range(stage.rounds):
        for server in stage.taking_part(SERVERS):
            samples.append(_measure(stage, project, server, number))
            stage.tell(f"  {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    bars = (
        at_most(samples, MEMORY, LIMIT_MB),
        at_most(samples, CUT, 0),
        at_least(samples, RATE, 40),
        times_own(samples, P99_WITH, P99_BEFORE, SLOWER),
    )
    return Outcome(
        samples=tuple(samples),
        metrics=(MEMORY, RATE, CUT, CPU_WITH, P99_BEFORE, P99_WITH),
        rank=MEMORY,
        bars=bars,
    )


SUBJECTS = (
    Subject(
        name="static-slow", title="2,000 clients that read 10 MB at 50 KB/s, beside 16 busy ones", run=run
    ),
)
