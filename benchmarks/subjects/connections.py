"""Database connections: PostgreSQL that allows 100, four workers, default options."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import load, servers
from benchmarks.bars import at_least, at_most
from benchmarks.database import PostgreSQL, connect, postgresql
from benchmarks.load import Load, Shot
from benchmarks.running import StartError, started
from benchmarks.samples import P99, RATE, Bar, Metric, Outcome, Sample, faults, median
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage
from benchmarks.subject import Subject

WORKERS = 4
ALLOWED = 100
UNLIMITED = 500
POLL_SECONDS = 0.1
SETTLE_SECONDS = 1.5
OPENED_LIMIT = 0.1
SHARE = 0.9

SEEN = Metric(key="connections", title="connections at once")
AFTER = Metric(key="after", title="1.5 s after")
OPENED = Metric(key="opened", title="opened/request", digits=3)
METRICS = (RATE, P99, SEEN, AFTER, OPENED)
SERVERS = (servers.nuages, servers.granian, servers.gunicorn, servers.uvicorn)
PLENTY = dataclasses.replace(servers.nuages, name="nuages-unlimited")

_COUNT = (
    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
_OPENED = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Two loads at once: views that wait 50 ms for the database, and quick queries."""

    waiting: str
    quick: str
    waiting_connections: int = 48
    quick_connections: int = 16
    persistent: bool = False


class Census:
    """Counts the connections of everybody else, on a connection that PostgreSQL keeps free for superusers."""

    def __init__(self, database: PostgreSQL) -> None:
        self.connection = connect(database.address())
        self.most = 0

    def ask(self, question: str) -> int:
        """Return the answer, a number."""
        row = self.connection.execute(question).fetchone()
        return int(row[0]) if row else 0

    def look(self) -> int:
        """Count now."""
        now = self.ask(_COUNT)
        self.most = max(self.most, now)
        return now


@contextlib.contextmanager
def _census(database: PostgreSQL) -> Iterator[Census]:
    census = Census(database)
    try:
        yield census
    finally:
        census.connection.close()


def _measure(
    stage: Stage, project: Project, database: PostgreSQL, server: Server, number: int, mix: Mix
) -> Sample:
    waiting = Load(path=mix.waiting, connections=mix.waiting_connections, headers=project.headers)
    quick = Load(path=mix.quick, connections=mix.quick_connections, headers=project.headers)
    log = stage.folder / f"{server.name}.log"
    places = stage.places(project)
    try:
        with (
            started(
                server, places=places, environ=project.environ, core=stage.server_core, probe=quick, log=log
            ) as running,
            _census(database) as census,
        ):
            # The first worker answers before the others are there, and keep-alive connections stay where they are.
            stage.settle(running)
            load.shoot(quick, running.port, 1, stage.load_core)
            before = census.ask(_OPENED)
            shooting = [
                load.start(each, running.port, stage.seconds, stage.load_core) for each in (waiting, quick)
            ]
            while any(process.poll() is None for process in shooting):
                census.look()
                time.sleep(POLL_SECONDS)
            shots = [load.finish(process) for process in shooting]
            time.sleep(SETTLE_SECONDS)
            after, command = census.look(), running.command
            opened = census.ask(_OPENED) - before
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=number, faults=(str(error),))
    requests = sum(shot.requests for shot in shots)
    numbers = {
        "rps": sum(shot.requests / shot.seconds for shot in shots),
        "p99_ms": max(shot.p99_ms for shot in shots),
        "connections": census.most,
        "after": after,
        "opened": opened / max(1, requests),
    }
    refused = "too many clients" in log.read_text(errors="replace")
    return Sample(
        server=server.name,
        round=number,
        numbers=numbers,
        faults=_faults(shots, refused=refused),
        command=command,
    )


def _faults(shots: list[Shot], *, refused: bool) -> tuple[str, ...]:
    errors, requests = sum(shot.errors for shot in shots), sum(shot.requests for shot in shots)
    texts = [f"{errors} errors in {requests} requests"] if errors else []
    return (*texts, *(["PostgreSQL: too many clients"] if refused else []))


def _rounds(stage: Stage, mix: Mix) -> list[Sample]:
    """Measure all in each round, nuages also where connections are plenty: so both are of the same hour."""
    samples = []
    part = stage.taking_part(SERVERS)
    plenty = [PLENTY] if servers.nuages in part else []
    subjects = []
    with contextlib.ExitStack() as databases:
        for chosen, allowed, name in ((part, ALLOWED, "connections"), (plenty, UNLIMITED, "plenty")):
            database = databases.enter_context(
                postgresql(stage.folder, core=stage.load_core, max_connections=allowed)
            )
            project = stage.prepare(database.settings(persistent=mix.persistent), name=name)
            subjects += [(server, project, database) for server in chosen]
        for number in range(stage.rounds):
            turn = number % max(1, len(subjects))
            for server, project, database in (*subjects[turn:], *subjects[:turn]):
                samples.append(_measure(stage, project, database, server, number, mix))
                stage.tell(f"  round {number + 1} {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    return samples


def run(stage: Stage, *, mix: Mix) -> Outcome:
    """Load both views at once, and look at PostgreSQL meanwhile."""
    samples = _rounds(dataclasses.replace(stage, workers=WORKERS), mix)
    free = median(samples, PLENTY.name, RATE)
    bars = [
        _no_faults(samples),
        at_most(samples, OPENED, OPENED_LIMIT),
        at_most(samples, SEEN, ALLOWED),
        *([at_least(samples, RATE, SHARE * free)] if free else []),
    ]
    remark = f"connections: {ALLOWED} allowed, {UNLIMITED} for nuages-unlimited; {WORKERS} workers, default options"
    return Outcome(samples=tuple(samples), metrics=METRICS, rank=RATE, bars=tuple(bars), remarks=(remark,))


def _no_faults(samples: list[Sample]) -> Bar:
    found = faults(samples, "nuages")
    measured = any(sample.server == "nuages" for sample in samples)
    return Bar(
        promise="nuages: never «too many clients», no error", seen="; ".join(found) or "none",
        held=not found if measured else None,
    )  # fmt: skip


SYNC = Mix(waiting="/pg-wait/", quick="/query/")
ASYNC = Mix(waiting="/pg-wait-async/", quick="/async-query/")
SUBJECTS = tuple(
    Subject(name=name, title=f"PostgreSQL, 50 ms and quick queries, {title}", run=functools.partial(run, mix=mix))
    for name, title, mix in (
        ("connections", "64 connections, settings that say nothing of connections", SYNC),
        ("connections-kept", "the same with CONN_MAX_AGE=60", dataclasses.replace(SYNC, persistent=True)),
        ("connections-async", "the same in async views, CONN_MAX_AGE=60", dataclasses.replace(ASYNC, persistent=True)),
        ("connections-flood", "256 waiting, CONN_MAX_AGE=60",
         dataclasses.replace(SYNC, persistent=True, waiting_connections=256)),
    )
)  # fmt: skip
