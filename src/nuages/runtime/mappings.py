"""What a process has mapped and will not use soon, given back until it does: the code of libraries.

Loading a project runs much code once: initialisers, symbol tables, whole libraries that only some pages use. Those
pages of files stay mapped in the process that touched them first, and count as its memory. A zygote that has loaded
sleeps; its workers map what they run by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_MADV_DONTNEED = 4  # madvise(2): of a file's page that nobody wrote to, the file has all there is
_RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +/")


def of_files(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Return start and end of each mapping of a file that nothing was or can be written to; see proc_pid_smaps(5).

    The dynamic linker writes to some that are read-only afterwards (RELRO): those have pages that no file has, in
    memory or swapped out.
    """
    found: tuple[int, int] | None = None
    for line in smaps:
        name, *values = line.split() or [""]
        if match := _RANGE.match(line):
            start, end, rights = match.groups()
            found = (int(start, 16), int(end, 16)) if rights in {"r-xp", "r--p"} else None
        elif not name.endswith(":") or (name == "Anonymous:" and values[0] != "0"):
            found = None
        elif found and name == "Swap:" and values[0] == "0":  # it comes after Anonymous
            yield found


def give_back() -> None:
    """Unmap the pages of files: each comes again from the page cache when it is used. Takes 10 ms.

    It looks each time what there is: a range that was a library's may be something else by now. A kernel that refuses
    keeps them.
    """
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with (
        contextlib.suppress(OSError),
        Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as lines,
    ):
        for start, end in of_files(lines):
            advise(start, end - start, _MADV_DONTNEED)
