"""Pages that compute: more threads than needed only fight for the interpreter."""

from __future__ import annotations

from benchmarks import servers
from benchmarks.bars import at_most, not_worse
from benchmarks.database import sqlite
from benchmarks.load import Load, ask
from benchmarks.running import Running
from benchmarks.samples import CPU, USUAL, Metric, Outcome
from benchmarks.stage import Stage
from benchmarks.subject import Subject

BUSY = Metric(key="busy", title="most busy threads")
BUSY_LIMIT = 4
COUNTER = "/busy/"
CPU_FACTOR = 1.1


def _busy(running: Running) -> dict[str, float]:
    return {"busy": float(ask(Load(path=COUNTER), running.port).body.split()[1])}


def run(stage: Stage) -> Outcome:
    """Ask pages of 11 to 16 ms on 64 connections."""
    project = stage.prepare(sqlite(stage.folder / "computing.sqlite3"), name="computing")
    samples = stage.compare(
        (servers.handler, servers.nuages, servers.granian, servers.granian_1, servers.uwsgi, servers.gunicorn,
         servers.uvicorn),
        project,
        Load(path="/page/", connections=64, counter=COUNTER),
        extra=_busy,
    )  # fmt: skip
    bars = (at_most(samples, BUSY, BUSY_LIMIT), not_worse(samples, CPU, servers.HANDLER, factor=CPU_FACTOR))
    return Outcome(samples=samples, metrics=(*USUAL, BUSY), bars=bars)


SUBJECTS = (Subject(name="computing", title="pages of 11 to 16 ms, 64 connections", run=run),)
