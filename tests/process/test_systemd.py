"""What a service with Type=notify tells systemd, through a real socket of that protocol (sd_notify(3))."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, Server, held, named_pipe, serving, write_project


class Manager:
    """The far end of $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.said: list[str] = []

    def wait_for(self, line: str) -> str:
        """Wait for a line that begins so."""
        self.socket.settimeout(DEADLINE)
        while True:
            for number, found in enumerate(self.said):
                if found.startswith(line):
                    del self.said[: number + 1]
                    return found
            self.said += self.socket.recv(4096).decode().splitlines()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    name = f"{tmp_path}/notify" if request.param == "path" else f"@{tmp_path}/notify"
    made = Manager(name.replace("@", "\0"))
    yield made, name
    made.socket.close()


def test_ready_reloading_and_stopping_are_told(manager: tuple[Manager, str], project: Path) -> None:
    systemd, name = manager
    with serving(project, "--workers", "2", environ={"NOTIFY_SOCKET": name}) as server:
        systemd.wait_for("READY=1")
        assert systemd.wait_for("MAINPID=") == f"MAINPID={server.pid}"
        systemd.wait_for("STATUS=ready: 2 of 2 workers serve")
        assert server.get("/environ/?name=NOTIFY_SOCKET") == ""
        before = time.monotonic_ns() // 1000
        server.signal(signal.SIGHUP)
        systemd.wait_for("RELOADING=1")
        assert (
            before
            <= int(systemd.wait_for("MONOTONIC_USEC=").partition("=")[2])
            <= time.monotonic_ns() // 1000
        )
        systemd.wait_for("READY=1")
        server.wait_for("worker-retires", count=2)
        server.signal(signal.SIGTERM)
        systemd.wait_for("STOPPING=1")
        assert server.wait() == 0


def test_ready_is_told_again_where_systemd_had_no_room_for_it(tmp_path: Path, project: Path) -> None:
    systemd, number = Manager(f"{tmp_path}/notify"), 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others, contextlib.suppress(BlockingIOError):
        others.setblocking(False)
        while True:
            others.sendto(b"STATUS=busy", f"{tmp_path}/notify")
            number += 1
    with serving(project, "--workers", "1", environ={"NOTIFY_SOCKET": f"{tmp_path}/notify"}) as server:
        server.wait_for("ready")
        assert server.get("/") == "hello"
        for _ in range(number):
            assert systemd.socket.recv(100) == b"STATUS=busy"
        systemd.wait_for("READY=1")
        systemd.wait_for("STATUS=ready: 1 of 1 workers serve")
    systemd.socket.close()


def test_a_reload_that_fails_is_over_for_systemd_too(tmp_path: Path, project: Path) -> None:
    systemd = Manager(f"{tmp_path}/notify")
    with serving(project, "--workers", "1", environ={"NOTIFY_SOCKET": f"{tmp_path}/notify"}) as server:
        systemd.wait_for("READY=1")
        (project / "pages" / "urls.py").write_text("def broken(:\n")
        server.signal(signal.SIGHUP)
        systemd.wait_for("RELOADING=1")
        systemd.wait_for("READY=1")
        server.wait_for("reload-failed")
        assert server.get("/") == "hello"
    systemd.socket.close()


def _reload(server: Server, systemd: Manager) -> None:
    signalled = time.monotonic_ns() // 1000
    server.signal(signal.SIGHUP)
    systemd.wait_for("RELOADING=1")
    assert int(systemd.wait_for("MONOTONIC_USEC=").partition("=")[2]) >= signalled


def test_each_order_to_reload_is_told_while_an_earlier_one_goes_on(tmp_path: Path, project: Path) -> None:
    """systemd waits for a RELOADING=1 that is later than its own signal (Type=notify-reload)."""
    systemd, pipe = Manager(f"{tmp_path}/notify"), named_pipe(project)
    with serving(project, "--workers", "1", environ={"NOTIFY_SOCKET": f"{tmp_path}/notify"}) as server:
        systemd.wait_for("READY=1")
        write_project(project, settings=f'open("{pipe}").read()\n')
        _reload(server, systemd)
        with held(pipe):  # the new code loads
            _reload(server, systemd)
        write_project(project, settings="")
    systemd.socket.close()


def test_the_watchdog_is_patted_while_every_worker_spins(tmp_path: Path, project: Path) -> None:
    systemd = Manager(f"{tmp_path}/notify")
    environ = {"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "200000"}
    with serving(project, "--workers", "1", "--grace", "100ms", environ=environ) as server:
        server.wait_for("ready")
        server.begin("/spin/")
        for _ in range(5):
            systemd.wait_for("WATCHDOG=1")
    systemd.socket.close()
