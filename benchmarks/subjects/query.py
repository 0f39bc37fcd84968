"""A sync view of one query: SQLite, PostgreSQL, and PostgreSQL that is 2 ms away."""

from __future__ import annotations

from benchmarks import servers
from benchmarks.bars import not_worse, not_worse_than_best, share_of_limit
from benchmarks.database import delayed, postgresql, round_trip, sqlite
from benchmarks.load import Load
from benchmarks.samples import CPU, P99, RATE, Outcome
from benchmarks.stage import Stage
from benchmarks.subject import Subject

SHARE = 0.88
LATENCY_SECONDS = 0.002
LOAD = Load(path="/query/")
SERVERS = (
    servers.handler, servers.nuages, servers.nuages_1, servers.granian, servers.granian_1, servers.uwsgi,
    servers.gunicorn, servers.uvicorn,
)  # fmt: skip
# One thread waits for one answer at a time: far from the database uWSGI needs more of them.
FAR = (servers.nuages, servers.granian, servers.uwsgi_4, servers.gunicorn, servers.uvicorn)


def run_sqlite(stage: Stage) -> Outcome:
    """Query SQLite in write-ahead mode, in the server's own process."""
    project = stage.prepare(sqlite(stage.folder / "query.sqlite3"), name="query")
    samples = stage.compare(SERVERS, project, LOAD)
    return Outcome(samples=samples, bars=(not_worse(samples, CPU, "granian"), share_of_limit(samples, SHARE)))


def run_postgresql(stage: Stage) -> Outcome:
    """Query a PostgreSQL on this machine, on the load's core."""
    with postgresql(stage.folder, core=stage.load_core) as database:
        project = stage.prepare(database.settings(), name="postgresql")
        samples = stage.compare(SERVERS, project, LOAD)
        near = round_trip(database.address())
    bars = (not_worse(samples, CPU, "granian"), share_of_limit(samples, SHARE))
    return Outcome(
        samples=samples, bars=bars, remarks=(f"one round trip to the database: {near * 1e3:.2f} ms",)
    )


def run_latency(stage: Stage) -> Outcome:
    """Query the same PostgreSQL through a proxy that delays each direction by half of the latency."""
    with (
        postgresql(stage.folder, core=stage.load_core) as database,
        delayed(database, LATENCY_SECONDS, core=stage.load_core) as port,
    ):
        near = stage.prepare(database.settings(), name="latency")
        project = stage.moved(near, database.settings(port=port))
        samples = stage.compare(FAR, project, LOAD)
        seen = round_trip(database.address(port=port))
    bars = (
        not_worse_than_best(samples, RATE),
        not_worse_than_best(samples, P99),
        not_worse(samples, CPU, "granian"),
    )
    return Outcome(
        samples=samples,
        rank=RATE,
        bars=bars,
        remarks=(f"one round trip to the database: {seen * 1e3:.2f} ms",),
    )


SUBJECTS = (
    Subject(name="query", title="a sync view of one query, SQLite, 16 connections", run=run_sqlite),
    Subject(name="query-postgresql", title="the same with PostgreSQL", run=run_postgresql),
    Subject(name="query-latency", title="the same with PostgreSQL 2 ms away", run=run_latency),
)
