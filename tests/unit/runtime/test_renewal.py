"""New code in little memory: workers that have grown are followed by fresh ones first, and then it is loaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime import memory, pool
from nuages.runtime.chronicle import Chronicle
from nuages.runtime.memory import Group
from nuages.runtime.messages import Due, Event, Exited, Lingers, Ready, Reload, Retire, Start, Stop
from nuages.runtime.pool import Limits, Phase, Pool
from nuages.runtime.watch import Watch

MB = 1 << 20
FRESH, GROWN, CODE, SUPERVISOR = 5 * MB, 30 * MB, 75 * MB, 15 * MB
ZYGOTE = -1  # its number
BEGIN = 1000.0  # monotonic seconds


class World:
    """A pool and the watch, workers that have grown, and a cgroup with a limit in bytes; time is what tests say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int, workers: int) -> None:
        self.own: dict[int, int] = {}
        self.now, self.limit = BEGIN, limit
        self.zygote = SimpleNamespace(pid=ZYGOTE, generation=0, loaded_at=1.0, waiting={})
        nursery = SimpleNamespace(forks=lambda _: True, zygotes=lambda: iter([self.zygote]))
        self.said: list[str] = []
        log: Any = SimpleNamespace(event=lambda _level, _event, text, **_fields: self.said.append(text))
        crew: Any = SimpleNamespace(say=Chronicle(log), children={}, nursery=nursery)
        settings: Any = SimpleNamespace()
        self.crew, self.watch = crew, Watch(settings, crew)
        monkeypatch.setattr(self.watch, "_groups", SimpleNamespace(tightest=self._group))
        monkeypatch.setattr(self.watch, "_next", BEGIN + 3600)
        monkeypatch.setattr(memory, "resident", lambda pid: CODE if pid == ZYGOTE else self.own[pid])
        for name in ("private", "proportional"):
            monkeypatch.setattr(memory, name, self.own.get)
        self.pool = Pool(limits=Limits(workers=workers, linger=3600.0))
        self.step()
        while starting := self.that_are(Phase.STARTING):
            self.ready(*starting)
        self.own.update(dict.fromkeys(self.own, GROWN))

    def _group(self) -> Group:
        used = SUPERVISOR + CODE + sum(self.own.values())
        return Group(origin="/no/such/cgroup/memory.max", limit=self.limit, used=used, kills=0)

    def that_are(self, phase: Phase) -> list[int]:
        return [worker.id for worker in self.pool.workers if worker.phase is phase]

    def step(self, event: Event | None = None) -> tuple[object, ...]:
        self.pool, actions = pool.step(self.pool, self.now, event)
        for action in actions:
            if isinstance(action, Start):
                self.own[action.id] = FRESH
                self.crew.children[action.id] = SimpleNamespace(pid=action.id)
        return actions

    def ready(self, *workers: int) -> None:
        for worker in workers:
            self.step(Ready(worker))
            self.watch.weigh(worker, self.now)

    def ended(self, worker: int) -> None:
        del self.own[worker]
        self.step(Exited(worker, served=True))

    def sighup(self) -> tuple[Event, ...]:
        events = self.watch.reload(self.pool, self.now)
        for event in events:
            self.step(event)
        return events

    def look(self, *, after: float = 0.0) -> tuple[Event, ...]:
        self.now += after
        events = self.watch.look(self.pool, self.now)
        for event in events:
            self.step(event)
        return events


def test_fresh_workers_follow_one_after_the_other_and_then_new_code_is_loaded_beside_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, 252 * MB, workers=4)
    assert [event.id for event in world.sighup() if isinstance(event, Due)] == [1, 2, 3]
    assert world.sighup() == world.look() == (), "it has not begun, and what is on the disk then is loaded"
    for fresh in (5, 6, 7):
        assert world.that_are(Phase.STARTING) == [fresh]
        assert len(world.that_are(Phase.READY)) == 4
        world.ready(fresh)
        assert world.look() == ()
    assert world.that_are(Phase.RETIRING) == [1, 2, 3]
    assert all(worker.hurried and not worker.lingers for worker in world.pool.workers if worker.id < 4)
    for old in (1, 2):
        world.ended(old)
        assert world.look() == ()
    world.ended(3)
    assert world.look() == (Reload(forks=True),)
    assert world.pool.generation == 1
    assert world.that_are(Phase.READY) == [4, 5, 6, 7]
    assert world.watch.next_deadline(world.pool) == BEGIN + 3600


