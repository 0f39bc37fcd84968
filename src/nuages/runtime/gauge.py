"""How much a pool's threads and its loop compute, from look to look, and what threads are blocked at."""

from __future__ import annotations

from collections.abc import Collection

from nuages.runtime.clocks import ThreadClock, Wait
from nuages.runtime.policy import KNOWN, Shares
from nuages.runtime.poolthread import PoolThread


class Gauge:
    """Reads the clocks of the pool's threads and of the loop, whose thread calls all of this.

    `looked_at` and `changed_at` (monotonic seconds): the last look, and when the limit last changed.
    """

    def __init__(self) -> None:
        self.looked_at = 0.0
        self.changed_at = 0.0
        self._passed = 0.0
        self._shares = Shares()
        self._loop: ThreadClock | None = None
        self._loop_seen = self._loop_computed = 0.0

    def begin(self, now: float, threads: Collection[PoolThread], running: int) -> None:
        """Forget what was seen, and see from now on; the pool's lock is held."""
        if self._loop is None:
            self._loop = ThreadClock()
        self.looked_at = self.changed_at = now
        self._shares = Shares()
        self._loop_seen = self._loop.computed()
        for worker in threads:
            worker.spent(few=running <= KNOWN)

    def advance(self, now: float) -> None:
        """Begin a look: note how much time has passed, and how much of it the loop computed."""
        assert self._loop is not None
        self._passed = max(now - self.looked_at, 1e-6)
        self.looked_at = now
        seen = self._loop.computed()
        self._loop_computed, self._loop_seen = seen - self._loop_seen, seen

    def read(self, threads: Collection[PoolThread], running: int) -> Shares:
        """Return the averages up to this look; the pool's lock is held."""
        spent = [worker.spent(few=running <= KNOWN) for worker in threads]
        self._shares = self._shares.after(
            self._passed,
            computed=sum(one for one, _ in spent),
            stood=sum(one for _, one in spent),
            loop=self._loop_computed,
        )
        return self._shares

    def changed(self, factor: float) -> None:
        """Note that the limit has changed at this look, and with it what is to be expected of the threads."""
        self.changed_at = self.looked_at
        self._shares = self._shares.scaled(factor)


def wanting(threads: Collection[PoolThread]) -> int | None:
    """Return how many threads want the interpreter, None where that is not told; the pool's lock is held.

    Where one is at it, those that wait for a lock wait for that one most likely: Django has locks of its own.
    """
    waits = [one.clock.waits_for() for one in threads if one.task and one.clock]
    if None in waits:
        return None
    at_it = waits.count(Wait.INTERPRETER)
    return at_it + waits.count(Wait.LOCK) if at_it else 0
