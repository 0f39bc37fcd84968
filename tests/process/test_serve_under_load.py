"""No request is lost: reloads, dying workers and stops while clients go on asking."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.process.harness import DEADLINE, Server, serving, wait_until


class Clients:
    """Threads that ask without a pause: half over a new connection each time, half over kept ones."""

    def __init__(self, address: str, number: int = 4) -> None:
        self.address = address
        self.answered = 0
        self.failures: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(i % 2 == 0,)) for i in range(number)]
        for thread in self._threads:
            thread.start()

    def _ask(self, keeps: bool) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE)
        while not self._end.is_set():
            try:
                # http.client opens a new connection by itself after an answer that said `Connection: close`.
                connection.request("GET", "/", headers={} if keeps else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                if (response.status, body) != (200, b"hello"):
                    self.failures.append(f"{response.status} {body[:50]!r}")
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{'kept' if keeps else 'fresh'}: {error!r}")
                connection.close()
        connection.close()

    def more(self, number: int) -> None:
        """Wait for so many answers more."""
        wanted = self.answered + number
        wait_until(lambda: self.answered >= wanted or self.failures, f"{number} answers more")

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def clients(server: Server) -> Iterator[Clients]:
    asking = Clients(server.address)
    try:
        yield asking
    finally:
        asking.end()


def test_three_reloads_lose_nothing(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with clients(server) as asking:
            for number in range(1, 4):
                asking.more(50)
                server.signal(signal.SIGHUP)
                server.wait_for("worker-ended", count=2 * number)
            asking.more(50)
        assert asking.failures == []
        assert server.stop() == 0


def test_a_worker_that_was_told_to_go_loses_nothing(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        with clients(server) as asking:
            asking.more(50)
            os.kill(first, signal.SIGTERM)
            server.wait_for("worker-ended")
            asking.more(50)
        assert asking.failures == []


def test_a_drain_before_the_stop_loses_nothing_of_clients_that_go_elsewhere(project: Path) -> None:
    with serving(project, "--workers", "2", "--drain", "60s") as server:
        server.wait_for("worker-ready", count=2)
        with clients(server) as asking:
            asking.more(50)
            server.signal(signal.SIGTERM)
            server.wait_for("draining")
            asking.more(50)
        assert asking.failures == []
        server.signal(signal.SIGINT)
        assert server.wait() == 0
