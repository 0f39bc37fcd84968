"""What the management socket answers: alive, ready, started, metrics, and everything as JSON."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from nuages.runtime import exposition, metrics, pool
from nuages.runtime.counts import BOUNDS, Histogram
from nuages.runtime.management import Answer, Answers, Asked
from nuages.runtime.observation import Observation, Observer, Seen

if TYPE_CHECKING:
    from nuages.runtime.supervisor import Supervisor


def answers(supervisor: Supervisor, observer: Observer) -> Answers:
    """Return the answer to each path."""

    def told(asked: Asked) -> Answer:
        openmetrics = exposition.wants_openmetrics(asked.accept)
        found = metrics.families(observer.look())
        if supervisor.metrics:
            ours = {family.name for family in found}
            found += [family for family in supervisor.metrics.families() if family.name not in ours]
        text = exposition.render(found, openmetrics=openmetrics)
        return Answer(status=200, body=text, kind=exposition.OPENMETRICS if openmetrics else exposition.TEXT)

    return {
        "/-/live": lambda _: Answer(status=200, body="alive\n"),
        "/-/ready": lambda _: ready(observer.why_not_ready()),
        "/-/startup": lambda _: startup(supervisor.pool),
        "/-/metrics": told,
        "/-/status": lambda _: Answer(status=200, body=status(observer.look())),
    }


def ready(why_not: str) -> Answer:
    """Whether balancers should send requests here; `why_not` is empty where they should."""
    return Answer(status=503, body=f"{why_not}\n") if why_not else Answer(status=200, body="ready\n")


def startup(now: pool.Pool) -> Answer:
    """Whether the start is over; it stays so when workers are replaced."""
    if now.proven is not None:
        return Answer(status=200, body="started\n")
    return Answer(status=503, body="the application is still loading\n")


def status(seen: Observation) -> dict[str, Any]:
    """Everything that is known of the server and its workers; durations in seconds, sizes in bytes."""
    state, counts, last = seen.pool, seen.counts, seen.last_replacement
    return {
        "version": seen.version,
        "pid": seen.pid,
        "stage": state.stage.value,
        "ready": not seen.why_not_ready,
        "why_not_ready": seen.why_not_ready,
        "project": seen.project,
        "addresses": list(seen.urls),
        "uptime": round(seen.now - seen.started, 3),
        "generation": state.generation,
        "restarts": seen.restarts,
        "failed_reloads": seen.failed_reloads,
        "requests": counts.total,
        "errors": sum(count for (_, _, of), count in counts.requests.items() if of == "5xx"),
        "static_requests": sum(counts.static.values()),
        "bytes_sent": counts.sent,
        "durations": _histogram(reduce(Histogram.plus, counts.durations.values(), Histogram())),
        "queue": _histogram(counts.queue),
        "replacements": dict(seen.replacements),
        "last_replacement": last
        and {"worker": last.worker, "reason": last.reason, "age": round(seen.now - last.at, 3)},
        "database": seen.database
        and {
            "up": not seen.database_trouble,
            "why": seen.database_trouble,
            "age": round(seen.now - seen.database.at, 3),
        },
        "workers_wanted": state.limits.workers,
        "workers": [_worker(one, seen.now) for one in seen.workers],
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    """How many took at most so many seconds, and one number more for what took longer; not added up."""
    return {"bounds": BOUNDS, "counts": histogram.counts}


def _worker(seen: Seen, now: float) -> dict[str, Any]:
    worker, figures = seen.worker, seen.figures
    known: dict[str, Any] = {
        "id": worker.id,
        "pid": seen.pid or None,
        "slot": seen.slot,
        "generation": worker.generation,
        "phase": worker.phase.value,
        "due": worker.due,
        "reason": seen.reason,
        "since": round(now - worker.since, 3),
        "age": round(seen.age, 3),
        "requests": seen.requests,
        "connections": figures.connections,
        "threads": figures.threads,
        "threads_busy": figures.threads_busy,
        "queued": figures.queued,
        "requests_in_flight": seen.at_work,
        "database_connections": figures.database_connections,
        "memory": seen.memory,
        "heartbeat_age": round(now - figures.heartbeat, 3) if figures.heartbeat else None,
    }
    known["in_flight"] = [
        {
            "method": entry.method,
            "path": entry.path,
            "request_id": entry.request_id,
            "age": round(now - entry.since, 3),
        }
        for entry in seen.in_flight
    ]
    return known
