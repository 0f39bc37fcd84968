"""An async stream that came out of a sync chain, consumed by whoever holds the response.

Django would collect it into a list first, and an endless one for ever. The loop iterates it where we hold the response
itself; where the project's wrapper does, its thread pulls the pieces from the loop one by one.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any

from nuages.runtime.retirement import ends_with

if TYPE_CHECKING:
    from nuages.runtime.response import Head
    from nuages.runtime.sending import Sending


class AsyncStream:
    """The content of a streaming response: `source` for the loop, iteration for a thread."""

    def __init__(self, source: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.source = source
        self._loop = loop
        self._pulling: Future[Any] | None = None
        self._pulled = self._over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next piece, in a thread; ends early when the client has left."""
        if self._over:
            raise StopIteration
        self._pulled = True
        try:
            return bytes(self._run(anext(self.source)))
        except (StopAsyncIteration, CancelledError):
            self._over = True
            raise StopIteration from None

    def _run(self, coroutine: Any) -> Any:
        self._pulling = asyncio.run_coroutine_threadsafe(_awaited(coroutine), self._loop)
        return self._pulling.result()

    def cancel(self) -> None:
        """Wake the thread that waits for a piece: nobody wants it any more. Called on the loop."""
        self._over = True
        if self._pulling is not None:
            self._pulling.cancel()

    def close(self) -> None:
        """Close the source where a thread has begun it; Django calls this when the response is closed."""
        self._over = True
        close = getattr(self.source, "aclose", None)
        if self._pulled and close is not None:
            self._run(close())


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def adapt(response: Any, loop: asyncio.AbstractEventLoop) -> AsyncStream | None:
    """Make a response with an async stream iterable by threads; return the stream, None for other responses."""
    if not response.streaming or not getattr(response, "is_async", False):
        return None
    stream = AsyncStream(response.streaming_content, loop)
    response.streaming_content = stream
    return stream


async def send_stream(exchange: Sending, head: Head) -> bool:
    """Send a sync chain's async stream; return whether it came to its end, and the client has what its head says.

    What goes beyond a Content-Length would be taken for the next answer: the stream ends there.
    """
    connection, left = exchange.connection, head.length
    if exchange.lost:
        return False
    source = exchange.stream.source
    exchange.status = head.status
    exchange.events_end = ends_with(head.data)
    connection.transport.write(head.data)
    if head.is_endless:
        exchange.ends_with_connection(whole=False)
    try:
        try:
            async for chunk in source:
                if not chunk:
                    continue
                if exchange.lost:
                    return False
                data = bytes(chunk)
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                    if not data:
                        break
                exchange.sent += len(data)
                connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if head.chunked else data)
                await connection.flow.drain()
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
    except Exception as error:  # noqa: BLE001 - the project's generator failed; the head is out already
        _log(exchange, error)
        return False
    return not left


async def end_stream(exchange: Sending, head: Head, result: Any, *, whole: bool) -> None:
    """Close the response of an async stream in a thread, as Django's ASGI handler does, and end the answer.

    A client that leaves cancels what sends the stream, and never this.
    """
    connection = exchange.connection
    try:
        await exchange.loop.run_in_executor(None, result.close)
    except Exception as error:  # noqa: BLE001 - whatever the project does at its end
        _log(exchange, error)
    finally:
        if exchange.lost:
            exchange.end()
        else:
            if whole and head.chunked:
                connection.transport.write(b"0\r\n\r\n")
            elif whole and head.is_endless:
                exchange.ends_with_connection(whole=True)
            connection.done(exchange, keep_alive=head.keep_alive and whole)


def _log(exchange: Sending, error: Exception) -> None:
    text = "".join(traceback.format_exception(error)).rstrip()
    exchange.hub.log.event("error", "application", text, request_id=exchange.request_id)
