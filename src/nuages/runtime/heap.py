"""What malloc keeps of memory that was freed: given back to the kernel as far as it can be, and else taken.

What is left lies in holes between what is in use, on thousands of pages. A zygote's workers share those pages until
one of them allocates in a hole, or malloc goes through its list of holes, which is written in them: either copies a
page. On Python 3.13 four workers of a heavy project took up to 10 MB for that, sooner or later. Where the zygote takes
the holes itself, workers allocate behind the heap, on pages that are full of what is theirs.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

_LARGE = tuple(kilobytes << 10 for kilobytes in (120, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2))
_SMALL = (1536, 1024, 768, 640, 512, 448, 384, 320, 256, 224, 192, 160, 144, 128, 112, 96, 80, 64, 48, 32, 24)
SIZES = _LARGE + _SMALL
"""Bytes, the largest first: what is below the threshold of a mapping of its own, and down to the least chunk."""


class _Totals(ctypes.Structure):
    """`struct mallinfo2` of mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def trim() -> None:
    """Give back whole pages of freed memory; malloc_trim(3), which only glibc has."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def fill() -> int:
    """Take the holes for good, and return how many bytes that were; 20 ms for 3,000 holes.

    Only glibc tells of them, since 2.33, and only where malloc is its own: elsewhere nothing is taken.
    """
    libc: Any = ctypes.CDLL(None)
    totals = getattr(libc, "mallinfo2", None)
    if totals is None:
        return 0
    totals.restype = _Totals
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.sbrk.argtypes = [ctypes.c_size_t], [ctypes.c_ssize_t]
    libc.free.argtypes = [ctypes.c_void_p]
    now = totals()
    # Where the chunk begins that is behind all others and grows: what lies there is in no hole. Another allocator
    # hands out memory from anywhere, and then this one has no holes.
    behind, left = libc.sbrk(0) - now.keepcost, now.fordblks - now.keepcost
    taken = 0
    for size in SIZES:
        while taken + size <= left:
            place = libc.malloc(size)
            if not place:
                return taken
            if place >= behind:
                libc.free(place)
                break
            taken += size
    return taken
