"""What is seen of a running server at one moment: read from the shared memory, the pool and the kernel by one shell."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nuages import __version__
from nuages.runtime import capacity, pool, scoreboard
from nuages.runtime.counts import Counts
from nuages.runtime.inquiry import CHECK_SECONDS, NOT_MIGRATED
from nuages.runtime.ledger import Replacement
from nuages.runtime.scoreboard import DatabaseCheck, Figures, InFlight

if TYPE_CHECKING:
    from nuages.runtime.supervisor import Supervisor

STALE_SECONDS = 3 * CHECK_SECONDS  # a word on the database that is older is none
_WEIGHED_SECONDS = (
    5.0  # how long a process's share of the memory is not measured again: it costs milliseconds
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A worker. `age` is in seconds since its process was asked for; `memory` is in bytes (PSS).

    `reason` says, for a person, why it was started or is being ended; empty for the first ones.
    """

    worker: pool.Worker
    pid: int = 0
    slot: int = 0
    age: float = 0.0
    figures: Figures = field(default_factory=Figures)
    in_flight: tuple[InFlight, ...] = ()
    requests: int = 0
    memory: int | None = None
    reason: str = ""

    @property
    def at_work(self) -> int:
        """How many requests it is at; `in_flight` has so many of them at most."""
        return scoreboard.at_work(self.figures, self.in_flight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A server at the moment `now` (monotonic seconds); `started_at` is the Unix time of its start."""

    now: float
    started: float
    started_at: float
    version: str
    pid: int
    project: str
    urls: tuple[str, ...]
    pool: pool.Pool
    restarts: int
    workers: tuple[Seen, ...]
    counts: Counts
    replacements: Mapping[str, int]
    last_replacement: Replacement | None
    failed_reloads: int
    checks_database: bool
    database: DatabaseCheck | None
    why_not_ready: str = ""

    @property
    def database_trouble(self) -> str:
        """Why the database is taken for away; empty where it answers, or was asked at the start only."""
        if self.database is None or self.database.why:
            return self.database.why if self.database else ""
        silent = self.now - self.database.at
        return f"no answer for {silent:.0f} s" if self.checks_database and silent > STALE_SECONDS else ""


def why_not(state: pool.Pool) -> str:
    """Return why a server should get no requests, whatever its database says; empty where it should."""
    if pool.ready(state):
        return ""
    if state.stage is not pool.Stage.RUNNING:
        return f"the server is {state.stage.value}"
    accept = any(worker.phase is pool.Phase.READY for worker in state.workers)
    return "no worker is ready" + (": the event loop of each stands still" if accept else "")


def why_database(check: DatabaseCheck | None, now: float) -> str:
    """Return why a database that was asked keeps a server from being ready; empty where it does not."""
    if check is None:
        return "no worker has asked the database yet"
    if now - check.at > STALE_SECONDS:
        return f"the database has not answered for {now - check.at:.0f} s"
    if check.why.startswith(NOT_MIGRATED):
        return check.why
    return check.why and f"the database does not answer: {check.why}"


class Observer:
    """Looks at a supervisor when it is asked."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._weighed: dict[int, tuple[float, int]] = {}
        self._migrated = False

    def look(self) -> Observation:
        """Return what there is to see now."""
        supervisor, now = self._supervisor, time.monotonic()
        crew, state = supervisor.crew, supervisor.pool
        slots = [process.slot for process in crew.children.values()]
        workers = tuple(self._worker(worker, now) for worker in state.workers)
        self._weighed = {seen.pid: self._weighed[seen.pid] for seen in workers if seen.pid in self._weighed}
        return Observation(
            now=now, started=supervisor.started, started_at=supervisor.started_at,
            version=__version__, pid=os.getpid(), project=supervisor.project, urls=tuple(supervisor.urls), pool=state,
            restarts=crew.restarts, workers=workers, counts=crew.ledger.counts(slots),
            replacements=dict(crew.ledger.replacements), last_replacement=crew.ledger.last,
            failed_reloads=crew.ledger.failed_reloads, checks_database=supervisor.settings.ready_database,
            database=crew.ledger.check(slots), why_not_ready=self.why_not_ready(),
        )  # fmt: skip

    def why_not_ready(self) -> str:
        """Return why balancers should send no requests here; empty where they should."""
        supervisor, ledger = self._supervisor, self._supervisor.crew.ledger
        settings = supervisor.settings
        if not settings.ready_database and (self._migrated or not settings.ready_migrations):
            return why_not(supervisor.pool)
        check = ledger.check(process.slot for process in supervisor.crew.children.values())
        why = why_database(check, time.monotonic())
        # A database that is away later is no reason to be taken out, unless --ready-database says so.
        self._migrated = self._migrated or not why
        return why_not(supervisor.pool) or why

    def _worker(self, worker: pool.Worker, now: float) -> Seen:
        process = self._supervisor.crew.children.get(worker.id)
        if process is None:
            return Seen(worker=worker)
        figures, in_flight = self._supervisor.crew.figures(process)
        return Seen(
            worker=worker, pid=process.pid, slot=process.slot, age=now - process.started, figures=figures,
            in_flight=in_flight, requests=self._supervisor.crew.board.counted(process.slot).total,
            memory=self._weigh(process.pid, now) if process.pid else None,
            reason=process.told_to_end or self._supervisor.crew.ledger.reasons.get(process.id, ""),
        )  # fmt: skip

    def _weigh(self, pid: int, now: float) -> int:
        at, weight = self._weighed.get(pid, (0.0, 0))
        if not at or now - at > _WEIGHED_SECONDS:
            self._weighed[pid] = at, weight = now, capacity.measure(pid)
        return weight
