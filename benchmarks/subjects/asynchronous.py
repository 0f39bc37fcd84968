"""Async views: alone, with a query, and beside sync views that compute."""

from __future__ import annotations

import time

from benchmarks import load, servers
from benchmarks.bars import at_most, not_worse
from benchmarks.database import sqlite
from benchmarks.load import Load, Shot
from benchmarks.running import StartError, started
from benchmarks.samples import CPU, P50, P99, RATE, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage, faults
from benchmarks.subject import Subject

SERVERS = (
    servers.handler,
    servers.nuages,
    servers.granian,
    servers.granian_asgi,
    servers.gunicorn,
    servers.uvicorn,
)
UVICORN_SHARE = 1 / 3
P99_LIMIT_MS = 50
SETTLE_SECONDS = 1.0


def _bars(outcome: tuple[Sample, ...]) -> Outcome:
    bars = (
        not_worse(outcome, CPU, "uvicorn", factor=UVICORN_SHARE),
        not_worse(outcome, CPU, servers.HANDLER),
    )
    remark = (
        "«handler» runs the same async view under Django's WSGI handler, which starts a loop for each request"
    )
    return Outcome(samples=outcome, bars=bars, remarks=(remark,))


def run_plain(stage: Stage) -> Outcome:
    """Ask an async view that answers at once."""
    return _bars(stage.compare(SERVERS, stage.prepare(), Load(path="/async/", length=6)))


def run_query(stage: Stage) -> Outcome:
    """Ask an async view of one query."""
    project = stage.prepare(sqlite(stage.folder / "async.sqlite3"), name="async")
    return _bars(stage.compare(SERVERS, project, Load(path="/async-query/")))


def run_beside(stage: Stage) -> Outcome:
    """Ask an async view of 1 ms on 4 connections while 8 others ask a sync view of 1 s of CPU."""
    return _run_beside(stage, stage.server_core)


def run_beside_unpinned(stage: Stage) -> Outcome:
    """Ask the same of servers that may use every core: the interpreter's lock changes hands in another way there."""
    return _run_beside(stage, None)


def _run_beside(stage: Stage, core: int | None) -> Outcome:
    project = stage.prepare()
    part = stage.taking_part((servers.nuages, servers.granian_asgi, servers.uvicorn))
    samples = []
    for number in range(stage.rounds):
        for server in part:
            samples.append(_beside(stage, project, server, number, core))
            stage.tell(f"  round {number + 1} {server.name}: {samples[-1].numbers or samples[-1].faults}")
    bars = (at_most(samples, P99, P99_LIMIT_MS),)
    return Outcome(samples=tuple(samples), metrics=(P99, P50, RATE), rank=P99, bars=bars)


def _beside(stage: Stage, project: Project, server: Server, number: int, core: int | None) -> Sample:
    short = Load(path="/short-async/", connections=4, headers=project.headers, length=6)
    spin = Load(path="/spin/", connections=8, headers=project.headers)
    log = stage.folder / f"{server.name}.log"
    try:
        with started(
            server,
            places=stage.places(project),
            environ=project.environ,
            core=core,
            probe=short,
            log=log,
        ) as running:
            load.ask(short, running.port)
            spinning = load.start(spin, running.port, stage.seconds + 2 * SETTLE_SECONDS, stage.load_core)
            time.sleep(SETTLE_SECONDS)
            shot: Shot = load.shoot(short, running.port, stage.seconds, stage.load_core)
            load.finish(spinning)
            command = running.command
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=number, faults=(str(error),))
    numbers = {"p50_ms": shot.p50_ms, "p99_ms": shot.p99_ms, "rps": shot.requests / shot.seconds}
    return Sample(server=server.name, round=number, numbers=numbers, faults=faults(shot), command=command)


SUBJECTS = (
    Subject(name="async", title="an async view that answers at once, 16 connections", run=run_plain),
    Subject(name="async-query", title="an async view of one query, SQLite, 16 connections", run=run_query),
    Subject(name="async-beside", title="a 1 ms async view beside 8 sync views of 1 s of CPU", run=run_beside),
    Subject(
        name="async-beside-unpinned",
        title="a 1 ms async view beside 8 sync views of 1 s of CPU, on all cores",
        run=run_beside_unpinned,
    ),
)
