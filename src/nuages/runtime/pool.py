"""Decide which workers to start, retire, cut and kill: pure; nothing here blocks, sleeps or does I/O.

`step` takes what is (a Pool), what happened (an Event, or None when only time has passed) and the monotonic time,
and returns the next Pool with the Actions that bring the processes in line with it. The shell is `supervisor`.

Invariants, tested on random histories:

* A worker is started once and never again; its id is never used twice.
* The first worker of a server starts alone; never more than `workers + surge` are starting or serving, which one that
  is stalled does not.
* A replacement is ready before the worker that it replaces retires; where no second one fits the memory (`surge` 0),
  it starts when the old one has ended. While new code is loaded, and until the old has ended, as many are gone as
  that needs the memory of, but one serves if there is to be more than one.
* A worker that goes may linger with what takes long; never more linger than serve, none while memory is short, its end
  is waited for or the server stops. One that is due for its age or its requests waits until there is room to linger.
* The grace is for a server that stops, and for who goes before anybody has taken its place; who was replaced has
  longer.
* For threads that are stuck no more than half the workers are replaced in ten minutes, and at least one may be.
* Only what is stalled is cut off without having been asked to finish.
* A generation that was never ready does not take the place of one that serves. Who dies or stalls while it loads
  is followed by one of the old code, where that can be forked; else the one that loads for it is not begun anew.
* Every phase but READY and KILLED ends by its deadline, and before the next deadline time alone changes nothing.
* While the server drains, whoever serves has been told so.
* Where nothing fails any more all serve soon, with the code that is wanted, and nobody is to be replaced.
* After a stop no worker is started, and every worker ends.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from nuages.runtime.balance import FIRST_DELAY, balanced, forks_old, may_start, resume_at, stuck, wanted
from nuages.runtime.messages import (
    Abandon,
    Action,
    Actions,
    Cut,
    Drain,
    Due,
    Event,
    Exited,
    Finishes,
    GiveUp,
    Kill,
    Lingers,
    Ready,
    Recovered,
    Reload,
    Resize,
    Retire,
    Room,
    Stop,
    Stuck,
)
from nuages.runtime.roster import Limits, Phase, Pool, Stage, Worker, find, put

__all__ = [
    "Limits", "Phase", "Pool", "Stage", "Worker", "done", "find", "forgiven", "next_deadline", "ready", "step",
]  # fmt: skip

_LIMITED = {Phase.STARTING, Phase.RETIRING, Phase.LINGERING, Phase.CUT}
_FAILURES_FORGOTTEN = 60.0  # seconds after which an earlier death no longer counts


def step(pool: Pool, now: float, event: Event | None = None) -> tuple[Pool, Actions]:
    """Return the next pool and the actions that bring the processes in line with it."""
    pool, noted = _note(pool, now, event)
    pool, enforced = _enforce(pool, now)
    pool, evened = balanced(pool, now)
    return pool, (*noted, *enforced, *evened)


def next_deadline(pool: Pool) -> float:
    """Return when `step` must be called although nothing happened, in monotonic seconds; infinity for never."""
    deadlines = [_deadline(pool, worker) for worker in pool.workers]
    if pool.stage is Stage.DRAINING:
        deadlines.append(pool.drain_until)
    if wanted(pool) > 0:
        deadlines.append(resume_at(pool))
    return min(deadlines, default=inf)


def forgiven(pool: Pool, seconds: float) -> Pool:
    """Return the pool with so much more time for every worker: nothing went on while a whole container was paused."""
    workers = tuple(replace(worker, since=worker.since + seconds) for worker in pool.workers)
    return replace(pool, workers=workers)


def done(pool: Pool) -> bool:
    """Return whether the server has stopped and every process has ended."""
    return pool.stage is Stage.STOPPING and not pool.workers


def ready(pool: Pool) -> bool:
    """Return whether new requests should come here: some worker serves, and the server is not stopping."""
    return pool.stage is Stage.RUNNING and any(worker.serves for worker in pool.workers)


# Taking note of what happened


def _note(pool: Pool, now: float, event: Event | None) -> tuple[Pool, Actions]:
    match event:
        case Ready(id):
            return _became_ready(pool, now, id)
        case Exited(id, reported, served):
            return _exited(pool, now, id, reported=reported, served=served)
        case Due():
            return _became_due(pool, now, event)
        case Stuck(id, reason):
            return stuck(pool, now, id, reason)
        case Recovered(id):
            worker = find(pool, id)
            return (put(pool, replace(worker, stalled=False)) if worker else pool), ()
        case Lingers() | Finishes():
            return _has_time(pool, now, event), ()
        case Room(fits):
            return replace(pool, limits=replace(pool.limits, surge=int(fits))), ()
        case Reload():
            return _reload(pool, now, event)
        case Resize(by):
            workers = max(1, pool.limits.workers + by)
            # As many as there may be while two codes are in memory: no more fit because more are wanted.
            unavailable = max(1, pool.unavailable + workers - pool.limits.workers)
            limits = replace(pool.limits, workers=workers)
            return replace(pool, limits=limits, unavailable=unavailable), ()
        case Stop(drain):
            return _stop(pool, now, drain)
    return pool, ()


def _became_ready(pool: Pool, now: float, worker_id: int) -> tuple[Pool, Actions]:
    worker = find(pool, worker_id)
    if worker is None or worker.phase is not Phase.STARTING:
        return pool, ()  # it was told to end in the meantime
    pool = put(pool, replace(worker, phase=Phase.READY, since=now))
    pool = replace(pool, proven=max(worker.generation, -1 if pool.proven is None else pool.proven))
    return pool, ((Drain(worker.id),) if pool.stage is Stage.DRAINING else ())


def _reload(pool: Pool, now: float, event: Reload) -> tuple[Pool, Actions]:
    if pool.stage is not Stage.RUNNING:
        return pool, ()
    newest = pool.newest + 1
    if event.fits is not None:
        pool = replace(pool, limits=replace(pool.limits, surge=int(event.fits)))
    pool = replace(pool, generation=newest, newest=newest, failures=0, failed_at=-inf)
    pool = replace(pool, unavailable=event.unavailable, first=event.first, forks=event.forks)
    # One that starts in the place of one that is missing goes on, for SIGHUPs may come faster than code loads; not with
    # new code where the old is forked. One that was to replace another makes room.
    starting = [worker for worker in pool.workers if worker.phase is Phase.STARTING]
    going_on = [one for one in starting if one.generation == pool.proven or not forks_old(pool)]
    missing = pool.limits.workers - sum(worker.serves for worker in pool.workers)
    actions: list[Action] = []
    for worker in (one for one in starting if one not in going_on[: max(0, missing)]):
        pool = put(pool, replace(worker, phase=Phase.KILLED, since=now))
        actions.append(Kill(worker.id, "its code has been replaced"))
    return pool, tuple(actions)


def _became_due(pool: Pool, now: float, event: Due) -> tuple[Pool, Actions]:
    worker = find(pool, event.id)
    if worker and event.stalled and worker.phase in {Phase.RETIRING, Phase.LINGERING}:
        # It will not finish: its clients wait in vain, and the next replacement for its end.
        return put(pool, replace(worker, phase=Phase.CUT, since=now)), (Cut(worker.id, event.reason),)
    if worker and event.hurried and worker.phase is Phase.LINGERING:
        pool = put(pool, replace(worker, phase=Phase.RETIRING, since=now, lingers=False, hurried=True))
        return pool, (Retire(worker.id, event.reason),)
    if worker is None or worker.phase not in {Phase.STARTING, Phase.READY}:
        return pool, ()
    # What it was due for before is true too, but what presses decides how it ends.
    presses = event.stalled or (worker.patient and not event.patient)
    due = event.reason if presses else worker.due or event.reason
    patient = event.patient and (worker.patient or not worker.due)
    stalled, hurried = worker.stalled or event.stalled, worker.hurried or event.hurried
    return put(pool, replace(worker, due=due, stalled=stalled, patient=patient, hurried=hurried)), ()


def _has_time(pool: Pool, now: float, event: Lingers | Finishes) -> Pool:
    worker = find(pool, event.id)
    if worker is None:
        return pool
    if isinstance(event, Finishes):
        is_so, phase = worker.phase is Phase.LINGERING, Phase.RETIRING
    else:
        is_so, phase = worker.phase is Phase.RETIRING and worker.lingers, Phase.LINGERING
    return put(pool, replace(worker, phase=phase, since=now, lingers=False)) if is_so else pool


def _exited(pool: Pool, now: float, worker_id: int, *, reported: bool, served: bool) -> tuple[Pool, Actions]:
    worker = find(pool, worker_id)
    if worker is None:
        return pool, ()
    pool = replace(pool, workers=tuple(other for other in pool.workers if other.id != worker_id))
    if pool.stage is Stage.STOPPING:
        return pool, ()
    if worker.phase is Phase.STARTING:
        return _start_failed(pool, now, worker, final=reported)
    if worker.phase is Phase.READY:
        if now - worker.since >= pool.limits.settled:
            return replace(pool, failures=0, failed_at=-inf), ()
        if served:
            # A request has ended it, or somebody from outside: the next one will be of use too, and nobody waits for
            # it longer than that one has lived, or half a second.
            soonest = max(pool.soonest, worker.since + FIRST_DELAY)
            return replace(pool, failures=0, failed_at=-inf, soonest=soonest), ()
        return _failed(pool, now, worker), ()
    return pool, ()


def _start_failed(pool: Pool, now: float, worker: Worker, *, final: bool) -> tuple[Pool, Actions]:
    """A worker did not get ready; `final` tells that another attempt would end the same way."""
    if worker.generation not in {pool.generation, pool.proven} or pool.stage is Stage.STOPPING:
        return pool, ()
    if pool.proven is None:
        pool = _failed(pool, now, worker)
        if not final and pool.failures < pool.limits.attempts:
            return pool, ()
        others = [other for other in pool.workers if other.phase is not Phase.KILLED]
        for other in others:
            pool = put(pool, replace(other, phase=Phase.KILLED, since=now))
        killed = tuple(Kill(other.id, "the server cannot start") for other in others)
        return replace(pool, stage=Stage.STOPPING, gave_up=True), (GiveUp(worker.id), *killed)
    if worker.generation > pool.proven:
        return replace(pool, generation=pool.proven), (Abandon(worker.id, worker.generation),)
    return _failed(pool, now, worker), ()


def _failed(pool: Pool, now: float, worker: Worker) -> Pool:
    # What ends a zygote, or a hook that fails for a moment, ends all that start just then: that is one failure.
    if worker.since < pool.failed_at:
        return pool
    # A first start may take long each time until it dies.
    recent = pool.proven is None or now - pool.failed_at < _FAILURES_FORGOTTEN
    return replace(pool, failures=pool.failures + 1 if recent else 1, failed_at=now)


def _stop(pool: Pool, now: float, drain: float) -> tuple[Pool, Actions]:
    serving = [worker for worker in pool.workers if worker.phase is Phase.READY]
    if pool.stage is Stage.RUNNING and drain > 0 and serving:
        drained = tuple(Drain(worker.id) for worker in serving)
        return replace(pool, stage=Stage.DRAINING, drain_until=now + drain), drained
    if pool.stage is Stage.RUNNING:
        return replace(pool, stage=Stage.STOPPING), ()
    actions: list[Action] = []
    for worker in pool.workers:
        if worker.phase in {Phase.READY, Phase.RETIRING, Phase.LINGERING}:
            pool = put(pool, replace(worker, phase=Phase.CUT, since=now))
            actions.append(Cut(worker.id, "a second signal came"))
    return replace(pool, stage=Stage.STOPPING, hurried=True), tuple(actions)


# Holding everything to its deadline


def _enforce(pool: Pool, now: float) -> tuple[Pool, Actions]:
    actions: list[Action] = []
    if pool.stage is Stage.DRAINING and now >= pool.drain_until:
        pool = replace(pool, stage=Stage.STOPPING)
    for worker in pool.workers:
        # A late start may end a whole generation, so it comes before what depends on the generation.
        if worker.phase is Phase.STARTING and now >= _deadline(pool, worker) and not pool.gave_up:
            actions.append(Kill(worker.id, f"not ready within {pool.limits.start:g} s"))
            pool = put(pool, replace(worker, phase=Phase.KILLED, since=now))
            pool, failed = _start_failed(pool, now, worker, final=True)
            actions += failed
    for worker in pool.workers:
        found = _next_phase(pool, now, worker)
        if found:
            phase, action = found
            pool = put(pool, replace(worker, phase=phase, since=now, lingers=False, hurried=True))
            actions.append(action)
    return pool, tuple(actions)


def _next_phase(pool: Pool, now: float, worker: Worker) -> tuple[Phase, Action] | None:
    stopping = pool.stage is Stage.STOPPING
    late = now >= _deadline(pool, worker)
    if worker.phase is Phase.STARTING and (stopping or not may_start(pool, worker.generation)):
        reason = "the server stops" if stopping else "its code has been replaced"
        return Phase.KILLED, Kill(worker.id, reason)
    if worker.phase is Phase.READY and stopping:
        return Phase.RETIRING, Retire(worker.id, "the server stops")
    if worker.phase is Phase.LINGERING and (stopping or late or not pool.limits.surge):
        reason = (
            "the server stops"
            if stopping
            else "memory is short"
            if not late
            else "it has lingered long enough"
        )
        return Phase.RETIRING, Retire(worker.id, reason)
    if worker.phase is Phase.RETIRING and stopping and not worker.hurried:
        return Phase.RETIRING, Retire(worker.id, "the server stops")
    if worker.phase is Phase.RETIRING and late:
        return Phase.CUT, Cut(worker.id, f"not finished within {_deadline(pool, worker) - worker.since:g} s")
    if worker.phase is Phase.CUT and late:
        return Phase.KILLED, Kill(worker.id, "it did not end when told to")
    return None


def _deadline(pool: Pool, worker: Worker) -> float:
    if worker.phase not in _LIMITED:
        return inf
    limits = pool.limits
    allowed = {
        Phase.STARTING: limits.start, Phase.RETIRING: limits.grace if worker.hurried else limits.finish,
        Phase.LINGERING: limits.linger, Phase.CUT: limits.cut,
    }  # fmt: skip
    return worker.since + allowed[worker.phase]
