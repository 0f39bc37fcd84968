"""The workers of a server and what is intended with them, as values; `pool` says what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import inf


class Phase(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"  # its process runs and loads the project
    READY = "ready"  # it accepts connections
    RETIRING = "retiring"  # it accepts nothing new and finishes what it has
    LINGERING = "lingering"  # it has only what may take long: WebSockets, begun answers, idle connections
    CUT = "cut"  # it was told to drop what is left
    KILLED = "killed"  # it was killed; its exit status is still to come


class Stage(Enum):
    """Where the whole pool is in its life."""

    RUNNING = "running"
    DRAINING = "draining"  # not ready for balancers any more, but still accepting
    STOPPING = "stopping"  # nothing is accepted; requests are finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker process. `since` is when it entered its phase; `due` says why it is to be replaced, if it is.

    One that is `stalled` cannot be asked for anything. What a `patient` one is due for can wait. One that retires
    and `lingers` may keep what takes long; one that is `hurried` has only the grace. One that is `spared` has a stuck
    thread and was not replaced for it.
    """

    id: int
    generation: int
    phase: Phase
    since: float
    due: str = ""
    stalled: bool = False
    patient: bool = False
    lingers: bool = False
    hurried: bool = False
    spared: bool = False

    @property
    def serves(self) -> bool:
        """Whether it accepts connections, and its loop goes round."""
        return self.phase is Phase.READY and not self.stalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many workers there are to be, and how long things may take, in seconds.

    `grace` is what requests have to finish when the server stops, or before anybody has taken their worker's place;
    `finish` what they have in a worker that was replaced: nothing has to hurry there.
    `surge` is how many more may run while one is replaced: 0 where a second worker does not fit the memory.
    A worker that dies before it was ready for `settled`, and has answered nobody, counts as a failure, those that were
    there together as one; `attempts` failures of a server that was never ready end it.
    """

    workers: int
    start: float = 120.0
    grace: float = 30.0
    finish: float = 30.0
    linger: float = 3600.0
    cut: float = 1.0
    settled: float = 5.0
    surge: int = 1
    attempts: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The workers and what is intended with them.

    `generation` is the code that new workers load, `newest` the last one that was asked for, `proven` the newest of
    which a worker was ever ready. `failures` counts workers that died early one after the other, the last at
    `failed_at`; after one that had served until then nobody starts before `soonest`. `hurried` tells that a second
    order to stop came. `stuck_at` is when workers became due for a stuck thread, of late. `unavailable` is how many
    have to be gone while two codes are in memory, where a second worker does not fit; `first` end for it. `forks`:
    workers of the code that is replaced can be forked still.
    """

    limits: Limits
    workers: tuple[Worker, ...] = ()
    next_id: int = 1
    generation: int = 0
    newest: int = 0
    proven: int | None = None
    stage: Stage = Stage.RUNNING
    drain_until: float = inf
    failures: int = 0
    failed_at: float = -inf
    soonest: float = -inf
    gave_up: bool = False
    hurried: bool = False
    stuck_at: tuple[float, ...] = ()
    unavailable: int = 1
    first: tuple[int, ...] = ()
    forks: bool = False

    @property
    def is_changing(self) -> bool:
        """Whether the code of two generations is in memory: one is loaded, or serves, beside the other."""
        return self.proven is not None and (
            self.proven != self.generation
            or any(worker.generation != self.generation for worker in self.workers)
        )


def find(pool: Pool, worker_id: int) -> Worker | None:
    """Return the worker of that id, while its process exists."""
    return next((worker for worker in pool.workers if worker.id == worker_id), None)


def put(pool: Pool, worker: Worker) -> Pool:
    """Return the pool with a worker in the place of the one that has its id."""
    return replace(pool, workers=tuple(worker if other.id == worker.id else other for other in pool.workers))
