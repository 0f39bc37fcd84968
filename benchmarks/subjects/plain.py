"""A sync view that answers at once: what the server itself costs."""

from __future__ import annotations

from benchmarks import servers
from benchmarks.bars import not_worse, share_of_limit
from benchmarks.load import Load
from benchmarks.samples import CPU, Outcome
from benchmarks.stage import Stage
from benchmarks.subject import Subject

SHARE = 0.70


def run(stage: Stage) -> Outcome:
    """Ask the plain view on 16 connections."""
    project = stage.prepare()
    samples = stage.compare(
        (
            servers.handler, servers.nuages, servers.nuages_1, servers.granian, servers.granian_1, servers.uwsgi,
            servers.gunicorn, servers.waitress, servers.uvicorn,
        ),
        project,
        Load(path="/plain/", length=6),
    )  # fmt: skip
    bars = (
        not_worse(samples, CPU, "granian"),
        not_worse(samples, CPU, "granian-1"),
        not_worse(samples, CPU, "uwsgi"),
        share_of_limit(samples, SHARE),
    )
    return Outcome(samples=samples, bars=bars)


SUBJECTS = (Subject(name="plain", title="a sync view that answers at once, 16 connections", run=run),)
