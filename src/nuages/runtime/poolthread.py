"""One thread of the pool that runs sync Django."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from nuages.runtime.clocks import ThreadClock
from nuages.runtime.staff import COLD_SECONDS

if TYPE_CHECKING:
    from nuages.runtime.threads import Pool

AGAIN_SECONDS = 0.1  # no thread is started for so long after the system has refused one


class Task(Protocol):
    """What the pool runs: `run` in a thread; `queued_at` is set by `submit` (monotonic seconds)."""

    queued_at: float
    cancelled: bool

    def run(self) -> None:
        """Do the work; must not raise."""

    def refuse(self) -> None:
        """Say that there is no thread to do it; any thread may call this, with the pool's lock held."""


def leave_heirs() -> None:
    """Have the process wait, at its end, for what the calling thread starts, and still not for itself.

    Threads inherit from who starts them whether they are waited for. Those of other servers, in which views run, are:
    a view that sends its mail in a thread of its own counts on that.
    """
    threading.current_thread()._daemonic = False  # type: ignore[attr-defined]


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
        leave_heirs()
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


class Starter:
    """Starts a pool's threads, as long as the system lets it. All of this is called with the pool's lock held."""

    def __init__(self, pool: Pool, on_refused: Callable[[str], None] | None) -> None:
        self._pool = pool
        self._on_refused = on_refused
        self._made = 0
        self._not_before = 0.0

    def start(self, task: Task) -> bool:
        """Have a new thread of the pool run a task; False: there can be none at the moment."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        self._made += 1
        pool = self._pool
        worker = PoolThread(pool, self._made)
        worker.begin()
        worker.task = task
        pool.threads.add(worker)
        try:
            worker.start()
        except RuntimeError as error:  # pthread_create(3): EAGAIN
            pool.threads.discard(worker)
            # Each attempt takes system calls, under the lock, and the pool looks every millisecond.
            self._not_before = now + AGAIN_SECONDS
            self._tell(error)
            return False
        return True

    def _tell(self, error: RuntimeError) -> None:
        tell, self._on_refused = self._on_refused, None  # once is enough: it will be so for long, and again
        if tell is not None:
            tell(
                f"no more threads: {error}. Requests wait for those that there are, and get 503 where there is none; "
                "see the limits of processes and threads: `ulimit -u`, pids.max"
            )
