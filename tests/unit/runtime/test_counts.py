"""What a worker counts in shared memory and the supervisor reads, at any moment and after the worker's end."""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from nuages.runtime import counts
from nuages.runtime.counts import BOUNDS, MOST_ROUTES, NONE, OTHER, Counting, Counts, Histogram
from nuages.runtime.scoreboard import Board, Scoreboard

REFUSED = (  # psycopg's words
    'OperationalError: connection failed: connection to server at "127.0.0.1", port 24008 failed: Connection refused'
)


def _memory() -> memoryview:
    return memoryview(bytearray(counts.COUNTS_BYTES))


def test_a_request_is_counted_by_route_method_and_class_of_status() -> None:
    memory = _memory()
    counting = Counting(memory)
    counting.count("GET", "books/<int:pk>/", 200, 0.0012, 0.0, 100)
    counting.count("GET", "books/<int:pk>/", 204, 0.7, 0.3, 0)
    counting.count("POST", "books/<int:pk>/", 500, 61.0, 0.0, 10)
    counting.count("BREW", "", 0, 0.001, 0.0, 0)
    seen = counts.read(memory)
    assert seen.requests == {
        ("books/<int:pk>/", "GET", "2xx"): 2, ("books/<int:pk>/", "POST", "5xx"): 1, (NONE, "(other)", "4xx"): 1,
    }  # fmt: skip
    book = seen.durations["books/<int:pk>/"]
    assert {bound: n for bound, n in zip((*BOUNDS, "more"), book.counts, strict=True) if n} == {
        0.0025: 1, 1.0: 1, "more": 1,
    }  # fmt: skip
    assert book.sum == 0.0012 + 0.7 + 61.0
    assert seen.durations[NONE].counts[0] == 1  # a bound belongs to its bucket
    assert (sum(seen.queue.counts), seen.queue.counts[0], seen.queue.sum, seen.sent) == (4, 3, 0.3, 110)
    assert seen.total == 4


def test_static_files_are_counted_apart() -> None:
    memory = _memory()
    counting = Counting(memory)
    counting.count_static(200, 1000)
    counting.count_static(304, 0)
    counting.count_static(200, 1)
    seen = counts.read(memory)
    assert (seen.static, seen.sent, seen.total) == ({"2xx": 2, "3xx": 1}, 1001, 0)


def test_routes_beyond_the_most_are_told_together_and_none_is_lost() -> None:
    memory = _memory()
    counting = Counting(memory)
    for number in range(MOST_ROUTES + 100):
        for method in ("GET", "POST", "PUT", "DELETE"):
            counting.count(method, f"route/{number}/", 200, 0.01, 0.0, 1)
    seen = counts.read(memory)
    assert len(seen.durations) <= MOST_ROUTES
    assert seen.total == seen.sent == 4 * (MOST_ROUTES + 100)
    assert sum(sum(one.counts) for one in seen.durations.values()) == seen.total
    assert any(route == OTHER for route, _, _ in seen.requests)


def test_two_long_names_of_routes_that_begin_alike_are_one() -> None:
    memory = _memory()
    counting = Counting(memory)
    counting.count("GET", "ä" * 200 + "1", 200, 0.01, 0.0, 0)
    counting.count("GET", "ä" * 200 + "2", 200, 0.01, 0.0, 0)
    (name,) = counts.read(memory).durations
    assert name == "ä" * 94 + "…"


def test_what_is_cleared_is_as_new() -> None:
    memory = _memory()
    counting = Counting(memory)
    for number in range(MOST_ROUTES + 1):
        counting.count("GET", f"route/{number}/", 200, 0.01, 0.2, 1)
    counting.count_static(200, 1)
    counts.clear(memory)
    assert bytes(memory) == bytes(counts.COUNTS_BYTES)
    assert counts.read(memory) == Counts()


