"""Have as many workers as there should be: who may go, and how many to start. Pure; a part of `pool`."""

from __future__ import annotations

from dataclasses import replace

from nuages.runtime.messages import Action, Actions, Cut, Retire, Spare, Start
from nuages.runtime.roster import Phase, Pool, Stage, Worker, find, put

FIRST_DELAY = 0.5  # seconds
_LONGEST_DELAY = 30.0  # seconds
_MOST_DOUBLED = 6  # times, until the first is longer than the longest
_FINISHING = {Phase.RETIRING, Phase.LINGERING, Phase.CUT}
STUCK_SECONDS = 600.0  # in which no more than half the workers are replaced for threads that are stuck


def balanced(pool: Pool, now: float) -> tuple[Pool, Actions]:
    """Return the pool with whoever may go on its way and whoever is wanted started."""
    actions: list[Action] = []
    if pool.stage is not Stage.STOPPING:
        for worker, action in _dispensable(pool):
            phase = Phase.CUT if isinstance(action, Cut) else Phase.RETIRING
            lingers = isinstance(action, Retire) and action.lingers
            ends_first = isinstance(action, Retire) and action.first
            hurried = worker.hurried or worker.phase is Phase.LINGERING or ends_first
            pool = put(pool, replace(worker, phase=phase, since=now, lingers=lingers, hurried=hurried))
            actions.append(action)
    if now >= resume_at(pool):
        for generation in _to_start(pool):
            worker = Worker(id=pool.next_id, generation=generation, phase=Phase.STARTING, since=now)
            pool = replace(pool, workers=(*pool.workers, worker), next_id=pool.next_id + 1)
            actions.append(Start(worker.id, worker.generation))
    return pool, tuple(actions)


def _reason(pool: Pool, worker: Worker) -> str:
    """Why a worker is to be replaced; empty while it is not."""
    return worker.due or ("new code" if worker.generation < pool.generation else "")


def _dispensable(pool: Pool) -> list[tuple[Worker, Action]]:
    """The workers that may go now, and how: due ones first, then the newest of too many, and who is in their way."""
    limits = pool.limits
    serving = [worker for worker in pool.workers if worker.phase is Phase.READY]
    due = sorted(
        (worker for worker in serving if _reason(pool, worker)),
        key=lambda worker: (not worker.stalled, worker.id not in pool.first),
    )
    fresh = [worker for worker in reversed(serving) if not _reason(pool, worker)]
    surplus = max(0, len(serving) - limits.workers)
    # Stop first: a second one does not fit.
    first = bool(due) and not surplus and not limits.surge
    in_the_way = max(0, len(serving) - _staying(pool)) if first else 0
    going: list[tuple[Worker, Action]] = []
    for worker in due[:in_the_way] if first else (due + fresh)[:surplus]:
        reason = _reason(pool, worker) or "fewer workers were asked for"
        lingers = limits.linger > 0 and bool(limits.surge) and not worker.hurried
        order = Cut(worker.id, reason) if worker.stalled else Retire(worker.id, reason, lingers, first)
        going.append((worker, order))
    leaving = [worker for worker in pool.workers if worker.phase not in {Phase.READY, Phase.STARTING}]
    lingering = sorted(
        (worker for worker in leaving if worker.phase is Phase.LINGERING), key=lambda worker: worker.since
    )
    too_many = max(0, len(lingering) - limits.workers)
    # New code presses, also where a worker was due already for something that can wait.
    # One that is stalled is cut off, and so wants no room.
    presses = any(
        not worker.stalled and (not worker.patient or worker.generation < pool.generation) for worker in due
    )
    if presses and not going and lingering == sorted(leaving, key=lambda worker: worker.since):
        too_many = max(too_many, len(leaving) + 1 - limits.workers)  # one that is due wants to linger too
    why = "another one is to linger in its place"
    return [*going, *((worker, Retire(worker.id, why)) for worker in lingering[:too_many])]


def _most(pool: Pool) -> int:
    """How many processes there may be where a second worker does not fit; one serves while another starts."""
    workers = pool.limits.workers
    gone = max(1, pool.unavailable) if pool.is_changing else 1
    return max(workers + 1 - gone, min(workers, 2))


def _staying(pool: Pool) -> int:
    """How many of those that serve may stay where the next one has to be started in the memory of another."""
    starting = sum(worker.phase is Phase.STARTING for worker in pool.workers)
    return max(_most(pool) - max(starting, 1), min(pool.limits.workers, 2) - 1)


