"""When somebody takes the last of the memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.guard import FASTEST, LEAST, MOST, REACTION, Look, is_last, pause

MB = 1 << 20


@pytest.mark.parametrize(
    ("left", "seconds"), [(1 << 40, MOST), (1024 * MB, 0.25), (128 * MB, 0.03125), (0, LEAST)]
)
def test_the_less_is_left_the_sooner_it_is_looked_at_again(left: int, seconds: float) -> None:
    assert pause(left) == pytest.approx(seconds)


def test_what_is_left_is_the_last_where_it_goes_too_fast_for_anything_to_be_done() -> None:
    before = Look(10.0, 300 * MB)
    assert is_last(before, Look(10.1, 100 * MB))  # 2000 MB a second: it is gone after 50 ms
    assert not is_last(before, Look(10.1, 200 * MB))
    assert is_last(Look(10.0, 3 * MB), Look(10.1, MB // 2))


def test_who_comes_late_may_come_late_again() -> None:
    before = Look(10.0, 300 * MB)
    assert not is_last(before, Look(10.1, 200 * MB))
    assert is_last(before, Look(10.1, 200 * MB, late=0.08))


@pytest.mark.parametrize("left", [0, MB, 300 * MB])
def test_nobody_is_ended_for_memory_that_is_only_held(left: int) -> None:
    assert not is_last(Look(10.0, left), Look(10.1, left))
    assert not is_last(Look(10.0, left), Look(10.1, left + 1))


@given(st.integers(100 * MB, 1 << 36), st.floats(1 * MB, 0.8 * FASTEST), st.floats(0, 1))
def test_whoever_takes_it_evenly_is_found_in_time(left: int, rate: float, part: float) -> None:
    """It began some time after a look; from its end on, the looks see how fast it goes."""
    before = Look(0.0, left)
    at = pause(left)
    began = at * part
    while True:
        now = Look(at, left - int((at - began) * rate))
        if is_last(before, now):
            break
        before, at = now, at + pause(now.left)
        assert now.left > 0
    assert now.left > rate * LEAST  # time for the kill
    assert now.left < rate * (REACTION + MOST)
