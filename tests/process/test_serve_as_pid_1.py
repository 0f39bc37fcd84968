"""As the first process of a container: a PID namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.process.harness import Server, alive, held, named_pipe, serving, wait_until

_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def _may_unshare() -> bool:
    try:
        return subprocess.run([*_NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not _may_unshare(), reason="needs root (or user namespaces) to make a PID namespace"
)


def _outside(server: Server) -> int:
    """The number that the server's process has outside its namespace."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return int(children[0])


def test_signals_reach_pid_1_and_it_finishes_requests(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2", wrapper=_NAMESPACE) as server:
        server.wait_for("worker-ready", count=2)
        assert server.wait_for("listening")["pid"] == 1
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            os.kill(_outside(server), signal.SIGTERM)
            server.wait_for("worker-retires")
        assert exchange.answer().status == 200
        assert server.wait() == 0


def test_pid_1_reaps_orphans(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", wrapper=_NAMESPACE) as server:
        server.wait_for("ready")
        init = _outside(server)
        before = _children(init)
        server.get(f"/orphan/?pipe={pipe}")
        with held(pipe):
            orphans = wait_until(lambda: _children(init) - before, "PID 1 adopts it")
        wait_until(lambda: not _children(init) & orphans, "it is reaped")


def test_a_second_signal_ends_pid_1_with_its_number(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", wrapper=_NAMESPACE) as server:
        server.wait_for("ready")
        init = _outside(server)
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            os.kill(init, signal.SIGTERM)
            server.wait_for("worker-retires")
            os.kill(init, signal.SIGINT)
            assert server.wait() == 130
    assert not alive(init)


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
