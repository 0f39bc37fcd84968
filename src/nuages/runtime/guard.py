"""Ends the process that takes the last of the memory where the kernel would end the whole container for it.

Kubernetes asks for that since 1.28 on cgroup v2 (memory.oom.group, Documentation/admin-guide/cgroup-v2.rst; kubelet's
singleProcessOOMKill undoes it): a view that reads a table into memory would end every worker and the supervisor too.
`pause` and `is_last` are pure. What is left is looked at the more often the sooner it could be gone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from nuages.runtime import memory

if TYPE_CHECKING:
    from nuages.runtime.crew import Crew

FASTEST = 2 << 30  # bytes a second: no core fills new pages sooner
LEAST, MOST = 0.02, 0.5  # seconds between two looks
REACTION = 0.08  # seconds: two such looks, and twice as long until a signal has ended a process
_ENDS = 0.1  # seconds in which a killed process gives back what it took; nobody else is to answer for it
_PART = 0.125  # of what has gone: who has taken less is not to answer for it. What is in a tmpfs is nobody's
_MEASURED_SECONDS = 1.0  # between two measurements of all processes: who has grown since is who takes it


@dataclass(frozen=True, slots=True)
class Look:
    """How many bytes were left at a moment (monotonic seconds), and by how many seconds it came late."""

    at: float
    left: int
    late: float = 0.0


def pause(left: int) -> float:
    """Return after how many seconds to look again where so many bytes are left: long before they could be gone."""
    return min(MOST, max(LEAST, left / FASTEST / 2))


def is_last(before: Look, now: Look) -> bool:
    """Return whether what is left is gone before anything can be done, if it goes on as since the look before."""
    taken, elapsed = before.left - now.left, now.at - before.at
    return taken > 0 and elapsed > 0 and now.left < taken / elapsed * (REACTION + 2 * now.late)


class Guard:
    """Watches what is left of a memory limit. `mode`: auto, on or off; auto: where the kernel would end everything."""

    def __init__(self, mode: str, crew: Crew) -> None:
        self._groups, self._crew = memory.Groups(), crew
        self._gauge: memory.Gauge | None = None
        self._before: Look | None = None
        self._sizes: dict[int, int] = {}
        self._measured, self._left = -inf, 0
        group = self._groups.tightest() if mode != "off" else None
        self._next = time.monotonic() if group and (group.whole or mode == "on") else inf

    def next_deadline(self) -> float:
        """Return when `look` is to be called next, in monotonic seconds."""
        return self._next

    def look(self) -> None:
        """End who takes the last of the memory; nothing before its time has come."""
        now = time.monotonic()
        if now < self._next:
            return
        if now - self._measured >= _MEASURED_SECONDS:
            self._measure(now)
        found = Look(now, self._gauge.left() if self._gauge else 0, max(0.0, now - self._next))
        before, self._before = self._before, found
        self._next = now + pause(found.left)
        if before and is_last(before, found):
            # The cache may have grown since it was measured.
            group = self._groups.tightest()
            if group and is_last(before, replace(found, left=group.left)):
                self._end_who_takes_it(group)
                self._before, self._next = None, now + _ENDS

    def close(self) -> None:
        """Close its file."""
        if self._gauge:
            self._gauge.close()

    def _measure(self, now: float) -> None:
        group = self._groups.tightest()
        self.close()
        self._gauge = memory.Gauge(group) if group else None
        self._sizes = {pid: memory.resident(pid) or 0 for pid in self._pids(group)}
        self._measured, self._left = now, group.left if group else 0

    def _end_who_takes_it(self, group: memory.Group) -> None:
        grown = {pid: self._growth(pid) for pid in self._pids(group)}
        pid = max(grown, key=lambda one: grown[one], default=0)
        if grown.get(pid, 0) < (self._left - group.left) * _PART:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            self._crew.guarded(pid, group, grown[pid], time.monotonic() - self._measured)

    def _growth(self, pid: int) -> int:
        """Return how many bytes more a process takes; one that is new may share most with whom it was forked from."""
        if pid in self._sizes:
            return (memory.resident(pid) or 0) - self._sizes[pid]
        return memory.private(pid) or 0

    def _pids(self, group: memory.Group | None) -> set[int]:
        ours = {process.pid for process in self._crew.children.values()}
        ours |= {zygote.pid for zygote in self._crew.nursery.zygotes()}
        return (ours | (memory.members(group) if group else set())) - {0, os.getpid()}
