"""200 requests/s while workers are replaced after every 100 requests: what clients notice of it.

The project takes 1.5 s to import and has two workers; half of the requests come over fresh connections, half over kept
ones, and latency counts from the moment for which a request was planned. Every server replaces its workers by its own
option; granian, which has none for requests, by memory at every look.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import servers
from benchmarks.bars import at_most, not_worse
from benchmarks.load import Load
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Metric, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage
from benchmarks.steady import Tally
from benchmarks.subject import Subject

WORKERS = 2
REQUESTS_A_SECOND = 200
RECYCLE = "100"
SECONDS = 15.0
MOST_FAILED = 0.01  # of the requests; what fails more has no latency to compare
P999_LIMIT_MS = 30
FACTOR = 2.0
ROOT = Path(__file__).resolve().parents[2]

P50 = Metric(key="p50_ms", title="p50 ms", digits=1)
P99 = Metric(key="p99_ms", title="p99 ms", digits=1)
P999 = Metric(key="p999_ms", title="p99.9 ms", digits=1)
WORST = Metric(key="max_ms", title="max ms", digits=1)
FAILED = Metric(key="failed", title="failed")
REPLACED = Metric(key="replaced", title="workers replaced", less_is_better=False)
LATE = Metric(key="late_ms", title="load late ms", digits=1)

_GUNICORN = ("--max-requests", RECYCLE, "--max-requests-jitter", "20")
_NUAGES = servers.nuages
SERVERS = (
    dataclasses.replace(_NUAGES, argv=(*_NUAGES.argv, "--recycle-requests", RECYCLE)),
    _NUAGES.extended("nuages-steady", "--recycle-requests", "off"),
    servers.uvicorn.extended("uvicorn", "--limit-max-requests", RECYCLE),
    servers.gunicorn.extended("gunicorn", *_GUNICORN),
    servers.gunicorn_preload.extended("gunicorn-preload", *_GUNICORN),
    servers.uwsgi.extended(
        "uwsgi", "--max-requests", RECYCLE, "--max-requests-delta", "10", "--min-worker-lifetime", "0"
    ),
    servers.granian.extended("granian", "--workers-max-rss", "1", "--rss-sample-interval", "1"),
)


def _load(running: Running, seconds: float) -> Tally:
    command = [
        sys.executable, "-m", "benchmarks.steady", f"127.0.0.1:{running.port}", "--rate", f"{REQUESTS_A_SECOND}",
        "--seconds", f"{seconds}", "--path", "/pid/", "--bodies",
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return Tally(**json.loads(ended.stdout.splitlines()[-1]))


def _measure(stage: Stage, project: Project, server: Server, number: int, seconds: float) -> Sample:
    log = stage.folder / f"{server.name}.log"
    try:
        with started(
            server, places=stage.places(project), environ=project.environ, core=None, probe=Load(path="/pid/"),
            log=log,
        ) as running:  # fmt: skip
            _load(running, 2.0)  # the other worker is there after it
            stage.settle(running)
            tally, command = _load(running, seconds), running.command
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=number, faults=(str(error),))
    numbers = {
        **{metric.key: getattr(tally, metric.key) for metric in (P50, P99, P999, WORST, LATE)},
        "failed": tally.failed, "replaced": len(tally.bodies) - WORKERS,
    }  # fmt: skip
    wrong = (f"{tally.failures}",) if tally.failed > MOST_FAILED * tally.requests else ()
    return Sample(server=server.name, round=number, numbers=numbers, faults=wrong, command=command)


def run(stage: Stage) -> Outcome:
    """Measure each server once a round."""
    staged = dataclasses.replace(stage, workers=WORKERS)
    light = staged.prepare(name="recycling")
    project = dataclasses.replace(light, environ={**light.environ, "DJANGO_SETTINGS_MODULE": "measured.slow"})
    seconds = SECONDS if stage.seconds > 1 else 3.0
    samples = []
    part = staged.taking_part(SERVERS)
    for number in range(staged.rounds):
        turn = number % max(1, len(part))
        for server in (*part[turn:], *part[:turn]):
            samples.append(_measure(staged, project, server, number, seconds))
            stage.tell(f"  round {number + 1} {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    bars = (
        at_most(samples, FAILED, 0), at_most(samples, P999, P999_LIMIT_MS),
        not_worse(samples, P999, "nuages-steady", factor=FACTOR),
    )  # fmt: skip
    return Outcome(
        samples=tuple(samples), metrics=(P999, P50, P99, WORST, FAILED, REPLACED, LATE), rank=P999, bars=bars,
        remarks=(f"{WORKERS} workers on all cores, {REQUESTS_A_SECOND} requests/s for {seconds:.0f} s",),
    )  # fmt: skip


SUBJECTS = (
    Subject(name="recycling", title="workers replaced after 100 requests each, at 200 requests/s", run=run),
)
