"""SIGTERM and SIGHUP to a command that runs other programs: an installer and its compilers, an engine, `migrate`.

A terminal sends Ctrl-C to all of them; a supervisor, `timeout` or CI sends SIGTERM to the command alone, and a shell or
a session that ends SIGHUP. What it ran went on: compiling, building an image that nobody waits for, or holding a lock.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROCESSES = "/proc"
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): whose parent ends is ours
_POLITE_SECONDS = 5.0  # from SIGTERM to SIGKILL
_LOOK_SECONDS = 0.02
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """A signal came; to all that it comes through an interruption, and no SystemExit, which projects raise too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


@contextmanager
def passed_on() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end, in this block, what runs below this process, and then raise Terminated.

    Where /proc does not tell what that is, as on macOS, they end this process alone, as ever; what is ignored, as under
    `nohup`, stays so.
    """
    is_main = threading.current_thread() is threading.main_thread()
    can_see = Path(PROCESSES, "self", "stat").exists()
    possible = _ENDING if is_main and can_see else ()
    taken = [number for number in possible if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: object) -> None:
    for one in _ENDING:
        signal.signal(one, signal.SIG_IGN)  # the second one is for the same end
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    begun, told = time.monotonic(), set[int]()
    while found := set(_below(os.getpid())):
        late = time.monotonic() > begun + _POLITE_SECONDS
        for pid in found if late else found - told:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        if late and time.monotonic() > begun + 2 * _POLITE_SECONDS:
            break  # one that not even SIGKILL ends: it waits in the kernel
        told |= found
        time.sleep(_LOOK_SECONDS)
    raise Terminated(number)


def _below(root: int) -> Iterator[int]:
    """Yield the descendants of a process that still run (proc_pid_stat(5))."""
    parents: dict[int, int] = {}
    for entry in Path(PROCESSES).iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    waiting = [root]
    while waiting:
        above = waiting.pop()
        found = [pid for pid, one in parents.items() if one == above]
        yield from found
        waiting += found
