"""How a worker's connections come to their end, so that no client finds one closed under its request.

A worker that is replaced has time: kept-alive connections live as long as they would have, and say with their next
answer that it is the last; WebSockets and answers that have begun go on while the worker lingers. A worker of a
server that stops has none: idle connections get a moment, WebSockets close with 1012 (RFC 6455, section 7.4.1).
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import termios
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any
from weakref import WeakKeyDictionary

POLL_SECONDS = 0.02  # between two looks at what is still open
LINGERING_POLL = 0.25  # the same, when only what takes long is left
TOLD_AFTER = 1.0  # seconds, when nobody has to wait for the end of what soon ends by itself


class State(Enum):
    """What a connection is at."""

    IDLE = "idle"  # nothing of a request has come that is not answered
    BUSY = "busy"  # somebody waits for an answer to begin
    UPLOAD = "upload"  # a request's body is still coming
    STREAM = "stream"  # an answer has begun and is not complete
    SOCKET = "socket"  # it is a WebSocket


def state_of(connection: Any) -> State:
    """Return what a connection is at: one of ours, or uvicorn's WebSocket protocol."""
    exchanges = getattr(connection, "exchanges", None)
    if exchanges is None:
        return State.SOCKET
    if connection.idle:
        return State.IDLE
    if len(exchanges) != 1:
        return State.BUSY
    if exchanges[0].status:
        return State.STREAM
    return State.UPLOAD if exchanges[0].request is not None and not exchanges[0].received else State.BUSY


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to retire. `last`: the server stops, and nobody accepts what waits in the queues.

    `idle` is how many seconds idle connections are kept, infinity: as long as ever. `lingers`: WebSockets, uploads and
    begun answers go on. `streams` is how many seconds event streams go on otherwise.
    """

    last: bool = True
    idle: float = 1.0
    lingers: bool = False
    streams: float = inf


class Retirement:
    """Ends connections as an Order says, which may be followed by a stricter one.

    `on_lingers` is told what is left when that may take long, and nothing at all when that is over.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: set[Any],
        on_lingers: Callable[[Counter[State]], None],
    ) -> None:
        self._loop, self._connections, self._on_lingers = loop, connections, on_lingers
        self._order = Order(lingers=True)
        self._since = 0.0
        self._said = self._finishes = False
        # When idle connections last took something of what the kernel still has for them, and how much that is.
        self._unsent: WeakKeyDictionary[Any, tuple[float, int]] = WeakKeyDictionary()
        self._changed = asyncio.Event()

    def obey(self, order: Order) -> None:
        """Take an order."""
        self._order, self._since = order, self._loop.time()
        self._changed.set()

    @property
    def gives_up_idle(self) -> bool:
        """Whether idle connections have had their moment."""
        return self._loop.time() - self._since >= self._order.idle

    def finish(self) -> None:
        """Tell, once, that nothing is left of what may take long: an end that hangs is to have its usual time."""
        if self._said and not self._finishes:
            self._finishes = True
            self._on_lingers(Counter())

    async def look(self, in_flight: int) -> None:
        """End what may end now, and wait a moment; `in_flight` requests have begun and not ended."""
        self._changed.clear()
        order, passed = self._order, self._loop.time() - self._since
        long = 0
        states: Counter[State] = Counter()
        for connection in list(self._connections):
            state = state_of(connection)
            states[state] += 1
            if state is State.IDLE:
                if self._has_waited(connection) and not has_unread(connection):
                    connection.shutdown()
            elif state is State.BUSY:
                connection.shutdown()  # after its answers
            elif state in {State.STREAM, State.UPLOAD}:
                long += connection.exchanges[0].slot is not None
                connection.shutdown()
                if state is State.STREAM and not order.lingers and passed >= order.streams:
                    connection.end_events()
            elif not order.lingers and not connection.transport.is_closing():
                # uvicorn's protocols raise when they are told twice, or after their client has closed.
                connection.part(order.idle, self._loop)
        # A view whose client has gone runs on too.
        lingers = order.lingers and not states[State.BUSY] and in_flight <= long
        if lingers and not self._said and states and passed >= TOLD_AFTER:
            self._said = True
            self._on_lingers(states)
        try:
            await asyncio.wait_for(self._changed.wait(), LINGERING_POLL if lingers else POLL_SECONDS)
        except asyncio.TimeoutError:
            return

    def _has_waited(self, connection: Any) -> bool:
        """Return whether an idle connection has had its moment, which begins when its client has its last answer.

        That answer may have begun before the order, and so not said that it is the last.
        """
        idle, now = self._order.idle, self._loop.time()
        taken, unsent = self._unsent.get(connection, (0.0, 0))
        has_waited = not idle or now - max(self._since, connection.idle_since, taken) >= idle
        if idle and (has_waited or connection.idle_since > self._since):
            left = _queued(connection, termios.TIOCOUTQ)
            if left and left != unsent:  # one that takes nothing may be gone
                self._unsent[connection] = now, left
                return False
        return has_waited


def has_unread(connection: Any) -> bool:
    """Return whether a request is in the kernel already, which would be answered with a reset."""
    return _queued(connection, termios.FIONREAD) > 0


def _queued(connection: Any, which: int) -> int:
    """Return how many bytes the kernel holds of what the client has sent, or is sent; ioctl_tty(2), tcp(7)."""
    sock = connection.transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return 0
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), which, waiting)
    except OSError:
        return 0
    return waiting[0]


def is_event_stream(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether these are the fields of an event stream."""
    return any(
        name.lower() == "content-type" and value.lower().startswith("text/event-stream")
        for name, value in headers
    )


def ends_with(head: bytes) -> bytes | None:
    """Return what ends an answer with this head early if it is an event stream; None where it is none.

    Clients of event streams connect again by themselves (HTML, section 9.2), so these alone may be ended at any event.
    """
    fields = head.lower()
    if b"\r\ncontent-type: text/event-stream" not in fields:
        return None
    return b"0\r\n\r\n" if b"\r\ntransfer-encoding: chunked" in fields else b""


def event_stream_end(headers: Iterable[tuple[bytes, bytes]], *, chunked: bool) -> bytes | None:
    """Return the same for the fields of an ASGI response."""
    for name, value in headers:
        if name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream"):
            return b"0\r\n\r\n" if chunked else b""
    return None
