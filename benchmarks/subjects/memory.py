"""Four workers of a heavy project: the memory of all of them after 10,000 requests and a full collection in each."""

from __future__ import annotations

import dataclasses
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from benchmarks import cpu, servers
from benchmarks.bars import at_most, not_worse
from benchmarks.load import Load, ask
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Bar, Metric, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage
from benchmarks.subject import Subject

WORKERS = 4
REQUESTS = 10_000
QUICK_REQUESTS = 500
CLIENTS = 16
RECONNECT = 25  # requests; connections that live for the whole run would leave some workers without any
COLLECT_SECONDS = 30.0
RELOAD_SECONDS = 60.0
WATCH_SECONDS = 0.02
RELOAD_SHARE = 1.3
LIMIT_MB = 150
SHARE = 0.40
# A page that answers at once, one with a session, rows and a template, and a query.
FEW_VIEWS = ("/plain/", "/page/", "/query/")
# What compiles templates and fills caches in every worker: the admin, a browsable API, pictures, signed addresses.
MANY_VIEWS = (
    "/plain/", "/query/", "/plain/", "/admin/", "/plain/", "/api/records/?format=json", "/signed/", "/query/",
    "/thumbnail/", "/api/records/7/?format=api", "/plain/", "/admin/password_change/",
)  # fmt: skip

MEMORY = Metric(key="memory_mb", title="PSS MB after", digits=1)
BEFORE = Metric(key="before_mb", title="PSS MB at the start", digits=1)
RELOAD = Metric(key="reload", title="most in a reload / before", digits=2)
COLLECTED = Metric(key="collected", title="workers collected", less_is_better=False)
CPU_EACH = Metric(key="cpu_us", title="CPU µs/request")
SERVERS = (
    servers.nuages, servers.uvicorn, servers.granian, servers.gunicorn_preload, servers.gunicorn_freeze, servers.uwsgi,
)  # fmt: skip


def _all_at_once(call: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def mixed(port: int, project: Project, views: Sequence[str], requests: int) -> list[str]:
    """Ask for every view in turn from many connections; return what went wrong."""
    faults: list[str] = []
    numbers = iter(range(CLIENTS))

    def client() -> None:
        first = next(numbers)
        paths = islice(cycle(views), first, first + requests // CLIENTS)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number, path in enumerate(paths):
            if number % RECONNECT == 0:
                connection.close()
            try:
                connection.request("GET", path, headers=dict(project.headers))
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                faults.append(f"{type(error).__name__} for {path}")
                continue
            if response.status != 200:
                faults.append(f"status {response.status} for {path}")
        connection.close()

    _all_at_once(client)
    return faults


def collect(port: int) -> int:
    """Have every worker collect its garbage; return how many have."""
    seen: set[bytes] = set()
    deadline = time.monotonic() + COLLECT_SECONDS

    def client() -> None:
        while len(seen) < WORKERS and time.monotonic() < deadline:
            try:
                seen.add(ask(Load(path="/collect/"), port).body)
            except (OSError, http.client.HTTPException):
                continue

    _all_at_once(client)
    return len(seen)


def workers_are_there(running: Running, project: Project) -> None:
    """Wait until all workers serve: the first one answers before the others have loaded."""
    collect(running.port)
    Stage.settle(running)
    mixed(running.port, project, FEW_VIEWS, CLIENTS)


def _reload(running: Running) -> float:
    """Have the server load its code anew; return the most memory that it takes until its old workers are gone."""
    old = cpu.children(running.pid)
    most = cpu.memory(running.pid)
    os.kill(running.pid, signal.SIGHUP)
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline and old & cpu.children(running.pid):
        most = max(most, cpu.memory(running.pid))
        time.sleep(WATCH_SECONDS)
    return most / 1e6


def _measure(stage: Stage, project: Project, server: Server, views: Sequence[str]) -> Sample:
    requests = REQUESTS if stage.seconds > 1 else QUICK_REQUESTS
    log = stage.folder / f"{server.name}.log"
    try:
        with started(
            server, places=stage.places(project), environ=project.environ, core=None,
            probe=Load(path="/plain/"), log=log,
        ) as running:  # fmt: skip
            workers_are_there(running, project)
            before, spent = cpu.memory(running.pid) / 1e6, cpu.usage(running.pid).cpu
            faults = mixed(running.port, project, views, requests)
            spent = cpu.usage(running.pid).cpu - spent
            collected = collect(running.port)
            Stage.settle(running)
            memory, command = cpu.memory(running.pid) / 1e6, running.command
            most = _reload(running)
    except (StartError, OSError, RuntimeError) as error:
        return Sample(server=server.name, round=0, faults=(str(error),))
    if collected < WORKERS:
        faults.append(f"only {collected} of {WORKERS} workers have collected")
    numbers = {
        "memory_mb": memory,
        "before_mb": before,
        "collected": collected,
        "reload": most / memory,
        "cpu_us": spent / requests * 1e6,
    }
    return Sample(
        server=server.name,
        round=0,
        numbers=numbers,
        faults=tuple(dict.fromkeys(faults)),
        command=command,
    )


def _samples(stage: Stage, views: Sequence[str]) -> list[Sample]:
    """Measure each server once: a sum over five processes after so many requests hardly varies."""
    staged = dataclasses.replace(stage, workers=WORKERS)
    light = staged.prepare(name="memory")
    project = dataclasses.replace(
        light, environ={**light.environ, "DJANGO_SETTINGS_MODULE": "measured.heavy"}
    )
    samples = []
    for server in staged.taking_part(SERVERS):
        samples.append(_measure(staged, project, server, views))
        stage.tell(f"  {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    return samples


def _outcome(samples: list[Sample], *bars: Bar) -> Outcome:
    return Outcome(
        samples=tuple(samples), metrics=(MEMORY, BEFORE, RELOAD, CPU_EACH, COLLECTED), rank=MEMORY, bars=bars,
        remarks=(f"{WORKERS} workers; the sum of the proportional set sizes of all processes of a server",),
    )  # fmt: skip


def few_views(stage: Stage) -> Outcome:
    """Measure with three views of a project that has loaded much more."""
    samples = _samples(stage, FEW_VIEWS)
    return _outcome(
        samples, not_worse(samples, MEMORY, "uvicorn", factor=SHARE), at_most(samples, MEMORY, LIMIT_MB),
        at_most(samples, RELOAD, RELOAD_SHARE),
    )  # fmt: skip


def many_views(stage: Stage) -> Outcome:
    """Measure with views that use all of what is loaded."""
    samples = _samples(stage, MANY_VIEWS)
    return _outcome(
        samples, not_worse(samples, MEMORY, "uvicorn", factor=SHARE), not_worse(samples, MEMORY, "gunicorn-freeze"),
        at_most(samples, RELOAD, RELOAD_SHARE),
    )  # fmt: skip


_LOADED = "the admin, REST framework, Pillow and boto3"
SUBJECTS = (
    Subject(name="memory", title=f"4 workers that loaded {_LOADED}: three views", run=few_views),
    Subject(name="memory-pages", title=f"4 workers that use {_LOADED}", run=many_views),
)
