"""A body that the view reads while it comes (`--unbuffered`): bounded in memory, its thread waits for the client."""

from __future__ import annotations

import threading
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator
from math import inf

MOST_BYTES = 256 << 10  # that have come and are not read, before the client has to wait


class Inflow:
    """`wsgi.input` as the client sends it: `feed`, `complete` and `lose` belong to the loop, the rest to the thread.

    `on_wanted` is called on the loop when the view first asks for the body, `on_wait` in the thread when it has to
    wait for the client. Reading raises OSError when the client is gone, as Django expects.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        length: int,
        *,
        on_wanted: Callable[[], None],
        on_wait: Callable[[], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._on_wanted, self._on_wait, self._pause, self._resume = on_wanted, on_wait, pause, resume
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._start = 0  # of the first chunk
        self._unread = 0
        self._length = self._left = length
        self._problem = ""
        self._wanted = self._paused = self._closed = False
        self._waited = 0.0
        self._waits_since = inf
        self.size = 0

    # On the loop

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        with self._changed:
            self.size += len(data)
            if self._closed:
                return
            self._chunks.append(data)
            self._unread += len(data)
            if self._unread > MOST_BYTES and not self._paused:
                self._paused = True
                self._pause()
            self._changed.notify()

    def complete(self) -> None:
        """Do nothing: its length says where it ends."""

    def lose(self, why: str) -> None:
        """Note that no more comes."""
        with self._changed:
            self._problem = why
            self._changed.notify()

    def waited(self, now: float) -> float:
        """Return how many seconds the view has waited for the client; `now` is monotonic."""
        with self._changed:
            return self._waited + max(0.0, now - self._waits_since)

    # In the thread

    @property
    def rest(self) -> int:
        """How many bytes have not come."""
        return self._length - self.size

    def stream(self) -> Inflow:
        """Return what the view reads."""
        return self

    def _piece(self, most: int, *, line: bool) -> bytes:
        """Return what has come, at most so many bytes (negative: any), at most to the end of a line; wait for some."""
        if not self._left or not most:
            return b""
        with self._changed:
            if not self._chunks:
                self._wait()
            chunk, start = self._chunks[0], self._start
            stop = len(chunk) if most < 0 else min(len(chunk), start + most)
            if line:
                stop = (chunk.find(b"\n", start, stop) + 1) or stop
            if stop == len(chunk):
                self._chunks.popleft()
                self._start = 0
            else:
                self._start = stop
            data = chunk[start:stop]
            self._unread -= len(data)
            self._left -= len(data)
            if self._paused and self._unread < MOST_BYTES // 2:
                self._paused = False
                self._loop.call_soon_threadsafe(self._resume)
            return data

    def _wait(self) -> None:
        if not self._wanted:
            self._wanted = True
            self._loop.call_soon_threadsafe(self._on_wanted)
        self._on_wait()
        self._waits_since = time.monotonic()
        while not self._chunks and not self._problem and not self._closed:
            self._changed.wait()
        self._waited += time.monotonic() - self._waits_since
        self._waits_since = inf
        if not self._chunks:
            raise OSError(self._problem or "the request is over")

    def read(self, size: int | None = -1) -> bytes:
        """Read that many bytes, or all; fewer only at the end."""
        return b"".join(self._pieces(-1 if size is None else size, line=False))

    def readline(self, size: int | None = -1) -> bytes:
        """Read to the end of the line, but not more than that many bytes."""
        return b"".join(self._pieces(-1 if size is None else size, line=True))

    def _pieces(self, size: int, *, line: bool) -> Iterator[bytes]:
        while data := self._piece(size, line=line):
            yield data
            if size > 0:
                size -= len(data)
            if line and data.endswith(b"\n"):
                return

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read lines until they have about that many bytes."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def close(self) -> None:
        """Throw away what was not read, and what still comes."""
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._unread = 0
            self._changed.notify()
            if self._paused:
                self._paused = False
                self._loop.call_soon_threadsafe(self._resume)
