"""Workers come and go under load, and no request fails: directly, behind nginx and HAProxy, from afar.

Short here; `make test-all` runs the minute with an import of 1.5 s that the project promises.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.process.clients import asking
from tests.process.fronts import FRONTS, front
from tests.process.harness import Server, serving, write_project

SLOW_IMPORT = "import time\ntime.sleep(1.5)\n"


def fewest_ready(server: Server, workers: int) -> int:
    """Return how many workers were ready at the worst moment between the start and the stop, as the events tell."""
    ready: set[int] = set()
    fewest, complete = workers, False
    for event in server.events.objects():
        name, worker = event.get("event"), event.get("worker")
        if name in {"stopping", "draining"}:
            break
        if name == "worker-ready":
            ready.add(worker)
        elif name in {"worker-retires", "worker-killed", "worker-died"}:
            ready.discard(worker)
        complete = complete or len(ready) == workers
        fewest = min(fewest, len(ready)) if complete else fewest
    return fewest


def recycled(server: Server) -> int:
    """Return how many workers were replaced because they had had their requests."""
    return sum(" requests" in seen["reason"] for seen in server.found("worker-retires"))


@pytest.mark.parametrize(("way", "workers"), [("direct", 4), ("nginx", 2), ("haproxy", 2), ("far", 2)])
def test_recycling_loses_nothing(project: Path, way: str, workers: int) -> None:
    with serving(project, "--workers", f"{workers}", "--recycle-requests", "40") as server:
        server.wait_for("worker-ready", count=workers)
        with front(way, server.address) as address:
            with asking(address, "--clients", "8") as clients:
                server.wait_for("worker-ended", count=4 * workers)
                clients.more(100)
            assert clients.tally.failures == {}, clients.tally
        assert recycled(server) >= 4 * workers
        assert fewest_ready(server, workers) == workers
        assert server.stop() == 0


@pytest.mark.parametrize("way", FRONTS)
def test_reloads_lose_nothing(project: Path, way: str) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with front(way, server.address) as address:
            with asking(address, "--rate", "200") as clients:
                for number in range(1, 4):
                    clients.more(20)
                    server.signal(signal.SIGHUP)
                    server.wait_for("worker-ready", count=2 + 2 * number)
                clients.more(20)
            assert clients.tally.failures == {}, clients.tally
        assert fewest_ready(server, 2) == 2
        assert server.stop() == 0


@pytest.mark.parametrize("way", ["direct", "far"])
def test_a_worker_that_was_told_to_go_loses_nothing(project: Path, way: str) -> None:
    with serving(project, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        with front(way, server.address) as address:
            with asking(address, "--rate", "200") as clients:
                clients.more(20)
                os.kill(first, signal.SIGTERM)
                server.wait_for("worker-ended")
                clients.more(20)
            assert clients.tally.failures == {}, clients.tally


def test_a_drain_before_the_stop_loses_nothing_of_clients_that_go_elsewhere(project: Path) -> None:
    with serving(project, "--workers", "2", "--drain", "60s") as server:
        server.wait_for("worker-ready", count=2)
        with asking(server.address) as clients:
            clients.more(50)
            server.signal(signal.SIGTERM)
            server.wait_for("draining")
            clients.more(50)
        assert clients.tally.failures == {}, clients.tally
        server.signal(signal.SIGINT)
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_refuses_clients_and_cuts_none_off(project: Path, number: signal.Signals) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with asking(server.address, "--clients", "16") as clients:
            clients.more(100)
            server.signal(number)
            assert server.wait() == 0
        assert {how.partition(" ")[2] for how in clients.tally.failures} <= {"refused"}, clients.tally


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("preload", ["on", "off"])
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("way", FRONTS)
def test_a_minute_of_recycling_loses_nothing(tmp_path: Path, way: str, workers: int, preload: str) -> None:
    project = write_project(tmp_path / "project", settings=SLOW_IMPORT)
    options = ("--workers", f"{workers}", "--recycle-requests", "500", "--preload", preload)
    with serving(project, *options, "--access-log", "off") as server:
        server.wait_for("worker-ready", count=workers)
        with front(way, server.address) as address:
            with asking(address, "--clients", "16", "--seconds", "60") as clients:
                pass
            assert clients.tally.failures == {}, clients.tally
        assert fewest_ready(server, workers) == workers
        if preload == "on" and way != "far":
            assert recycled(server) >= 20 * workers
        assert server.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", FRONTS)
def test_ten_reloads_of_a_project_that_loads_slowly_lose_nothing(tmp_path: Path, way: str) -> None:
    project = write_project(tmp_path / "project", settings=SLOW_IMPORT)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with front(way, server.address) as address:
            with asking(address, "--rate", "200") as clients:
                for number in range(1, 11):
                    clients.more(100)
                    server.signal(signal.SIGHUP)
                    server.wait_for("worker-ready", count=2 + 2 * number)
                clients.more(100)
            assert clients.tally.failures == {}, clients.tally
        assert fewest_ready(server, 2) == 2
        assert server.stop() == 0
