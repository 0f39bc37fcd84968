"""SIGTERM and SIGHUP to a command: it ends, whatever of the project it is at, and says so by its status."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, held, named_pipe, serving, wait_until, write_project


@pytest.mark.parametrize(
    ("command", "signal_", "status"),
    # Migrations leave it to the kernel: it ends them, but not the first process of a container.
    [
        ("collect", signal.SIGTERM, 128 + signal.SIGTERM),
        ("collect", signal.SIGHUP, 128 + signal.SIGHUP),
        ("migrate", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_command_is_ended_while_the_project_s_code_runs_in_it(
    command: str, signal_: signal.Signals, status: int, tmp_path: Path
) -> None:
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path / "project", settings=f'STATIC_ROOT = "static"\nopen("{pipe}").read()\n')
    argv = [sys.executable, "-m", "nuages", command, str(project), "--settings", "pages.settings"]
    with (
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process,
        held(pipe),
    ):
        process.send_signal(signal_)
        _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == status
    assert "error" not in said


def test_a_watch_that_is_ended_says_so(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    with serving(project, "--management", "auto") as server:
        server.wait_for("worker-ready")
        argv = [sys.executable, "-m", "nuages", "status", str(project), "--watch"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            wait_until(process.stdout.readline, "it watches")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=DEADLINE)
        assert process.returncode == 128 + signal.SIGTERM
