"""When the pool lets more threads run, and when fewer."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.haste import REMEMBERED_SECONDS, STEP_SECONDS, SWITCH_SECONDS, Haste
from nuages.runtime.policy import (
    FEWER_SECONDS,
    KNOWN,
    MEMORY_SECONDS,
    MOST_OLD,
    STALL_SECONDS,
    Look,
    Shares,
    next_limit,
    old_after,
)

STANDING = Look(
    running=1, old=0, limit=1, most=64, waited=STALL_SECONDS * 2, steady=FEWER_SECONDS, computed=0.1, wanted=0.1,
    loop=0.1,
)  # fmt: skip


def limit(**changes: Any) -> int:
    if "computed" in changes:
        changes.setdefault("wanted", changes["computed"])
    return next_limit(dataclasses.replace(STANDING, **changes))


def test_a_queue_that_moves_adds_no_thread() -> None:
    assert limit(waited=0.0) == 1


def test_a_queue_that_stands_while_threads_wait_adds_some() -> None:
    assert limit() == 2
    assert limit(running=7, limit=7) == 8
    assert limit(running=40, limit=40) == 50
    assert limit(running=63, limit=63) == 64
    assert limit(running=64, limit=64) == 64


def test_a_queue_that_stands_while_threads_compute_adds_none() -> None:
    assert limit(computed=0.8) == 1


def test_threads_that_wait_are_added_until_the_interpreter_has_no_time_left() -> None:
    assert limit(running=6, limit=6, computed=0.8, loop=0.1) == 7
    assert limit(running=12, limit=12, computed=0.88, loop=0.1, steady=0.0) == 12


def test_a_busy_loop_with_waiting_threads_adds_one_unless_the_interpreter_is_full() -> None:
    assert limit(computed=0.1, loop=0.6) == 2
    assert limit(computed=0.3, loop=0.7) == 1


def test_of_threads_that_fill_the_interpreter_there_may_be_fewer_one_by_one() -> None:
    assert limit(running=8, limit=8, computed=1.0) == 7
    assert limit(running=2, limit=2, computed=0.8, loop=0.2) == 1
    assert limit(running=3, limit=64, waited=0.0, computed=1.0) == 2
    assert limit(running=8, limit=8, computed=1.0, steady=FEWER_SECONDS / 2) == 8


def test_threads_that_stand_in_line_for_a_cpu_all_the_time_compute() -> None:
    assert limit(computed=0.3, wanted=0.95) == 1
    assert limit(running=2, limit=2, computed=0.4, wanted=1.8, loop=0.1) == 1
    assert limit(running=8, limit=8, computed=0.3, wanted=6.4, loop=0.1) == 7


def test_threads_that_stand_in_line_when_they_wake_up_wait() -> None:
    assert limit(running=3, limit=3, computed=0.1, wanted=0.3) == 4
    assert limit(running=4, limit=4, computed=0.3, wanted=1.6) == 5
    assert limit(running=40, limit=40, computed=0.3, wanted=30.0, loop=0.2) == 50


def test_threads_that_want_the_interpreter_at_this_moment_get_no_company() -> None:
    assert limit(running=3, limit=3, computed=0.5, wanting=3, steady=0.0) == 3
    assert limit(running=1, wanting=1) == 1
    assert limit(running=12, limit=12, computed=0.4, wanting=6, steady=0.0) == 12
    assert limit(running=12, limit=12, computed=0.4, wanting=5) == 15
    assert limit(running=1, wanting=0) == 2


def test_long_tasks_do_not_keep_the_others_from_their_turn() -> None:
    assert limit(waited=0.2, old=1, computed=1.0) == 2
    assert limit(waited=0.2, old=9, running=9, limit=9, computed=1.0) == 8
    assert limit(waited=0.2, old=4, running=4, limit=4, computed=1.0) == 4
    assert limit(waited=0.05, old=0, computed=1.0) == 1


def test_a_thread_that_was_just_allowed_is_waited_for() -> None:
    assert limit(running=1, limit=2) == 2


LOOKS = {
    "running": st.integers(0, 70), "old": st.integers(0, 70), "most": st.integers(1, 64),
    "waited": st.floats(0, 10), "steady": st.floats(0, 10), "computed": st.floats(0, 8),
    "wanted": st.floats(0, 60), "loop": st.floats(0, 1), "now": st.integers(1, 64),
}  # fmt: skip


@given(**LOOKS)
def test_the_limit_stays_within_its_bounds(now: int, most: int, **seen: Any) -> None:
    now = min(now, most)
    found = limit(limit=now, most=most, **seen)
    assert 1 <= found <= most
    assert found <= max(now + max(1, now // 4), 1 + MOST_OLD)


@given(**LOOKS)
def test_the_limit_falls_only_when_threads_compute_and_only_now_and_then(
    now: int, most: int, **seen: Any
) -> None:
    now = min(now, most)
    if limit(limit=now, most=most, **seen) < now:
        assert seen["steady"] >= FEWER_SECONDS
        wanted = seen["wanted"] if seen["running"] <= KNOWN else 0
        assert seen["computed"] + seen["loop"] > 0.9 or wanted > seen["running"] / 2


@given(share=st.floats(0.001, 0.45), start=st.integers(1, 64))
def test_waiting_threads_grow_to_what_fills_the_interpreter_and_hover_there(share: float, start: int) -> None:
    """Each thread wants so much of the interpreter; together they get at most all of it."""
    now, seen = start, []
    for _ in range(400):
        computed = min(1.0, now * share)
        now = limit(limit=now, running=now, computed=computed, wanted=computed, loop=0.0)
        seen.append(now)
    settled = seen[200:]
    enough = min(64.0, 0.95 / share)
    assert min(settled) >= int(enough) - 1
    assert max(settled) <= max(2, enough * 1.25 + 2)


@given(start=st.integers(1, 64))
def test_computing_threads_become_one(start: int) -> None:
    now = start
    for _ in range(64):
        now = limit(limit=now, running=now, computed=0.97, wanted=0.9 * now, loop=0.02)
    assert now == 1


def test_shares_are_averages_over_the_last_moments() -> None:
    shares = Shares().after(0.001, computed=0.001, stood=0.0, loop=0.0)
    assert shares.computed == pytest.approx(1.0)
    shares = shares.after(0.003, computed=0.0, stood=0.0, loop=0.0)
    assert shares.computed == pytest.approx(0.25)
    for _ in range(100):
        shares = shares.after(0.001, computed=0.0005, stood=0.0001, loop=0.0002)
    assert shares.computed == pytest.approx(0.5, rel=0.05)
    assert shares.stood == pytest.approx(0.1, rel=0.05)
    assert shares.loop == pytest.approx(0.2, rel=0.05)


@given(steps=st.lists(st.tuples(st.floats(1e-6, 0.1), st.floats(0, 1)), min_size=1, max_size=50))
def test_shares_stay_within_what_was_seen(steps: list[tuple[float, float]]) -> None:
    shares = Shares()
    for passed, share in steps:
        shares = shares.after(passed, computed=passed * share, stood=0.0, loop=0.0)
    seen = [share for _, share in steps]
    assert min(seen) - 1e-9 <= shares.computed <= max(seen) + 1e-9
    assert shares.seconds <= max(MEMORY_SECONDS, *(passed for passed, _ in steps)) + 1e-9


def test_expected_shares_follow_the_number_of_threads() -> None:
    shares = Shares(seconds=0.02, computed=0.4, stood=0.2, loop=0.1).scaled(1.5)
    assert (shares.computed, shares.stood, shares.loop) == pytest.approx((0.6, 0.3, 0.1))


def test_while_async_views_are_asked_fewer_long_tasks_compute_at_a_time() -> None:
    facts = {
        "limit": 4,
        "most": 64,
        "waited": 1.0,
        "steady": 1.0,
        "computed": 1.0,
        "wanted": 4.0,
        "loop": 0.0,
    }
    limits = {}
    for old, hurried in product((4, 0), (False, True)):
        limit = 4
        for _ in range(5):
            seen = Look(running=limit, old=old, hurried=hurried, **{**facts, "limit": limit})  # type: ignore[arg-type]
            limit = next_limit(seen)
        limits[old, hurried] = limit
    assert limits == {(4, False): 4, (4, True): 2, (0, False): 1, (0, True): 1}


def test_while_async_views_are_asked_a_task_that_computes_may_keep_the_others_waiting_for_longer() -> None:
    assert (old_after(False), old_after(True)) == (0.1, 3.0)


@pytest.fixture
def haste() -> Iterator[Haste]:
    """One whose interval is Python's own again afterwards."""
    usual = sys.getswitchinterval()
    yield Haste()
    sys.setswitchinterval(usual)


