"""A memory limit that the kernel keeps, as a container's: a cgroup of its own, version 1 or 2. It takes root."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LEAVE_SECONDS = 10.0
_ROOTS = {1: Path("/sys/fs/cgroup/memory"), 2: Path("/sys/fs/cgroup")}
_LIMIT = {1: "memory.limit_in_bytes", 2: "memory.max"}
_MOST = {1: "memory.max_usage_in_bytes", 2: "memory.peak"}
_KILLS = {1: "memory.oom_control", 2: "memory.events"}


@dataclass(frozen=True, slots=True)
class Group:
    """A cgroup; `wrapper` is the command that enters it and becomes the one that follows."""

    folder: Path
    version: int

    @property
    def wrapper(self) -> Sequence[str]:
        """Return the words to put before a command."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs; exec "$@"', "sh"]

    def limit(self, limit: int) -> None:
        """Set the limit, in bytes."""
        (self.folder / _LIMIT[self.version]).write_text(str(limit))

    def most(self) -> int:
        """Return the most that was ever used, in bytes."""
        return int((self.folder / _MOST[self.version]).read_text())

    def kills(self) -> int:
        """Return how many processes the limit has killed."""
        words = (self.folder / _KILLS[self.version]).read_text().split()
        return int(words[words.index("oom_kill") + 1])


def _place() -> Group | None:
    """Our own memory cgroup, if groups can be made in it."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        version = 1 if "memory" in controllers.split(",") else 2
        folder = _ROOTS[version] / path[1:]
        given = folder / "cgroup.subtree_control"
        if version == 2 and (controllers or not given.exists() or "memory" not in given.read_text()):
            continue
        if os.access(folder, os.W_OK):
            return Group(folder, version)
    return None


def forget(folders: Iterable[str]) -> None:
    """Have the kernel drop what it keeps of files that nobody has mapped: the group that reads them next pays for them.

    As the first container of an image does on its machine; see posix_fadvise(2).
    """
    for folder in folders:
        for path in Path(folder).rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def limited(limit: int) -> Iterator[Group]:
    """Make a cgroup with a limit in bytes for while the block runs; raises OSError where that is not allowed."""
    place = _place()
    if place is None:
        raise PermissionError("it takes root and a memory cgroup that can be written to")
    group = Group(place.folder / f"nuages-{os.getpid()}", place.version)
    group.folder.mkdir()
    try:
        group.limit(limit)
        yield group
    finally:
        deadline = time.monotonic() + LEAVE_SECONDS
        while (group.folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        group.folder.rmdir()
