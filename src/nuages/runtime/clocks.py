"""How much a thread computes: its CPU clock, and on Linux the time that it could have run but had no CPU."""

from __future__ import annotations

import os
import threading
import time


class ThreadClock:
    """A clock of the thread that makes it, which other threads may read; it stands still while the thread waits.

    On a machine that has other work too, a computing thread's CPU clock alone looks like that of a waiting one:
    schedstat tells how long it stood in the run queue (Documentation/scheduler/sched-stats.rst, field 2, ns).
    """

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._last = 0.0
        self._file = -1
        try:
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # not Linux, or a kernel without it

    def read(self) -> float:
        """Return the seconds that the thread ran or wanted to run; what was last read if it has ended."""
        try:
            now = time.clock_gettime(self._clock)
            if self._file >= 0:
                now += int(os.pread(self._file, 64, 0).split(b" ", 2)[1]) * 1e-9
        except (OSError, IndexError, ValueError):
            return self._last
        self._last = now
        return now

    def close(self) -> None:
        """Free what the clock holds."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)
