"""What faulthandler writes about our processes, each over a pipe of its own: the log gets it whole, as one event.

Where its loop does not answer, a process writes its stacks in C, from a signal handler and in many small pieces. On
stderr these would come between the lines of the log, and in the midst of them.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable
from math import inf

from nuages.runtime.child import Process

_CALM = 0.1  # seconds without another piece: then the stacks are whole, for nothing says so
_PIECE = 1 << 16  # bytes; a pipe holds as much, pipe(7)


class Dumps:
    """The pipes' near ends; `say` gets a process and all that was written about it at once."""

    def __init__(self, selector: selectors.BaseSelector, say: Callable[[Process, str], None]) -> None:
        self._selector, self._say = selector, say
        self._parts: dict[Process, list[bytes]] = {}
        self._whole_at: dict[Process, float] = {}

    def listen(self, process: Process) -> None:
        """Gather what is written about a process from now on."""
        self._selector.register(process.dump, selectors.EVENT_READ, lambda: self._read(process))

    def forget(self, process: Process) -> None:
        """Say what there is and look no more: the process has ended, or has become another."""
        self._read(process)
        self._deafen(process)
        self._tell(process)

    def next_deadline(self) -> float:
        """Return when `expire` has something to do, in monotonic seconds."""
        return min(self._whole_at.values(), default=inf)

    def expire(self, now: float) -> None:
        """Say what is whole."""
        for process in [process for process, at in self._whole_at.items() if at <= now]:
            self._tell(process)

    def _read(self, process: Process) -> None:
        if process.dump.closed:  # its end was learned, in the same round, from somebody else
            return
        piece = process.dump.read(_PIECE)
        if piece:
            self._parts.setdefault(process, []).append(piece)
            self._whole_at[process] = time.monotonic() + _CALM
        elif piece is not None:  # nobody is left at the other end, and it would be readable for ever
            self._deafen(process)

    def _deafen(self, process: Process) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.dump)

    def _tell(self, process: Process) -> None:
        self._whole_at.pop(process, None)
        if parts := self._parts.pop(process, None):
            self._say(process, b"".join(parts).decode("utf-8", "replace").rstrip())
