"""What is written to a descriptor that somebody may read slowly: kept, within bounds, until it is taken."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections import deque

ATOMIC_BYTES = 4096  # PIPE_BUF on Linux; select.PIPE_BUF may be as low as 512 elsewhere
MOST_BYTES = 1 << 20  # kept for a reader; what comes then is dropped
_STILL_SECONDS = 0.5  # without anything read, after which nobody is expected to read the rest at the end


class Outbox:
    """Writes in order, and never waits where it is called: what does not fit is written by a thread of its own.

    That runs only while something is kept. Safe from any thread.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept: deque[bytes] = deque()
        self._bytes = 0
        # Reentrant: the garbage collector may have something to say in the middle of it.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None

    def put(self, data: bytes) -> bool:
        """Write this after what is kept, or keep it; False: it is dropped, for too much is."""
        with self._changed:
            if self._thread is None:
                self._write()
            if self._bytes >= MOST_BYTES:
                return False
            self._kept.append(data)
            self._bytes += len(data)
            if self._thread is None:
                self._write()
                self._start()
            return True

    def close(self, most: float) -> None:
        """Wait until all is read, for so many seconds at most; less where nobody reads at all."""
        until = time.monotonic() + most
        with self._changed:
            while before := self._bytes:
                self._changed.wait(max(0.0, min(until - time.monotonic(), _STILL_SECONDS)))
                if self._bytes == before:
                    return

    def _write(self) -> None:
        """Write of what is kept as much as is taken at once."""
        while self._kept:
            data = self._kept.popleft()
            written = _write_what_fits(self._descriptor, data)
            self._bytes -= written
            if written < len(data):
                self._kept.appendleft(data[written:])
                return

    def _start(self) -> None:
        if self._kept:
            thread = threading.Thread(target=self._write_on, name="nuages-events", daemon=True)
            with contextlib.suppress(RuntimeError):  # a limit of threads: who comes next tries again
                thread.start()
                self._thread = thread

    def _write_on(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while piece := self._next():
            poll.poll()
            write(
                self._descriptor, piece
            )  # without the lock: another process may be first, and then this waits
            with self._changed:
                self._bytes -= len(piece)
                self._changed.notify_all()

    def _next(self) -> bytes:
        """Return what the thread writes next; nothing: it ends."""
        with self._changed:
            if not self._kept:
                self._thread = None
                return b""
            data = self._kept.popleft()
            if len(data) > ATOMIC_BYTES:
                self._kept.appendleft(data[ATOMIC_BYTES:])
            return data[:ATOMIC_BYTES]


def write(descriptor: int, data: bytes) -> None:
    """Write all of it, and wait for whoever reads."""
    view = memoryview(data)
    # A terminal with `tostop` sends it to a process in the background at each try; see termios(3). What somebody else
    # sends is heard a moment later.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                # Somebody made our stdout non-blocking (it is shared with whoever gave it to us): wait as if not.
                select.select([], [descriptor], [])
    except OSError:
        return  # nobody reads any more (EPIPE, EIO); serving goes on
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write_what_fits(descriptor: int, data: bytes) -> int:
    """Write until nobody takes any more; return how many bytes went, or are nobody's any more."""
    for start in range(0, len(data), ATOMIC_BYTES):
        if not _writable(descriptor):
            return start
        write(descriptor, data[start : start + ATOMIC_BYTES])
    return len(data)


def _writable(descriptor: int) -> bool:
    """Whether a write of at most PIPE_BUF bytes goes through at once."""
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True
