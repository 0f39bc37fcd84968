"""What `nuages status` shows, from the JSON of the management socket."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.test_metrics import SEEN

from nuages.runtime.counts import BOUNDS, Counts
from nuages.runtime.ledger import CRASH, Replacement
from nuages.runtime.panel import amount, brief, quantile, screen, span
from nuages.runtime.scoreboard import DatabaseCheck
from nuages.runtime.status import status


def _status(**changes: Any) -> dict[str, Any]:
    """The status as it comes over the socket."""
    found: dict[str, Any] = json.loads(json.dumps(status(replace(SEEN, **changes))))
    return found


def test_a_whole_screen() -> None:
    first, second = SEEN.workers
    workers = (
        replace(first, reason="it has had 10123 requests"),
        replace(second, worker=replace(second.worker, due="new code"), age=1.0),
    )
    last = Replacement(worker=1, at=95.0, reason="it has had 10123 requests")
    replacements = {**SEEN.replacements, "requests": 2}
    found = screen(
        _status(workers=workers, last_replacement=last, replacements=replacements, failed_reloads=1)
    )
    assert "\n".join(found) == (
        "shop (pid 7)  ready  up 1 min, generation 0, nuages 1.2.3\n"
        "http://127.0.0.1:8000\n"
        "\n"
        "since start   12 requests  2 errors (5xx)  44 static  115.0 GB sent"
        "  |  p50 ~1.5 ms  p95 >60 s  p99 >60 s  queue p95 ~0.9 ms\n"
        "replaced      crash 3  requests 2  |  worker 1, 5.0 s ago: it has had 10123 requests\n"
        "reloads       1 FAILED: the old code goes on serving, the log says why\n"
        "database      answers, asked 3.0 s ago\n"
        "\n"
        "WORKER  PID  STATE        AGE  REQUESTS  IN FLIGHT  THREADS  QUEUE  CONNS  DB    PSS  LAST REASON\n"
        "     1    8  ready      1 min        12          1      1/3      2      4   5  50 MB"
        "  it has had 10123 requests\n"
        "     2    -  starting!  1.0 s         0          0      0/0      0      0   0      -"
        "  to be replaced: new code\n"
        " total       1 ready                 12          1      1/3      2      4   5  50 MB\n"
        "\n"
        "in flight for longest\n"
        "     2.0 s  GET /slow/  worker 1, id a"
    )


def test_with_what_was_before_it_shows_rates_since_then() -> None:
    before = _status(counts=Counts(), now=96.0)
    workers = (replace(SEEN.workers[0], requests=2, age=56.0), SEEN.workers[1])
    before["workers"] = _status(workers=workers)["workers"]
    found = screen(_status(), before)
    assert found[4] == (
        "last  4.0 s   3 requests/s  0.5 errors/s  11 static/s  28.7 GB/s"
        "  |  p50 ~1.5 ms  p95 >60 s  p99 >60 s  queue p95 ~0.9 ms"
    )
    assert found[8].split()[3:6] == ["AGE", "REQ/S", "IN"]
    assert found[9].split()[3:6] == ["1", "min", "2.5"]
    assert screen(_status(), _status(counts=Counts(), workers=()))[9].split()[5] == "-"


def test_what_keeps_a_server_from_being_ready_is_said_first() -> None:
    check = DatabaseCheck(at=97.0, why="connection refused")
    found = screen(_status(database=check, why_not_ready="the database does not answer: connection refused"))
    assert "  NOT READY: the database does not answer: connection refused  " in found[0]
    assert "database      DOES NOT ANSWER: connection refused, asked 3.0 s ago" in found


def test_several_servers_are_two_lines_each() -> None:
    assert brief(_status(), "unix:/run/nuages/7.sock") == [
        "shop (pid 7)  ready  http://127.0.0.1:8000",
        "  up 1 min, 1 of 2 workers ready, 12 requests; --management unix:/run/nuages/7.sock",
    ]


def test_lines_are_cut_to_the_screen() -> None:
    assert {len(line) <= 40 for line in screen(_status(), width=40)} == {True}


def test_what_a_client_or_another_user_writes_moves_no_cursor() -> None:
    found = _status() | {"project": "/srv/\033]0;mine\007shop", "why_not_ready": "\033[2J", "ready": False}
    lines = [*screen(found), *brief(found, "unix:/tmp/\033c")]
    assert lines[0].startswith("%1B]0;mine%07shop (pid 7)  NOT READY: %1B[2J")
    assert all(line.isprintable() for line in lines)


def test_nothing_was_replaced_or_asked() -> None:
    found = screen(_status(replacements=dict.fromkeys([CRASH], 0), database=None))
    assert not any(line.startswith(("replaced", "reloads", "database")) for line in found)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (5400, "1 h 30 min"),
     (90000, "1 d 1 h"), (86400, "1 d"), (86460, "1 d")],
)  # fmt: skip
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (52428800, "50 MB"), (1 << 40, "1024.0 GB")]
)
def test_amounts(count: int, text: str) -> None:
    assert amount(count) == text


def test_a_quantile_lies_inside_its_bucket() -> None:
    assert quantile((1.0, 2.0), (0, 0, 0), 0.5) is None
    assert quantile((1.0, 2.0), (10, 0, 0), 0.5) == 0.5
    assert quantile((1.0, 2.0), (10, 10, 0), 0.75) == 1.5
    assert quantile((1.0, 2.0), (0, 0, 3), 0.5) == inf


@given(st.lists(st.integers(0, 1000), min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1), st.data())
def test_quantiles_never_fall_as_the_share_grows(counts: list[int], data: Any) -> None:
    shares = sorted(data.draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=2)))
    low, high = (quantile(BOUNDS, counts, share) for share in shares)
    assert (low is None) == (high is None) == (sum(counts) == 0)
    if low is not None and high is not None:
        assert 0 <= low <= high
        assert high <= BOUNDS[-1] or (high == inf and counts[-1])
