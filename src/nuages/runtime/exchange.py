"""One request and its answer on a connection: what all kinds have in common, and those that need no application."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nuages.runtime.response import plain, status_line

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request
    from nuages.runtime.static import Entry

BLOCK_BYTES = 256 << 10
_readers = ThreadPoolExecutor(4, "nuages-files")


class Exchange:
    """One request and its answer. `turn` is called once all answers before it are sent; then it may write.

    `status` is 0 until an answer began, `sent` counts body bytes, `queued` is the seconds without a thread.
    """

    is_async = False
    sees_end = False
    """Whether the end of the client's stream means that it is gone, as ASGI servers take it."""

    # Class attributes are the values at the start: one request sets few of them.
    route = ""
    response: Any = None
    stream: Any = None
    events_end: bytes | None = None
    """What ends the answer early if it is an event stream; None while it is none."""
    status = 0
    sent = 0
    queued = 0.0
    slot: int | None = None
    ended = False
    received = False
    had_turn = False
    lost = False

    def __init__(
        self, connection: Connection, request: Request | None, client: Client | None, identity: str
    ) -> None:
        self.connection = connection
        self.hub = connection.hub
        self.loop = connection.loop
        self.request: Any = request
        self.client: Any = client
        self.request_id = identity
        self.began = time.monotonic()

    def turn(self) -> None:
        """Answer: the client waits for this one now."""
        raise NotImplementedError

    def feed(self, data: bytes) -> None:
        """Take a piece of the request's body."""

    def complete(self) -> None:
        """Note that the whole request has come."""
        self.received = True

    def drop(self) -> None:
        """Note that the client is gone."""
        self.lost = True

    def withdraw(self) -> bool:
        """Give the answer up for one of the connection's; return False when it has begun already."""
        self.lost = True
        return not self.status

    def expired(self, now: float) -> bool:
        """Return whether a limit on this exchange's time is over, having dealt with it; `now` is monotonic."""
        del now
        return False

    def writable(self) -> None:
        """Note that the client has taken what was written."""

    def begin(self) -> None:
        """Note on the board that the request is being answered."""
        path = self.request.path.decode("latin-1")
        self.slot = self.hub.board.begin(self.request.method, path, self.request_id)

    def end(self) -> None:
        """Take it off the board, count it and write the access log; once."""
        if self.ended:
            return
        self.ended = True
        if self.slot is not None:
            self.hub.board.end(self.slot)
            self.slot = None
        duration = time.monotonic() - self.began
        self._count(duration)
        request = self.request
        if request is None or not self.hub.logs_access:
            return
        path = request.path.decode("latin-1")
        self.hub.log.access(
            method=request.method, path=unquote(path) if "%" in path else path, query=request.query.decode("latin-1"),
            route=self.route, status=self.status or 499, sent=self.sent, duration=duration,
            queued=self.queued, client=self.client.address, request_id=self.request_id, user="",
        )  # fmt: skip

    def _count(self, seconds: float) -> None:
        request = self.request
        method = request.method if request is not None else ""
        self.hub.count(method, self.route, self.status, seconds, self.queued, self.sent)


class Refusal(Exchange):
    """A request that is not served: a status of our own, then the connection ends."""

    def __init__(
        self,
        connection: Connection,
        status: int,
        request: Request | None = None,
        client: Client | None = None,
    ) -> None:
        super().__init__(connection, request, client, "-")
        self.answer = status

    def turn(self) -> None:
        """Answer with the status and close."""
        extra = "retry-after: 1\r\n" if self.answer == 503 else ""
        body = self.request is None or self.request.method != "HEAD"
        self.status = self.answer
        data = plain(
            self.answer,
            keep_alive=False,
            defaults=self.connection.server_state.default_headers,
            extra=extra,
            body=body,
        )
        self.sent = len(data)
        self.connection.transport.write(data)
        self.connection.done(self, keep_alive=False)


