"""Files that may appear, change and vanish at any time: opened for each request, in threads of their own.

The disk may be slow, or a server somewhere: neither the loop nor a thread for views waits for it. The threads are few,
and so are the requests that may wait for them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from nuages.runtime import stored
from nuages.runtime.beneath import open_beneath
from nuages.runtime.conditional import Variant
from nuages.runtime.pieces import stamp
from nuages.runtime.stored import Entry, Reply, stat_tag

AT_ONCE_BYTES = 256 << 10  # up to this size an answer is read where the file is opened
MOST_WAITING = 512  # requests that may wait for a thread; 503 beyond
UNSETTLED_SECONDS = 1.0  # a file that is so young may change again without its time telling (RFC 9110, 8.8.1)
_TRIES = 3

_PLAIN = b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"


def _plain(status: int, text: bytes, more: bytes = b"") -> Reply:
    return Reply(status, more + _PLAIN + b"content-length: %d\r\n" % len(text), text)


MISSING = _plain(404, b"404 Not Found\n")
FORBIDDEN = _plain(403, b"403 Forbidden\n")
BROKEN = _plain(500, b"500 Internal Server Error\n")
BUSY = _plain(503, b"503 Service Unavailable\n", b"retry-after: 1\r\n")
LATE = _plain(504, b"504 Gateway Timeout\n")


class Threads:
    """The threads of one worker that open and read live files."""

    def __init__(self, count: int = 4) -> None:
        self.executor = ThreadPoolExecutor(count, "nuages-media")
        self._waiting = 0

    def submit(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], Reply]
    ) -> asyncio.Future[Reply] | None:
        """Run `call` in a thread; None where too many wait already. Belongs to the loop."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        future = loop.run_in_executor(self.executor, call)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: object) -> None:
        self._waiting -= 1


threads = Threads()


def reply_of(
    folder: str,
    names: tuple[str, ...] | None,
    entry_of: Callable[[os.stat_result], Entry],
    method: str,
    fields: Mapping[bytes, bytes],
    *,
    hidden: bool = False,
) -> Reply:
    """Open a file and return the answer to a request for it, in a thread; raises OSError where it cannot be read.

    `entry_of` makes the entry of the file from its facts. A large file stays open: its descriptor is the caller's.
    """
    if names is None:
        return MISSING
    for _ in range(_TRIES):
        try:
            descriptor, facts = open_beneath(folder, names, hidden=hidden)
        except FileNotFoundError:
            return MISSING
        except PermissionError:
            return FORBIDDEN
        except BlockingIOError:
            return BUSY  # somebody holds a lease on it (fcntl(2)), and is told to give it back
        try:
            reply = _filled(descriptor, facts, stored.answer(entry_of(facts), method, fields))
        except BaseException:
            os.close(descriptor)
            raise
        if reply is None or reply.descriptor < 0:
            os.close(descriptor)
        if reply is not None:
            return reply
    return BUSY  # somebody writes into it without end


def _filled(descriptor: int, facts: os.stat_result, reply: Reply) -> Reply | None:
    """Return the reply with its bytes, or with the open file; None when it has changed while it was read."""
    if reply.variant is None:
        return reply
    expected = stamp(facts)
    size = sum(len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in reply.pieces)
    if size > AT_ONCE_BYTES:
        return replace(reply, descriptor=descriptor, expected=expected)
    parts = []
    for piece in reply.pieces:
        part = piece if isinstance(piece, bytes) else _read(descriptor, *piece)
        if part is None:
            return None
        parts.append(part)
    if stamp(os.fstat(descriptor)) != expected:
        return None
    return Reply(reply.status, reply.head, b"".join(parts))


def _read(descriptor: int, start: int, stop: int) -> bytes | None:
    found = bytearray()
    while start < stop:
        block = os.pread(descriptor, stop - start, start)
        if not block:
            return None
        found += block
        start += len(block)
    return bytes(found)


def entry_of(facts: os.stat_result, *, media: str, cache_control: str = "", extra: bytes = b"") -> Entry:
    """Return the entry of a live file. Its tag is weak as long as it may change without its time telling."""
    tag = stat_tag(facts)
    if time.time() - facts.st_mtime < UNSETTLED_SECONDS:
        tag = f"W/{tag}"
    return Entry(
        variants=(Variant(coding="identity", size=facts.st_size, etag=tag),), modified=int(facts.st_mtime),
        media=media, cache_control=cache_control, extra=extra, is_live=True,
    )  # fmt: skip
