"""When the pool lets one more thread run, and when one less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.threads import STALL_SECONDS, next_limit

LONG = STALL_SECONDS * 2


def test_a_queue_that_moves_adds_no_thread() -> None:
    assert next_limit(running=1, limit=1, most=64, waited=0.0, computing=0.0) == 1


def test_a_queue_that_stands_while_threads_wait_adds_one() -> None:
    assert next_limit(running=1, limit=1, most=64, waited=LONG, computing=0.1) == 2


def test_a_queue_that_stands_while_threads_compute_adds_none() -> None:
    assert next_limit(running=1, limit=1, most=64, waited=LONG, computing=0.8) == 1


def test_too_many_computing_threads_become_fewer() -> None:
    assert next_limit(running=8, limit=8, most=64, waited=LONG, computing=1.0) == 7
    assert next_limit(running=3, limit=64, most=64, waited=0.0, computing=1.0) == 2


@given(
    running=st.integers(0, 70), limit=st.integers(1, 64), waited=st.floats(0, 10), computing=st.floats(0, 8),
    most=st.integers(1, 64),
)  # fmt: skip
def test_the_limit_stays_within_its_bounds(
    running: int, limit: int, waited: float, computing: float, most: int
) -> None:
    limit = min(limit, most)
    found = next_limit(running=running, limit=limit, most=most, waited=waited, computing=computing)
    assert 1 <= found <= most
