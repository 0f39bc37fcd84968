"""When the pool lets one more thread run, and when one less."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.threads import MOST_OLD, STALL_SECONDS, Look, next_limit

STANDING = Look(
    running=1, old=0, limit=1, most=64, waited=STALL_SECONDS * 2, computed=0.1, wanted=0.1, loop=0.1
)


def limit(**changes: Any) -> int:
    return next_limit(dataclasses.replace(STANDING, **changes))


def test_a_queue_that_moves_adds_no_thread() -> None:
    assert limit(waited=0.0) == 1


def test_a_queue_that_stands_while_threads_wait_adds_one() -> None:
    assert limit() == 2
    assert limit(running=63, limit=63) == 64
    assert limit(running=64, limit=64) == 64


def test_a_queue_that_stands_while_threads_compute_adds_none() -> None:
    assert limit(computed=0.8) == 1


def test_a_busy_loop_with_waiting_threads_adds_one_unless_the_interpreter_is_full() -> None:
    assert limit(computed=0.1, loop=0.6) == 2
    assert limit(computed=0.3, loop=0.7) == 1


def test_too_many_computing_threads_become_one() -> None:
    assert limit(running=8, limit=8, computed=1.0) == 7
    assert limit(running=2, limit=2, computed=0.8, loop=0.2) == 1
    assert limit(running=3, limit=64, waited=0.0, computed=1.0) == 2


def test_few_threads_that_stand_in_line_for_a_cpu_compute() -> None:
    assert limit(computed=0.3, wanted=0.95) == 1
    assert limit(running=2, limit=2, computed=0.4, wanted=1.0, loop=0.1) == 1
    assert limit(running=3, limit=3, computed=0.1, wanted=0.3) == 4


def test_many_threads_stand_in_line_whenever_they_wake_up() -> None:
    assert limit(running=40, limit=40, computed=0.3, wanted=2.0, loop=0.2) == 41


def test_long_tasks_do_not_keep_the_others_from_their_turn() -> None:
    assert limit(waited=0.2, old=1, computed=1.0) == 2
    assert limit(waited=0.2, old=9, running=9, limit=9, computed=1.0) == 8
    assert limit(waited=0.2, old=4, running=4, limit=4, computed=1.0) == 4
    assert limit(waited=0.05, old=0, computed=1.0) == 1


def test_a_thread_that_was_just_allowed_is_waited_for() -> None:
    assert limit(running=1, limit=2) == 2


@given(
    running=st.integers(0, 70), old=st.integers(0, 70), most=st.integers(1, 64), waited=st.floats(0, 10),
    computed=st.floats(0, 8), wanted=st.floats(0, 60), loop=st.floats(0, 1), now=st.integers(1, 64),
)  # fmt: skip
def test_the_limit_stays_within_its_bounds(now: int, most: int, **seen: Any) -> None:
    now = min(now, most)
    found = limit(limit=now, most=most, **seen)
    assert 1 <= found <= most
    assert found <= max(now + 1, 1 + MOST_OLD)
