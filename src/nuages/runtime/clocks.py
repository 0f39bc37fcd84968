"""How much a thread computes: its CPU clock, and on Linux the time that it could have run but had no CPU."""

from __future__ import annotations

import ctypes
import enum
import functools
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

_MOST_BYTES = 160  # of the files that are read here, and more than they have
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine)  # the system call that waits for a lock

# os.pread gives the interpreter up while it reads, and waits to have it back until a computing thread is told to give
# way: of several clocks the last was read some 10 ms after the first, and threads that compute seemed to wait.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
_libc.pread.restype = ctypes.c_ssize_t


def _read(file: int, buffer: ctypes.Array[ctypes.c_char]) -> bytes:
    size = _libc.pread(file, buffer, _MOST_BYTES, 0)
    return buffer.raw[: max(0, size)]


@functools.cache
def _interpreter() -> range:
    """Return the addresses among which the lock of the interpreter lies; empty where that cannot be found out."""
    with suppress(OSError, ValueError):
        place = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        with Path("/proc/self/maps").open(encoding="ascii", errors="replace") as maps:
            for line in maps:
                first, _, last = line.split(" ", 1)[0].partition("-")
                if place in (found := range(int(first, 16), int(last, 16))):
                    return found
    return range(0)


class Wait(enum.Enum):
    """What a thread waits for: the interpreter or a CPU, if it does not run; a lock; or something outside."""

    INTERPRETER = enum.auto()
    LOCK = enum.auto()
    OTHER = enum.auto()


class ThreadClock:
    """The clocks of the thread that makes this, which other threads may read; they stand still while it waits.

    On a machine that has other work too, a computing thread's CPU clock alone looks like that of a waiting one:
    schedstat tells how long it stood in the run queue (Documentation/scheduler/sched-stats.rst, field 2, ns).
    """

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._last = 0.0
        self._file = -1
        self._buffer = ctypes.create_string_buffer(_MOST_BYTES)
        self._folder = f"/proc/self/task/{threading.get_native_id()}"
        with suppress(OSError):  # not Linux, or a kernel without it
            self._file = os.open(f"{self._folder}/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def computed(self) -> float:
        """Return the CPU seconds of the thread; what was last read if it has ended."""
        with suppress(OSError):
            self._last = time.clock_gettime(self._clock)
        return self._last

    def stood(self) -> float:
        """Return the seconds that the thread could have run but had no CPU; 0 where the kernel does not tell."""
        if self._file < 0:
            return 0.0
        try:
            return int(_read(self._file, self._buffer).split(b" ", 2)[1]) * 1e-9
        except (IndexError, ValueError):
            return 0.0

    def waits_for(self) -> Wait | None:
        """Return what the thread waits for at this moment; None where nobody tells.

        Clocks cannot tell who waits for the interpreter or a lock from who waits for a database. /proc/…/syscall
        (proc(5)) does, by what a thread is blocked at, but it costs ten times as much.
        """
        file = _libc.open(f"{self._folder}/syscall".encode(), os.O_RDONLY | os.O_CLOEXEC)
        if file < 0:
            return None
        said = _read(file, self._buffer).split(b" ", 2)
        _libc.close(file)
        if said[0].startswith(b"running"):
            return Wait.INTERPRETER
        try:
            number, first = int(said[0]), int(said[1], 16)
        except (IndexError, ValueError):
            return None
        if first in _interpreter():
            return Wait.INTERPRETER
        return Wait.LOCK if number == _FUTEX else Wait.OTHER

    def close(self) -> None:
        """Free what the clock holds."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)
