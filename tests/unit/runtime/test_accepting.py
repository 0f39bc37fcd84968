"""Who takes the next connection: a rule for one worker that looks at what all of them have."""

from __future__ import annotations

import pytest

from nuages.runtime.accepting import Counted, may_take, most_connections, wait_seconds
from nuages.runtime.scoreboard import Board, Scoreboard


@pytest.mark.parametrize(
    ("own", "least", "takes"),
    [
        (0, 0, True),
        (1, 0, True),
        (2, 0, False),
        (64, 64, True),
        (73, 64, True),
        (74, 64, False),
        (72, 39, False),  # one worker has just come
        (39, 39, True),
    ],
)
def test_whoever_is_not_ahead_of_the_others_takes_it_at_once(own: int, least: int, takes: bool) -> None:
    assert may_take(own, least) is takes


def test_the_further_ahead_the_longer_the_others_are_waited_for() -> None:
    assert wait_seconds(3, 1) == wait_seconds(70, 64) == 0.002
    assert wait_seconds(8, 0) == 0.008
    assert wait_seconds(500, 0) == 0.025


def test_the_more_connections_the_longer_the_others_are_waited_for() -> None:
    assert wait_seconds(12, 8) == 0.003
    assert wait_seconds(75, 64) == pytest.approx(0.024)
    assert wait_seconds(75, 64) > wait_seconds(15, 8)


def test_connections_that_come_one_by_one_end_within_a_quarter_of_each_other() -> None:
    """Whoever is woken and may take one takes it, the one with the most first: the worst order."""
    own = [72, 72, 72, 0]
    for _ in range(72):
        takers = [number for number in range(4) if may_take(own[number], min(own))]
        own[max(takers, key=lambda number: own[number])] += 1
    assert max(own) <= 1.25 * min(own)


@pytest.mark.parametrize(
    ("files", "open_now", "most"), [(64, 15, 33), (1024, 20, 748), (1_048_576, 20, 1_048_300), (16, 15, 1)]
)
def test_connections_leave_files_to_views(files: int, open_now: int, most: int) -> None:
    assert most_connections(files, open_now) == most


def test_those_that_accept_nothing_do_not_count() -> None:
    board = Scoreboard(4)
    try:
        workers = [Board(board.descriptor, slot) for slot in range(3)]
        assert workers[0].least() == 0
        for worker, connections in zip(workers, (4, 8, None), strict=True):
            worker.tally(connections)
        assert workers[2].least() == 4
    finally:
        board.close()


def test_connections_are_counted_whichever_way_they_take_themselves_out() -> None:
    seen: list[int] = []
    connections = Counted(lambda: seen.append(len(connections)))
    for one in ("a", "b"):
        connections.add(one)
    connections.discard("a")
    connections.remove("b")
    assert seen == [1, 2, 1, 0]
