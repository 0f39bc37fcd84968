"""A real browser, without a window."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
needed = pytest.mark.skipif(not CHROMIUM, reason="needs chromium (apt-get install chromium)")


def _command(profile: Path, *arguments: str) -> list[str]:
    return [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-popup-blocking", f"--user-data-dir={profile}", *arguments,
    ]  # fmt: skip


def browse(url: str, profile: Path) -> str:
    """Let the browser open a page, and return its document when it has come to rest."""
    rest = ("--virtual-time-budget=5000", "--timeout=30000", "--dump-dom")
    command = _command(profile, *rest, url)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100).stdout


@contextlib.contextmanager
def looking_at(url: str, profile: Path) -> Iterator[None]:
    """Keep a page open until the block ends."""
    null = subprocess.DEVNULL
    command = _command(profile, "--remote-debugging-port=0", url)
    process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
