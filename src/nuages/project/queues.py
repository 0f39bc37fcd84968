"""The task queues that are known: which command works for each, how it is stopped, and how long that takes.

Sources: the documentation of each, «Workers», «Deployment» or «Signals»; the figures are their defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nuages.project.model import ProcessRole

_MANAGE = r"(?:\S*manage\.py|django-admin|-m\s+[\w.]+)\s+(?:\S+\s+)*?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue's worker or scheduler.

    `apps` are names in INSTALLED_APPS that bring it, `distributions` those it must be installed with, `management` the
    management command that runs it. `pattern` finds it in somebody's command line. `limits` are settings that bound
    one task, in seconds: a warm shutdown waits for as long. `wakes_seconds` is the longest that an idle one sleeps at
    a stretch. Celery's app and its scheduler's file are not told by a table: see `processes`.
    """

    library: str
    name: str
    role: ProcessRole
    pattern: re.Pattern[str]
    grace_seconds: float
    wakes_seconds: int
    apps: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    management: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    limits: tuple[str, ...] = ()


WORKER, SCHEDULER = ProcessRole.WORKER, ProcessRole.SCHEDULER
_TIME_LIMITS = ("CELERY_TASK_TIME_LIMIT", "CELERYD_TASK_TIME_LIMIT",
                "CELERY_TASK_SOFT_TIME_LIMIT", "CELERYD_TASK_SOFT_TIME_LIMIT")  # fmt: skip

CELERY_WORKER = Queue(
    # The worker's timers fire each second (kombu's hub), its heartbeat every two.
    library="celery", name="worker", role=WORKER, pattern=re.compile(r"\bcelery\b.*\sworker\b"), grace_seconds=60,
    wakes_seconds=60, distributions=("celery",), limits=_TIME_LIMITS,
)  # fmt: skip
CELERY_BEAT = Queue(
    # beat_max_loop_interval: five minutes.
    library="celery", name="beat", role=SCHEDULER, pattern=re.compile(r"\bcelery\b.*\sbeat\b"), grace_seconds=10,
    wakes_seconds=300, distributions=("celery",),
)  # fmt: skip

QUEUES = (
    CELERY_WORKER,
    CELERY_BEAT,
    Queue(
        library="django-q", name="qcluster", role=WORKER, pattern=re.compile(rf"{_MANAGE}qcluster\b"),
        grace_seconds=60, wakes_seconds=60, apps=("django_q",), management=("qcluster",),
    ),
    Queue(
        # SIGTERM interrupts the running tasks, SIGINT waits for them («Consuming tasks», signals).
        library="huey", name="huey", role=WORKER, pattern=re.compile(rf"{_MANAGE}(?:run_huey|djhuey)\b|huey_consumer"),
        grace_seconds=60, wakes_seconds=60, apps=("huey.contrib.djhuey",), management=("run_huey",),
        stop_signal="SIGINT",
    ),
    Queue(
        # Waits 405 s at a stretch for work (default_worker_ttl).
        library="rq", name="rqworker", role=WORKER, pattern=re.compile(rf"{_MANAGE}rqworker\b|\brq\s+worker"),
        grace_seconds=190, wakes_seconds=420, apps=("django_rq", "django_tasks_rq", "django_tasks.backends.rq"),
        management=("rqworker",),
    ),
    Queue(
        library="rq", name="rqscheduler", role=SCHEDULER, grace_seconds=10, wakes_seconds=120,
        pattern=re.compile(rf"{_MANAGE}rqscheduler\b|\brqscheduler\b"),
    ),
    Queue(
        # worker_shutdown_timeout: ten minutes.
        library="dramatiq", name="dramatiq", role=WORKER, grace_seconds=600, wakes_seconds=60,
        pattern=re.compile(rf"{_MANAGE}rundramatiq\b|(?:^|[\s/])dramatiq\s"), apps=("django_dramatiq",),
        management=("rundramatiq",),
    ),
    Queue(
        library="dramatiq", name="periodiq", role=SCHEDULER, grace_seconds=10, wakes_seconds=3600,
        pattern=re.compile(rf"{_MANAGE}runperiodiq\b|(?:^|[\s/])periodiq\s"), apps=("django_periodiq",),
        management=("runperiodiq",),
    ),
    Queue(
        library="django-tasks", name="db-worker", role=WORKER, pattern=re.compile(rf"{_MANAGE}db_worker\b"),
        grace_seconds=60, wakes_seconds=60, apps=("django_tasks_db", "django_tasks.backends.database"),
        management=("db_worker",),
    ),
    Queue(
        library="procrastinate", name="procrastinate", role=WORKER, grace_seconds=60, wakes_seconds=60,
        pattern=re.compile(rf"{_MANAGE}procrastinate\s+worker\b|\bprocrastinate\b.*\sworker\b"),
        apps=("procrastinate.contrib.django",), management=("procrastinate", "worker"),
    ),
    Queue(
        library="django-background-tasks", name="background-tasks", role=WORKER, grace_seconds=60, wakes_seconds=60,
        pattern=re.compile(rf"{_MANAGE}process_tasks\b"), apps=("background_task",), management=("process_tasks",),
    ),
)  # fmt: skip


def of_command(text: str) -> Queue | None:
    """Return the queue that a command line works for, or None."""
    return next((queue for queue in QUEUES if queue.pattern.search(text)), None)


def grace(queue: Queue, settings: Mapping[str, Any]) -> float:
    """Return how long a warm shutdown may take, in seconds: a task's own limit and ten more, else the default."""
    limits = [settings.get(name) for name in queue.limits]
    if queue.library == "django-q":
        limits.append(_item(settings.get("Q_CLUSTER"), "timeout"))
    if queue.library == "rq" and isinstance(queues := settings.get("RQ_QUEUES"), dict):
        limits += [_item(one, "DEFAULT_TIMEOUT") for one in queues.values()]
    numbers = [float(one) for one in limits if isinstance(one, (int, float)) and not isinstance(one, bool)]
    return max(numbers) + 10 if numbers else queue.grace_seconds


def _item(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def arguments(queue: Queue, settings: Mapping[str, Any], apps: Sequence[str]) -> tuple[str, ...]:
    """Return what follows the management command: rq works for the queues it is told."""
    if queue.name != "rqworker":
        return ()
    names = settings.get("RQ_QUEUES")
    found = tuple(name for name in names if isinstance(name, str)) if isinstance(names, dict) else ()
    jobs = {
        "django_tasks_rq": "django_tasks_rq.Job",
        "django_tasks.backends.rq": "django_tasks.backends.rq.Job",
    }
    job = next((jobs[app] for app in jobs if app in apps), None)
    return (*(("--job-class", job) if job else ()), *(found or ("default",)))
