"""The pool with real threads: growth, reuse, limits, and what idle threads give back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.process.harness import wait_until

from nuages.runtime import streams
from nuages.runtime.clocks import ThreadClock, Wait
from nuages.runtime.poolthread import PoolThread
from nuages.runtime.threads import Pool


class Job:
    """A task that notes its thread, then waits until it may end."""

    def __init__(self, *, gate: threading.Event | None = None) -> None:
        self.queued_at = 0.0
        self.cancelled = False
        self.gate = gate
        self.thread = ""
        self.begun = threading.Event()
        self.done = threading.Event()
        self.refused = threading.Event()

    def run(self) -> None:
        self.thread = threading.current_thread().name
        self.begun.set()
        if self.gate is not None:
            self.gate.wait(20)
        self.done.set()

    def refuse(self) -> None:
        self.refused.set()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], bool]) -> bool:
    async def inside() -> bool:
        return call()

    return asyncio.run_coroutine_threadsafe(inside(), loop).result(20)


def test_tasks_that_wait_get_threads_up_to_the_limit(loop: asyncio.AbstractEventLoop) -> None:
    pool, gate = Pool(5), threading.Event()
    jobs = [Job(gate=gate) for _ in range(8)]
    assert on_loop(loop, lambda: all(pool.submit(job, loop) for job in jobs))
    wait_until(lambda: sum(job.begun.is_set() for job in jobs) == 5, "five run at once")
    assert pool.queued == 3
    gate.set()
    wait_until(lambda: all(job.done.is_set() for job in jobs), "all are done")
    assert len({job.thread for job in jobs}) == 5
    pool.close()


def test_one_after_the_other_needs_one_thread(loop: asyncio.AbstractEventLoop) -> None:
    pool = Pool(5)
    names = set()
    for _ in range(20):
        job = Job()
        on_loop(loop, lambda job=job: pool.submit(job, loop))  # type: ignore[misc]
        assert job.done.wait(20)
        wait_until(lambda: pool.running == 0, "it is idle again")
        names.add(job.thread)
    assert len(names) == 1
    pool.close()


def test_a_full_queue_refuses_and_a_cancelled_task_is_passed_over(loop: asyncio.AbstractEventLoop) -> None:
    pool, gate = Pool(1, most_queued=2), threading.Event()
    jobs = [Job(gate=gate) for _ in range(4)]
    assert [on_loop(loop, lambda job=job: pool.submit(job, loop)) for job in jobs] == [
        True,
        True,
        True,
        False,
    ]  # type: ignore[misc]
    jobs[1].cancelled = True
    gate.set()
    assert jobs[2].done.wait(20)
    assert not jobs[1].begun.is_set()
    pool.close()


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """Let no thread start: pthread_create(3) fails with EAGAIN where there is no room for the stack, as at a limit."""
    usual = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(usual)


def test_who_finds_no_thread_to_start_is_served_by_those_that_are_there_in_turn(
    loop: asyncio.AbstractEventLoop,
) -> None:
    said: list[str] = []
    pool, gate = Pool(5, on_refused=said.append), threading.Event()
    first, others = Job(gate=gate), [Job() for _ in range(4)]
    on_loop(loop, lambda: pool.submit(first, loop))
    assert first.begun.wait(20)
    with no_threads():
        assert on_loop(loop, lambda: all(pool.submit(job, loop) for job in others))
        wait_until(lambda: said, "a thread was refused")
        assert (pool.running, len(pool.threads), pool.queued) == (1, 1, 4)
        gate.set()
        wait_until(lambda: all(job.done.is_set() for job in others), "all are done")
    wait_until(lambda: not pool.running, "the thread is idle")
    assert {job.thread for job in others} == {first.thread}
    assert (len(said), len(pool.threads)) == (1, 1)
    assert said[0] == (
        "no more threads: can't start new thread. Requests wait for those that there are, and get 503 where there is "
        "none; see the limits of processes and threads: `ulimit -u`, pids.max"
    )
    pool.close()


def test_threads_are_started_again_while_tasks_wait_and_the_system_lets_them(
    loop: asyncio.AbstractEventLoop,
) -> None:
    said: list[str] = []
    pool, gate = Pool(5, on_refused=said.append), threading.Event()
    jobs = [Job(gate=gate) for _ in range(3)]
    on_loop(loop, lambda: pool.submit(jobs[0], loop))
    assert jobs[0].begun.wait(20)
    with no_threads():
        on_loop(loop, lambda: all(pool.submit(job, loop) for job in jobs[1:]))
        wait_until(lambda: said, "a thread was refused")
    wait_until(lambda: all(job.begun.is_set() for job in jobs), "all run at once, though none has ended")
    gate.set()
    wait_until(lambda: not pool.running, "all are done")
    pool.close()


def test_where_there_is_no_thread_at_all_tasks_are_refused_at_once(loop: asyncio.AbstractEventLoop) -> None:
    pool, refused, served = Pool(5), [Job(), Job()], Job()
    with no_threads():
        for job in refused:
            assert on_loop(loop, lambda job=job: pool.submit(job, loop))  # type: ignore[misc]
            assert job.refused.wait(20)
        assert (pool.running, len(pool.threads), pool.queued) == (0, 0, 0)
    wait_until(lambda: time.monotonic() > pool._starter._not_before, "it is tried again")
    on_loop(loop, lambda: pool.submit(served, loop))
    assert served.done.wait(20)
    pool.close()


def test_an_idle_thread_ends_and_gives_back_what_it_holds(loop: asyncio.AbstractEventLoop) -> None:
    said: list[str] = []
    pool = Pool(2, idle_seconds=0.1, on_begin=lambda: said.append("begin"), on_end=lambda: said.append("end"))
    job = Job()
    on_loop(loop, lambda: pool.submit(job, loop))
    wait_until(lambda: said == ["begin", "end"], "the thread ended")
    assert not pool.threads
    again = Job()
    on_loop(loop, lambda: pool.submit(again, loop))
    assert again.done.wait(20)
    assert again.thread != job.thread
    pool.close()


def test_closing_ends_idle_threads_at_once_and_busy_ones_after_their_task(
    loop: asyncio.AbstractEventLoop,
) -> None:
    ended = threading.Semaphore(0)
    pool, gate = Pool(2, on_end=ended.release), threading.Event()
    idle, busy = Job(), Job(gate=gate)
    on_loop(loop, lambda: pool.submit(idle, loop))
    assert idle.done.wait(20)
    on_loop(loop, lambda: pool.submit(busy, loop))
    assert busy.begun.wait(20)
    pool.close()
    gate.set()
    assert ended.acquire(timeout=20)
    assert busy.done.is_set()


def test_a_stream_does_not_count_against_the_limit(loop: asyncio.AbstractEventLoop) -> None:
    pool, gate = Pool(1), threading.Event()

    class Stream(Job):
        def run(self) -> None:
            pool.streams.begin()
            super().run()

    stream, page = Stream(gate=gate), Job()
    on_loop(loop, lambda: pool.submit(stream, loop))
    assert stream.begun.wait(20)
    on_loop(loop, lambda: pool.submit(page, loop))
    assert page.done.wait(20)
    gate.set()
    wait_until(lambda: pool.running == 0 and pool.streams.count == 0, "both are done")
    pool.close()


class Holder(Job):
    """A stream that has connected, and waits until it may end."""

    def __init__(self, pool: Pool, gate: threading.Event, *, again: bool = False) -> None:
        super().__init__(gate=gate)
        self.pool, self.again = pool, again
        self.connected, self.in_vain = threading.Event(), threading.Event()

    def run(self) -> None:
        self.pool.streams.begin()
        self.begun.set()
        if self.again:
            (self.connected if streams.may_connect() else self.in_vain).set()
        super().run()


def test_streams_keep_at_most_half_of_the_connections_and_those_count(
    loop: asyncio.AbstractEventLoop,
) -> None:
    pool, gate = Pool(4, holds=lambda: True, release=lambda: False), threading.Event()
    jobs = [Holder(pool, gate) for _ in range(6)]
    assert on_loop(loop, lambda: all(pool.submit(job, loop) for job in jobs))
    wait_until(lambda: sum(job.begun.is_set() for job in jobs) == 4, "four run")
    assert (pool.streams.count, pool.streams.holding, pool.running, pool.queued) == (2, 2, 2, 2)
    assert pool.room == 2
    gate.set()
    wait_until(lambda: all(job.done.is_set() for job in jobs), "all are done")
    wait_until(lambda: pool.room == 4 and not pool.running, "all count as before")
    pool.close()


def test_streams_that_have_given_their_connection_back_count_for_nothing(
    loop: asyncio.AbstractEventLoop,
) -> None:
    open_ = threading.local()
    pool = Pool(
        2, on_begin=lambda: setattr(open_, "is", True), holds=lambda: getattr(open_, "is"),
        release=lambda: setattr(open_, "is", False) or True,
    )  # fmt: skip
    gate = threading.Event()
    jobs = [Holder(pool, gate) for _ in range(9)]
    assert on_loop(loop, lambda: all(pool.submit(job, loop) for job in jobs))
    wait_until(lambda: all(job.begun.is_set() for job in jobs), "all run")
    assert pool.streams.count == 9
    assert pool.streams.holding <= 1
    gate.set()
    # No more of them live on than may have a connection when they serve views.
    wait_until(lambda: not pool.running and len(pool.threads) <= 2, "the others have ended")
    pool.close()


def test_a_stream_that_connects_gets_the_place_of_a_thread_that_has_ended(
    loop: asyncio.AbstractEventLoop,
) -> None:
    pool = Pool(2)
    gate, pages = threading.Event(), threading.Event()
    stream = Holder(pool, gate, again=True)
    busy = [Job(gate=pages), Job(gate=pages)]
    assert on_loop(loop, lambda: all(pool.submit(job, loop) for job in busy))
    wait_until(lambda: all(job.begun.is_set() for job in busy), "two views run")
    pages.set()
    wait_until(lambda: not pool.running, "both threads are idle")
    assert on_loop(loop, lambda: pool.submit(stream, loop))
    assert stream.connected.wait(20)
    assert pool.streams.holding == 1
    assert pool.connecting <= 2
    gate.set()
    wait_until(lambda: not pool.streams.holding, "it is over")
    pool.close()


def test_a_stream_that_waits_in_vain_for_a_connection_is_told(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CONNECT_SECONDS", 0.1)
    pool, gate = Pool(2), threading.Event()
    first, second = Holder(pool, gate, again=True), Holder(pool, gate, again=True)
    assert on_loop(loop, lambda: pool.submit(first, loop))
    assert first.connected.wait(20)
    assert on_loop(loop, lambda: pool.submit(second, loop))
    assert second.in_vain.wait(20)
    assert (pool.streams.holding, pool.streams.wanting) == (1, 0)
    gate.set()
    assert second.done.wait(20)
    pool.close()


def test_every_answer_is_heard_though_not_each_wakes_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    pool = Pool(4)
    heard: list[int] = []

    class Teller(Job):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def run(self) -> None:
            pool.tell(loop, heard.append, self.number)

    tellers = [Teller(number) for number in range(500)]
    on_loop(loop, lambda: all(pool.submit(teller, loop) for teller in tellers))
    wait_until(lambda: len(heard) == 500, "all are heard")
    assert sorted(heard) == list(range(500))
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a thread waits for")
def test_a_thread_tells_whether_it_waits_for_the_interpreter_a_lock_or_something_else() -> None:
    clocks: dict[str, ThreadClock] = {}
    lock, (reader, writer), over = threading.Lock(), os.pipe(), threading.Event()
    lock.acquire()

    def compute() -> None:
        while not over.is_set():
            pass

    def begin(name: str, work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            clocks[name] = ThreadClock()
            work()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    threads = [
        begin("computing", compute), begin("locked", lock.acquire), begin("reading", lambda: os.read(reader, 1)),
    ]  # fmt: skip
    wanted = {"computing": Wait.INTERPRETER, "locked": Wait.LOCK, "reading": Wait.OTHER}
    try:
        wait_until(lambda: len(clocks) == 3, "all three run")
        for name, wait in wanted.items():
            wait_until(lambda name=name, wait=wait: clocks[name].waits_for() is wait, f"it is seen {name}")  # type: ignore[misc]
    finally:
        over.set()
        lock.release()
        os.write(writer, b".")
        for thread in threads:
            thread.join()
        os.close(reader)
        os.close(writer)


def test_a_task_that_stands_in_line_for_a_cpu_is_not_old_for_that(loop: asyncio.AbstractEventLoop) -> None:
    """Workers that share a CPU took more threads, each with connections, as every page took long there."""
    core = min(os.sched_getaffinity(0))

    class Page(Job):
        def __init__(self, computes: float, *, is_seen: bool) -> None:
            super().__init__()
            self.computes, self.is_seen = computes, is_seen
            self.took = self.at_it = 0.0

        def run(self) -> None:
            thread = threading.current_thread()
            assert isinstance(thread, PoolThread)
            os.sched_setaffinity(0, {core})  # of this thread
            until = time.thread_time() + self.computes
            while time.thread_time() < until:
                if self.is_seen:
                    thread.spent(few=True)
            now = time.monotonic()
            self.took, self.at_it = now - thread.since, thread.at_it(now)
            super().run()

    neighbour = subprocess.Popen(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"]
    )
    pool = Pool(1)
    seen, unseen, after = Page(0.3, is_seen=True), Page(0.3, is_seen=False), Page(0.001, is_seen=True)
    try:
        for page in (seen, unseen, after):
            assert on_loop(loop, lambda page=page: pool.submit(page, loop))  # type: ignore[misc]
            assert page.done.wait(20)
    finally:
        neighbour.kill()
        neighbour.wait()
    assert 0.29 < seen.at_it < 0.8 * seen.took
    assert after.at_it >= 0  # what the one before it stood in line is not its own
    pool.close()
