"""Kept-alive connections are shared out evenly among the workers, however they arrive, and after a replacement."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk

WORKERS = 4
CONNECTIONS = 256
EACH = 8  # requests
UNEVEN = 1.5


def _burst(server: Server) -> list[Talk]:
    """Open all connections at once, each with its first request under way."""
    talks = [Talk(server.connect().socket) for _ in range(CONNECTIONS)]
    for talk in talks:
        talk.send("GET /pid/ HTTP/1.1\r\nHost: a\r\n\r\n")
    for talk in talks:
        assert talk.answer().status == 200
    return talks


def _spread(talks: list[Talk]) -> dict[str, int]:
    """Return the requests that each worker answers of those that come over the connections."""
    counts: Counter[str] = Counter()
    for _ in range(EACH):
        for talk in talks:
            talk.send("GET /pid/ HTTP/1.1\r\nHost: a\r\n\r\n")
        counts.update(talk.answer().text for talk in talks)
    assert sum(counts.values()) == EACH * len(talks)
    return counts


def _is_even(counts: dict[str, int]) -> None:
    assert len(counts) == WORKERS, counts
    assert max(counts.values()) <= UNEVEN * min(counts.values()), counts


def test_a_burst_of_connections_is_shared_out_evenly(project: Path) -> None:
    with serving(project, "--workers", f"{WORKERS}") as server:
        server.wait_for("worker-ready", count=WORKERS)
        _is_even(_spread(_burst(server)))


def test_connections_that_arrive_one_by_one_are_shared_out_evenly(project: Path) -> None:
    with serving(project, "--workers", f"{WORKERS}") as server:
        server.wait_for("worker-ready", count=WORKERS)
        talks = []
        for _ in range(CONNECTIONS):
            talk = Talk(server.connect().socket)
            assert talk.get("/pid/").status == 200
            talks.append(talk)
        _is_even(_spread(talks))


def _asked_again(server: Server, talks: list[Talk]) -> bool:
    """Ask once over each connection, and replace those that are at their end; return whether a worker has ended."""
    for number, talk in enumerate(talks):
        if talk.get("/pid/").fields.get("connection") == "close":
            talk.socket.close()
            talks[number] = Talk(server.connect().socket)
            assert talks[number].get("/pid/").status == 200
    return bool(server.found("worker-ended"))


def test_they_are_even_again_after_a_worker_was_replaced(project: Path) -> None:
    with serving(project, "--workers", f"{WORKERS}") as server:
        server.wait_for("worker-ready", count=WORKERS)
        talks = _burst(server)
        gone = server.workers()[0]
        os.kill(gone, signal.SIGTERM)
        server.wait_for("worker-retires")
        server.wait_for("worker-ready", count=WORKERS + 1)
        # Connections of the old worker say with their next answer that it was the last; their clients come again.
        wait_until(lambda: _asked_again(server, talks), "the old worker ends")
        counts = _spread(talks)
        assert str(gone) not in counts
        _is_even(counts)