class StaticExchange(Exchange):
    """A file of the index: prepared bytes at once, a large one block by block as the client takes it."""

    def __init__(
        self, connection: Connection, request: Request, client: Client, identity: str, entry: Entry
    ) -> None:
        super().__init__(connection, request, client, identity)
        self.entry = entry
        self.waiting = False

    def turn(self) -> None:
        """Answer once the whole request has come, or at once to a client that waits to be asked for its body."""
        if not self.received and not self.request.expects_continue:
            self.waiting = True
            return
        request, connection = self.request, self.connection
        reply = self.hub.site.files.answer(self.entry, request.method, request.fields)
        self.status = reply.status
        keep_alive = self.received and connection.keeps(request.keep_alive)
        head = (
            b"HTTP/1.1 "
            + _status_lines(reply.status)
            + self.hub.defaults(connection.server_state)
            + reply.head
        )
        if not keep_alive:
            head += b"connection: close\r\n"
        elif request.version == "1.0":
            head += b"connection: keep-alive\r\n"
        if reply.body is None:
            send_file(self, head + b"\r\n", reply.path, reply.start, reply.stop, keep_alive=keep_alive)
            return
        body = reply.body
        if request.method == "HEAD":
            body = b""
        connection.transport.write(head + b"\r\n" + body)
        self.sent = len(body)
        connection.done(self, keep_alive=keep_alive)

    def complete(self) -> None:
        """Answer if it is its turn."""
        super().complete()
        if self.waiting:
            self.waiting = False
            self.turn()

    def _count(self, seconds: float) -> None:
        del seconds  # what an answer out of memory takes tells nothing
        self.hub.count_static(self.status, self.sent)


_lines: dict[int, bytes] = {}


def _status_lines(status: int) -> bytes:
    line = _lines.get(status)
    if line is None:
        line = _lines[status] = status_line(status).encode() + b"\r\n"
    return line


def send_file(
    exchange: Exchange, head: bytes, file: str | int, start: int, stop: int, *, keep_alive: bool
) -> None:
    """Send `head` and then bytes `start` to `stop` of a file, given by path or as a descriptor that is ours.

    The file is read by a thread and goes through the transport, never beside it. It ends by itself when the client is
    gone: cancelled, it would lose a descriptor that is just being opened, or close one that is just being read.
    """
    connection = exchange.connection
    task = exchange.loop.create_task(_send_file(exchange, head, file, start, stop, keep_alive=keep_alive))
    connection.server_state.tasks.add(task)
    task.add_done_callback(connection.server_state.tasks.discard)


async def _send_file(
    exchange: Exchange, head: bytes, file: str | int, start: int, stop: int, *, keep_alive: bool
) -> None:
    connection, loop = exchange.connection, exchange.loop
    descriptor = file if isinstance(file, int) else -1
    try:
        if isinstance(file, str):
            descriptor = await loop.run_in_executor(_readers, os.open, file, os.O_RDONLY | os.O_CLOEXEC)
        if exchange.lost:
            return
        connection.transport.write(head)
        position = start
        while position < stop:
            block = await loop.run_in_executor(
                _readers, os.pread, descriptor, min(BLOCK_BYTES, stop - position), position
            )
            if exchange.lost:
                return
            if not block:
                break  # it was cut while we sent it: only closing tells the client
            connection.transport.write(block)
            position += len(block)
            exchange.sent += len(block)
            await connection.flow.drain()
            if exchange.lost:
                return
        connection.done(exchange, keep_alive=keep_alive and position == stop)
    except OSError as error:
        exchange.hub.log.event("error", "static", f"a file cannot be read: {error}")
        exchange.status = exchange.status if exchange.sent else 500
        if not exchange.lost:
            if descriptor < 0:
                connection.transport.write(plain(500, keep_alive=False, defaults=[]))
            connection.done(exchange, keep_alive=False)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
