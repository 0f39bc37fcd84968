"""The threads that run sync Django: as few as keep the queue moving, as many as wait.

Python runs one thread at a time, so a second running thread only fights the first for the interpreter. The pool
lets one request run while requests complete; it adds a thread when the queue has stood for about a millisecond and
the running threads wait (database, network) instead of computing, which their CPU clocks tell.
"""

from __future__ import annotations

import threading
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from nuages.runtime.clocks import ThreadClock
from nuages.runtime.policy import KNOWN, OLD_SECONDS, STALL_SECONDS, Look, Shares, next_limit

QUEUE_SECONDS = 0.005  # between two looks while many threads run and tasks are queued
CALM_SECONDS = 0.025  # and while none is
HALVING_SECONDS = 0.1  # the limit is forgotten by half in each so long time that needs one thread at most
IDLE_SECONDS = 30.0  # an idle thread ends after this
COLD_SECONDS = 1.0  # an idle thread that is not among the warm ones gives its connections back after this
WARM = 8  # the most recently used threads that keep their connections while idle
MOST_QUEUED = 1024
FEW = 4  # running threads of which an answer may wait for the next look
MOST_STREAMS = 1024  # threads that stream to slow clients; they are not counted against the limit


class Task(Protocol):
    """What the pool runs: `run` in a thread; `queued_at` is set by `submit` (monotonic seconds)."""

    queued_at: float
    cancelled: bool

    def run(self) -> None:
        """Do the work; must not raise."""


