"""A request that goes to the ASGI application, through uvicorn's own request cycle."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from nuages.runtime import shrinking
from nuages.runtime.exchange import Exchange
from nuages.runtime.handover import hand_over
from nuages.runtime.retirement import event_stream_end
from nuages.runtime.scope import build_scope
from nuages.runtime.xsendfile import FIELDS, Named

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request

LOOP_BYTES = 16 << 10  # compressed on the loop at most; a millisecond and less
_logger = logging.getLogger("uvicorn.error")


def _start_eagerly(
    coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop
) -> asyncio.Task[None]:
    """Run a coroutine up to where it first waits, now: each round of the loop may have to wait for the interpreter."""
    return asyncio.Task(coroutine, loop=loop, eager_start=True)  # type: ignore[call-arg]


def _start(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    return loop.create_task(coroutine)


start_task = _start_eagerly if sys.version_info >= (3, 12) else _start


class Cycle(RequestResponseCycle):
    """uvicorn's cycle, which also tells its exchange what it sends."""

    exchange: AsyncExchange
    packer: shrinking.Stream | None = None
    ends_with_connection = False
    """Whether that is how the client knows that the answer is whole: HTTP/1.0 has no chunks (RFC 9112, section 6.1)."""

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        exchange = self.exchange
        if exchange.named is not None:
            # The file stands for the body; the application need not wait until it is sent.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.response_complete = True
                self.message_event.set()
                exchange.hand_over()
            return
        if message["type"] == "http.response.start":
            if message["status"] == 200 and exchange.leaves_body(message.get("headers", ())):
                self.response_started = True
                return
            exchange.status = message["status"]
            version = exchange.request.version
            exchange.events_end = event_stream_end(message.get("headers", ()), chunked=version == "1.1")
            if not exchange.connection.keeps(keep_alive=True):
                self.keep_alive = False
                # Before 0.53 uvicorn says so only to a client that has asked for it.
                self.default_headers = [*self.default_headers, (b"connection", b"close")]
            if not any(name.lower() == b"x-request-id" for name, _ in message.get("headers", ())):
                self.default_headers = [
                    *self.default_headers,
                    (b"x-request-id", exchange.request_id.encode()),
                ]
            if exchange.hub.settings.gzip:
                message = self._shrunk(message)
            if version == "1.0":
                self._leave_chunks(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            if exchange.request.method != "HEAD":
                if self.packer is not None:
                    message = await self._packed(self.packer, message)
                exchange.sent += len(message.get("body", b""))
            self._note_piece(message)
        await super().send(message)
        if exchange.lost or self.transport.is_closing():
            # Nothing waits for the client any more: a generator that awaits nothing else would hold the loop for ever.
            await asyncio.sleep(0)

    def _leave_chunks(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Have an answer without a length end with the connection."""
        if not any(name.lower() == b"content-length" for name, _ in headers):
            self.ends_with_connection, self.chunked_encoding = True, False
            self.exchange.ends_with_connection(whole=False)

    def _note_piece(self, message: Any) -> None:
        if self.ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))
        if not message.get("more_body", False):
            # The connection closes itself: it knows what has come behind this request.
            self.exchange.keep_alive, self.keep_alive = self.keep_alive, True
            if self.ends_with_connection:
                self.exchange.ends_with_connection(whole=True)

    def _shrunk(self, message: Any) -> Any:
        """Return the start of an answer with the fields that it has when it is compressed."""
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
        ]
        fields = shrinking.shrunk(self.exchange.request.fields, message["status"], headers, None)
        if fields is not None:
            self.packer = shrinking.Stream()
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields or headers]
        return {**message, "headers": pairs}

    async def _packed(self, packer: shrinking.Stream, message: Any) -> Any:
        """Return a piece of the answer compressed; a large one by a thread, so that nobody waits for it."""
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        if len(body) > LOOP_BYTES:
            pack = functools.partial(packer.piece, body, is_last=is_last)
            packed = await self.exchange.loop.run_in_executor(None, pack)
        else:
            packed = packer.piece(body, is_last=is_last) if body or is_last else b""
        return {**message, "body": packed}


class AsyncExchange(Exchange):
    """Answered on the loop by the ASGI application; its body is not buffered but handed on as it comes."""

    is_async = True
    sees_end = True
    named: Named | None = None
    """The file that the application wants to be sent, and the fields that go with it."""
    headers: list[tuple[str, str]]
    keep_alive = False
    """Whether the connection goes on after this answer, as its head has said."""
    _waits = False
    on_drop: Callable[[], None] | None = None
    """What the one who answers wants called when the client is gone."""

    def __init__(self, connection: Connection, request: Request, client: Client, identity: str) -> None:
        super().__init__(connection, request, client, identity)
        self.size = 0
        self.cycle = Cycle(
            scope=build_scope(self),  # type: ignore[arg-type]
            transport=connection.transport,
            flow=connection.flow,
            logger=_logger,
            access_logger=_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=request.expects_continue,
            keep_alive=request.keep_alive and request.version != "1.0",
            on_response=self._answered,
        )
        self.cycle.exchange = self

    def turn(self) -> None:
        """Start the application, if there is no body, once the whole request has come."""
        self.begin()
        self.hub.pool.haste.asked(self.began)
        if self.received or self.request.has_body:
            self._start()
        else:
            self._waits = True

    def _start(self) -> None:
        connection = self.connection
        answering = self.hub.pool.haste.unhurried(self.cycle.run_asgi(self.hub.asgi))
        task = start_task(answering, self.loop)
        if task.done():
            self._finished(task)
            return
        connection.server_state.tasks.add(task)
        task.add_done_callback(connection.server_state.tasks.discard)
        task.add_done_callback(self._finished)

    def leaves_body(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether the application has named a file for us to send, and note it."""
        for name, value in headers:
            field = name.lower().decode("latin-1")
            if field in FIELDS:
                self.named = self.hub.named_file(field, value.decode("latin-1"))
                if self.named is not None:
                    self.headers = [
                        (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers
                    ]
                    return True
        return False

    def hand_over(self) -> None:
        """Send the file that the application has named."""
        assert self.named is not None
        if self.lost:
            self.end()
        else:
            hand_over(self, self.named, self.headers)

    def feed(self, data: bytes) -> None:
        """Hand a piece of the body on; too much of it for the application stops the client."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += data
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.connection.flow.pause_reading()
        cycle.message_event.set()

    def complete(self) -> None:
        """Tell the application that the body is whole."""
        super().complete()
        self.cycle.more_body = False
        self.cycle.message_event.set()
        if self._waits:
            self._waits = False
            self._start()

    def drop(self) -> None:
        """Tell the application that the client is gone."""
        super().drop()
        if not self.cycle.response_complete:
            self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.on_drop is not None:
            self.on_drop()

    def withdraw(self) -> bool:
        """Cut the application off, so that the connection can answer by itself."""
        begun = self.cycle.response_started
        self.drop()
        return not begun

    def _answered(self) -> None:
        self.connection.done(self, keep_alive=self.keep_alive)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        """Close the books where no answer was completed: the client left, or the application broke off."""
        del task
        if self.named is None or not self.cycle.response_complete:
            self.end()
