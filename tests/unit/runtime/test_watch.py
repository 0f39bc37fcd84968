"""What the supervisor says of what it sees once a second."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime.chronicle import Chronicle
from nuages.runtime.memory import Group
from nuages.runtime.messages import Room
from nuages.runtime.pool import Limits, Phase, Pool, Worker
from nuages.runtime.recycling import KEPT_FREE
from nuages.runtime.watch import Watch, _Weighed

READY, STARTING, RETIRING, KILLED = Phase.READY, Phase.STARTING, Phase.RETIRING, Phase.KILLED
WORKER = 10 << 20  # bytes that a worker has for itself; as much again and a third is what another one needs
LIMIT = 1000 << 20


def _group(name: str, kills: int) -> Group:
    return Group(origin=f"/no/such/cgroup/{name}memory.max", limit=100 << 20, used=90 << 20, kills=kills)


def test_the_kills_of_a_cgroup_are_compared_with_its_own() -> None:
    said: list[tuple[str, int]] = []
    say = SimpleNamespace(killed_by_limit=lambda group, number: said.append((group.origin, number)))
    crew: Any = SimpleNamespace(say=say)
    settings: Any = SimpleNamespace()
    watch = Watch(settings, crew)
    outer, inner = _group("", 7), _group("pod/", 1)
    for group in (inner, outer, inner, None, outer, inner):
        watch._note_kills(group)
    assert said == []
    for group in (_group("pod/", 2), outer, _group("pod/", 2), _group("", 9)):
        watch._note_kills(group)
    assert said == [(inner.origin, 1), (outer.origin, 2)]


@pytest.mark.parametrize(
    ("phases", "free", "fits"),
    [
        ([READY] * 4, 13.1, None), ([READY] * 4, 12.9, False),
        # Each that is missing is to come back, whatever else is in memory in its place.
        ([READY] * 2, 26.1, None), ([READY] * 2, 25.9, False), ([], 52.1, None), ([], 51.9, False),
        ([READY] * 3 + [RETIRING], 13.1, None), ([READY] * 2 + [RETIRING, KILLED], 25.9, False),
        # More than wanted, of which one goes: another may be needed all the same.
        ([READY] * 5, 13.1, None), ([READY] * 5, 12.9, False),
        # What takes memory just now is not known before it has it.
        ([READY] * 2 + [STARTING], 0.0, None),
    ],
)  # fmt: skip
def test_the_memory_is_short_where_those_do_not_fit_that_are_missing(
    phases: list[Phase], free: float, fits: bool | None
) -> None:
    assert _told(phases, free, surge=1)[0] == (() if fits is None else (Room(fits),))


@pytest.mark.parametrize(
    ("phases", "free", "fits"),
    [([READY] * 4, 14.2, None), ([READY] * 4, 14.4, True), ([READY], 42.8, None), ([READY], 43.0, True)],
)
def test_it_is_short_until_they_fit_with_a_little_more(
    phases: list[Phase], free: float, fits: bool | None
) -> None:
    assert _told(phases, free, surge=0)[0] == (() if fits is None else (Room(fits),))


@pytest.mark.parametrize(
    ("phases", "free", "surge", "text"),
    [
        ([READY] * 4, 0.0, 1, "another worker (13 MB) does not fit: where one is replaced, the old one ends first"),
        ([READY] * 2, 20.0, 1, "2 more workers (26 MB) do not fit: where one is replaced, the old one ends first"),
        ([READY] * 4, 99.0, 0, "another worker (13 MB) fits again: a new one is ready before the old one stops"),
        ([READY] * 2, 99.0, 0, "2 more workers (26 MB) fit again: a new one is ready before the old one stops"),
    ],
)  # fmt: skip
def test_the_log_says_how_many_do_not_fit_and_what_they_take(
    phases: list[Phase], free: float, surge: int, text: str
) -> None:
    said = _told(phases, free, surge=surge)[1]
    room = int(free) + 30
    assert said == [f"{text}; {room} of 1000 MB by /no/such/cgroup/memory.max are free"]


@pytest.mark.parametrize(("old", "free", "fits"), [(0, 14.4, True), (1, 28.5, None), (1, 28.7, True)])
def test_it_is_short_until_one_fits_too_that_replaces_another(
    old: int, free: float, fits: bool | None
) -> None:
    watch, group = _watch(free=free, said=[])
    serving = Worker(id=1, generation=0, phase=READY, since=0.0)
    state = Pool(limits=Limits(workers=2, surge=0), workers=(serving,), proven=old, generation=old)
    assert watch._room(state, group) == (() if fits is None else (Room(fits),))


def test_what_a_worker_takes_is_known_too_where_all_of_them_have_died() -> None:
    watch, group = _watch(free=25.0, said=[])
    state = Pool(limits=Limits(workers=2), proven=0)
    for now in (1.0, 2.0):
        assert watch._read(state, now) == ()
    assert watch._room(state, group) == (Room(False),)


def _told(phases: list[Phase], free: float, *, surge: int) -> tuple[tuple[object, ...], list[str]]:
    """What the pool and the log are told of four workers, where so many MB are free beside the kernel's."""
    said: list[str] = []
    watch, group = _watch(free=free, said=said)
    workers = tuple(
        Worker(id=number, generation=0, phase=phase, since=0.0) for number, phase in enumerate(phases, 1)
    )
    state = Pool(limits=Limits(workers=4, surge=surge), workers=workers, proven=0)
    return watch._room(state, group), said


def _watch(*, free: float, said: list[str]) -> tuple[Watch, Group]:
    """A watch that has weighed a worker and tells its events to `said`, and a group with so many MB that are free."""
    log: Any = SimpleNamespace(event=lambda _level, _event, text, **_fields: said.append(text))
    crew: Any = SimpleNamespace(say=Chronicle(log))
    settings: Any = SimpleNamespace()
    watch = Watch(settings, crew)
    watch._weighed[1] = _Weighed(fresh=2 * WORKER, own=WORKER)
    used = LIMIT - int(LIMIT * KEPT_FREE) - int(free * (1 << 20))
    return watch, Group(origin="/no/such/cgroup/memory.max", limit=LIMIT, used=used, kills=0)
