"""What a process has mapped and will not use soon, given back until it does: libraries' code, and freed memory.

Loading a project runs much code once: initialisers, symbol tables, whole libraries that only some pages use. Those
pages of files stay mapped in the process that touched them first, and count as its memory. A zygote that has loaded
sleeps; its workers map what they run by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

_MADV_DONTNEED = 4  # madvise(2): of a file's page that nobody wrote to, the file has all there is
_RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +/")


def of_files(smaps: str) -> Iterator[tuple[int, int]]:
    """Return start and end of each mapping of a file that nothing was or can be written to; see proc_pid_smaps(5).

    The dynamic linker writes to some that are read-only afterwards (RELRO): those have pages that no file has.
    """
    found: tuple[int, int] | None = None
    for line in smaps.splitlines():
        if match := _RANGE.match(line):
            start, end, rights = match.groups()
            found = (int(start, 16), int(end, 16)) if rights in {"r-xp", "r--p"} else None
        elif line[:1] in "0123456789abcdef":
            found = None
        elif found and line.split() == ["Anonymous:", "0", "kB"]:
            yield found


class Mappings:
    """This process's mappings of files, as they are now."""

    def __init__(self) -> None:
        self._ranges: tuple[tuple[int, int], ...] = ()
        with contextlib.suppress(OSError):
            self._ranges = tuple(
                of_files(Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace"))
            )
        self._advise = ctypes.CDLL(None).madvise
        self._advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def give_back(self) -> None:
        """Unmap their pages: each comes again from the page cache when it is used. A kernel that refuses keeps them."""
        for start, end in self._ranges:
            self._advise(start, end - start, _MADV_DONTNEED)


def trim_heap() -> None:
    """Return to the kernel what malloc keeps of freed memory for later; malloc_trim(3), which only glibc has."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
