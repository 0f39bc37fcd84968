"""The threads of a pool that stream: they wait for clients, and count only where they keep a database connection.

Between two pieces a stream has mostly no use for the connection that its view opened. An event stream gives it back;
others keep it while there is room, so that short ones do not connect again. What something is open on stays. A stream
that asks its database then waits for its turn to connect.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nuages.runtime.poolthread import PoolThread

if TYPE_CHECKING:
    from nuages.runtime.threads import Pool

MOST_STREAMS = 1024  # beyond these, threads that stream count as all others do
CONNECT_SECONDS = 30.0  # for which a stream waits until it may connect; sync views wait as long for a thread
AGAIN_SECONDS = 1.0  # between two looks at what nobody tells: more connections are granted


def may_connect() -> bool:
    """Wait until the calling thread may connect to a database's server, where it streams; False: it may not."""
    worker = threading.current_thread()
    if not isinstance(worker, PoolThread) or not worker.streaming or worker.holding:
        return True
    return worker.pool.streams.wait(worker)


class Streams:
    """`count` threads stream; `holding` of them keep connections, and at most half of those that the pool may have.

    `holds` and `release` run in a stream's thread: whether it has connections, and closing them, which returns False
    where something is open on one.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        holds: Callable[[], bool] | None = None,
        release: Callable[[], bool] | None = None,
    ) -> None:
        self._pool = pool
        self._holds = holds or (lambda: False)
        self._release = release or (lambda: True)
        self._freed = threading.Condition(pool.lock)
        self.count = self.holding = self.wanting = 0
        self.keeps = True
        """Whether streams keep their connections while there is room: not in a worker that has been replaced."""

    @property
    def taken(self) -> int:
        """How many of the pool's connections streams have or are about to get."""
        return max(self.holding, min(self.holding + self.wanting, self._most))

    @property
    def _most(self) -> int:
        return max(1, self._pool.most // 2)

    def begin(self, *, is_long: bool = False) -> None:
        """Stop counting the calling thread, which waits for a client; call it again and again while it streams.

        `is_long`: nobody knows when it will go on, so it keeps nothing. It counts again when its task is done.
        """
        worker = threading.current_thread()
        if not isinstance(worker, PoolThread):
            return
        if worker.streaming:
            if worker.holding and not self._needs(worker, is_long):
                self._give_back(worker)
            return
        holds, pool = self._needs(worker, is_long), self._pool
        with pool.lock:
            if self.count >= MOST_STREAMS or (holds and self.holding >= self._most):
                return
            worker.streaming = True
            self.count += 1
            pool.running -= 1
            if holds:
                worker.holding = True
                self.holding += 1
                pool.narrow()
            pool.start_queued()
            pool.wake_rested()

    def end(self, worker: PoolThread) -> None:
        """Count a thread again whose task is done; the pool's lock is held."""
        worker.streaming = False
        self.count -= 1
        self._pool.running += 1
        if worker.holding:
            self._let_go(worker)

    def wait(self, worker: PoolThread) -> bool:
        """Wait until a thread that streams may connect; False: it has waited for too long."""
        pool, until = self._pool, time.monotonic() + CONNECT_SECONDS
        with pool.lock:
            self.wanting += 1
            try:
                pool.narrow()
                while not self._has_room():
                    pool.end_idle()
                    left = until - time.monotonic()
                    if left <= 0:
                        return False
                    self._freed.wait(min(left, AGAIN_SECONDS))
                worker.holding = True
                self.holding += 1
            finally:
                self.wanting -= 1
        return True

    def freed(self) -> None:
        """Tell a stream that waits that a thread has closed its connections; the pool's lock is held."""
        self._freed.notify()

    def _has_room(self) -> bool:
        pool = self._pool
        # Where there is but one, both kinds have one, as with async requests (allowance.Split).
        threads = len(pool.threads) - self.count + pool.leaving
        return self.holding < self._most and threads + self.holding < max(2, pool.most)

    def _needs(self, worker: PoolThread, is_long: bool) -> bool:
        """Return whether a stream keeps connections: they are closed where they can be and others want them."""
        if not self._holds():
            return False
        pool = self._pool
        gives = (
            is_long
            or not self.keeps
            or self.wanting > 0
            or self.holding + (not worker.holding) > self._most
            or (pool.queued > 0 and pool.limit >= pool.room)
        )
        return not (gives and self._release())

    def _give_back(self, worker: PoolThread) -> None:
        with self._pool.lock:
            self._let_go(worker)
            self._pool.start_queued()

    def _let_go(self, worker: PoolThread) -> None:
        worker.holding = False
        self.holding -= 1
        self._freed.notify()
