"""What the kernel tells of memory: how much a cgroup may use and uses, and how much one process takes.

cgroup v2: memory.max, memory.current, memory.stat, memory.events, memory.oom.group
(Documentation/admin-guide/cgroup-v2.rst); v1: memory.limit_in_bytes, memory.usage_in_bytes, memory.stat,
memory.oom_control (cgroup-v1/memory.rst).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nuages.runtime.kernel import NO_LIMIT, cgroup_files, read

_LIMITS = {"memory.max", "memory.limit_in_bytes"}
_V2 = ("memory.max", "memory.current", "memory.stat", "memory.events", "memory.oom.group", "memory.swap.max")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "memory.oom_control")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A memory cgroup with a limit. `used` is without file cache that can be dropped; sizes are bytes.

    `kills` counts the processes that its limit has killed. Of `usage`, the kernel drops all but `kept` before it kills.
    `whole`: who passes the limit takes everything in it along.
    """

    origin: str
    limit: int
    used: int
    kills: int
    usage: int = 0
    kept: int = 0
    whole: bool = False

    @property
    def room(self) -> int:
        """How much more fits."""
        return self.limit - self.used

    @property
    def left(self) -> int:
        """How much more fits before the kernel kills."""
        return self.limit - self.kept


def group_from(files: Mapping[str, str], origin: str, *, swaps: bool = False) -> Group | None:
    """Return what the texts of a cgroup's files tell, by file name; None where nothing limits it.

    `swaps`: the machine has memory to swap to, so that a limit is no end where the group may.
    """
    limit = _number(files.get("memory.max") or files.get("memory.limit_in_bytes", ""))
    usage = _number(files.get("memory.current") or files.get("memory.usage_in_bytes", ""))
    if limit is None or limit >= NO_LIMIT or usage is None:
        return None
    counted = _pairs(files.get("memory.stat", ""))
    idle, active = (
        counted.get(f"total_{name}", counted.get(name, 0)) for name in ("inactive_file", "active_file")
    )
    kills = _pairs(files.get("memory.events") or files.get("memory.oom_control", "")).get("oom_kill", 0)
    return Group(
        origin=origin, limit=limit, used=max(0, usage - idle), kills=kills, usage=usage,
        kept=max(0, usage - idle - active - counted.get("slab_reclaimable", 0)),
        whole=files.get("memory.oom.group", "").strip() == "1"
        and not (swaps and files.get("memory.swap.max", "0").strip() != "0"),
    )  # fmt: skip


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() else None


def _pairs(text: str) -> dict[str, int]:
    words = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}


class Groups:
    """The cgroups of this process and their parents that limit its memory; found once, read again and again."""

    def __init__(self) -> None:
        paths = cgroup_files(read("/proc/self/cgroup"), read("/proc/self/mountinfo"))
        folders = [path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in _LIMITS]
        self._swaps = (
            _pairs(read("/proc/meminfo").replace(":", "").replace(" kB", "")).get("SwapTotal", 0) > 0
        )
        self._folders = [folder for folder in dict.fromkeys(folders) if self._group(folder) is not None]

    def tightest(self) -> Group | None:
        """Return the group with the least room as it is now; None where nothing limits the memory."""
        found = [group for folder in self._folders if (group := self._group(folder)) is not None]
        return min(found, key=lambda group: group.room, default=None)

    def _group(self, folder: str) -> Group | None:
        names = _V2 if os.path.exists(f"{folder}/memory.max") else _V1  # noqa: PTH110 - called every second
        files = {name: read(f"{folder}/{name}") for name in names}
        return group_from(files, f"{folder}/{names[0]}", swaps=self._swaps)


class Gauge:
    """What is left of a group's limit, for who asks often: microseconds each time."""

    def __init__(self, group: Group) -> None:
        self._most = group.limit + group.usage - group.kept
        folder, _, limit = group.origin.rpartition("/")
        usage = _V2[1] if limit == _V2[0] else _V1[1]
        self._usage = os.open(f"{folder}/{usage}", os.O_RDONLY | os.O_CLOEXEC)

    def left(self) -> int:
        """Return how many bytes fit before the kernel kills, if what it can drop is as it was in the group."""
        return self._most - int(os.pread(self._usage, 32, 0))

    def close(self) -> None:
        """Close its file."""
        os.close(self._usage)


def members(group: Group) -> set[int]:
    """Return the processes of a group, those of groups below it excepted; none of those that we cannot see."""
    listed = read(f"{group.origin.rpartition('/')[0]}/cgroup.procs").split()
    return {int(pid) for pid in listed} - {0}


def proportional(pid: int) -> int | None:
    """Return the bytes that are a process's own share of the memory (PSS); None where the kernel does not tell.

    See proc_pid_smaps(5): smaps_rollup, since Linux 4.14. It costs the kernel milliseconds.
    """
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        words = line.split()
        if words and words[0] == "Pss:":
            return int(words[1]) << 10
    return None


def private(pid: int) -> int | None:
    """Return the bytes that no other process shares: what another one like it would take; None where nobody tells.

    A worker that was forked shares with its zygote what it does not write to; read from smaps_rollup too.
    """
    found = [
        int(words[1]) << 10
        for line in read(f"/proc/{pid}/smaps_rollup").splitlines()
        if (words := line.split()) and words[0] in {"Private_Clean:", "Private_Dirty:"}
    ]
    return sum(found) if found else None


def let_go_first(pid: int) -> None:
    """Let the kernel end a process that still loads before those that serve, where the memory is too little for both.

    See proc_pid_oom_score_adj(5): the most there is counts as if the process took all of the memory.
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")


def let_go_as_others(pid: int) -> None:
    """Have a process count as this one does from now on: it serves, and the kernel judges by what it takes."""
    with suppress(OSError):
        usual = Path("/proc/self/oom_score_adj").read_text(encoding="ascii")
        Path(f"/proc/{pid}/oom_score_adj").write_text(usual, encoding="ascii")


def resident(pid: int) -> int | None:
    """Return the bytes of memory that a process has mapped, also those that it shares; costs microseconds."""
    pages = read(f"/proc/{pid}/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else None