def test_the_interpreter_is_given_up_sooner_only_while_async_views_are_asked(haste: Haste) -> None:
    usual = sys.getswitchinterval()
    assert not haste.look(10.0)
    haste.asked(10.0)
    assert haste.look(10.5)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    assert haste.look(11.5)
    assert sys.getswitchinterval() == pytest.approx(usual)
    assert not haste.look(10.5 + REMEMBERED_SECONDS)


def test_threads_leave_the_loop_alone_during_each_step_of_a_view(haste: Haste) -> None:
    seen: list[float] = []

    async def view() -> None:
        for _ in range(2):
            seen.append(sys.getswitchinterval())
            await asyncio.sleep(0)

    async def beside() -> None:
        task = asyncio.ensure_future(haste.unhurried(view()))
        while not task.done():
            await asyncio.sleep(0)
            seen.append(-sys.getswitchinterval())
        task.result()

    haste.asked(10.0)
    asyncio.run(beside())
    assert [one for one in seen if one > 0] == pytest.approx([STEP_SECONDS] * 2)
    assert max(-one for one in seen if one < 0) == pytest.approx(SWITCH_SECONDS)


def test_a_step_by_step_view_is_cancelled_and_fails_as_any_other(haste: Haste) -> None:
    said: list[str] = []

    async def view() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            said.append("cancelled")
            await asyncio.sleep(0)
            said.append("closed")
            raise

    async def broken() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def both() -> None:
        task = asyncio.ensure_future(haste.unhurried(view()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ValueError, match="broken"):
            await haste.unhurried(broken())

    asyncio.run(both())
    assert said == ["cancelled", "closed"]
