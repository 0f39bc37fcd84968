"""Views that wait: a server that adds threads when they wait serves many at once."""

from __future__ import annotations

from benchmarks import servers
from benchmarks.bars import at_least, not_worse
from benchmarks.load import Load
from benchmarks.samples import RATE, Outcome
from benchmarks.stage import Stage
from benchmarks.subject import Subject

LEAST_RATE = 1100


def run(stage: Stage) -> Outcome:
    """Ask a view that sleeps 50 ms on 64 connections; every server with its defaults but the number of workers."""
    project = stage.prepare()
    samples = stage.compare(
        (
            servers.nuages,
            servers.granian,
            servers.uwsgi_4,
            servers.gunicorn,
            servers.waitress,
            servers.uvicorn,
        ),
        project,
        Load(path="/wait/", connections=64, length=6),
    )
    bars = (at_least(samples, RATE, LEAST_RATE), not_worse(samples, RATE, "granian"))
    return Outcome(samples=samples, rank=RATE, bars=bars)


SUBJECTS = (
    Subject(name="waiting", title="views that sleep 50 ms, 64 connections, default options", run=run),
)
