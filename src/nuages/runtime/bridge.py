"""Django inside a customised ASGI application: its sync views in one hop to one of our threads, not in sixteen.

The wrapper around Django stays in force: it calls Django's ASGIHandler, and only that object's `handle` is ours.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from nuages.runtime.retirement import is_event_stream
from nuages.runtime.threads import Pool
from nuages.runtime.views import Views


class FullError(Exception):
    """The pool's queue is full, or it can have no thread."""


class _Call:
    """One call as a task of the pool."""

    __slots__ = ("after", "arguments", "call", "cancelled", "future", "keywords", "queued_at", "request")

    def __init__(
        self, call: Callable[..., Any], arguments: Any, keywords: Any, after: Callable[[], None] | None
    ) -> None:
        self.call, self.arguments, self.keywords = call, arguments, keywords
        self.after = after
        self.future: Future[Any] = Future()
        self.request: Any = None  # that it answers; see `overrun`
        self.queued_at = 0.0
        self.cancelled = False

    def run(self) -> None:
        """Run the call in the pool's thread."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call(*self.arguments, **self.keywords)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
        finally:
            if self.after is not None:
                self.after()

    def refuse(self) -> None:
        """Tell whoever waits for the future that no thread can be had."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(FullError())


class PoolExecutor(Executor):
    """The pool as asgiref wants it. `submit` belongs to the loop's thread."""

    def __init__(self, pool: Pool, after: Callable[[], None] | None = None) -> None:
        self.pool = pool
        self.after = after

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in a thread of the pool; raises FullError when too many wait already."""
        call = _Call(fn, args, kwargs, self.after)
        if not self.pool.submit(call, asyncio.get_running_loop()):
            raise FullError
        return call.future


class _Out:
    """An ASGI `send` for a thread."""

    def __init__(self, scope: Any, send: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.is_head = scope["method"] == "HEAD"
        self._exchange = scope.get("nuages.exchange")
        self._send = send
        self._loop = loop

    @property
    def is_lost(self) -> bool:
        """Return whether the client is gone."""
        return self._exchange is not None and bool(self._exchange.lost)

    def send(self, message: Any) -> None:
        """Send one message and wait until it is taken."""
        asyncio.run_coroutine_threadsafe(self._sending(message), self._loop).result()

    async def _sending(self, message: Any) -> None:
        await self._send(message)


class Bridge:
    """Answers sync views for one ASGIHandler. `executor` is set when the worker's pool is made."""

    def __init__(self) -> None:
        self.executor: PoolExecutor | None = None
        self.views: Views | None = None
        self._chain: Any = None

    def load(self) -> None:
        """Build the sync chain and read the URLconf; raises what the project's middleware and URLs raise."""
        from django.core.handlers.base import BaseHandler

        self.views = Views()
        chain = BaseHandler()
        chain.load_middleware()
        self._chain = chain

    def cross(self, handler: Any) -> None:
        """Let an ASGIHandler give its sync views to us."""

        async def handle(scope: Any, receive: Any, send: Any) -> None:
            if self._is_ours(scope):
                await self._handle(handler, scope, receive, send)
            else:
                await usual(scope, receive, send)

        async def call(_handler: Any, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and self._is_ours(scope):
                await self._handle(handler, scope, receive, send)
            else:
                await kind.__call__(handler, scope, receive, send)

        kind = type(handler)
        if hasattr(kind, "handle"):
            usual = handler.handle
            handler.handle = handle
        else:  # Django 3.2 does all in `__call__`, which Python looks up in the class
            handler.__class__ = type(kind.__name__, (kind,), {"__call__": call})

    def _is_ours(self, scope: Any) -> bool:
        if self.executor is None or self.views is None:
            return False
        return not self.views.is_async_path(_path_info(scope))

    async def _handle(self, handler: Any, scope: Any, receive: Any, send: Any) -> None:
        """Answer as `ASGIHandler.handle` does, with all of Django's sync code in one call."""
        from asgiref.sync import sync_to_async
        from django.core.exceptions import RequestAborted

        try:
            body = await handler.read_body(receive)
        except RequestAborted:
            return
        try:
            answer = sync_to_async(self._answer, thread_sensitive=False, executor=self.executor)
            out = _Out(scope, send, asyncio.get_running_loop())
            response = await answer(handler, scope, body, out)
            if response is None:
                return
            try:
                if response.streaming:
                    await self._until_gone(handler.send_response(response, send), receive)
                else:
                    await handler.send_response(response, send)
            finally:
                await sync_to_async(response.close, thread_sensitive=False, executor=self.executor)()
        except FullError:
            await _unavailable(send)
        finally:
            body.close()

    def _answer(self, handler: Any, scope: Any, body: Any, out: _Out) -> Any:
        """Run middleware and view (in the thread); return the response, None for a stream that is sent already."""
        from django.core import signals
        from django.db import close_old_connections
        from django.http import FileResponse
        from django.urls import set_script_prefix

        exchange = scope.get("nuages.exchange")
        task = getattr(threading.current_thread(), "task", None)
        if exchange is not None and isinstance(task, _Call):
            task.request = exchange.request
        set_script_prefix(scope.get("root_path", "") or "")
        signals.request_started.send(sender=type(handler), scope=scope)
        try:
            request, refused = handler.create_request(scope, body)
            if request is None:
                return refused
            set_script_prefix(request.script_name if hasattr(request, "script_name") else "")
            if exchange is not None:
                exchange.asked = request
            try:
                response = self._chain.get_response(request)
            finally:
                if exchange is not None:
                    exchange.resolved()
            response._handler_class = type(handler)
            if isinstance(response, FileResponse):
                response.block_size = handler.chunk_size
            # Nobody takes the body that a HEAD leaves out, and an endless async one would run until the client leaves.
            if response.streaming and (out.is_head or not getattr(response, "is_async", False)):
                self._stream(response, out)
                return None
            return response
        finally:
            # The response is closed in another thread perhaps; this one's connections are seen to here.
            if self.executor is not None and self.executor.after is not None:
                self.executor.after()
            close_old_connections()

    def _stream(self, response: Any, out: _Out) -> None:
        """Send a stream from the thread and the context that made it, and close it there."""
        try:
            out.send(
                {"type": "http.response.start", "status": response.status_code, "headers": _headers(response)}
            )
            if not out.is_head:
                is_events = is_event_stream(response.items())
                for part in response:
                    if out.is_lost:
                        return
                    out.send({"type": "http.response.body", "body": part, "more_body": True})
                    if self.executor is not None:
                        # It may wait for whatever comes next: events, a slow client.
                        self.executor.pool.streams.begin(is_long=is_events)
            out.send({"type": "http.response.body"})
        finally:
            response.close()

    async def _until_gone(self, sending: Any, receive: Any) -> None:
        """Send until all is sent or the client is gone, as Django does."""
        sender, gone = asyncio.ensure_future(sending), asyncio.ensure_future(receive())
        try:
            await asyncio.wait({sender, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, sender):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
        if not sender.cancelled():
            sender.result()


def _path_info(scope: Any) -> str:
    path, prefix = scope["path"], scope.get("root_path", "")
    return str(path[len(prefix) :] if prefix and path.startswith(prefix) else path)


def _headers(response: Any) -> list[tuple[bytes, bytes]]:
    found = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = (cookie.output(header="").strip() for cookie in response.cookies.values())
    return found + [(b"Set-Cookie", cookie.encode("ascii")) for cookie in cookies]


async def _unavailable(send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1"), (b"content-length", b"20")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Service Unavailable\n"})
