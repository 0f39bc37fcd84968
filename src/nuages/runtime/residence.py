"""Whether a part of a file is in memory: the loop sends nothing that it would have to wait for a disk for."""

from __future__ import annotations

import os

BLOCK_BYTES = 256 << 10  # read at once by a thread
BURST_BYTES = 1 << 20  # sent at once, before others have their turn
_MOST_REMEMBERED = 10_000
# Device, inode and number of bursts read where the kernel does not tell.
_read_once: set[tuple[int, int, int]] = set()
_byte = [bytearray(1)]


def is_in_memory(descriptor: int, position: int) -> bool:
    """Return whether a byte of a file is in memory (preadv2(2), RWF_NOWAIT).

    Where the file system does not tell, as overlays do not, what was read once is taken to be.
    """
    try:
        os.preadv(descriptor, _byte, position, os.RWF_NOWAIT)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return _place(descriptor, position) in _read_once


def _place(descriptor: int, position: int) -> tuple[int, int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino, position // BURST_BYTES


def read_through(descriptor: int, start: int, stop: int) -> None:
    """Bring a part of a file into memory, in a thread."""
    if len(_read_once) >= _MOST_REMEMBERED:
        _read_once.clear()
    _read_once.add(_place(descriptor, start))
    while start < stop:
        block = os.pread(descriptor, min(BLOCK_BYTES, stop - start), start)
        if not block:
            return
        start += len(block)
