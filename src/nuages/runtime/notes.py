"""What is noted while a project is loaded: who calls what nobody could be asked about afterwards."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from nuages.runtime.obstacles import SURVIVORS, top

# A function that was given to atexit, and what it is to be called with.
Ending = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Notes:
    """Notes from now on, until it is closed.

    `hooked` are the top-level packages that have called os.register_at_fork, `openers` the modules that have opened
    pipes, by descriptor, `starters` those that have started threads, by the kernel's number, `endings` what was given
    to atexit, with its arguments.
    """

    def __init__(self) -> None:
        self.hooked: set[str] = set()
        self.openers: dict[int, str] = {}
        self.starters: dict[int, str] = {}
        self.endings: list[Ending] = []
        self._is_open = True
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._listen(os, "register_at_fork", self._register)
        self._listen(os, "pipe", self._pipe)
        self._listen(threading.Thread, "start", self._start)
        self._listen(atexit, "register", self._end)
        self._listen(atexit, "unregister", self._end_not)

    def _listen(self, owner: Any, name: str, note: Callable[[_Arguments, Any, FrameType], None]) -> None:
        """Have `note` called after a function: with its arguments, what it has returned, and its caller."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **options: Any) -> Any:
            found = original(*args, **options)
            if self._is_open:
                with contextlib.suppress(Exception):  # the project's call has worked
                    note((args, options), found, sys._getframe(1))
            return found

        setattr(owner, name, call)
        self._replaced.append((owner, name, original, call))

    def close(self) -> None:
        """Take no more notes. What a library has put around a function of ours in the meantime stays there."""
        self._is_open = False
        for owner, name, original, call in self._replaced:
            if getattr(owner, name) is call:
                setattr(owner, name, original)

    def _register(self, _arguments: _Arguments, _found: object, frame: FrameType) -> None:
        self.hooked.add(top(_module(frame)))

    def _pipe(self, _arguments: _Arguments, ends: tuple[int, int], frame: FrameType) -> None:
        self.openers.update(dict.fromkeys(ends, caller(frame)))

    def _start(self, arguments: _Arguments, _found: object, frame: FrameType) -> None:
        thread: threading.Thread = arguments[0][0]
        if thread.native_id is not None:
            self.starters[thread.native_id] = caller(frame)

    def _end(self, arguments: _Arguments, _found: object, _frame: FrameType) -> None:
        (function, *args), options = arguments
        self.endings.append((function, tuple(args), options))

    def _end_not(self, arguments: _Arguments, _found: object, _frame: FrameType) -> None:
        (function,), _ = arguments
        self.endings = [ending for ending in self.endings if ending[0] != function]


def caller(frame: FrameType | None) -> str:
    """Return the module that is the first one outside of the standard library, from a frame on outwards.

    Agents are passed over: they put themselves around Thread.start.
    """
    while frame is not None:
        module = _module(frame)
        if top(module) == "nuages":
            break
        if top(module) not in sys.stdlib_module_names and top(module) not in SURVIVORS:
            return module
        frame = frame.f_back
    return ""


def _module(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__")
    return module if type(module) is str else ""