def may_start(pool: Pool, generation: int) -> bool:
    """Return whether a worker that starts with this code may go on: it is not older than what serves, nor given up."""
    oldest = pool.generation if pool.proven is None else pool.proven
    return oldest <= generation <= pool.generation


def forks_old(pool: Pool) -> bool:
    """Return whether new code is loaded while workers of the old are still forked."""
    is_loaded = pool.proven is not None and pool.generation > pool.proven
    return is_loaded and pool.forks and pool.limits.surge > 0


def wanted(pool: Pool) -> int:
    """Return how many processes to start as soon as the back-off allows."""
    return len(_to_start(pool))


def _to_start(pool: Pool) -> tuple[int, ...]:
    """Return the code of each process to start as soon as the back-off allows.

    Loading new code may take long, or fail, or begin anew with each SIGHUP: who dies meanwhile is followed by one of
    the old code.
    """
    if pool.stage is Stage.STOPPING:
        return ()
    if pool.proven is None:
        # The first has the processors for itself: it serves sooner, and an error of the project comes once.
        starting = any(worker.phase is Phase.STARTING for worker in pool.workers)
        return () if starting else (pool.generation,)
    if not forks_old(pool):
        return (pool.generation,) * _wanted(pool)
    workers, there = pool.limits.workers, _there(pool)
    begun = any(worker.generation == pool.generation for worker in there)
    missing = workers - sum(worker.generation <= pool.proven for worker in there)
    room = workers + pool.limits.surge - len(there)
    more = int(not begun and room > 0 and pool.stage is Stage.RUNNING and (missing > 0 or _may_replace(pool)))
    missing = max(0, min(missing, room - more))
    return (*(pool.generation,) * more, *(pool.proven,) * missing)


def _there(pool: Pool) -> list[Worker]:
    """The workers that serve or are about to; one that is stalled serves nobody, and is followed as a dead one is."""
    return [worker for worker in pool.workers if worker.phase is Phase.STARTING or worker.serves]


def _may_replace(pool: Pool) -> bool:
    """Whether one more may come beside those that serve."""
    # Those that still finish their requests take memory too: never more than one for each that serves. What is killed
    # is gone, or waits in the kernel for a disk or a file server, and nobody knows for how long.
    finishing = sum(worker.phase in _FINISHING for worker in pool.workers)
    return finishing < pool.limits.workers


def _wanted(pool: Pool) -> int:
    """Return how many processes are wanted where all load the same code."""
    limits, there = pool.limits, _there(pool)
    missing = limits.workers - len(there)
    if missing > 0:
        return missing if limits.surge else max(0, _most(pool) - len(pool.workers))
    serving = [worker for worker in there if worker.phase is Phase.READY]
    replaceable = pool.stage is Stage.RUNNING and any(_reason(pool, worker) for worker in serving)
    if replaceable and missing == 0 and len(serving) == len(there) and _may_replace(pool):
        return limits.surge
    return 0


def resume_at(pool: Pool) -> float:
    """Return when the next process may be started: at once after one death, later and later after several.

    Those that were of use before they died are followed soon, however many they are.
    """
    if pool.failures <= 1:
        return pool.soonest
    doubled = min(pool.failures - 2, _MOST_DOUBLED)  # after a night of failures no float would hold it
    return max(pool.soonest, pool.failed_at + min(FIRST_DELAY * 2.0**doubled, _LONGEST_DELAY))


def stuck(pool: Pool, now: float, worker_id: int, reason: str) -> tuple[Pool, Actions]:
    """Have a worker replaced for its stuck thread; else say, once, that it is not.

    A slow upstream gets threads stuck in every worker, in the new ones too: replacing them all would mend nothing and
    cost each its caches and connections. One thread of many is what goes on missing.
    """
    worker = find(pool, worker_id)
    if worker is None or worker.phase is not Phase.READY or worker.due:
        return pool, ()
    recent = tuple(at for at in pool.stuck_at if now - at < STUCK_SECONDS)
    if len(recent) < max(1, pool.limits.workers // 2):
        pool = put(pool, replace(worker, due=reason))
        return replace(pool, stuck_at=(*recent, now)), ()
    if worker.spared:
        return pool, ()
    return put(pool, replace(worker, spared=True)), (Spare(worker.id, reason),)
