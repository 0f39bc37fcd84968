"""Parts of files mapped into memory (mmap(2)), out of which the kernel copies into a socket what it takes.

No code of ours reads a mapping: that is a SIGBUS where the file has become shorter, but only an error in send(2).
"""

from __future__ import annotations

import errno
import mmap
import socket


class ShorterError(OSError):
    """The file ends before the part does."""

    def __init__(self) -> None:
        super().__init__("it got shorter meanwhile")


def send_part(own: socket.socket, descriptor: int, start: int, stop: int, flags: int = 0) -> int:
    """Send what the socket takes of a part of a file; return how many bytes that was.

    Raises OSError: those of send(2), and those of mmap(2), as for a file system that maps nothing.
    """
    first = start - start % mmap.ALLOCATIONGRANULARITY
    try:
        window = mmap.mmap(descriptor, stop - first, mmap.MAP_SHARED, mmap.PROT_READ, offset=first)
    except ValueError:
        raise ShorterError from None
    try:
        with window, memoryview(window) as whole, whole[start - first :] as part:
            return own.send(part, flags)
    except OSError as error:
        if error.errno == errno.EFAULT:
            raise ShorterError from None
        raise
