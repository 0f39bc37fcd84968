"""The probe of processes that answer nothing, on real ones: it passes while they wake up and fails when they hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[[str], int]
DEADLINE_SECONDS = 30


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def run(code: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", f"print(flush=True)\n{code}"],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process.pid

    yield run
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def probe(pid: int, folder: Path, still: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nuages.runtime.pulse", "--pid", str(pid), "--still", still]
    return subprocess.run(
        command, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False
    )


def until_it_fails(pid: int, folder: Path, still: str = "0.05") -> str:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if (found := probe(pid, folder, still)).returncode:
            return found.stderr
    raise AssertionError("the probe never failed")


def test_a_process_that_hangs_fails_and_its_report_says_for_how_long(start: Start, tmp_path: Path) -> None:
    said = until_it_fails(pid := start("import signal; signal.pause()"), tmp_path)
    assert said.startswith(f"nothing of process {pid} has run for ")


def test_a_process_that_wakes_up_now_and_then_passes(start: Start, tmp_path: Path) -> None:
    pid = start("import time\nwhile True: time.sleep(0.001)")
    assert [probe(pid, tmp_path, "0").returncode for _ in range(4)] == [0] * 4


def test_a_thread_or_a_child_that_runs_is_enough(start: Start, tmp_path: Path) -> None:
    nap = "import time\nwhile True: time.sleep(0.001)"
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {nap!r}]).wait()"
    thread = (
        f"import threading, signal\nthreading.Thread(target=lambda: exec({nap!r}), daemon=True).start()\n"
    )
    for pid in (start(child), start(f"{thread}\nsignal.pause()")):
        assert [probe(pid, tmp_path, "0").returncode for _ in range(4)] == [0] * 4


def test_a_stopped_process_and_one_that_is_gone_fail_at_once(start: Start, tmp_path: Path) -> None:
    pid = start("import time\nwhile True: time.sleep(0.001)")
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    found = probe(pid, tmp_path, "100")
    assert (found.returncode, found.stderr) == (1, f"process {pid} is stopped\n")
    found = probe(2**22 + 1, tmp_path, "100")
    assert (found.returncode, found.stderr) == (1, f"there is no process {2**22 + 1}\n")


def test_the_probe_imports_neither_django_nor_the_server(start: Start, tmp_path: Path) -> None:
    code = (
        "import sys; from nuages.runtime import pulse; pulse.main(['--pid', '1'])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'django', 'uvicorn', 'asyncio', 'celery'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert found.stdout == "[]\n"
