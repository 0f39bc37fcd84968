"""A body that was stored, as the view reads it: what has been read is given back to the disk.

Django writes the files of a form to the disk once more; so a large upload lies there about once and not twice.
"""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Iterator
from typing import IO

STEP_BYTES = 16 << 20  # given back at once; smaller bodies keep all that they have
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # fallocate(2), FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE
_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)


def give_back(descriptor: int, start: int, length: int) -> bool:
    """Free the blocks of a part of a file, which reads as zeros then; return False where that cannot be done.

    ext4, XFS, Btrfs, tmpfs and overlayfs on these can; NFS before 4.2 cannot.
    """
    if _fallocate is None:
        return False
    place = ctypes.c_int64(start), ctypes.c_int64(length)
    return bool(_fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, *place) == 0)


class Spooled:
    """`wsgi.input` for a body in a file: read once, from front to back.

    Seeking back is possible as long as nothing was given back, and raises io.UnsupportedOperation then.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = 0
        self._freed = 0
        self._gives_back = True

    def _passed(self, data: bytes) -> bytes:
        self._at += len(data)
        length = self._at - self._freed
        if length >= STEP_BYTES and self._gives_back:
            self._gives_back = give_back(self._file.fileno(), self._freed, length)
            if self._gives_back:
                self._freed = self._at
        return data

    def read(self, size: int | None = -1) -> bytes:
        """Read that many bytes, or all that are left."""
        return self._passed(self._file.read(-1 if size is None else size))

    def readline(self, size: int | None = -1) -> bytes:
        """Read to the end of the line, but not more than that many bytes."""
        return self._passed(self._file.readline(-1 if size is None else size))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read lines until they have about that many bytes."""
        lines = self._file.readlines(-1 if hint is None else hint)
        for line in lines:
            self._passed(line)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def tell(self) -> int:
        """Return how many bytes lie before the next one."""
        return self._at

    def seekable(self) -> bool:
        """Return whether the beginning is still there."""
        return self._freed == 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere else in what is still there."""
        size = os.fstat(self._file.fileno()).st_size
        target = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: size}[whence]
        if target < self._freed:
            raise io.UnsupportedOperation(
                f"the first {self._freed} bytes of this body have been read, and are not kept"
            )
        self._at = self._file.seek(target)
        return self._at

    def close(self) -> None:
        """Give everything back."""
        self._file.close()
