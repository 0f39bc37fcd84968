"""The threads that run sync Django: as few as keep the queue moving, as many as wait.

Python runs one thread at a time, so a second running thread only fights the first for the interpreter. The pool
lets one request run while requests complete; it adds a thread when the queue has stood for about a millisecond and
the running threads wait (database, network) instead of computing, which their CPU clocks tell, and what they are
blocked at.

The event loop is such a second thread too. While one thread alone works off the queue and gets on, the loop rests
until nothing is left to do, for a few milliseconds at most: both would only take turns at the interpreter, and a turn
costs as much as a good part of a small request.
"""

from __future__ import annotations

import threading
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nuages.runtime.gauge import Gauge, wanting
from nuages.runtime.haste import Haste
from nuages.runtime.policy import STALL_SECONDS, Look, next_limit, old_after
from nuages.runtime.poolthread import PoolThread, Starter, Task
from nuages.runtime.staff import IDLE_SECONDS, Staff
from nuages.runtime.streams import Streams

QUEUE_SECONDS = 0.005  # between two looks while many threads run and tasks are queued
CALM_SECONDS = 0.025  # and while none is
LONGEST_REST = 0.005  # seconds that the loop rests; the interpreter's own switch interval is as long
RESTLESS_SECONDS = 0.1  # the loop does not rest for so long when the thread got nothing done meanwhile
HALVING_SECONDS = 0.1  # the limit is forgotten by half in each so long time that needs one thread at most
MOST_QUEUED = 1024
FEW = 4  # running threads of which an answer may wait for the next look


