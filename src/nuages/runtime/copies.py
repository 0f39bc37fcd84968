"""Copies of the files that are asked for most, which nobody else can write to: temporary files without a name.

sendfile(2) does not copy: what it has sent is the file's own pages until the client has read them, however slowly, and
whoever writes into the file in the meantime writes into answers that are on their way. Out of a copy nothing changes,
and it costs what sendfile costs: 1 MB to 16 connections 110 µs, where copying it for each answer takes 250.
Memory without a file (memfd_create(2)) is in small pages, which is 20 µs more: it is taken where there is no disk.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass

from nuages.runtime.pieces import Stamp, stamp
from nuages.runtime.residence import is_in_memory

MOST_BYTES = 16 << 20  # that the copies of one worker take together
WANTED_SECONDS = 10.0  # since it was last asked for, a copy does not give way to another


@dataclass(slots=True)
class _Copy:
    descriptor: int
    size: int
    used: float


class Copies:
    """The copies of one worker, by the stamp of their file; `most_bytes` is what they may take together."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._copies: dict[Stamp, _Copy] = {}  # the one that was asked for last comes last

    def of(self, descriptor: int, expected: Stamp, size: int) -> int:
        """Return a descriptor of a copy of the open file as `expected` says it is, or -1; it stays ours to close.

        It is made here where it is missing, there is room for it and the file is in memory. Raises OSError.
        """
        kept = self.kept(expected)
        if kept >= 0:
            return kept
        now = time.monotonic()
        if not is_in_memory(descriptor, 0) or not self._make_room(size, now):
            return -1
        made = _copied(descriptor, expected, size)
        if made >= 0:
            self._copies[expected] = _Copy(made, size, now)
            self._bytes += size
        return made

    def kept(self, expected: Stamp) -> int:
        """Return a descriptor of the copy of a file that is as `expected` says, or -1 where none is in memory."""
        copy = self._copies.pop(expected, None)
        if copy is None:
            return -1
        if not is_in_memory(copy.descriptor, 0):
            self._drop(copy)
            return -1
        copy.used = time.monotonic()
        self._copies[expected] = copy
        return copy.descriptor

    def _make_room(self, size: int, now: float) -> bool:
        while self._bytes + size > self._most:
            oldest = next(iter(self._copies), None)
            if oldest is None or now - self._copies[oldest].used < WANTED_SECONDS:
                return False
            self._drop(self._copies.pop(oldest))
        return True

    def _drop(self, copy: _Copy) -> None:
        os.close(copy.descriptor)  # what is on its way keeps its pages
        self._bytes -= copy.size


def _copied(descriptor: int, expected: Stamp, size: int) -> int:
    content = os.pread(descriptor, size, 0)
    if len(content) != size or stamp(os.fstat(descriptor)) != expected:
        return -1
    made = _unnamed()
    try:
        written = os.write(made, content)
    except OSError:  # no room
        written = 0
    if written != size:
        os.close(made)
        return -1
    return made


def _unnamed() -> int:
    """Return a descriptor of a new file that has no name (open(2), O_TMPFILE), on a disk if there is one."""
    try:
        return os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.memfd_create("nuages-file", os.MFD_CLOEXEC)
