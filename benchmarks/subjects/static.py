"""Static files: 1 KB, 30 KB that compress, 1 MB, and what a browser has already; by the servers' own means, and by
WhiteNoise."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from benchmarks import servers
from benchmarks.bars import not_worse
from benchmarks.load import Load
from benchmarks.samples import CPU, USUAL, Bar, Metric, Outcome, Sample
from benchmarks.stage import Project, Stage
from benchmarks.subject import Subject

LENGTH = Metric(key="sent_kb", title="KB/request", digits=1)
FOLDER = "{data}/static"
SMALL = "nuages-1KB"  # nuages again, with the small file, beside whatever else is asked
CHANGED = "nuages-1KB-fields"  # and with the fields of a browser that has another version of it
SERVERS = (
    servers.nuages,
    servers.nginx,
    servers.granian.extended(
        "granian-mount", "--static-path-route", "/static", "--static-path-mount", FOLDER
    ),
    servers.uwsgi.extended("uwsgi-map", "--static-map", f"/static={FOLDER}", "--static-gzip-all"),
    servers.gunicorn.extended("gunicorn-whitenoise", MEASURED_WHITENOISE="1"),
    servers.uvicorn.extended("uvicorn-whitenoise", MEASURED_WHITENOISE="1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A static file as it is asked for; `is_known`: the client has it already, and says so as browsers do.

    `beside_small`: the small file is asked of nuages too, to compare with.
    """

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_known: bool = False
    beside_small: bool = False


def small_bars(samples: Sequence[Sample]) -> tuple[Bar, ...]:
    """Promise the 1 KB file for less than what else is in Python's process, and near nginx."""
    return (
        not_worse(samples, CPU, "granian-mount", factor=0.6),
        not_worse(samples, CPU, "nginx", factor=2.5),
        not_worse(samples, CPU, "uvicorn-whitenoise", factor=1 / 25),
        not_worse(samples, CPU, "uwsgi-map"),
    )


def run(stage: Stage, *, file: File, bars: Callable[[Sequence[Sample]], tuple[Bar, ...]]) -> Outcome:
    """Ask one file on 16 connections."""
    project = stage.prepare()
    headers = dict(file.headers)
    if file.is_known:
        headers |= _validators(project, file.name)
    # Only what knows the tag or the time as it was sent answers 304: the others are no peers there.
    part = tuple(
        s for s in SERVERS if not file.is_known or s.name in {"nuages", "nginx", "uvicorn-whitenoise"}
    )
    loads = [(part, Load(path=f"/static/{file.name}", headers=headers, status=304 if file.is_known else 200))]
    if file.beside_small:
        beside = dataclasses.replace(servers.nuages, name=SMALL)
        loads.append(((beside,), Load(path="/static/small.txt")))
    if file.is_known:
        changed = headers | {"If-None-Match": headers["If-None-Match"][::-1]}
        beside = dataclasses.replace(servers.nuages, name=CHANGED)
        loads.append(((beside,), Load(path=f"/static/{file.name}", headers=changed)))
    measured: list[Sample] = []
    for number in range(stage.rounds):
        once = dataclasses.replace(stage, rounds=1)
        for part, load in loads:
            found = once.compare(part, project, load)
            measured += [dataclasses.replace(sample, round=number) for sample in found]
    for sample in measured:
        if sample.numbers:
            sample.numbers["sent_kb"] = sample.numbers["bytes"] / max(1.0, sample.numbers["requests"]) / 1e3
    return Outcome(samples=tuple(measured), metrics=(*USUAL, LENGTH), bars=bars(measured))


def _validators(project: Project, name: str) -> dict[str, str]:
    """Return what a browser sends that has the file: its time, and the tag that nuages gives it."""
    facts = (Path(project.environ["MEASURED_DATA"]) / "static" / name).stat()
    return {
        "If-None-Match": f'"{facts.st_mtime_ns // 1_000_000:x}-{facts.st_size:x}"',
        "If-Modified-Since": formatdate(int(facts.st_mtime), usegmt=True),
    }


SUBJECTS = tuple(
    Subject(
        name=name,
        title=f"static file, {title}, 16 connections",
        run=functools.partial(run, file=file, bars=bars),
    )
    for name, title, file, bars in (
        ("static", "1 KB", File(name="small.txt"), small_bars),
        (
            "static-brotli",
            "30 KB, brotli accepted",
            File(name="medium.css", headers={"Accept-Encoding": "br, gzip"}, beside_small=True),
            lambda samples: (
                not_worse(samples, CPU, SMALL, factor=1.5),
                not_worse(samples, CPU, "granian-mount"),
            ),
        ),
        (
            "static-known",
            "1 KB that the browser has (304)",
            File(name="small.txt", is_known=True, beside_small=True),
            lambda samples: (not_worse(samples, CPU, SMALL), not_worse(samples, CPU, CHANGED)),
        ),
        (
            "static-large",
            "1 MB",
            File(name="large.bin"),
            lambda samples: (
                not_worse(samples, CPU, "uwsgi-map", factor=1.3),
                not_worse(samples, CPU, "granian-mount"),
                not_worse(samples, CPU, "nginx"),
            ),
        ),
    )
)
