"""One thread of the pool that runs sync Django."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from nuages.runtime.clocks import ThreadClock

if TYPE_CHECKING:
    from nuages.runtime.threads import Pool

COLD_SECONDS = 1.0  # an idle thread that is not among the warm ones gives its connections back after this


class Task(Protocol):
    """What the pool runs: `run` in a thread; `queued_at` is set by `submit` (monotonic seconds)."""

    queued_at: float
    cancelled: bool

    def run(self) -> None:
        """Do the work; must not raise."""


class PoolThread(threading.Thread):
    """One thread of the pool. It sleeps on a lock of its own, so that the pool can wake exactly the one it wants."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"nuages-{number}", daemon=True)
        self.pool = pool
        self.task: Task | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.clock: ThreadClock | None = None
        self.seen = (0.0, 0.0)
        self.since = 0.0
        self.in_line = 0.0  # of the seconds since then, those that it stood in line for a CPU, as far as seen
        self.streaming = False
        self.holding = False  # a stream that keeps a database connection
        self.ended = False
        self.leaving = False  # the pool waits until it has given back what it holds

    def run(self) -> None:
        """Work until idle for long, then give back what the thread holds."""
        pool = self.pool
        self.clock = ThreadClock()
        if pool.on_begin is not None:
            pool.on_begin()
        while True:
            task = self.task
            while task is not None:
                self.begin()
                task.run()
                self.task = task = None
                task = pool.next_task(self)
            if self.ended or not self._sleep():
                break
        if pool.on_end is not None:
            pool.on_end()
        if self.leaving:
            pool.left()
        self.clock.close()

    def begin(self) -> None:
        """Note that its task begins."""
        self.since, self.in_line = time.monotonic(), 0.0

    def at_it(self, now: float) -> float:
        """Return for how many seconds it has had its task, less those that it stood in line for a CPU."""
        return now - self.since - self.in_line

    def spent(self, *, few: bool) -> tuple[float, float]:
        """Return the seconds that it computed since this was last asked, and those that it stood in line for a CPU."""
        if self.clock is None:
            return 0.0, 0.0
        (computed, stood), self.seen = self.seen, (self.clock.computed(), self.clock.stood() if few else 0.0)
        in_line = max(0.0, self.seen[1] - stood) if stood else 0.0
        # What it stood before this task began, unseen, is not this task's.
        self.in_line = min(self.in_line + in_line, time.monotonic() - self.since)
        return self.seen[0] - computed, in_line

    def _sleep(self) -> bool:
        """Wait for work; return False when the thread is to end."""
        pool = self.pool
        if self.wake.acquire(timeout=COLD_SECONDS):
            return not self.ended
        if pool.is_cold(self) and pool.on_cold is not None:
            pool.on_cold()
        if self.wake.acquire(timeout=pool.idle_seconds):
            return not self.ended
        if pool.retire(self):
            return False
        # Work came in this very moment, and its token with it.
        self.wake.acquire()
        return not self.ended
