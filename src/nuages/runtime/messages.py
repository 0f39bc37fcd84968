"""What a pool of workers is told (Event) and what it orders (Action); values between `pool` and `supervisor`."""

from __future__ import annotations

from dataclasses import dataclass

# What happened.


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker accepts connections."""

    id: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker's process has ended; `reported` tells that it had said why it could not start, `served` that it was of
    use: it had answered requests."""

    id: int
    reported: bool = False
    served: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A worker is to be replaced, for a reason that is logged: requests, age, memory, a stuck thread …

    One that is `stalled` cannot finish anything: it is cut off once its replacement is ready. A `patient` one waits
    rather than end what lingers of those before it. One that is `hurried` does not linger, for its end is waited for.
    """

    id: int
    reason: str
    stalled: bool = False
    patient: bool = False
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Stuck:
    """A thread of a worker stays at a request that is late: to be replaced, unless too many were for that."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """A worker that seemed stalled goes on; what it is due for, it can do in order."""

    id: int


@dataclass(frozen=True, slots=True)
class Lingers:
    """A retiring worker has only what may take long: WebSockets, begun answers, idle connections."""

    id: int


@dataclass(frozen=True, slots=True)
class Finishes:
    """What a lingering worker had that may take long is over: it has only its end to come to."""

    id: int


@dataclass(frozen=True, slots=True)
class Room:
    """Another worker fits into the memory beside those that serve, or not any more."""

    fits: bool


@dataclass(frozen=True, slots=True)
class Reload:
    """New code is there: replace every worker.

    Where both codes do not fit the memory so many are gone until the old has ended, and it is these that end for it.
    `forks`: workers of the old code can still be forked. `fits` is as in `Room`, None where nothing new is known.
    """

    unavailable: int = 1
    first: tuple[int, ...] = ()
    forks: bool = False
    fits: bool | None = None


@dataclass(frozen=True, slots=True)
class Resize:
    """There are to be so many workers more, or fewer; never below one."""

    by: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the server: first go on accepting for `drain` seconds. A second one ends everything at once."""

    drain: float = 0.0


Event = Ready | Exited | Due | Stuck | Recovered | Lingers | Finishes | Room | Reload | Resize | Stop


# What to do about it.


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process that loads this generation's code."""

    id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell a worker that the server will stop: answers say `Connection: close` from now on."""

    id: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell a worker to accept nothing new, finish its requests and end.

    One that `lingers` may keep what takes long; a second order without it says that this is over. `first`: nobody
    has taken its place yet, for a second one does not fit the memory.
    """

    id: int
    reason: str
    lingers: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Tell a worker to drop the requests it still has and end."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Say that a reload has failed, by this worker, and that the old code goes on."""

    id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Spare:
    """Say that a worker with a stuck thread goes on as it is: for that, enough were replaced of late."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Say that the server cannot start, by this worker; every process is ended."""

    id: int


Action = Start | Drain | Retire | Cut | Kill | Abandon | Spare | GiveUp
Actions = tuple[Action, ...]
