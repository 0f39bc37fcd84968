"""What the supervisor remembers of workers that have ended, so that what is counted never goes back."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nuages.runtime.counts import MOST_ROUTES, OTHER, Counts
from nuages.runtime.roster import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nuages.runtime.roster import Pool
    from nuages.runtime.scoreboard import DatabaseCheck, Scoreboard

CRASH = "crash"
# Words of the reasons that the log gives, which are for people, and what is counted of them.
_KINDS = (
    ("stuck", r"has kept its thread"),  # this one begins with a URL, which may be any word
    ("stall", r"stood still"),
    ("requests", r"\brequests\b"),
    ("age", r"\bs old\b"),
    ("memory", r"\bmemory\b"),
    ("reload", r"new code"),
    ("resize", r"fewer workers"),
    ("signal", r"\bSIG[A-Z]+\b"),
)
REASONS = (CRASH, *(kind for kind, _ in _KINDS), "other")


def kind_of(reason: str) -> str:
    """Return which of REASONS a reason is that stands in the log: labels of metrics must be few."""
    return next((kind for kind, pattern in _KINDS if re.search(pattern, reason)), "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A worker that was replaced, or whose place is being taken: when (monotonic seconds) and why, for a person."""

    worker: int
    at: float
    reason: str


class Ledger:
    """The books of one server. A slot is entered when its worker has ended, before the slot is given away again."""

    def __init__(self, board: Scoreboard) -> None:
        self._board = board
        self._ended = Counts()
        self._routes: set[str] = {OTHER}
        self._check: DatabaseCheck | None = None
        self.replacements = dict.fromkeys(REASONS, 0)
        self.failed_reloads = 0
        self.last: Replacement | None = None
        self.reasons: dict[int, str] = {}  # why a worker was started, if another's place was free, by its id
        self._vacant: list[Replacement] = []  # places of workers that have crashed
        self._successors: dict[int, int] = {}  # of workers that are due, by their ids
        self._begun: set[int] = set()

    def ended(self, slot: int) -> None:
        """Take over what the worker of a slot has counted."""
        self._ended = self._ended.plus(self._read(slot))
        self._check = self.check((slot,))

    def replaced(self, worker: int, reason: str) -> None:
        """Note that a worker is replaced, and why; what begins with CRASH: it was not told to end."""
        self.replacements[CRASH if reason.startswith(CRASH) else kind_of(reason)] += 1
        self.last = Replacement(worker=worker, at=time.monotonic(), reason=reason)
        if reason.startswith(CRASH):
            self._vacant.append(self.last)

    def began(self, worker: int, now: Pool) -> None:
        """Note that a worker is started, and why: who is due, or has crashed, or has old code."""
        serving = {one.id for one in now.workers}
        self._successors = {old: one for old, one in self._successors.items() if {old, one} <= serving}
        due = next((old for old in now.workers if old.due and old.id not in self._successors), None)
        mine = next((one.generation for one in now.workers if one.id == worker), now.generation)
        # New code that loads takes the place of one that is replaced, and not of one that is missing meanwhile.
        kept = [one for one in now.workers if one.generation <= mine]
        there = {one.id for one in kept if one.phase in {Phase.STARTING, Phase.READY}} & self._begun
        self._begun = (self._begun & serving) | {worker}
        # Somebody who was to come anyway may have taken the place of one that has crashed.
        del self._vacant[: max(0, len(self._vacant) - max(0, now.limits.workers - len(there)))]
        reason = ""
        if self._vacant:
            reason = self._vacant.pop(0).reason
        elif due is not None:
            self._successors[due.id] = worker
            reason = due.due
        elif any(old.generation < mine for old in now.workers):
            reason = "new code"
        self.reasons = {one: why for one, why in self.reasons.items() if one in serving}
        if reason:
            self.reasons[worker] = reason

    def counts(self, slots: Iterable[int]) -> Counts:
        """Return what was counted since the start, by workers that have ended and by those in these slots."""
        whole = self._ended
        for slot in slots:
            whole = whole.plus(self._read(slot))
        return whole

    def check(self, slots: Iterable[int]) -> DatabaseCheck | None:
        """Return the newest word on the database, also from a worker that has ended; None before the first."""
        found = [check for slot in slots if (check := self._board.check(slot))]
        return max(filter(None, (self._check, *found)), key=lambda check: check.at, default=None)

    def _read(self, slot: int) -> Counts:
        """Read a slot. A route that was told once is told for good; of too many the late ones are told as OTHER."""
        found = self._board.counted(slot)
        for name in found.durations:
            if len(self._routes) >= MOST_ROUTES:
                break
            self._routes.add(name)
        return found.within(self._routes)
