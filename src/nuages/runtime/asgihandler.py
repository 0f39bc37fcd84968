"""Django's `ASGIHandler.handle` with fewer tasks and thread hops, for handlers that are Django's own.

What a project or an agent may have replaced is called as Django calls it: `read_body`, `create_request`,
`get_response_async`, `send_response`. Source: django/core/handlers/asgi.py, 3.2 to 6.1.
"""

from __future__ import annotations

import asyncio
import functools
import io
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

from nuages.runtime.loans import Loan, current_loan
from nuages.runtime.residence import BLOCK_BYTES
from nuages.runtime.segments import TRIP, Segment, Trip

_CLOSES_IN_SEND = (5, 0)  # before this version `send_response` closes the response
_CANCELS = (5, 0)  # since this version a view is cancelled when its client leaves


def is_own(handler: Any) -> bool:
    """Return whether an ASGI handler's `handle` is Django's own, neither overridden nor patched."""
    import django.core.handlers.asgi as module

    own: Any = module.ASGIHandler
    name = "handle" if hasattr(own, "handle") else "__call__"
    function = getattr(type(handler), name)
    return function is own.__dict__.get(name) and function.__globals__ is vars(module)


class Handling:
    """Answers requests for one ASGI handler of Django's."""

    def __init__(self, handler: Any) -> None:
        import django
        import django.core.handlers.asgi as module
        from asgiref.sync import sync_to_async
        from django.core import signals

        self._handler = handler
        self._kind = type(handler)
        self._module = module
        self._signals = signals
        self._version = django.VERSION[:2]
        self._hop = sync_to_async(lambda call: call(), thread_sensitive=True)
        self._begins_in_segment = isinstance(handler._middleware_chain, Segment)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        from django.core.exceptions import RequestAborted
        from django.urls import set_script_prefix

        handler = self._handler
        exchange = scope.get("nuages.exchange")
        try:
            body = await self._read_body(exchange, receive)
        except RequestAborted:
            return
        try:
            set_script_prefix(_script_prefix(handler, self._module, scope))
            loan = current_loan()
            trip = Trip()
            begin = functools.partial(self._signals.request_started.send, sender=self._kind, scope=scope)
            if loan is not None and _are_known(self._signals.request_started):
                loan.first = begin  # nothing but the state of that thread's connections
            elif self._begins_in_segment and handler.request_class is self._module.ASGIRequest:
                trip.begin = begin
            else:
                await self._hop(begin)
            request, refused = handler.create_request(scope, body)
            if request is None:
                if trip.begin is not None:
                    await self._hop(begin)
                await self._send(refused, send, exchange, loan)
                await self._close(refused, None, loan)
                return
            request.__dict__[TRIP] = trip
            await self._answer(request, receive, send, exchange, loan)
        finally:
            body.close()

    async def _read_body(self, exchange: Any, receive: Any) -> Any:
        if (
            exchange is not None
            and not exchange.request.has_body
            and self._is_stock("read_body")
            and getattr(receive, "__self__", None) is exchange.cycle
        ):
            return io.BytesIO()
        return await self._handler.read_body(receive)

    async def _answer(self, request: Any, receive: Any, send: Any, exchange: Any, loan: Loan | None) -> None:
        response = None
        departure = Departure(self._handler, exchange, receive) if self._version >= _CANCELS else None
        try:
            response = await self._get_response(request)
            await self._send(response, send, exchange, loan)
        except asyncio.CancelledError:
            if departure is None or not departure.is_over:
                raise
            departure.forget()
        finally:
            if departure is not None:
                departure.end()
        if response is not None:
            await self._close(response, request, loan)
        else:
            await self._finish(
                functools.partial(self._signals.request_finished.send, sender=self._kind), loan
            )

    async def _get_response(self, request: Any) -> Any:
        handler = self._handler
        run = getattr(handler, "run_get_response", None)
        if run is not None:
            return await run(request)
        response = await handler.get_response_async(request)
        response._handler_class = self._kind
        if isinstance(response, self._module.FileResponse):
            response.block_size = handler.chunk_size
        return response

    async def _send(self, response: Any, send: Any, exchange: Any, loan: Loan | None) -> None:
        handler = self._handler
        if not self._is_stock("send_response"):
            await handler.send_response(response, send)
            return
        if response.streaming:
            if loan is not None:
                loan.free()
            descriptor = _descriptor(response)
            if descriptor is None:
                await handler.send_response(response, send)
                return
            await send(_start(response))
            await _send_file(descriptor, send, exchange, response.headers.get("Content-Length", ""))
            return
        await send(_start(response))
        for chunk, last in handler.chunk_bytes(response.content):
            await send({"type": "http.response.body", "body": chunk, "more_body": not last})

    async def _close(self, response: Any, request: Any, loan: Loan | None) -> None:
        """Close a response unless `send_response` has done so already."""
        if self._version < _CLOSES_IN_SEND and (
            not self._is_stock("send_response") or (response.streaming and _descriptor(response) is None)
        ):
            return
        closers = getattr(response, "_resource_closers", None)
        plain = (
            closers == [] if request is None else closers == [request.close] and "_files" not in vars(request)
        )
        await self._finish(response.close, loan, plain=plain and _closes_plainly(response))

    async def _finish(self, call: Callable[[], Any], loan: Loan | None, *, plain: bool = True) -> None:
        """Call what sends request_finished: in the request's thread, or here if that has nothing to do.

        Connections that stay as they are get their look when the thread's next request begins.
        """
        if (
            plain
            and loan is not None
            and loan.is_settled
            and _are_known(self._signals.request_finished)
            and not _has_caches()
        ):
            loan.first = None
            call()
        else:
            await self._hop(call)

    def _is_stock(self, name: str) -> bool:
        function = getattr(self._kind, name)
        return name not in vars(self._handler) and function.__globals__ is vars(self._module)


