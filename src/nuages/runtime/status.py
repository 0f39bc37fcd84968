"""What the management socket answers: alive, ready, started, and everything as JSON."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from nuages import __version__
from nuages.runtime import pool
from nuages.runtime.management import Answer, Answers

if TYPE_CHECKING:
    from nuages.runtime.supervisor import Supervisor


def answers(supervisor: Supervisor) -> Answers:
    """Return the answer to each path."""
    return {
        "/-/live": lambda: Answer(status=200, body="alive"),
        "/-/ready": lambda: ready(supervisor.pool),
        "/-/startup": lambda: startup(supervisor.pool),
        "/-/status": lambda: Answer(status=200, body=status(supervisor, time.monotonic())),
    }


def ready(now: pool.Pool) -> Answer:
    """Whether balancers should send requests here."""
    if pool.ready(now):
        return Answer(status=200, body="ready")
    why = "no worker is ready" if now.stage is pool.Stage.RUNNING else f"the server is {now.stage.value}"
    return Answer(status=503, body=why)


def startup(now: pool.Pool) -> Answer:
    """Whether the start is over; it stays so when workers are replaced."""
    if now.proven is not None:
        return Answer(status=200, body="started")
    return Answer(status=503, body="the application is still loading")


def status(supervisor: Supervisor, now: float) -> dict[str, Any]:
    """Everything that is known of the server and its workers; durations in seconds."""
    return {
        "version": __version__,
        "pid": os.getpid(),
        "stage": supervisor.pool.stage.value,
        "ready": pool.ready(supervisor.pool),
        "addresses": supervisor.urls,
        "uptime": round(now - supervisor.started, 3),
        "generation": supervisor.pool.generation,
        "restarts": supervisor.crew.restarts,
        "workers_wanted": supervisor.pool.limits.workers,
        "workers": [_worker(supervisor, worker, now) for worker in supervisor.pool.workers],
    }


def _worker(supervisor: Supervisor, worker: pool.Worker, now: float) -> dict[str, Any]:
    process = supervisor.crew.children.get(worker.id)
    known: dict[str, Any] = {
        "id": worker.id, "generation": worker.generation, "phase": worker.phase.value, "due": worker.due,
        "since": round(now - worker.since, 3),
    }  # fmt: skip
    if process is None:
        return known
    figures, in_flight = supervisor.crew.figures(process)
    return known | {
        "pid": process.pid,
        "requests": figures.requests,
        "connections": figures.connections,
        "threads": figures.threads,
        "threads_busy": figures.threads_busy,
        "heartbeat_age": round(now - figures.heartbeat, 3) if figures.heartbeat else None,
        "in_flight": [
            {
                "method": entry.method,
                "path": entry.path,
                "request_id": entry.request_id,
                "age": round(now - entry.since, 3),
            }
            for entry in in_flight
        ],
    }
