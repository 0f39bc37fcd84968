"""Looks at the workers once a second: heartbeats, age, memory. What that means is decided in `recycling`."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

from nuages.runtime import capacity, memory, messages, recycling
from nuages.runtime.pool import Phase, Pool, Stage, Worker, find

if TYPE_CHECKING:
    from nuages.runtime.child import Child
    from nuages.runtime.crew import Crew
    from nuages.runtime.settings import Settings

_PSS_SECONDS = 5.0  # between two measurements of one worker's share of the memory
_RENEWAL_SECONDS = 5.0  # for grown workers to be followed by fresh ones and to end, before new code is loaded
_NOTICEABLE = 0.02  # by which its resident size has to change before its share is measured again


@dataclass(slots=True)
class _Weighed:
    """What is known of a worker's memory; PSS is dear, so between two measurements it is estimated from RSS."""

    jitter: float = field(default_factory=lambda: random.uniform(-1, 1))
    fresh: int | None = None
    own: int = 0  # of `fresh`, what it shares with nobody: as much as another one takes
    at: float = 0.0
    pss: int | None = None
    rss: int = 0
    last: int | None = None

    def growth(self, takes: int | None) -> int:
        """Return by how much it has grown since this was last asked; `takes` is what it takes now."""
        last, self.last = self.last, takes
        return 0 if last is None or takes is None else takes - last

    def now(self, pid: int, now: float) -> int | None:
        """Return the bytes that the process takes now."""
        rss = memory.resident(pid)
        if rss is None:
            return self.pss
        changed = self.pss is None or abs(rss - self.rss) > self.rss * _NOTICEABLE
        if changed and (self.pss is None or now - self.at >= _PSS_SECONDS):
            self.pss, self.rss, self.at = memory.proportional(pid) or rss, rss, now
            if self.fresh is None:
                self.fresh, self.own = self.pss, memory.private(pid) or self.pss
        return None if self.pss is None else self.pss + rss - self.rss


