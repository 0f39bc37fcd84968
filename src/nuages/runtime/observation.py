"""What is seen of a running server at one moment: read from the shared memory, the pool and the kernel by one shell."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nuages import __version__
from nuages.runtime import capacity, pool
from nuages.runtime.counts import Counts
from nuages.runtime.ledger import Replacement
from nuages.runtime.scoreboard import DatabaseCheck, Figures, InFlight

if TYPE_CHECKING:
    from nuages.runtime.supervisor import Supervisor

CHECK_SECONDS = 5.0  # between two questions to the database, of all workers together
STALE_SECONDS = 3 * CHECK_SECONDS  # a word on the database that is older is none
_WEIGHED_SECONDS = (
    5.0  # how long a process's share of the memory is not measured again: it costs milliseconds
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A worker. `age` is in seconds since its process was asked for; `memory` is in bytes (PSS)."""

    worker: pool.Worker
    pid: int = 0
    slot: int = 0
    age: float = 0.0
    figures: Figures = field(default_factory=Figures)
    in_flight: tuple[InFlight, ...] = ()
    requests: int = 0
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A server at the moment `now` (monotonic seconds); `started_at` is the Unix time of its start."""

    now: float
    started: float
    started_at: float
    version: str
    pid: int
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


def why_not_ready(check: DatabaseCheck | None, now: float) -> str:
    """Return why a database that was asked keeps a server from being ready; empty where it does not."""
    if check is None:
        return "no worker has asked the database yet"
    if now - check.at > STALE_SECONDS:
        return f"the database has not answered for {now - check.at:.0f} s"
    return check.why and f"the database does not answer: {check.why}"


class Observer:
    """Looks at a supervisor when it is asked."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._weighed: dict[int, tuple[float, int]] = {}

    def look(self) -> Observation:
        """Return what there is to see now."""
        supervisor, now = self._supervisor, time.monotonic()
        crew, state = supervisor.crew, supervisor.pool
        slots = [process.slot for process in crew.children.values()]
        workers = tuple(self._worker(worker, now) for worker in state.workers)
        self._weighed = {seen.pid: self._weighed[seen.pid] for seen in workers if seen.pid in self._weighed}
        return Observation(
            now=now, started=supervisor.started, started_at=time.time() - (now - supervisor.started),
            version=__version__, pid=os.getpid(), urls=tuple(supervisor.urls), pool=state,
            restarts=crew.restarts, workers=workers, counts=crew.ledger.counts(slots),
            replacements=dict(crew.ledger.replacements), last_replacement=crew.ledger.last,
            failed_reloads=crew.ledger.failed_reloads, checks_database=supervisor.settings.ready_database,
            database=crew.ledger.check(slots),
        )  # fmt: skip

    def database(self) -> str:
        """Return why the database keeps the server from being ready; empty where it does not, or is not asked."""
        if not self._supervisor.settings.ready_database:
            return ""
        crew = self._supervisor.crew
        check = crew.ledger.check(process.slot for process in crew.children.values())
        return why_not_ready(check, time.monotonic())

    def _worker(self, worker: pool.Worker, now: float) -> Seen:
        process = self._supervisor.crew.children.get(worker.id)
        if process is None:
            return Seen(worker=worker)
        figures, in_flight = self._supervisor.crew.figures(process)
        return Seen(
            worker=worker, pid=process.pid, slot=process.slot, age=now - process.started, figures=figures,
            in_flight=in_flight, requests=self._supervisor.crew.board.counted(process.slot).total,
            memory=self._weigh(process.pid, now) if process.pid else None,
        )  # fmt: skip

    def _weigh(self, pid: int, now: float) -> int:
        at, weight = self._weighed.get(pid, (0.0, 0))
        if not at or now - at > _WEIGHED_SECONDS:
            self._weighed[pid] = at, weight = now, capacity.measure(pid)
        return weight
