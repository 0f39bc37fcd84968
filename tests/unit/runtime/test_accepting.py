"""Who takes the next connection: a rule for one worker that looks at what all of them have."""

from __future__ import annotations

import pytest

from nuages.runtime.accepting import may_take, wait_seconds
from nuages.runtime.scoreboard import Board, Scoreboard


@pytest.mark.parametrize(
    ("own", "mean", "least", "takes"),
    [
        (0, 0.0, 0, True),
        (1, 0.25, 0, True),
        (2, 0.5, 0, False),
        (64, 64.0, 64, True),
        (72, 64.0, 64, True),
        (74, 64.0, 64, False),
        (72, 64.0, 39, False),  # the mean alone would let it: one worker has just come
        (39, 64.0, 39, True),
    ],
)
def test_whoever_has_not_more_than_the_others_takes_it_at_once(
    own: int, mean: float, least: int, takes: bool
) -> None:
    assert may_take(own, mean, least) is takes


def test_the_further_ahead_the_longer_the_others_are_waited_for() -> None:
    assert wait_seconds(3, 1) == wait_seconds(70, 64) == 0.002
    assert wait_seconds(64, 40) == 0.014
    assert wait_seconds(500, 0) == 0.025


def test_connections_that_come_one_by_one_end_within_a_third_of_each_other() -> None:
    """Whoever is woken and may take one takes it, the one with the most first: the worst order."""
    own = [72, 72, 72, 0]
    for _ in range(72):
        takers = [number for number in range(4) if may_take(own[number], sum(own) / 4, min(own))]
        own[max(takers, key=lambda number: own[number])] += 1
    assert max(own) <= 1.34 * min(own)


def test_those_that_accept_nothing_do_not_count() -> None:
    board = Scoreboard(4)
    try:
        workers = [Board(board.descriptor, slot) for slot in range(3)]
        assert workers[0].share() == (0.0, 0)
        for worker, connections in zip(workers, (4, 8, None), strict=True):
            worker.tally(connections)
        assert workers[2].share() == (6.0, 4)
    finally:
        board.close()
