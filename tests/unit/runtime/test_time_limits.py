"""How long views may take, for which paths; and how many workers stuck threads may cost."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.balance import STUCK_SECONDS
from nuages.runtime.messages import Actions, Event, Exited, Ready, Retire, Spare, Start, Stuck
from nuages.runtime.pool import Limits, Phase, Pool, step
from nuages.runtime.prefixes import Prefixes, TimeLimits, path_limit
from nuages.runtime.request import Request


def test_the_nearest_path_gives_the_limit() -> None:
    limits = TimeLimits(30.0, ["/reports/=5m", "/reports/daily=off", "/=20s", "/x=1s"])
    assert limits.of(b"/reports") == limits.of(b"/reports/") == limits.of(b"/reports/7") == 300
    assert limits.of(b"/reports/daily/9") == inf
    assert limits.of(b"/reportsx") == limits.of(b"/") == 20
    assert limits.shortest == 1
    assert TimeLimits(30.0).of(b"/reports/") == 30


def test_paths_are_compared_as_django_sees_them() -> None:
    limits = TimeLimits(30.0, ["/admin/=5m", "/caf%C3%A9=1m", "/thé=2m"])
    assert limits.of(b"/%61dmin/") == limits.of(b"/admin%2Fusers") == 300
    assert limits.of("/café".encode()) == limits.of(b"/caf%c3%a9/") == 60
    assert limits.of(b"/th%C3%A9") == 120
    unbuffered = Prefixes(["/upload", "/caf%C3%A9"])
    for target, takes in (
        ("/%75pload", True), ("/upload%2f1?a", True), ("/caf%C3%A9", True), ("/uploads", False), ("/", False),
    ):  # fmt: skip
        fields = [(b"host", b"a"), (b"content-length", b"1")]
        request = Request("POST", target.encode(), "1.1", fields, keep_alive=True)
        assert unbuffered.take(request) is takes, target


@pytest.mark.parametrize("wrong", ["/reports", "reports=5m", "/reports=soon", "=5m", "/a?b=5m", "/reports="])
def test_what_is_no_path_and_duration_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="it is not"):
        path_limit.parse(wrong)


def _served(workers: int) -> Pool:
    pool, actions = step(Pool(limits=Limits(workers=workers)), 0.0)
    while any(worker.phase is Phase.STARTING for worker in pool.workers):
        pool, _ = _began(pool, 0.0, actions)
        pool, actions = step(pool, 0.0)
    return pool


def _began(pool: Pool, now: float, actions: Actions) -> tuple[Pool, list[Retire]]:
    """Let everything that was ordered happen at once; return what was retired on the way."""
    retired: list[Retire] = []
    todo = list(actions)
    todo += [Start(one.id, one.generation) for one in pool.workers if one.phase is Phase.STARTING]
    while todo:
        action = todo.pop(0)
        event: Event | None = None
        if isinstance(action, Start):
            event = Ready(action.id)
        elif isinstance(action, Retire):
            retired.append(action)
            event = Exited(action.id)
        if event is not None:
            pool, more = step(pool, now, event)
            todo += more
    return pool, retired


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.floats(0, STUCK_SECONDS), st.integers(0, 8)), max_size=60),
)
def test_stuck_threads_never_cost_more_than_half_the_workers_in_ten_minutes(
    workers: int, asked: list[tuple[float, int]]
) -> None:
    pool, now = _served(workers), 1.0
    replaced: list[float] = []
    spared: list[int] = []
    for wait, number in asked:
        now += wait
        before = pool.workers[number % len(pool.workers)]
        pool, actions = step(pool, now, Stuck(before.id, "it is stuck"))
        spared += [action.id for action in actions if isinstance(action, Spare)]
        pool, retired = _began(pool, now, actions)
        replaced += [now for _ in retired]
        assert len(pool.workers) == workers
        assert all(worker.phase is Phase.READY for worker in pool.workers)
    for first in replaced:
        within = [at for at in replaced if first <= at < first + STUCK_SECONDS]
        assert len(within) <= max(1, workers // 2)
    assert len(spared) == len(set(spared))  # said once of each


@given(st.integers(1, 9))
def test_the_first_stuck_worker_is_replaced_and_another_one_later(workers: int) -> None:
    pool = _served(workers)
    for now in (1.0, 2.0 + STUCK_SECONDS):
        worker = pool.workers[0]
        pool, actions = step(pool, now, Stuck(worker.id, "it is stuck"))
        pool, retired = _began(pool, now, actions)
        assert [(action.id, action.reason) for action in retired] == [(worker.id, "it is stuck")]


def test_who_is_spared_is_replaced_once_there_is_a_turn_for_it() -> None:
    pool = _served(2)
    first, second = pool.workers
    pool, actions = step(pool, 1.0, Stuck(first.id, "a"))
    pool, _ = _began(pool, 1.0, actions)
    pool, actions = step(pool, 2.0, Stuck(second.id, "b"))
    assert actions == (Spare(second.id, "b"),)
    pool, actions = step(pool, 12.0, Stuck(second.id, "b"))
    assert actions == ()
    pool, actions = step(pool, 1.0 + STUCK_SECONDS, Stuck(second.id, "b"))
    assert any(isinstance(action, Start) for action in actions)
