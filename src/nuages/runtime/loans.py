"""Threads on loan to async requests: a reserve of their own, whose database connections outlive the requests.

asgiref runs all thread-sensitive code of one request in one thread; left alone it makes a new one for each request, and
Django with it a new database connection. Here a request borrows a thread when it first needs one and gives it back at
its end, or when its answer begins to stream. The most recently returned thread is lent first.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any

from nuages.runtime.connections import active, are_settled, close_connections, left_open
from nuages.runtime.poolthread import leave_heirs
from nuages.runtime.proxies import Proxies
from nuages.runtime.staff import COLD_SECONDS, IDLE_SECONDS, Staff

MOST_THREADS = 64


class Call:
    """One call in a lent thread, after `first` if that is not None; `done` is called behind it."""

    __slots__ = ("call", "done", "first", "future")

    def __init__(
        self, call: Callable[[], Any], first: Callable[[], Any] | None, done: Callable[[], None]
    ) -> None:
        self.call, self.first, self.done = call, first, done
        self.future: Future[Any] = Future()

    def run(self) -> None:
        """Call it in the thread."""
        if self.future.set_running_or_notify_cancel():
            try:
                if self.first is not None:
                    self.first()
                result = self.call()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
                self._finish(self.future.set_exception, error)
            else:
                self._finish(self.future.set_result, result)
        else:
            self.done()

    def _finish(self, tell: Callable[[Any], None], outcome: Any) -> None:
        # Before the loop is woken: what it does next may be to end the request, and then the thread is free.
        self.done()
        tell(outcome)


class LentThread(threading.Thread):
    """One thread of the reserve."""

    def __init__(self, reserve: Reserve, number: int) -> None:
        super().__init__(name=f"nuages-async-{number}", daemon=True)
        self.reserve = reserve
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Work until idle for long, then give back what the thread holds."""
        active.exchange = None
        leave_heirs()
        while call := self._next():
            call.run()
            del call
        close_connections()

    def _next(self) -> Call | None:
        try:
            return self.calls.get(timeout=COLD_SECONDS)
        except queue.Empty:
            pass
        if self.reserve.is_cold(self):
            close_connections()
        try:
            return self.calls.get(timeout=self.reserve.idle_seconds)
        except queue.Empty:
            return None if self.reserve.retire(self) else self.calls.get()


class Reserve(Staff[LentThread]):
    """The threads that are lent, at most `room()`; requests beyond that wait for one. Safe from any thread.

    `grown` is called after each new one. Both are called with the lock held.
    """

    def __init__(self, most: int = MOST_THREADS, idle_seconds: float = IDLE_SECONDS) -> None:
        # Loans are also ended by the garbage collector, which may come by while the lock is held.
        super().__init__(threading.RLock(), idle_seconds)
        self.room: Callable[[], int] = lambda: most
        self.grown: Callable[[], None] = lambda: None
        self.mend: Callable[[], None] = lambda: None
        self.waiting: deque[Loan] = deque()
        self._made = 0

    def take(self) -> LentThread | None:
        """Return a thread, None when all are lent; the lock is held. RuntimeError: there is none, and can be none."""
        if self._idle:
            return self._idle.pop()
        if len(self.threads) >= self.room():
            return None
        self._made += 1
        thread = LentThread(self, self._made)
        try:
            thread.start()
        except RuntimeError:  # a limit of threads; who has one gives it back
            if self.threads:
                return None
            raise
        self.threads.add(thread)
        self.grown()
        return thread

    def serve_waiting(self) -> None:
        """Give threads to those who wait, as far as there is room for more by now."""
        with self.lock:
            while self.waiting and (thread := self.take()) is not None:
                self.waiting.popleft().receive(thread)

    def give_back(self, thread: LentThread) -> None:
        """Take a thread back, or hand it to who waits for one; the lock is held.

        It ends where there is no more room for so many.
        """
        if len(self.threads) > self.room():
            self.threads.discard(thread)
            thread.calls.put(None)
        elif self.waiting:
            self.waiting.popleft().receive(thread)
        else:
            self._idle.append(thread)

    def close(self) -> None:
        """Let every idle thread close its connections and end."""
        for thread in self.dismiss_idle():
            thread.calls.put(None)


