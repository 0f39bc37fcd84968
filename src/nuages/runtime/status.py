"""What the management socket answers: alive, ready, started, metrics, and everything as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nuages.runtime import exposition, metrics, pool
from nuages.runtime.management import Answer, Answers, Asked
from nuages.runtime.observation import Observation, Observer, Seen

if TYPE_CHECKING:
    from nuages.runtime.supervisor import Supervisor


def answers(supervisor: Supervisor) -> Answers:
    """Return the answer to each path."""
    observer = Observer(supervisor)

    def told(asked: Asked) -> Answer:
        openmetrics = exposition.wants_openmetrics(asked.accept)
        text = exposition.render(metrics.families(observer.look()), openmetrics=openmetrics)
        return Answer(status=200, body=text, kind=exposition.OPENMETRICS if openmetrics else exposition.TEXT)

    return {
        "/-/live": lambda _: Answer(status=200, body="alive\n"),
        "/-/ready": lambda _: ready(supervisor.pool, observer.database()),
        "/-/startup": lambda _: startup(supervisor.pool),
        "/-/metrics": told,
        "/-/status": lambda _: Answer(status=200, body=status(observer.look())),
    }


def ready(now: pool.Pool, database: str = "") -> Answer:
    """Whether balancers should send requests here; `database` says why not, where it is asked."""
    why = database
    if not pool.ready(now):
        why = "no worker is ready" if now.stage is pool.Stage.RUNNING else f"the server is {now.stage.value}"
    return Answer(status=503, body=f"{why}\n") if why else Answer(status=200, body="ready\n")


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
        "ready": pool.ready(state),
        "addresses": list(seen.urls),
        "uptime": round(seen.now - seen.started, 3),
        "generation": state.generation,
        "restarts": seen.restarts,
        "failed_reloads": seen.failed_reloads,
        "requests": counts.total,
        "errors": sum(count for (_, _, of), count in counts.requests.items() if of == "5xx"),
        "static_requests": sum(counts.static.values()),
        "bytes_sent": counts.sent,
        "replacements": dict(seen.replacements),
        "last_replacement": last
        and {"worker": last.worker, "reason": last.reason, "age": round(seen.now - last.at, 3)},
        "database": seen.database
        and {
            "up": not seen.database.why,
            "why": seen.database.why,
            "age": round(seen.now - seen.database.at, 3),
        },
        "workers_wanted": state.limits.workers,
        "workers": [_worker(one, seen.now) for one in seen.workers],
    }


def _worker(seen: Seen, now: float) -> dict[str, Any]:
    worker, figures = seen.worker, seen.figures
    known: dict[str, Any] = {
        "id": worker.id,
        "pid": seen.pid or None,
        "slot": seen.slot,
        "generation": worker.generation,
        "phase": worker.phase.value,
        "due": worker.due,
        "since": round(now - worker.since, 3),
        "age": round(seen.age, 3),
        "requests": seen.requests,
        "connections": figures.connections,
        "threads": figures.threads,
        "threads_busy": figures.threads_busy,
        "queued": figures.queued,
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
