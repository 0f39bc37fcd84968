"""How a worker's share of the database's connections is split between sync views and async requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.allowance import Split, share


@given(st.integers(0, 500), st.integers(1, 64))
def test_the_shares_of_all_workers_and_of_one_more_fit_the_servers_limit(limit: int, workers: int) -> None:
    each = share(limit, workers)
    assert each >= 1
    assert each == 1 or each * (workers + 1) <= limit


@given(st.integers(2, 200), st.lists(st.booleans(), max_size=300))
def test_both_kinds_together_never_have_more_than_the_share(most: int, asks: list[bool]) -> None:
    split = Split(most=most, kept=max(1, most // 8))
    sync = lent = 0
    for is_sync in asks:
        if is_sync and sync < split.sync(lent):
            sync += 1
        elif not is_sync and lent < split.lent(sync):
            lent += 1
        assert sync + lent <= most
    assert split.sync(0) + split.kept == most
    assert split.lent(0) == most - 1


def test_a_share_of_one_still_lets_both_kinds_work() -> None:
    split = Split(most=1, kept=1)
    assert split.sync(1) == split.lent(1) == 1
    assert Split(most=9, kept=0).sync(0) == 9