class Pool(Staff[PoolThread]):
    """Runs tasks in threads. `submit` belongs to the event loop's thread; all else is safe from any.

    `on_begin`, `on_cold` and `on_end` run in the pool's threads: at a thread's start, when it has been idle and is
    none of the most recently used, and at its end. So do `holds` and `release`, while a thread streams (`Streams`).
    `on_refused` is told once, for a person, that the system lets no more threads start.
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
        holds: Callable[[], bool] | None = None,
        release: Callable[[], bool] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(threading.Lock(), idle_seconds)
        self.most = most
        self.most_queued = most_queued
        self.on_begin, self.on_cold, self.on_end = on_begin, on_cold, on_end
        self.limit = 1
        self.running = 0
        self.leaving = 0  # threads that have been taken out, and still close their connections
        self._queue: deque[Task] = deque()
        self.streams = Streams(self, holds=holds, release=release)
        self._starter = Starter(self, on_refused)
        self._timer: TimerHandle | None = None
        self._is_calm = False
        self._coming = False  # _hand_out is due
        self._resting = False  # the loop waits for `_gate`, which whoever sets this to False releases
        self._gate = threading.Lock()
        self._gate.acquire()
        self._rest_seconds = STALL_SECONDS
        self._restless_until = 0.0
        self._done = 0
        self._gauge = Gauge()
        self._closed = False
        self.haste = Haste()
        self._told: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._waking = False

    def bound(self, most: int) -> None:
        """Have at most so many threads from now on; those that run may finish what they are at.

        Whoever calls may hold a lock that is taken elsewhere under the pool's, by the garbage collector: no lock here,
        and the next look mends what it has overtaken.
        """
        self.most = most
        self.narrow()

    @property
    def room(self) -> int:
        """How many threads may run views: all but those whose connections streams have, at least one."""
        streams = self.streams
        if not streams.holding and not streams.wanting:  # asked at the end of each request
            return self.most
        return max(1, self.most - streams.taken)

    @property
    def connecting(self) -> int:
        """How many threads may have connections."""
        return len(self.threads) - self.streams.count + self.streams.taken

    def narrow(self) -> None:
        """Note that there may be room for fewer."""
        self.limit = min(self.limit, self.room)

    @property
    def queued(self) -> int:
        """How many tasks wait for a thread."""
        return len(self._queue)

    def submit(self, task: Task, loop: AbstractEventLoop) -> bool:
        """Run a task as soon as a thread may; return False when the queue is full."""
        if len(self._queue) >= self.most_queued:
            return False
        task.queued_at = time.monotonic()
        self._queue.append(task)
        self._come(loop)
        return True

    def _come(self, loop: AbstractEventLoop) -> None:
        """Have what is queued handed out when the loop has read all that has come: one waking serves it all."""
        if not self._coming:
            self._coming = True
            loop.call_soon(self._hand_out, loop)

    def _hand_out(self, loop: AbstractEventLoop) -> None:
        """Give queued tasks to threads; rest while there is but one, and have somebody look where there are more."""
        self._coming = False
        now = time.monotonic()
        if self._timer is None and self.limit > 1:
            self._forget(now)
        with self.lock:
            self.start_queued()
            rests = self._resting = self._may_rest(now)
            done = self._done
        is_idle = rests and self._rest()
        self._hear()
        if rests and (is_idle or self._done != done):
            rested = time.monotonic()
            self._rest_seconds = min(LONGEST_REST, max(STALL_SECONDS, 2 * (rested - now)))
            if not is_idle:
                self._come(loop)
                if rested - self._gauge.looked_at < HALVING_SECONDS:
                    self._judge()
                else:
                    self._begin_looking(rested)
            return
        if rests:
            self._rest_seconds, self._restless_until = STALL_SECONDS, now + RESTLESS_SECONDS
        if self._timer is None:
            if self._queue or self.running > 1:
                self._begin_looking(now)
                self._timer = loop.call_later(STALL_SECONDS, self._look, loop)
        elif self._is_calm and self._queue:
            self._is_calm = False
            self._timer.cancel()
            self._timer = loop.call_later(STALL_SECONDS, self._look, loop)

    def _may_rest(self, now: float) -> bool:
        return self.running == 1 and self.limit == 1 and now >= self._restless_until

    def _rest(self) -> bool:
        """Wait until no thread runs any more; return False when one still does when it is over."""
        if self._gate.acquire(timeout=self._rest_seconds):
            return True
        with self.lock:
            if self._resting:
                self._resting = False
                return False
        return self._gate.acquire()  # in this very moment

    def wake_rested(self) -> None:
        """End the loop's rest when no thread runs; the lock is held."""
        if self._resting and not self.running:
            self._resting = False
            self._gate.release()

    def _forget(self, now: float) -> None:
        """Halve the limit for each so many seconds in which one thread was enough."""
        halvings = int((now - self._gauge.looked_at) / HALVING_SECONDS)
        if halvings:
            self.limit = max(1, self.limit >> halvings)
            self._gauge.looked_at = now

    def _start(self, task: Task) -> bool:
        """Give a task to the thread that worked last, or to a new one; False: there is none. The lock is held."""
        if self._idle:
            worker = self._idle.pop()
            worker.begin()
            worker.task = task
            worker.wake.release()
        elif not self._starter.start(task):
            return False
        self.running += 1
        return True

    def next_task(self, worker: PoolThread) -> Task | None:
        """Return what a thread that has finished does next; None: it is idle from now on."""
        with self.lock:
            self._done += 1
            if worker.streaming:
                self.streams.end(worker)
            is_one_too_many = len(self.threads) - self.streams.count > self.room
            if self.running <= self.limit and not self._closed and not is_one_too_many:
                while self._queue:
                    task = self._queue.popleft()
                    if not task.cancelled:
                        worker.task = task
                        return task
            self.running -= 1
            if is_one_too_many:
                self._take_out(worker)
                self.start_queued()
            else:
                self._idle.append(worker)
            self.wake_rested()
            return None

    def end_idle(self) -> None:
        """Let the thread end that has been idle for the longest time; the lock is held."""
        if self._idle:
            worker = self._idle.pop(0)
            self._take_out(worker)
            worker.wake.release()

    def _take_out(self, worker: PoolThread) -> None:
        worker.ended = worker.leaving = True
        self.threads.discard(worker)
        self.leaving += 1

    def left(self) -> None:
        """Note that a thread that was taken out has closed its connections."""
        with self.lock:
            self.leaving -= 1
            self.streams.freed()

    def start_queued(self) -> None:
        """Give queued tasks to threads as long as more may run; the lock is held."""
        while self._queue and self.running < self.limit:
            task = self._queue.popleft()
            if task.cancelled or self._start(task):
                continue
            if self.running:  # whoever is done first takes it
                self._queue.appendleft(task)
                return
            task.refuse()

    def tell(self, loop: AbstractEventLoop, call: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call something, soon; called by the pool's threads when they have an answer.

        Each waking of the loop takes the interpreter from the thread that works. Where the loop rests, is about to
        hand out, or looks at the pool every millisecond as tasks are queued, it finds the answers then.
        """
        self._told.append((call, arguments))
        if self._resting or self._coming:
            return
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

    def _begin_looking(self, now: float) -> None:
        """Forget what was seen of the threads, and see from now on."""
        with self.lock:
            self._gauge.begin(now, self.threads, self.running)

    def _look(self, loop: AbstractEventLoop) -> None:
        """See how the threads get on, again and again while more than one runs or tasks are queued."""
        self._timer = None
        again = self._judge()
        if self._may_rest(self._gauge.looked_at):
            self._come(loop)
        elif again:
            self._is_calm = again == CALM_SECONDS
            self._timer = loop.call_later(again, self._look, loop)
        # Only now: whoever told something without waking us saw the timer that is gone or was set again.
        self._hear()

    def _judge(self) -> float:
        """See whether the queue stands although nobody computes, or too many do, and change the limit if so.

        Returns the seconds to the next look, 0 where none is needed.
        """
        now = time.monotonic()
        gauge = self._gauge
        gauge.advance(now)
        hurried = self.haste.look(now)
        old = old_after(hurried)
        with self.lock:
            while self._queue and self._queue[0].cancelled:
                self._queue.popleft()
            if not self._queue and self.running <= 1:
                return 0.0
            before = self.limit
            shares = gauge.read(self.threads, self.running)
            seen = Look(
                running=self.running,
                old=sum(1 for one in self.threads if one.task and not one.streaming and one.at_it(now) > old),
                limit=before,
                most=self.room,
                waited=now - self._queue[0].queued_at if self._queue else 0.0,
                steady=now - gauge.changed_at,
                computed=shares.computed,
                wanted=shares.computed + shares.stood,
                loop=shares.loop,
                hurried=hurried,
            )
            limit = next_limit(seen)
            if limit > before:  # seldom enough for a closer look
                limit = next_limit(replace(seen, wanting=wanting(self.threads)))
            self.limit = min(limit, self.room)
            if self.limit != before:
                gauge.changed(min(self.limit, before * 2) / before if self.running else 1.0)
            self.start_queued()
            # Looking costs reading a clock for each thread: often only while they are few or change in number.
            if self.limit > before or self.running <= FEW:
                return STALL_SECONDS
            return QUEUE_SECONDS if self._queue else CALM_SECONDS

    def close(self) -> None:
        """Let idle threads end now, and the others after their task."""
        self._closed = True
        for worker in self.dismiss_idle():
            worker.ended = True
            worker.wake.release()