class Watch:
    """The eyes of the supervisor."""

    def __init__(self, settings: Settings, crew: Crew) -> None:
        self._settings, self._crew = settings, crew
        self._groups = memory.Groups()
        self._looked = recycling.Looked()
        self._next = 0.0
        self._weighed: dict[int, _Weighed] = {}
        self._loaded = 0  # bytes of the project in its zygote
        # The workers whose end new code waits for, and until when.
        self._leave: tuple[int, ...] = ()
        self._leave_until = inf
        # By cgroup: which one is the tightest may change, and each has a counter of its own.
        self._kills: dict[str, int] = {}
        self._note_kills(self._groups.tightest())

    def next_deadline(self, state: Pool) -> float:
        """Return when `look` is to be called next, in monotonic seconds."""
        if state.stage is not Stage.RUNNING:
            return inf
        return min(self._next, self._leave_until)

    def look(self, state: Pool, now: float) -> tuple[messages.Event, ...]:
        """Return what the pool is to be told; nothing before its time has come."""
        if state.stage is not Stage.RUNNING:
            return ()
        if self._leave and (now >= self._leave_until or not any(find(state, one) for one in self._leave)):
            return self._replace(state)
        if now < self._next:
            return ()
        self._next = now + recycling.LOOK
        group = self._groups.tightest()
        self._note_kills(group)
        settings = self._settings
        rules = recycling.rules_for(
            group, state.limits.workers, age=settings.recycle_age, memory=settings.recycle_memory,
            stall=settings.stall_timeout,
        )  # fmt: skip
        readings = self._read(state, now)
        self._looked, events = recycling.look(self._looked, now, readings, rules)
        for event in events:
            if isinstance(event, messages.Due) and event.stalled:
                self._tell_stalled(self._crew.children[event.id], event.reason)
        return (*events, *self._room(state, group))

    def weigh(self, worker: int, now: float) -> None:
        """Note what a worker takes that has just got ready, and its zygote."""
        self._weigh_zygotes()
        self._weighed[worker] = _Weighed()
        self._weighed[worker].now(self._crew.children[worker].pid, now)

    def reload(self, state: Pool, now: float) -> tuple[messages.Event, ...]:
        """Return what the pool is to be told of new code: beside the loaded project and its workers it has to fit.

        Where it does not, those end first that linger, workers are renewed that have grown, and the rest comes with a
        later look.
        """
        if self._leave:
            return ()  # it has not begun to load
        group, need = self._groups.tightest(), self._weigh_code()
        if group is None or state.proven != state.generation or recycling.fits(group, need):
            return self._replace(state)
        lingering = self._lingering(state)
        renewed = self._renewed(state, group, need - sum(lingering.values()))
        self._leave = (*lingering, *renewed)
        if not self._leave:
            return self._replace(state)
        self._leave_until = now + _RENEWAL_SECONDS
        last = "new code needs the memory of those that linger"
        why = "new code needs what it has taken for itself, and a fresh one has less"
        return (
            *(messages.Due(worker, last, hurried=True) for worker in lingering),
            *(messages.Due(worker, why, hurried=True) for worker in renewed),
        )

    def forgive(self, seconds: float) -> None:
        """Give workers that new code waits for so much more time to end."""
        self._leave_until += seconds

    def _lingering(self, state: Pool) -> dict[int, int]:
        """The bytes of each that lingers: nobody waits for them, and they may be all that has the code before."""
        lingering = (worker.id for worker in state.workers if worker.phase is Phase.LINGERING)
        return {one: memory.proportional(self._crew.children[one].pid) or 0 for one in lingering}

    def _renewed(self, state: Pool, group: memory.Group, need: int) -> tuple[int, ...]:
        """Return the workers that are to be followed by fresh ones before code is loaded that needs so many bytes."""
        serving = _serving(state)
        # Who is missing, or still replaced, comes before; and only a zygote that answers makes fresh ones at once.
        is_steady = len(serving) == state.limits.workers and state.limits.surge > 0
        is_current = all(worker.generation == state.generation for worker in serving)
        forks = any(
            zygote.generation == state.generation and zygote.loaded_at and not zygote.waiting
            for zygote in self._crew.nursery.zygotes()
        )
        if not (is_steady and is_current and forks):
            return ()
        return recycling.renewed(group, need, self._owns(serving), self._need)

    def _replace(self, state: Pool) -> tuple[messages.Event, ...]:
        """Return how the code is to be replaced now."""
        self._leave, self._leave_until = (), inf
        forks = state.proven is not None and self._crew.nursery.forks(state.proven)
        if state.proven != state.generation:  # what is half loaded will go, but is in memory too
            return (messages.Reload(state.unavailable, state.first, forks),)
        group, serving, need = self._groups.tightest(), _serving(state), self._weigh_code()
        # Those that start, or start again after a reload that failed, are to be there too.
        absent = [self._need] * (state.limits.workers - len(serving))
        if group is None or recycling.fits(group, need + sum(absent)):
            return (*self._room(state, group), messages.Reload(forks=forks))
        owns = self._owns(serving)
        found = recycling.making_room(group, need, owns, absent)
        ends = len(found.first) if absent else found.unavailable
        given = sum(owns[one] for one in found.first or owns) if ends else 0
        # While somebody serves the old zygote goes when the new one has loaded, and a worker finds what it needs.
        loads = self._loaded if self._loaded and state.limits.workers > 1 else need
        lacking = max(0, int(recycling.lacking(group, loads - given)))
        if len(serving) < len(state.workers):
            lacking = 0  # nobody knows yet what those that end give back
        self._crew.say.reload_room(group, need, found.unavailable, ends=ends, lacking=lacking)
        return (replace(found, fits=False),)

    def _owns(self, workers: Iterable[Worker]) -> dict[int, int]:
        """The bytes that each of them shares with nobody."""
        return {worker.id: memory.private(self._crew.children[worker.id].pid) or 0 for worker in workers}

    def _weigh_code(self) -> int:
        """Return what the loaded project and a worker of it take, in bytes."""
        self._weigh_zygotes()
        return self._loaded + self._need

    def _weigh_zygotes(self) -> None:
        """Note what a loaded project takes: one whose zygote was killed takes as much when it is loaded again."""
        zygotes = (memory.resident(zygote.pid) for zygote in self._crew.nursery.zygotes() if zygote.loaded_at)
        self._loaded = max((size for size in zygotes if size), default=self._loaded)

    @property
    def _need(self) -> int:
        """What one more worker takes, in bytes."""
        own = max((weighed.own for weighed in self._weighed.values()), default=0)
        return int(own * capacity.GROWTH)

    def _room(self, state: Pool, group: memory.Group | None) -> tuple[messages.Event, ...]:
        loads = state.proven != state.generation and not state.limits.surge
        if loads or self._leave or any(worker.phase is Phase.STARTING for worker in state.workers):
            return ()  # what it will take is not known yet
        missing = state.limits.workers - sum(worker.phase is Phase.READY for worker in state.workers)
        # Who is to be replaced is so in the same second as the missing ones come.
        replaced = any(one.due or one.generation < state.generation for one in _serving(state))
        number = max(1, missing + replaced)
        need = self._need * number
        changed = recycling.room(group, need, fitted=bool(state.limits.surge))
        if changed is None or group is None:
            return ()
        self._crew.say.memory_room(group, need, number, fits=changed.fits)
        return (changed,)

    def _read(self, state: Pool, now: float) -> tuple[recycling.Reading, ...]:
        serving = _serving(state)
        known = {worker.id: self._weighed.get(worker.id) or _Weighed() for worker in serving}
        if serving:  # where all have died the next one takes what the last ones did
            self._weighed = known
        readings = []
        for worker in serving:
            process, weighed = self._crew.children[worker.id], known[worker.id]
            takes = weighed.now(process.pid, now)
            heartbeat = self._crew.board.figures(process.slot).heartbeat
            reading = recycling.Reading(
                id=worker.id, ready_since=worker.since, memory=takes, growth=weighed.growth(takes),
                fresh=weighed.fresh, jitter=weighed.jitter,
                heartbeat=heartbeat, stalled=worker.stalled,
            )  # fmt: skip
            readings.append(reading)
        return (*readings, *self._leaving(state))

    def _leaving(self, state: Pool) -> Iterator[recycling.Reading]:
        """Yield what is seen of those that go and have clients yet; after the last one their loops end too."""
        for worker in state.workers:
            if worker.phase in {Phase.RETIRING, Phase.LINGERING}:
                figures, requests = self._crew.figures(self._crew.children[worker.id])
                if figures.connections or requests:
                    yield recycling.Reading(
                        id=worker.id, ready_since=worker.since, heartbeat=figures.heartbeat
                    )

    def _tell_stalled(self, process: Child, reason: str) -> None:
        """Say which requests a stalled worker is at, and let it show its stacks: later it will be gone."""
        self._crew.say.stalled(process, reason, self._crew.board.in_flight(process.slot))
        process.signal(signal.SIGUSR1)

    def _note_kills(self, group: memory.Group | None) -> None:
        """Say how many the kernel has killed since a cgroup was last seen; those from before are not ours."""
        if group is None:
            return
        new = group.kills - self._kills.get(group.origin, group.kills)
        self._kills[group.origin] = group.kills
        if new > 0:
            self._crew.say.killed_by_limit(group, new)


def _serving(state: Pool) -> list[Worker]:
    return [worker for worker in state.workers if worker.phase is Phase.READY]
