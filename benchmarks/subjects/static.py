"""Static files: 1 KB, 30 KB that compress, 1 MB; by the servers' own means, and by WhiteNoise."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks import servers
from benchmarks.bars import not_worse
from benchmarks.load import Load
from benchmarks.samples import CPU, USUAL, Metric, Outcome
from benchmarks.stage import Stage
from benchmarks.subject import Subject

LENGTH = Metric(key="sent_kb", title="KB/request", digits=1)
FOLDER = "{data}/static"
SERVERS = (
    servers.nuages,
    servers.granian.extended(
        "granian-mount", "--static-path-route", "/static", "--static-path-mount", FOLDER
    ),
    servers.uwsgi.extended("uwsgi-map", "--static-map", f"/static={FOLDER}", "--static-gzip-all"),
    servers.gunicorn.extended("gunicorn-whitenoise", MEASURED_WHITENOISE="1"),
    servers.uvicorn.extended("uvicorn-whitenoise", MEASURED_WHITENOISE="1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A static file as it is asked for."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)


def run(stage: Stage, *, file: File) -> Outcome:
    """Ask one file on 16 connections."""
    measured = stage.compare(
        SERVERS, stage.prepare(), Load(path=f"/static/{file.name}", headers=file.headers)
    )
    for sample in measured:
        if sample.numbers:
            sample.numbers["sent_kb"] = sample.numbers["bytes"] / max(1.0, sample.numbers["requests"]) / 1e3
    bars = (not_worse(measured, CPU, "granian-mount"), not_worse(measured, CPU, "uwsgi-map"))
    return Outcome(samples=measured, metrics=(*USUAL, LENGTH), bars=bars)


SUBJECTS = tuple(
    Subject(name=name, title=f"static file, {title}, 16 connections", run=functools.partial(run, file=file))
    for name, title, file in (
        ("static", "1 KB", File(name="small.txt")),
        (
            "static-brotli",
            "30 KB, brotli accepted",
            File(name="medium.css", headers={"Accept-Encoding": "br, gzip"}),
        ),
        ("static-large", "1 MB", File(name="large.bin")),
    )
)
