"""What is noted while a project is loaded: who calls what nobody could be asked about afterwards."""

from __future__ import annotations

import atexit
import functools
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from nuages.runtime.obstacles import top


class Notes:
    """Notes from now on, until it is closed.

    `hooked` are the top-level packages that have called os.register_at_fork, `openers` the modules that have opened
    pipes, by descriptor, `endings` what was given to atexit.
    """

    def __init__(self) -> None:
        self.hooked: set[str] = set()
        self.openers: dict[int, str] = {}
        self.endings: list[Callable[..., Any]] = []
        self._is_open = True
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._listen(os, "register_at_fork", self._register)
        self._listen(os, "pipe", self._pipe)
        self._listen(atexit, "register", self._end)

    def _listen(self, owner: Any, name: str, note: Callable[[Any, FrameType], None]) -> None:
        """Have `note` called after a function, with what it has returned and where it was called."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **options: Any) -> Any:
            found = original(*args, **options)
            if self._is_open:
                note(found, sys._getframe(1))
            return found

        setattr(owner, name, call)
        self._replaced.append((owner, name, original, call))

    def close(self) -> None:
        """Take no more notes. What a library has put around a function of ours in the meantime stays there."""
        self._is_open = False
        for owner, name, original, call in self._replaced:
            if getattr(owner, name) is call:
                setattr(owner, name, original)

    def _register(self, _: None, frame: FrameType) -> None:
        self.hooked.add(top(_module(frame)))

    def _pipe(self, ends: tuple[int, int], frame: FrameType) -> None:
        self.openers.update(dict.fromkeys(ends, caller(frame)))

    def _end(self, function: Callable[..., Any], _: FrameType) -> None:
        self.endings.append(function)


def caller(frame: FrameType | None) -> str:
    """Return the module that is the first one outside of the standard library, from a frame on outwards."""
    while frame is not None:
        module = _module(frame)
        if top(module) == "nuages":
            break
        if top(module) not in sys.stdlib_module_names:
            return module
        frame = frame.f_back
    return ""


def _module(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__")
    return module if type(module) is str else ""
