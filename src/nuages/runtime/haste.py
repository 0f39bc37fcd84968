"""While async views are asked, threads that compute give way to the event loop sooner, and the loop to them later.

The loop needs the interpreter several times for each request, and each time it waits until the thread that has it is
told to give it up: after the switch interval (sys.setswitchinterval), Python's own 5 ms, and the system may then let
another computing thread have it first. A shorter interval costs computing threads a little each time, so it is
short only while somebody gains by it.

The interval counts for the threads as well: what a view computes on the loop in 1 ms would be cut into pieces with a
wait for each. Whoever waits looks at the interval when it begins to wait (take_gil, Python/ceval_gil.h), so it is long
while the loop is at a step of a view, and from when the request comes in: a thread that begins to wait before would cut
the step short, and the loop then waits as long as threads are to. That is why it is below Python's own: of several
threads that compute, others may have their turn before the loop, and each of these waits is a turn.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Generator
from typing import Any

SWITCH_SECONDS = 0.0003
STEP_SECONDS = 0.002  # that threads let the loop have for one step
LASTS_SECONDS = 1.0  # after the last async request
REMEMBERED_SECONDS = 60.0  # after it; a thread's task may take seconds, and cannot be put off once it runs


class Haste:
    """Whether async views are asked now. One a process: the interval is the interpreter's.

    `hurries` while the interval is short.
    """

    def __init__(self) -> None:
        self._usual = self._between = sys.getswitchinterval()
        self._asked_at = 0.0
        self._is_remembered = False
        self.hurries = False

    def asked(self, now: float) -> None:
        """Note that an async view is asked (monotonic seconds)."""
        self._asked_at = now
        self._is_remembered = True
        if not self.hurries:
            self.hurries = True
            self._between = min(SWITCH_SECONDS, self._usual)
            sys.setswitchinterval(self._between)

    def look(self, now: float) -> bool:
        """Return whether async views may be asked; let threads take their time again where they are not now."""
        passed = now - self._asked_at
        if passed > LASTS_SECONDS and self.hurries:
            self.hurries = False
            self._between = self._usual
            sys.setswitchinterval(self._usual)
        if passed > REMEMBERED_SECONDS:
            self._is_remembered = False
        return self._is_remembered

    async def unhurried(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Await a coroutine, whose steps threads do not cut short."""
        await _Steps(self, coroutine)

    def step(self, advance: Any, argument: Any) -> Any:
        """Let the loop do one thing, such as a coroutine up to where it next waits."""
        sys.setswitchinterval(STEP_SECONDS)
        try:
            return advance(argument)
        finally:
            sys.setswitchinterval(self._between)


class _Steps:
    """Goes through a coroutine as `await` does (PEP 380), and knows where each step begins and ends."""

    __slots__ = ("_coroutine", "_haste")

    def __init__(self, haste: Haste, coroutine: Coroutine[Any, Any, None]) -> None:
        self._haste, self._coroutine = haste, coroutine

    def __await__(self) -> Generator[Any, None, None]:
        coroutine, step = self._coroutine, self._haste.step
        advance: Any = coroutine.send
        argument: Any = None
        while True:
            try:
                waits_for = step(advance, argument)
            except StopIteration:
                return
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - GeneratorExit too: the coroutine ends as this does
                advance, argument = coroutine.throw, error
            else:
                advance, argument = coroutine.send, None
