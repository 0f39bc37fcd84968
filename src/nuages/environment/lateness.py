"""What is said while a project takes long to load: for how long, and where its code is at.

One that waits for a service in its settings kept `nuages up` silent for as long, and nothing told which line waited.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nuages.environment.home import Report

PATIENCE = 10.0  # seconds without a word: a large project's first imports may take as many
_WRITING = 1.0  # seconds more for the other process, which begins to count later, to write its stack
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_STEPS = {
    "_database": "the default database has not answered",
    "_static": "static files are still being looked for",
}
"""By the functions of `runtime.probe`, which is at one of them once the project is loaded."""


@contextmanager
def watched(stack: Path, root: Path, report: Report) -> Iterator[None]:
    """Tell it once if the block takes long; `stack` is where the process that loads writes its own by then."""

    def look() -> None:
        text = stack.read_text(encoding="utf-8", errors="replace") if stack.exists() else ""
        if not timer.finished.is_set():  # else the block has ended meanwhile
            report("loading", told(text, root, PATIENCE))

    timer = threading.Timer(PATIENCE + _WRITING, look)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def told(stacks: str, root: Path, seconds: float) -> str:
    """Return what to say of a process whose stacks it has written by faulthandler, the main thread's last."""
    frames = _FRAME.findall(re.split(r"^Thread 0x", stacks, flags=re.MULTILINE)[-1])
    top = os.path.realpath(root)
    # `<frozen importlib._bootstrap>` is no file of the folder that we run in.
    files = [(os.path.realpath(file), number) for file, number, _ in frames if file.startswith("/")]
    places = (
        f"{os.path.relpath(file, top)}:{number}" for file, number in files
        if file.startswith(f"{top}{os.sep}") and "site-packages" not in file
    )  # fmt: skip
    place = next(places, "")
    probe = {function for file, _, function in frames if file.endswith("/nuages/runtime/probe.py")}
    step = next((text for name, text in _STEPS.items() if name in probe), "the project is still loading")
    return f"{step} after {seconds:.0f} s{f': it is at {place}' if place else ''}"
