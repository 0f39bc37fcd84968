"""The server's own metrics: each declared once, and made from an observation; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nuages.runtime import pool
from nuages.runtime.counts import BOUNDS, CLASSES, Histogram
from nuages.runtime.exposition import Family, Labels, Sample, number
from nuages.runtime.observation import Observation, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that is emitted; the page docs/operations.md lists the same. Counters are named without `_total`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def shown(self) -> str:
        """The name that queries use."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


METRICS = (
    Metric(name="nuages_build", kind="info", labels=("version",), help="The version of nuages; always 1."),
    Metric(name="nuages_start_time_seconds", kind="gauge", unit="seconds",
           help="When the server was started, in seconds since 1970."),
    Metric(name="nuages_ready", kind="gauge", help="1 while balancers should send requests here, as /-/ready says."),
    Metric(name="nuages_generation", kind="gauge", help="The number of the code that new workers load."),
    Metric(name="nuages_failed_reloads", kind="counter",
           help="Reloads that were given up because the new code did not get ready."),
    Metric(name="nuages_workers", kind="gauge", labels=("phase",), help="Worker processes by phase of their life."),
    Metric(name="nuages_workers_wanted", kind="gauge", help="How many workers are to serve."),
    Metric(name="nuages_worker_replacements", kind="counter", labels=("reason",),
           help="Workers that were replaced, by reason; crash: it ended without being told to."),
    Metric(name="nuages_requests", kind="counter", labels=("method", "status", "route"),
           help="Requests that were answered, without static files, by class of status and the pattern that matched."),
    Metric(name="nuages_request_duration_seconds", kind="histogram", labels=("route",), unit="seconds",
           help="From a request's head to the end of its answer, without static files."),
    Metric(name="nuages_request_queue_seconds", kind="histogram", unit="seconds",
           help="What of it a request waited for a thread."),
    Metric(name="nuages_requests_in_flight", kind="gauge", help="Requests that were begun and not answered."),
    Metric(name="nuages_oldest_request_seconds", kind="gauge", unit="seconds",
           help="How long the oldest request in flight has been going on; 0 when there is none."),
    Metric(name="nuages_requests_queued", kind="gauge", help="Requests that wait for a thread."),
    Metric(name="nuages_static_requests", kind="counter", labels=("status",),
           help="Static files that were answered before Django, by class of status."),
    Metric(name="nuages_response_body_bytes", kind="counter", unit="bytes",
           help="Bytes of bodies that were sent, static files included."),
    Metric(name="nuages_connections", kind="gauge", help="Client connections that are open, idle ones included."),
    Metric(name="nuages_threads", kind="gauge", labels=("state",), help="Threads for sync views: busy or idle."),
    Metric(name="nuages_database_connections", kind="gauge", help="Database connections that are open."),
    Metric(name="nuages_database_up", kind="gauge",
           help="1 while the database answers, as asked every 5 s; only with --ready-database."),
    Metric(name="nuages_worker_memory_bytes", kind="gauge", labels=("slot",), unit="bytes",
           help="A worker's own share of the memory (PSS), by its slot, which its successors inherit."),
    Metric(name="nuages_worker_heartbeat_age_seconds", kind="gauge", labels=("slot",), unit="seconds",
           help="How long ago a worker's event loop has last gone round."),
)  # fmt: skip


def families(seen: Observation) -> list[Family]:
    """Return every metric with its values; one that has none now is there without samples."""
    values = {name: tuple(samples) for name, samples in _values(seen)}
    return [
        Family(metric.name, metric.kind, metric.help, values.get(metric.name, ()), metric.unit)
        for metric in METRICS
    ]


def _values(seen: Observation) -> Iterator[tuple[str, Iterable[Sample]]]:
    state, counts = seen.pool, seen.counts
    at_work = [one for one in seen.workers if one.pid]
    yield "nuages_build", [Sample("_info", (("version", seen.version),), 1)]
    yield "nuages_start_time_seconds", _gauge(round(seen.started_at, 3))
    yield "nuages_ready", _gauge(not seen.why_not_ready)
    yield "nuages_generation", _gauge(state.generation)
    yield "nuages_failed_reloads", [Sample("_total", (), seen.failed_reloads)]
    phases = [one.worker.phase for one in seen.workers]
    yield "nuages_workers", [Sample("", (("phase", one.value),), phases.count(one)) for one in pool.Phase]
    yield "nuages_workers_wanted", _gauge(state.limits.workers)
    yield (
        "nuages_worker_replacements",
        [Sample("_total", (("reason", reason),), count) for reason, count in seen.replacements.items()],
    )
    yield (
        "nuages_requests",
        [
            Sample("_total", (("method", method), ("status", status), ("route", route)), count)
            for (route, method, status), count in sorted(counts.requests.items())
        ],
    )
    yield (
        "nuages_request_duration_seconds",
        [
            sample
            for route, histogram in sorted(counts.durations.items())
            for sample in _histogram(histogram, (("route", route),))
        ],
    )
    yield "nuages_request_queue_seconds", _histogram(counts.queue)
    yield "nuages_requests_in_flight", _gauge(sum(one.at_work for one in at_work))
    oldest = min((request.since for one in at_work for request in one.in_flight), default=seen.now)
    yield "nuages_oldest_request_seconds", _gauge(round(seen.now - oldest, 3))
    yield "nuages_requests_queued", _gauge(sum(one.figures.queued for one in at_work))
    yield (
        "nuages_static_requests",
        [Sample("_total", (("status", status),), counts.static.get(status, 0)) for status in CLASSES[1:]],
    )
    yield "nuages_response_body_bytes", [Sample("_total", (), counts.sent)]
    yield "nuages_connections", _gauge(sum(one.figures.connections for one in at_work))
    yield "nuages_threads", _threads(at_work)
    yield "nuages_database_connections", _gauge(sum(one.figures.database_connections for one in at_work))
    if seen.database:
        yield "nuages_database_up", _gauge(not seen.database_trouble)
    yield (
        "nuages_worker_memory_bytes",
        [Sample("", (("slot", str(one.slot)),), one.memory) for one in at_work if one.memory is not None],
    )
    yield (
        "nuages_worker_heartbeat_age_seconds",
        [
            Sample("", (("slot", str(one.slot)),), round(max(0.0, seen.now - one.figures.heartbeat), 3))
            for one in at_work
            if one.figures.heartbeat
        ],
    )


def _gauge(value: float) -> list[Sample]:
    return [Sample("", (), int(value) if isinstance(value, bool) else value)]


def _threads(workers: Iterable[Seen]) -> list[Sample]:
    busy = sum(one.figures.threads_busy for one in workers)
    idle = sum(max(0, one.figures.threads - one.figures.threads_busy) for one in workers)
    return [Sample("", (("state", "busy"),), busy), Sample("", (("state", "idle"),), idle)]


def _histogram(histogram: Histogram, labels: Labels = ()) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*BOUNDS, float("inf")), histogram.counts, strict=True):
        total += count
        yield Sample("_bucket", (*labels, ("le", number(bound))), total)
    yield Sample("_sum", labels, histogram.sum)
    yield Sample("_count", labels, total)
