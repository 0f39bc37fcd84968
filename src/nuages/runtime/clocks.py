"""How much a thread computes: its CPU clock, and on Linux the time that it could have run but had no CPU."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from contextlib import suppress

_STAT_BYTES = 64

# os.pread gives the interpreter up while it reads, and waits to have it back until a computing thread is told to give
# way: of several clocks the last was read some 10 ms after the first, and threads that compute seemed to wait.
_pread = ctypes.PyDLL(None).pread
_pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
_pread.restype = ctypes.c_ssize_t


class ThreadClock:
    """The clocks of the thread that makes this, which other threads may read; they stand still while it waits.

    On a machine that has other work too, a computing thread's CPU clock alone looks like that of a waiting one:
    schedstat tells how long it stood in the run queue (Documentation/scheduler/sched-stats.rst, field 2, ns).
    """

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._last = 0.0
        self._file = -1
        self._read = ctypes.create_string_buffer(_STAT_BYTES)
        with suppress(OSError):  # not Linux, or a kernel without it
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def computed(self) -> float:
        """Return the CPU seconds of the thread; what was last read if it has ended."""
        with suppress(OSError):
            self._last = time.clock_gettime(self._clock)
        return self._last

    def stood(self) -> float:
        """Return the seconds that the thread could have run but had no CPU; 0 where the kernel does not tell."""
        if self._file < 0:
            return 0.0
        size = _pread(self._file, self._read, _STAT_BYTES, 0)
        try:
            return int(self._read.raw[: max(0, size)].split(b" ", 2)[1]) * 1e-9
        except (IndexError, ValueError):
            return 0.0

    def close(self) -> None:
        """Free what the clock holds."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)