def test_sums_of_counts_lose_nothing_and_unknown_routes_are_told_together() -> None:
    one = Counts(
        requests={("a", "GET", "2xx"): 1}, durations={"a": Histogram((1,) + (0,) * len(BOUNDS), 0.5)}, sent=3,
        static={"2xx": 1},
    )  # fmt: skip
    two = Counts(
        requests={("a", "GET", "2xx"): 2, ("b", "GET", "2xx"): 5, ("c", "GET", "2xx"): 7},
        durations={name: Histogram((n,) + (0,) * len(BOUNDS), 0.25) for name, n in (("a", 2), ("b", 5), ("c", 7))},
    )  # fmt: skip
    whole = one.plus(two)
    assert whole.requests == {("a", "GET", "2xx"): 3, ("b", "GET", "2xx"): 5, ("c", "GET", "2xx"): 7}
    bounded = whole.within({"a"})
    assert bounded.requests == {("a", "GET", "2xx"): 3, (OTHER, "GET", "2xx"): 12}
    assert bounded.durations[OTHER] == Histogram((12,) + (0,) * len(BOUNDS), 0.5)
    assert (bounded.sent, bounded.static, bounded.total) == (3, {"2xx": 1}, whole.total)
    assert whole.within({"a", "b", "c"}) is whole


_requests = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "PURGE"]), st.sampled_from(["", "a/", "b/<int:x>/", "ü" * 300]),
        st.integers(0, 999), st.floats(0, 100), st.floats(0, 100), st.integers(0, 1 << 40),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=60)
@given(_requests)
def test_what_was_counted_is_read(requests: list[tuple[str, str, int, float, float, int]]) -> None:
    memory = _memory()
    counting = Counting(memory)
    for request in requests:
        counting.count(*request)
    seen = counts.read(memory)
    assert seen.total == len(requests)
    assert seen.sent == sum(sent for *_, sent in requests)
    assert sum(seen.queue.counts) == len(requests)
    by_route = Counter(route[:4] or NONE for _, route, *_ in requests)
    assert {
        name[:4] if name != NONE else NONE: sum(one.counts) for name, one in seen.durations.items()
    } == by_route


def test_every_worker_counts_in_its_own_slot_and_death_loses_nothing() -> None:
    board = Scoreboard(3)
    workers = [Board(board.descriptor, slot) for slot in range(3)]
    for slot, worker in enumerate(workers):
        for _ in range(slot + 1):
            worker.counting.count("GET", "page/", 200, 0.01, 0.0, 10)
    assert [board.counted(slot).total for slot in range(3)] == [1, 2, 3]
    before = board.counted(1)
    board.clear(1)
    assert board.counted(1) == Counts()
    assert [board.counted(slot).total for slot in range(3)] == [1, 0, 3]
    again = Board(board.descriptor, 1)
    again.counting.count("GET", "other/", 200, 0.01, 0.0, 10)
    assert set(before.plus(board.counted(1)).durations) == {"page/", "other/"}


def test_the_workers_see_of_each_other_who_asked_the_database_last_and_whether_the_server_accepts() -> None:
    board = Scoreboard(3)
    first, second = Board(board.descriptor, 0), Board(board.descriptor, 1)
    assert (first.newest_check(), first.accepts, board.check(0)) == (None, False, None)
    first.note_check("")
    second.note_check(REFUSED)
    newest = first.newest_check()
    assert newest is not None
    assert newest.why == REFUSED
    assert newest == board.check(1)
    board.show_accepting(True)
    assert second.accepts
    board.clear(1)
    newest = second.newest_check()
    assert newest is not None
    assert newest.why == ""


def test_counting_a_request_costs_less_than_1_5_microseconds_of_cpu() -> None:
    counting = Counting(_memory())
    rounds = []
    for _ in range(100):  # short rounds: what else runs here slows some of them down, never all
        begun = time.process_time()
        for _ in range(200):
            counting.count("GET", "books/<int:pk>/", 200, 0.0123, 0.0002, 5120)
        rounds.append((time.process_time() - begun) / 200)
    assert min(rounds) < 1.5e-6
