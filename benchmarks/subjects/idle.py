"""Ten thousand idle keep-alive connections: what they cost, and what the others notice."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from benchmarks import cpu, servers
from benchmarks.bars import at_least, at_most
from benchmarks.load import Load
from benchmarks.running import StartError, started
from benchmarks.samples import Metric, Outcome, Sample, median
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage, faults
from benchmarks.subject import Subject

CONNECTIONS = 10_000
PATIENCE_SECONDS = 3.0
LIMIT_MB = 150
SLOWER = 1.1

HELD = Metric(key="held", title="held", less_is_better=False)
MEMORY = Metric(key="memory_mb", title="PSS MB with them")
EACH = Metric(key="each_kb", title="KB/connection", digits=1)
CPU_BEFORE = Metric(key="before_us", title="CPU µs/request without")
CPU_WITH = Metric(key="cpu_us", title="CPU with")
P99_BEFORE = Metric(key="before_p99_ms", title="p99 ms without", digits=1)
P99_WITH = Metric(key="p99_ms", title="p99 ms with", digits=1)
SERVERS = (servers.nuages, servers.granian, servers.gunicorn, servers.uvicorn)


@contextlib.contextmanager
def _idle(port: int, request: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have each had one answer, until there are enough or one gets none."""
    held: list[socket.socket] = []
    try:
        for _ in range(CONNECTIONS):
            client = socket.socket()
            client.settimeout(PATIENCE_SECONDS)
            held.append(client)
            try:
                client.connect(("127.0.0.1", port))
                client.sendall(request)
                answered = bool(client.recv(4096))
            except OSError:
                answered = False
            if not answered:
                held.pop().close()
                break
        yield held
    finally:
        for client in held:
            client.close()


def _alive(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _measure(stage: Stage, project: Project, server: Server) -> Sample:
    load = Load(path="/plain/", headers=project.headers, length=6)
    request = f"GET /plain/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {project.cookie}\r\n\r\n".encode()
    log = stage.folder / f"{server.name}.log"
    places = stage.places(project)
    try:
        with started(
            server, places=places, environ=project.environ, core=stage.server_core, probe=load, log=log
        ) as running:
            stage.burst(running, load)
            before, _ = stage.burst(running, load)
            with _idle(running.port, request) as held:
                numbers, shot = stage.burst(running, load)
                memory = cpu.memory(running.pid) / 1e6
                alive = sum(map(_alive, held))
            command = running.command
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=0, faults=(str(error),))
    extra = {
        "held": alive,
        "memory_mb": memory,
        "each_kb": (memory - before["memory_mb"]) * 1e3 / max(1, alive),
        "before_us": before["cpu_us"],
        "before_p99_ms": before["p99_ms"],
    }
    return Sample(
        server=server.name, round=0, numbers={**numbers, **extra}, faults=faults(shot), command=command
    )


def run(stage: Stage) -> Outcome:
    """Measure 16 busy connections alone and beside the idle ones; one round, for it is memory that is asked."""
    project = stage.prepare()
    samples = []
    for server in stage.taking_part(SERVERS):
        samples.append(_measure(stage, project, server))
        stage.tell(f"  {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    bars = [at_least(samples, HELD, CONNECTIONS), at_most(samples, MEMORY, LIMIT_MB)]
    alone = median(samples, "nuages", CPU_BEFORE)
    if alone is not None:
        bars.append(at_most(samples, CPU_WITH, alone * SLOWER))
    return Outcome(
        samples=tuple(samples),
        metrics=(HELD, MEMORY, EACH, CPU_BEFORE, CPU_WITH, P99_BEFORE, P99_WITH),
        rank=HELD,
        bars=tuple(bars),
        remarks=("gunicorn's thread worker takes 1,000 connections by default",),
    )


SUBJECTS = (Subject(name="idle", title="10,000 idle keep-alive connections beside 16 busy ones", run=run),)