class Loan(Executor):
    """What asgiref takes for the one thread of a request: borrowed at the first call, and given back by `end`.

    `first` runs in the thread before the first call. A task that outlives its request may go on calling: then it
    borrows a thread again, for as long as it lives.
    """

    def __init__(self, reserve: Reserve) -> None:
        self.first: Callable[[], Any] | None = None
        self._settled = True
        self._reserve = reserve
        self._thread: LentThread | None = None
        self._running = 0
        self._ends = self._astray = False
        self._pending: list[Call] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in the borrowed thread, after those before it."""
        first, self.first = self.first, None
        call = Call((lambda: fn(*args, **kwargs)) if args or kwargs else fn, first, self._done)
        reserve = self._reserve
        with reserve.lock:
            self._running += 1
            if self._thread is None and not self._pending:
                self._thread = reserve.take()
            if self._thread is None:
                if not self._pending:
                    reserve.waiting.append(self)
                self._pending.append(call)
            else:
                self._thread.calls.put(call)
        return call.future

    def receive(self, thread: LentThread) -> None:
        """Go on with a thread that has become free; the lock is held."""
        self._thread = thread
        pending, self._pending = self._pending, []
        for call in pending:
            thread.calls.put(call)

    @property
    def is_settled(self) -> bool:
        """Whether nothing runs, and Django would close none of the thread's connections now."""
        return self._settled and not self._running

    def free(self) -> None:
        """Give the thread back for now, if nothing runs in it."""
        with self._reserve.lock:
            self._return()

    def end(self) -> None:
        """Give the thread back, as soon as nothing runs in it."""
        with self._reserve.lock:
            self._ends = True
            self._return()
            # Who calls from now on has outlived the request, and ends when it is forgotten.
            self._ends = self._running > 0

    def _done(self) -> None:
        """Note, in the thread, that a call is done."""
        self._settled = are_settled()
        self._astray = not self._settled and bool(left_open())
        with self._reserve.lock:
            self._running -= 1
            if self._ends:
                self._return()

    def _return(self) -> None:
        if self._thread is not None and not self._running:
            thread, self._thread = self._thread, None
            if self._astray:
                self._astray = False
                thread.calls.put(Call(self._reserve.mend, None, lambda: None))
            self._reserve.give_back(thread)

    def __del__(self) -> None:
        """Give back what a task that outlived its request had borrowed."""
        if self._thread is not None:
            self.free()


class Lender:
    """Gives each HTTP request of an ASGI application a loan of its own; WebSockets get none."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self.reserve = Reserve()

    def lending(self, app: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
        """Return `app` with a loan for each HTTP request.

        asgiref has `ThreadSensitiveContext(executor=…)` for this since 3.13, but then a task that outlives its
        request can call nothing: so it is done here as before, through the mapping that both have.
        """
        from asgiref.sync import SyncToAsync, ThreadSensitiveContext

        executors: Any = SyncToAsync.context_to_thread_executor
        current = SyncToAsync.thread_sensitive_context

        async def application(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                scope = self._forwarded(scope) if scope["type"] == "websocket" else scope
                await app(scope, receive, send)
                return
            loan = Loan(self.reserve)
            context = ThreadSensitiveContext()
            executors[context] = loan
            current.set(context)  # for this request's task and those that it starts
            try:
                await app(scope, receive, send)
            finally:
                loan.end()

        return application

    def _forwarded(self, scope: Any) -> Any:
        """Return a WebSocket's scope with the client that trusted proxies tell; uvicorn made it from the peer."""
        secure = scope["scheme"] == "wss"
        peer = tuple(scope.get("client") or ("", 0))
        client = self._proxies.client(peer, "https" if secure else "http", dict(scope["headers"]))
        known = (client.address, client.port) if client.address else None
        headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
        scheme = "wss" if client.scheme == "https" else "ws"
        return {**scope, "client": known, "scheme": scheme, "headers": headers}


def current_loan() -> Loan | None:
    """Return the loan of the request that is being answered, or None."""
    from asgiref.sync import SyncToAsync

    context = SyncToAsync.thread_sensitive_context.get(None)
    loan = SyncToAsync.context_to_thread_executor.get(context) if context is not None else None
    return loan if isinstance(loan, Loan) else None