class Departure:
    """Cancels a request's task when its client leaves, as Django has done since 5.0."""

    def __init__(self, handler: Any, exchange: Any, receive: Any) -> None:
        self._task: Any = asyncio.current_task()
        self._listener: asyncio.Task[None] | None = None
        self._exchange: Any = None
        self.is_over = False
        if exchange is not None and getattr(receive, "__self__", None) is exchange.cycle:
            self._exchange = exchange
            exchange.on_drop = self._leave
            if exchange.lost:
                self._leave()
        else:  # somebody stands between, and may have something to say
            self._listener = asyncio.ensure_future(handler.listen_for_disconnect(receive))
            self._listener.add_done_callback(self._heard)

    def _heard(self, listener: asyncio.Task[None]) -> None:
        if not listener.cancelled():
            listener.exception()
            self._leave()

    def _leave(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._task.cancel()

    def forget(self) -> None:
        """Note that the cancellation has done what it was for."""
        if sys.version_info >= (3, 11):
            self._task.uncancel()

    def end(self) -> None:
        """Cancel nothing from now on."""
        if self._exchange is not None:
            self._exchange.on_drop = None
        if self._listener is not None:
            self._listener.cancel()


def _script_prefix(handler: Any, module: Any, scope: Any) -> str:
    find = getattr(handler, "get_script_prefix", None) or module.get_script_prefix
    return str(find(scope))


def _are_known(signal: Any) -> bool:
    """Return whether a signal's receivers only see to the calling thread's connections, caches and URLconf."""
    from django.core.cache import close_caches
    from django.core.handlers.base import reset_urlconf
    from django.db import close_old_connections, reset_queries

    known = {id(close_old_connections), id(reset_queries), id(close_caches), id(reset_urlconf), "nuages"}
    return all(receiver[0][0] in known for receiver in signal.receivers)


def _has_caches() -> bool:
    """Return whether this request has used a cache, which may have something to close."""
    from django.core.cache import caches

    return any(hasattr(caches._connections, alias) for alias in caches)


def _closes_plainly(response: Any) -> bool:
    from django.http.response import HttpResponseBase

    return type(response).close is HttpResponseBase.close and not response.streaming


def _start(response: Any) -> dict[str, Any]:
    headers = [
        (name.encode("ascii") if isinstance(name, str) else bytes(name),
         value.encode("latin1") if isinstance(value, str) else bytes(value))
        for name, value in response.items()
    ]  # fmt: skip
    headers += [
        (b"Set-Cookie", cookie.output(header="").encode("ascii").strip())
        for cookie in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _descriptor(response: Any) -> int | None:
    """Return the descriptor of the regular file that a response is made of, None for other streams."""
    file = getattr(response, "file_to_stream", None)
    try:
        descriptor = file.fileno()  # type: ignore[union-attr]
        return int(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except (AttributeError, OSError, ValueError):
        return None


async def _send_file(descriptor: int, send: Any, exchange: Any, length: str) -> None:
    """Send a file from where it is, read by a thread; asgiref would collect the whole of it in memory.

    What is written behind its `length` meanwhile, to a log for instance, is no part of the answer.
    """
    left = int(length) if length.isdecimal() else None
    loop = asyncio.get_running_loop()
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    own = os.dup(descriptor)
    reading: Any = None
    try:
        while exchange is None or exchange.request.method != "HEAD":
            most = BLOCK_BYTES if left is None else min(BLOCK_BYTES, left)
            reading = loop.run_in_executor(None, os.pread, own, most, position)
            block = await asyncio.shield(reading)
            if not block:
                break
            position += len(block)
            left = None if left is None else left - len(block)
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        if reading is None or reading.done():
            os.close(own)
        else:  # cancelled while a thread reads: it must not find another file behind the number
            reading.add_done_callback(lambda _: os.close(own))
