"""A reload in a container of 1.3 times what four workers of a heavy project take: is there new code, does any fail?

The limit is a cgroup's, set when the workers have served 10,000 requests and collected their garbage; the files that
they have read count in it too. Clients ask at a constant rate, over fresh and kept connections. Where both codes do not
fit a server may have fewer workers while it loads; it may not lose a request, nor go on for good with the old code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import cpu, limits
from benchmarks.bars import at_least, at_most
from benchmarks.load import Load
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Metric, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage
from benchmarks.steady import Tally
from benchmarks.subject import Subject
from benchmarks.subjects import memory

RELOADS = 3
RATE = 100  # requests a second
RELOAD_SECONDS = 20.0
AFTER_SECONDS = 1.5  # nuages looks at the memory once a second
WATCH_SECONDS = 0.02
UNLIMITED = 1 << 36  # bytes, while the steady memory is still to be found
ROOT = Path(__file__).resolve().parents[2]

RELOADED = Metric(key="reloaded", title=f"of {RELOADS} reloads done", less_is_better=False)
FAILED = Metric(key="failed", title="requests failed")
KILLED = Metric(key="killed", title="killed by the limit")
STEADY = Metric(key="steady_mb", title="PSS MB before", digits=1)
MOST = Metric(key="most", title="most PSS / before", digits=2)
SLOWEST = Metric(key="slowest_s", title="slowest s", digits=1)


def _reload(running: Running) -> tuple[bool, float, int]:
    """Order a reload; return whether it took place, how many seconds it took, and the most PSS bytes in it."""
    old = cpu.children(running.pid) - {running.pid}
    begun, most = time.monotonic(), 0
    os.kill(running.pid, signal.SIGHUP)
    while time.monotonic() < begun + RELOAD_SECONDS and old & cpu.children(running.pid):
        most = max(most, cpu.memory(running.pid))
        time.sleep(WATCH_SECONDS)
    return not old & cpu.children(running.pid), time.monotonic() - begun, most


def _under_load(running: Running) -> tuple[bool, float, int, Tally]:
    command = [
        sys.executable, "-m", "benchmarks.steady", f"127.0.0.1:{running.port}", "--rate", f"{RATE}",
        "--seconds", f"{2 * RELOAD_SECONDS}", "--path", "/plain/",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdout.readline()  # it has begun
        found = _reload(running)
        time.sleep(AFTER_SECONDS)
        load.stdin.close()
        tally = Tally(**json.loads(load.stdout.read().splitlines()[-1]))
    return *found, tally


def _serve(running: Running, project: Project, requests: int) -> list[str]:
    faults = memory.mixed(running.port, project, memory.FEW_VIEWS, requests)
    memory.collect(running.port)
    Stage.settle(running)
    return faults


def _measure(stage: Stage, project: Project, server: Server, number: int) -> Sample:
    requests = memory.REQUESTS if stage.seconds > 1 else memory.QUICK_REQUESTS
    done, slowest, most, failed = 0, 0.0, 0, 0
    faults: list[str] = []
    limits.forget((sys.prefix, sys.base_prefix, str(ROOT / "src")))
    try:
        with (
            limits.limited(UNLIMITED) as group,
            started(
                server, places=stage.places(project), environ=project.environ, core=None,
                probe=Load(path="/plain/"), log=stage.folder / f"{server.name}.log", wrapper=group.wrapper,
            ) as running,
        ):  # fmt: skip
            memory.workers_are_there(running, project)
            faults += _serve(running, project, requests)
            steady, command = cpu.memory(running.pid), running.command
            group.limit(int(steady * memory.RELOAD_SHARE))
            for _ in range(RELOADS):
                took_place, seconds, highest, tally = _under_load(running)
                done, slowest, most = done + took_place, max(slowest, seconds), max(most, highest)
                failed += tally.failed
                faults += _serve(running, project, requests // 4)
            killed = group.kills()
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=number, faults=(str(error),))
    numbers = {
        "reloaded": done, "failed": failed, "killed": killed, "steady_mb": steady / 1e6,
        "most": most / steady, "slowest_s": slowest,
    }  # fmt: skip
    return Sample(
        server=server.name,
        round=number,
        numbers=numbers,
        faults=tuple(dict.fromkeys(faults)),
        command=command,
    )


def run(stage: Stage) -> Outcome:
    """Measure each server once a round."""
    staged = dataclasses.replace(stage, workers=memory.WORKERS)
    light = staged.prepare(name="reload")
    project = dataclasses.replace(
        light, environ={**light.environ, "DJANGO_SETTINGS_MODULE": "measured.heavy"}
    )
    samples = []
    for number in range(staged.rounds):
        for server in staged.taking_part(memory.SERVERS):
            samples.append(_measure(staged, project, server, number))
            stage.tell(f"  round {number + 1} {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    bars = (at_least(samples, RELOADED, RELOADS), at_most(samples, FAILED, 0), at_most(samples, KILLED, 0))
    return Outcome(
        samples=tuple(samples), metrics=(RELOADED, FAILED, KILLED, STEADY, MOST, SLOWEST), rank=RELOADED, bars=bars,
        remarks=(f"{memory.WORKERS} workers in a cgroup of {memory.RELOAD_SHARE} × their PSS; {RATE} requests/s",),
    )  # fmt: skip


SUBJECTS = (
    Subject(name="reload", title="new code in a container of 1.3 times what four workers take", run=run),
)