def test_whoever_does_not_end_is_not_waited_for_and_a_pause_of_the_container_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, 190 * MB, workers=2)
    world.sighup()
    world.ready(3)
    world.ready(4)
    world.ended(1)
    assert world.look(after=4.9) == ()
    world.watch.forgive(60.0)
    assert world.look(after=60.0) == ()
    assert world.watch.next_deadline(world.pool) == BEGIN + 65
    assert len(world.look(after=0.2)) == 1
    assert world.pool.generation == 1


def test_a_fresh_one_that_comes_too_late_is_given_up_before_the_old_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else nobody would serve twice: until it is ready, and when it ends for the new code itself."""
    world = World(monkeypatch, 205 * MB, workers=1)
    world.own[1] = 60 * MB
    world.sighup()
    assert (world.that_are(Phase.READY), world.that_are(Phase.STARTING)) == ([1], [2])
    (reload,) = world.look(after=5.1)
    assert isinstance(reload, Reload)
    assert reload.fits is False
    assert (world.that_are(Phase.RETIRING), world.that_are(Phase.KILLED)) == ([1], [2])


def test_what_is_not_steady_or_cannot_fork_at_once_is_replaced_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for waiting, loaded_at in (({9: object()}, 1.0), ({}, 0.0)):
        world = World(monkeypatch, 252 * MB, workers=4)
        world.zygote.waiting, world.zygote.loaded_at = waiting, loaded_at
        assert isinstance(world.sighup()[-1], Reload)
    world = World(monkeypatch, 252 * MB, workers=4)
    world.ended(1)
    assert isinstance(world.sighup()[-1], Reload)
    world = World(monkeypatch, 10_000 * MB, workers=4)
    assert world.sighup() == (Reload(forks=True),)


def test_a_stop_ends_the_wait_and_a_crash_of_who_is_to_go_does_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, 190 * MB, workers=2)
    world.sighup()
    assert any(isinstance(action, Retire) for action in world.step(Stop()))
    assert world.look(after=5.0) == ()
    world = World(monkeypatch, 205 * MB, workers=1)
    world.own[1] = 60 * MB
    world.sighup()
    world.ended(1)
    assert isinstance(world.look()[-1], Reload)


@pytest.mark.parametrize(
    ("limit", "workers", "text"),
    [
        (203, 2, "the old one ends first; 53 of 203 MB"),
        (190, 2, "the old one ends first, and even so 10 MB are missing: it may not load; 40 of 190 MB"),
        (150, 1, "the old one ends first, and even so 26 MB are missing: it may not load; 30 of 150 MB"),
        (180, 1, "the old one ends first; 60 of 180 MB"),
        (190, 4, "3 workers end first, and even so 10 MB are missing: it may not load; 0 of 190 MB"),
    ],
)
def test_the_log_says_how_much_is_missing_where_new_code_may_not_load_even_so(
    monkeypatch: pytest.MonkeyPatch, limit: int, workers: int, text: str
) -> None:
    world = World(monkeypatch, limit * MB, workers=workers)
    world.zygote.loaded_at = 0.0
    world.sighup()
    assert text in world.said[-1]


def test_the_log_says_what_is_missing_where_workers_are_gone_already(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, 145 * MB, workers=2)
    world.ended(1)
    world.sighup()
    assert "in the place of workers that have ended, and even so" in world.said[-1]
    world = World(monkeypatch, 145 * MB, workers=2)
    world.step(Due(1, "it is old"))
    world.ready(3)
    world.sighup()
    assert "missing" not in world.said[-1], "worker 1 has not ended"


def test_those_that_linger_end_before_anybody_who_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """One may be all that keeps the code before last in memory, for a WebSocket."""
    world = World(monkeypatch, 240 * MB, workers=1)
    world.step(Due(1, "it is old"))
    world.ready(2)
    world.step(Lingers(1))
    world.own[1] = CODE
    assert world.that_are(Phase.LINGERING) == [1]
    assert [event.id for event in world.sighup() if isinstance(event, Due)] == [1]
    assert (world.that_are(Phase.READY), world.that_are(Phase.RETIRING)) == ([2], [1])
    assert world.look() == ()
    world.ended(1)
    assert world.look() == (Reload(forks=True),)
    assert (world.that_are(Phase.READY), len(world.that_are(Phase.STARTING))) == ([2], 1)


def test_those_that_linger_go_on_to_where_new_code_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, 400 * MB, workers=3)
    world.step(Due(1, "it is old"))
    world.ready(4)
    world.step(Lingers(1))
    assert world.sighup() == (Reload(forks=True),)
    assert world.that_are(Phase.LINGERING) == [1]
