"""While async views are asked, threads that compute give way to the event loop sooner.

The loop needs the interpreter several times for each request, and each time it waits until the thread that has it is
told to give it up: after the switch interval (sys.setswitchinterval), Python's own 5 ms, and the system may then let
another computing thread have it first. A shorter interval costs computing threads a little each time, so it is
short only while somebody gains by it.
"""

from __future__ import annotations

import sys

SWITCH_SECONDS = 0.0003
LASTS_SECONDS = 1.0  # after the last async request


class Haste:
    """Whether async views are asked now. One a process: the interval is the interpreter's."""

    def __init__(self) -> None:
        self._usual = sys.getswitchinterval()
        self._asked_at = 0.0
        self.is_on = False

    def asked(self, now: float) -> None:
        """Note that an async view is asked (monotonic seconds)."""
        self._asked_at = now
        if not self.is_on:
            self.is_on = True
            sys.setswitchinterval(min(SWITCH_SECONDS, self._usual))

    def look(self, now: float) -> bool:
        """Return whether it is still so; let threads take their time again once it is not."""
        if self.is_on and now - self._asked_at > LASTS_SECONDS:
            self.is_on = False
            sys.setswitchinterval(self._usual)
        return self.is_on
