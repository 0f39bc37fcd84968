"""The holes of malloc's heap, in real processes: once they are filled, what is allocated lies behind the heap."""

from __future__ import annotations

import subprocess
import sys

HOLES = """
import ctypes
from nuages.runtime import heap
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
libc.sbrk.argtypes = [ctypes.c_ssize_t]
for size in (40, 700, 5000, 70_000):
    places = [libc.malloc(size) for _ in range(200)]
    for place in places[::2]:
        libc.free(place)
heap.trim()
{fill}
found = [libc.malloc(size) for size in (40, 700, 5000, 70_000) for _ in range(50)]
inside = sum(place < highest for place in found)
"""


def _inside(fill: str) -> list[int]:
    """Return how many bytes were taken, and how many of 200 allocations lie below what is in use by then."""
    code = HOLES.format(fill=f"{fill}; highest = max(places)") + "print(taken, inside)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert found.returncode == 0, found.stderr
    return [int(word) for word in found.stdout.split()]


def test_what_a_worker_allocates_lies_behind_the_heap_that_it_shares() -> None:
    taken, inside = _inside("taken = heap.fill()")
    assert taken > 100 * 70_000
    assert inside < 10
    assert _inside("taken = 0")[1] > 150  # or this has shown nothing


def test_there_is_nothing_left_to_take() -> None:
    taken, _ = _inside("heap.fill(); taken = heap.fill()")
    assert taken < 20_000
