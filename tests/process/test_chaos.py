"""Anything at any time, under load: kills, reloads, other numbers of workers. Only what is in a killed worker fails.

The seed is printed when it fails: `NUAGES_CHAOS_SEED=… pytest tests/process/test_chaos.py` plays the same again.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from tests.process.clients import asking
from tests.process.harness import Server, alive, serving, wait_until
from tests.process.test_killed import INSIDE

WORKERS = 3
CLIENTS = 6  # each has one request out at a time: no more can be inside a worker


class Chaos:
    """Does something at random again and again, and counts what may cost requests."""

    def __init__(self, server: Server, seed: str) -> None:
        self.server, self.random = server, random.Random(seed)
        self.kills = 0
        self.done: list[str] = []

    def play(self, seconds: float) -> None:
        """Do one thing after the other, sometimes at once and sometimes with a moment between."""
        until = time.monotonic() + seconds
        deeds = [self.kill_worker, self.kill_zygote, self.end_worker, self.reload, self.more, self.fewer]
        while time.monotonic() < until:
            deed = self.random.choice(deeds)
            self.done.append(deed.__name__)
            deed()
            time.sleep(self.random.choice([0.0, 0.01, 0.1, 0.5]))

    def _one(self, pids: list[int]) -> int | None:
        there = [pid for pid in pids if alive(pid)]
        return self.random.choice(there) if there else None

    def _signal(self, pid: int | None, number: signal.Signals) -> bool:
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill_worker(self) -> None:
        self.kills += self._signal(self._one(self.server.workers()), signal.SIGKILL)

    def kill_zygote(self) -> None:
        self._signal(self._one([seen["pid"] for seen in self.server.found("preloaded")]), signal.SIGKILL)

    def end_worker(self) -> None:
        self._signal(self._one(self.server.workers()), signal.SIGTERM)

    def reload(self) -> None:
        self.server.signal(signal.SIGHUP)

    def more(self) -> None:
        self.server.signal(signal.SIGTTIN)

    def fewer(self) -> None:
        self.server.signal(signal.SIGTTOU)


def _wanted(server: Server) -> int:
    """Return how many workers there are to be by the server's last word: to the kernel, signals of one kind that come
    before the first is taken are one."""
    texts = [event["text"] for event in server.found("signal")]
    said = [found for text in texts if (found := re.search(r"SIGTT.* (\d+) workers?", text))]
    return int(said[-1][1]) if said else WORKERS


def _play(project: Path, seconds: float, *, seed: str) -> None:
    options = ("--workers", f"{WORKERS}", "--recycle-requests", "300")
    with serving(project, *options) as server:
        server.wait_for("worker-ready", count=WORKERS)
        chaos = Chaos(server, seed)
        with asking(server.address, "--clients", f"{CLIENTS}") as clients:
            clients.more(20)
            chaos.play(seconds)
            # It comes to rest by itself: new code serves in the end, whatever was killed on the way.
            server.signal(signal.SIGHUP)
            clients.more(200, within=60)
        tally = clients.tally
        story = f"seed {seed}: {' '.join(chaos.done)}\n{tally}\n{server.said}"
        assert set(tally.failures) <= INSIDE, story
        assert tally.failed <= chaos.kills * CLIENTS, story
        assert tally.answered > 100, story
        wait_until(lambda: server.get("/") == "hello", "it serves")
        wait_until(lambda: len(server.workers()) == _wanted(server), f"as many as it says; {story}")
        assert server.stop() == 0, story
    assert "Traceback" not in server.said, story


def test_a_few_seconds_of_chaos(project: Path) -> None:
    _play(project, 6, seed=os.environ.get("NUAGES_CHAOS_SEED", f"{time.time()}"))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("round_", range(4))
def test_a_minute_of_chaos(project: Path, round_: int) -> None:
    _play(project, 60, seed=os.environ.get("NUAGES_CHAOS_SEED", f"{time.time()}"))
