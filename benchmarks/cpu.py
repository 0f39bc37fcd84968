"""What a tree of processes uses: CPU time, threads, memory and files, out of /proc (proc(5))."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """CPU seconds of a process tree since it began, its ended children included, and its threads now."""

    cpu: float
    threads: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stat:
    parent: int
    ticks: int
    threads: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything, so fields are counted from the last parenthesis; state is field 3.
    fields = text.rpartition(")")[2].split()
    return _Stat(parent=int(fields[1]), ticks=sum(map(int, fields[11:15])), threads=int(fields[17]))


def _tree(root: int) -> dict[int, _Stat]:
    """Return the process and its descendants."""
    every = {int(entry.name): _stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit()}
    alive = {pid: stat for pid, stat in every.items() if stat}
    found = {root} & alive.keys()
    while more := {pid for pid, stat in alive.items() if stat.parent in found} - found:
        found |= more
    return {pid: alive[pid] for pid in found}


def children(root: int) -> set[int]:
    """Return the descendants of a process that there are now."""
    return set(_tree(root)) - {root}


def usage(root: int) -> Usage:
    """Return what the tree of this process has used: utime, stime, cutime and cstime of each."""
    tree = _tree(root).values()
    return Usage(
        cpu=sum(stat.ticks for stat in tree) / TICKS,
        threads=sum(stat.threads for stat in tree),
        processes=len(tree),
    )


def memory(root: int) -> int:
    """Return the proportional set size of the tree in bytes: shared pages are counted once."""
    total = 0
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
    return total


def files(root: int, folder: Path) -> int:
    """Return the bytes on disk of the files below a folder that the tree holds open, deleted ones included."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in _tree(root):
        with contextlib.suppress(OSError):
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink().is_relative_to(folder):
                        found = descriptor.stat()
                        sizes[found.st_dev, found.st_ino] = found.st_blocks * BLOCK_BYTES
    return sum(sizes.values())