class Worker(threading.Thread):
    """One pool thread. It sleeps on a lock of its own, so that the pool can wake exactly the one it wants."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"nuages-{number}", daemon=True)
        self.pool = pool
        self.task: Task | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.clock: ThreadClock | None = None
        self.seen = (0.0, 0.0)
        self.since = 0.0
        self.streaming = False
        self.ended = False

    def run(self) -> None:
        """Work until idle for long, then give back what the thread holds."""
        pool = self.pool
        self.clock = ThreadClock()
        if pool.on_begin is not None:
            pool.on_begin()
        while True:
            task = self.task
            while task is not None:
                self.since = time.monotonic()
                task.run()
                self.task = task = None
                task = pool.next_task(self)
            if not self._sleep():
                break
        if pool.on_end is not None:
            pool.on_end()
        self.clock.close()

    def spent(self, *, few: bool) -> tuple[float, float]:
        """Return the seconds that it computed since this was last asked, and those that it stood in line for a CPU."""
        if self.clock is None:
            return 0.0, 0.0
        (computed, stood), self.seen = self.seen, (self.clock.computed(), self.clock.stood() if few else 0.0)
        return self.seen[0] - computed, max(0.0, self.seen[1] - stood) if stood else 0.0

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


class Pool:
    """Runs tasks in threads. `submit` belongs to the event loop's thread; all else is safe from any.

    `on_begin`, `on_cold` and `on_end` run in the pool's threads: at a thread's start, when it has been idle and is
    none of the most recently used, and at its end.
    """

    def __init__(
        self,
        most: int,
        *,
        idle_seconds: float = IDLE_SECONDS,
        most_queued: int = MOST_QUEUED,
        on_begin: Callable[[], None] | None = None,
        on_cold: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.most = most
        self.most_queued = most_queued
        self.idle_seconds = idle_seconds
        self.on_begin, self.on_cold, self.on_end = on_begin, on_cold, on_end
        self.limit = 1
        self.running = 0
        self.streams = 0
        self.threads: set[Worker] = set()
        self._queue: deque[Task] = deque()
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._made = 0
        self._timer: TimerHandle | None = None
        self._is_calm = False
        self._looked_at = 0.0
        self._changed_at = 0.0
        self._shares = Shares()
        self._loop_clock: ThreadClock | None = None
        self._loop_seen = 0.0
        self._closed = False
        self._told: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._waking = False

    @property
    def queued(self) -> int:
        """How many tasks wait for a thread."""
        return len(self._queue)

    def submit(self, task: Task, loop: AbstractEventLoop) -> bool:
        """Run a task as soon as a thread may; return False when the queue is full."""
        task.queued_at = now = time.monotonic()
        if self._timer is None and self.limit > 1:
            self._forget(now)
        with self._lock:
            if self.running < self.limit and not self._queue:
                self._start(task)
                if self.running <= 1:
                    return True
            elif len(self._queue) >= self.most_queued:
                return False
            else:
                self._queue.append(task)
        if self._timer is None:
            self._look_later(loop)
        elif self._is_calm and self._queue:
            self._is_calm = False
            self._timer.cancel()
            self._timer = loop.call_later(STALL_SECONDS, self._look, loop)
        return True

    def _forget(self, now: float) -> None:
        """Halve the limit for each so many seconds in which one thread was enough."""
        halvings = int((now - self._looked_at) / HALVING_SECONDS)
        if halvings:
            self.limit = max(1, self.limit >> halvings)
            self._looked_at = now

    def _start(self, task: Task) -> None:
        """Give a task to the thread that worked last, or to a new one; the lock is held."""
        self.running += 1
        if self._idle:
            worker = self._idle.pop()
            worker.since = time.monotonic()
            worker.task = task
            worker.wake.release()
            return
        self._made += 1
        worker = Worker(self, self._made)
        worker.since = time.monotonic()
        worker.task = task
        self.threads.add(worker)
        worker.start()

    def next_task(self, worker: Worker) -> Task | None:
        """Return what a thread that has finished does next; None: it is idle from now on."""
        with self._lock:
            if worker.streaming:
                worker.streaming = False
                self.streams -= 1
                self.running += 1
            if self.running <= self.limit and not self._closed:
                while self._queue:
                    task = self._queue.popleft()
                    if not task.cancelled:
                        worker.task = task
                        return task
            self.running -= 1
            self._idle.append(worker)
            return None

    def is_cold(self, worker: Worker) -> bool:
        """Return whether a thread is idle and not among the most recently used."""
        with self._lock:
            return worker in self._idle and worker not in self._idle[-WARM:]

    def retire(self, worker: Worker) -> bool:
        """Take an idle thread out of the pool; False when it has just been given work."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self.threads.discard(worker)
            return True

    def begin_stream(self) -> None:
        """Stop counting the calling thread: it waits for a slow client. It counts again when its task is done."""
        worker = threading.current_thread()
        if not isinstance(worker, Worker) or worker.streaming:
            return
        with self._lock:
            if self.streams >= MOST_STREAMS:
                return
            worker.streaming = True
            self.streams += 1
            self.running -= 1
            self._start_queued()

    def _start_queued(self) -> None:
        while self._queue and self.running < self.limit:
            task = self._queue.popleft()
            if not task.cancelled:
                self._start(task)

    def tell(self, loop: AbstractEventLoop, call: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call something, soon; called by the pool's threads when they have an answer.

        Each waking of the loop takes the interpreter from the thread that works. While tasks are queued and the
        loop looks at the pool every millisecond anyway, it finds the answers then.
        """
        self._told.append((call, arguments))
        if self._queue and self._timer is not None and self.running <= FEW:
            return
        if not self._waking:
            self._waking = True
            loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self._waking = False
        told = self._told
        while told:
            call, arguments = told.popleft()
            call(*arguments)

    def _look_later(self, loop: AbstractEventLoop) -> None:
        if self._loop_clock is None:
            self._loop_clock = ThreadClock()
        self._looked_at = self._changed_at = time.monotonic()
        self._shares = Shares()
        self._loop_seen = self._loop_clock.computed()
        with self._lock:
            few = self.running <= KNOWN
            for worker in self.threads:
                worker.spent(few=few)
        self._timer = loop.call_later(STALL_SECONDS, self._look, loop)

    def _look(self, loop: AbstractEventLoop) -> None:
        """See whether the queue stands although nobody computes, or too many do, and change the limit if so."""
        assert self._loop_clock is not None
        now = time.monotonic()
        passed = max(now - self._looked_at, 1e-6)
        self._looked_at = now
        loop_seen = self._loop_clock.computed()
        self._change_limit(now, passed, loop_seen - self._loop_seen, loop)
        self._loop_seen = loop_seen
        # Only now: whoever told something without waking us saw the timer that is gone or was set again.
        self._hear()

    def _change_limit(self, now: float, passed: float, computed: float, loop: AbstractEventLoop) -> None:
        """Let the policy decide; `computed` are the seconds that the loop's thread did so."""
        with self._lock:
            while self._queue and self._queue[0].cancelled:
                self._queue.popleft()
            if not self._queue and self.running <= 1:
                self._timer = None
                return
            before = self.limit
            few = self.running <= KNOWN
            spent = [worker.spent(few=few) for worker in self.threads]
            shares = self._shares = self._shares.after(
                passed,
                computed=sum(one for one, _ in spent),
                stood=sum(one for _, one in spent),
                loop=computed,
            )
            self.limit = next_limit(
                Look(
                    running=self.running,
                    old=sum(1 for one in self.threads if one.task and now - one.since > OLD_SECONDS),
                    limit=before,
                    most=self.most,
                    waited=now - self._queue[0].queued_at if self._queue else 0.0,
                    steady=now - self._changed_at,
                    computed=shares.computed,
                    wanted=shares.computed + shares.stood,
                    loop=shares.loop,
                )
            )
            if self.limit != before:
                self._changed_at = now
                if self.running:
                    self._shares = shares.scaled(min(self.limit, before * 2) / before)
            self._start_queued()
            # Looking costs reading a clock for each thread: often only while they are few or change in number.
            if self.limit > before or self.running <= FEW:
                again = STALL_SECONDS
            else:
                again = QUEUE_SECONDS if self._queue else CALM_SECONDS
        self._is_calm = again == CALM_SECONDS
        self._timer = loop.call_later(again, self._look, loop)

    def close(self) -> None:
        """Let idle threads end now, and the others after their task."""
        with self._lock:
            self._closed = True
            self.idle_seconds = 0.0
            idle, self._idle = self._idle, []
            self.threads.difference_update(idle)
        for worker in idle:
            worker.ended = True
            worker.wake.release()
