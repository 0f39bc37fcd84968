"""A request's body, whole before a thread is taken: in memory while small, then in a temporary file.

The file is written by a thread of its own, never by the event loop, and has no name in the file system.
"""

from __future__ import annotations

import contextlib
import errno
import io
import tempfile
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from nuages.runtime.spool import Spooled

IN_MEMORY = 1 << 20  # bytes
_writers = ThreadPoolExecutor(4, "nuages-body")


class Body:
    """Takes a body's pieces. `on_ready` is called on the loop once it is whole, `on_error` when the disk fails, or with
    EAGAIN when no thread can be had to write.

    `pause` and `resume` stop and start the client while a piece is being written.
    """

    __slots__ = (
        "_chunks", "_closed", "_complete", "_file", "_loop", "_on_error", "_on_ready", "_pause", "_resume",
        "_unwritten", "_writing", "size",
    )  # fmt: skip

    def __init__(
        self,
        loop: AbstractEventLoop,
        *,
        on_ready: Callable[[], None],
        on_error: Callable[[OSError], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._on_ready, self._on_error, self._pause, self._resume = on_ready, on_error, pause, resume
        self._chunks: list[bytes] = []
        self._unwritten = 0
        self._file: IO[bytes] | None = None
        self._writing = self._complete = self._closed = False
        self.size = 0

    def feed(self, data: bytes) -> None:
        """Take a piece."""
        self.size += len(data)
        self._unwritten += len(data)
        self._chunks.append(data)
        if self._unwritten > IN_MEMORY:
            if self._writing:
                self._pause()
            else:
                self._write()

    def complete(self) -> None:
        """Note that this was all; `on_ready` is called now or when all is written."""
        self._complete = True
        if self._writing:
            return
        if self._file is not None and self._chunks:
            self._write()
        else:
            self._on_ready()

    def stream(self) -> Spooled | io.BytesIO:
        """Return the whole body as a file at its start, for WSGI's `wsgi.input`; once."""
        if self._file is not None:
            self._file.seek(0)
            return Spooled(self._file)
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        return io.BytesIO(data)

    def close(self) -> None:
        """Free what the body holds; safe at any time."""
        self._closed = True
        self._chunks = []
        if self._file is not None and not self._writing:
            with contextlib.suppress(
                OSError
            ):  # on a full disk, of what could not be written; it is closed even so
                self._file.close()

    def _write(self) -> None:
        self._writing = True
        self._pause()
        chunks, self._chunks, self._unwritten = self._chunks, [], 0
        try:
            _writers.submit(self._write_out, chunks)
        except RuntimeError as error:  # a limit of threads; what it was given it may do later, for nobody
            self._loop.call_soon(self._written, OSError(errno.EAGAIN, str(error)))

    def _write_out(self, chunks: list[bytes]) -> None:
        problem = None
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile("w+b", prefix="nuages-body-")  # noqa: SIM115
            self._file.writelines(chunks)
            self._file.flush()
        except OSError as error:
            problem = error
        self._loop.call_soon_threadsafe(self._written, problem)

    def _written(self, problem: OSError | None) -> None:
        self._writing = False
        if self._closed:
            self.close()
        elif problem is not None:
            self._on_error(problem)
        elif self._complete and not self._chunks:
            self._on_ready()
        elif self._complete or self._unwritten > IN_MEMORY:
            self._write()
        else:
            self._resume()
