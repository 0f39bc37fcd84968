"""A WebSocket: uvicorn's protocol, given a connection that was ours, and ended so that its client hears why.

It stands on the board until its connection is lost, or the kernel has all that its client is to read.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from nuages.runtime.request import request_id

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.request import Request
    from nuages.runtime.scoreboard import Board

LONGEST_PARTING = 5.0  # seconds that what a client goes on to send is thrown away
LOOK_SECONDS = 0.1  # between two looks at what has come


def begin(connection: Connection, request: Request, rest: bytes, transport: asyncio.Transport) -> Any:
    """Let uvicorn go on with a connection and return its protocol; `rest` came behind the head."""
    protocol = _ours(connection.config.ws_protocol_class)(
        config=connection.config, server_state=connection.server_state, app_state=connection.app_state
    )
    protocol.connection_made(transport)
    protocol.data_received(request.head() + rest)
    transport.set_protocol(protocol)
    protocol.note(connection.hub.board, request.path, request_id(request.fields))
    return protocol


class Socket:
    """What is ours of a WebSocket; the rest is uvicorn's, which is a base class beside this one."""

    transport: Any
    _board: Board | None = None
    _slot = -1

    def note(self, board: Board, path: bytes, identity: str) -> None:
        """Let the board know that it is open."""
        self._board, self._slot = board, board.opened(path, identity)

    def settle(self) -> None:
        """Take it off the board; once."""
        board, self._board = self._board, None
        if board is not None:
            board.closed(self._slot)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is gone."""
        self.settle()
        super().connection_lost(exc)  # type: ignore[misc]

    def part(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        """Close with 1012; a client that sends nothing for so many seconds is not waited for. Called once."""
        self.transport = Parting(self, self.transport, loop, seconds)
        self.shutdown()  # type: ignore[attr-defined]


@functools.cache
def _ours(kind: type) -> Any:
    return type("NuagesWebSocket", (Socket, kind), {})


class Parting(asyncio.Protocol):
    """Stands between a WebSocket that is to end and its transport, as each of them for the other.

    To its transport it is the protocol: what comes is thrown away. The kernel answers data that nobody reads with a
    reset, which takes the close frame away from its client; so our side ends first (RFC 6455, section 7.1.1), and the
    connection when the client ends its own, or sends nothing for a moment, or after LONGEST_PARTING.
    """

    def __init__(
        self, protocol: Any, transport: Any, loop: asyncio.AbstractEventLoop, seconds: float
    ) -> None:
        self._protocol, self._below, self._loop, self._seconds = protocol, transport, loop, seconds
        self._closing = False
        self._until = self._quiet_since = 0.0

    # As the transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def is_closing(self) -> bool:
        """Return whether no more is taken."""
        return self._closing or bool(self._below.is_closing())

    def write(self, data: bytes) -> None:
        """Send data, but nothing behind the end."""
        if not self._closing:
            self._below.write(data)

    def close(self) -> None:
        """End our side, and the other when the client had its chance to do so.

        TLS has no halves, and the loop's own goes through its end with the client.
        """
        if self.is_closing():
            return
        self._closing = True
        if not self._below.can_write_eof():
            self._below.close()
            return
        self._below.write_eof()
        self._below.set_protocol(self)
        self._below.resume_reading()
        self._quiet_since = self._loop.time()
        self._until = self._quiet_since + LONGEST_PARTING
        self._look()

    # As the protocol

    def data_received(self, data: bytes) -> None:
        """Throw it away."""
        del data
        self._quiet_since = self._loop.time()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._protocol.connection_lost(exc)

    def _look(self) -> None:
        """Close where the client had its time; all that is written is sent even so."""
        if self._below.is_closing():
            return
        now = self._loop.time()
        if self._below.get_write_buffer_size():
            self._quiet_since = now
        else:
            self._protocol.settle()
        if now >= min(self._until, self._quiet_since + self._seconds):
            self._below.close()
        else:
            self._loop.call_later(LOOK_SECONDS, self._look)
