"""One request and its answer on a connection: what all kinds have in common, and those that need no application."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nuages.runtime.response import plain

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request
    from nuages.runtime.transfer import Transfer


class Exchange:
    """One request and its answer. `turn` is called once all answers before it are sent; then it may write.

    `status` is 0 until an answer began, `sent` counts body bytes, `queued` is the seconds without a thread.
    """

    is_async = False
    sees_end = False
    """Whether the end of the client's stream means that it is gone, as ASGI servers take it."""

    # Class attributes are the values at the start: one request sets few of them.
    route = ""
    asked: Any = None
    """Django's request while it is answered: what is cut short meanwhile has its route from there."""
    response: Any = None
    stream: Any = None
    events_end: bytes | None = None
    """What ends the answer early if it is an event stream; None while it is none."""
    transfer: Transfer | None = None
    """The file that is being sent."""
    status = 0
    sent = 0
    queued = 0.0
    slot: int | None = None
    incoming: int | None = None
    """What the board knows it by while its body comes and nobody has begun to answer."""
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
        if self.incoming is not None:
            self._arrived()
        if self.transfer is not None:
            self.transfer.cancel()
            self.end()

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

    def ends_with_connection(self, *, whole: bool) -> None:
        """Say whether an answer is whole whose end is that of its connection, which is reset until then.

        HTTP/1.0 has no chunks: an orderly end, as that of a process that is killed too, says that this was all (RFC
        9112, section 6.3). A Unix socket cannot be reset.
        """
        sock = self.connection.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # the client is gone
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", not whole, 0))

    def awaits_body(self) -> None:
        """Note on the board that the request is here and the rest of its body is not: who dies now has lost it."""
        request = self.request
        if self.slot is None and self.incoming is None and not (self.ended or self.lost):
            self.incoming = self.hub.board.awaits(request.method, request.path, self.request_id)

    def begin(self) -> None:
        """Note on the board that the request is being answered."""
        request = self.request
        if self.incoming is not None:
            self._arrived()
        self.slot = self.hub.board.begin(request.method, request.path, self.request_id)

    def resolved(self) -> None:
        """Take the route from Django's request, and let go of that: it leads back here. For any thread."""
        asked, self.asked = self.asked, None
        if asked is not None and asked.resolver_match is not None:
            self.route = asked.resolver_match.route or "/"

    def end(self) -> None:
        """Take it off the board, count it and write the access log; once."""
        if self.ended:
            return
        self.ended = True
        if self.asked is not None:
            self.resolved()
        if self.slot is not None:
            self.hub.board.end(self.slot)
            self.slot = None
        if self.incoming is not None:
            self._arrived()
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

    def _arrived(self) -> None:
        incoming, self.incoming = self.incoming, None
        self.hub.board.arrived(incoming)

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
