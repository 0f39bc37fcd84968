"""A real browser, without a window, that a test ends: no test waits for the browser to come to rest or to exit.

Chromium 150 and 156 do not exit after `--dump-dom` (most runs of the one, one in ten of the other) where a frame of the
page was a download. So what a page has come to is told by its own script, as a request that the server under test logs.
"""

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


@contextlib.contextmanager
def looking_at(url: str, profile: Path) -> Iterator[None]:
    """Keep a page open until the block ends; if that fails, print whether the browser still ran and what it said."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-popup-blocking", "--remote-debugging-port=0", f"--user-data-dir={profile}", url,
    ]  # fmt: skip
    said = profile.with_suffix(".log")
    null = subprocess.DEVNULL
    # Into a file: its many processes would keep a pipe open after the first of them was killed.
    with said.open("wb") as log:
        process = subprocess.Popen(command, stdin=null, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    except BaseException:
        ended = process.poll()
        state = "still ran" if ended is None else f"had ended with status {ended}"
        lines = [line for line in said.read_text(errors="replace").splitlines() if "ERROR:dbus/" not in line]
        print(f"{CHROMIUM} {url} {state}; the last it said:", *lines[-20:], sep="\n")
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
