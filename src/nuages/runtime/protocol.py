"""The HTTP/1.1 connection (RFC 9110, RFC 9112), given to uvicorn by its `http=` option.

Cheapest first: a static file is answered at once, a sync view in one hop to a thread, everything ASGI through
uvicorn's own request cycle. Answers leave in the order of their requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from nuages.runtime import websocket
from nuages.runtime.asgi import AsyncExchange
from nuages.runtime.delivery import StaticExchange, static_exchange
from nuages.runtime.exchange import Exchange, Refusal
from nuages.runtime.health import HealthExchange
from nuages.runtime.hub import Hub
from nuages.runtime.media import MediaExchange
from nuages.runtime.patience import Patience
from nuages.runtime.reception import SLICE
from nuages.runtime.request import Request, request_id
from nuages.runtime.retirement import has_unread
from nuages.runtime.secure import SecureTransport
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site
from nuages.runtime.sync import SyncExchange

LINGER_SECONDS = 5.0  # seconds that a refused client's data are thrown away, so that it reads the answer


def protocol_class(
    site: Site, settings: Settings, log: Any, board: Any, report: Callable[[str, str], None]
) -> type[Connection]:
    """Return the protocol for `uvicorn.Config(http=…)`; its `hub` holds what its connections share.

    `log` and `board` are the worker's Log and Board; `report` has the supervisor say what all workers find.
    """
    hub = Hub(site, settings, log, board, report)
    return type("NuagesConnection", (Connection,), {"hub": hub, "sweeping": False})


class Connection(Patience, asyncio.Protocol):
    """One client connection. uvicorn makes it with keywords and calls `shutdown`; see CONTRIBUTING for the list."""

    hub: ClassVar[Hub]

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        if not config.loaded:
            config.load()
        self.config = config
        self.server_state = server_state
        self.app_state = app_state
        self.loop = _loop or asyncio.get_event_loop()
        self.server: tuple[str, int | None] | None = None
        self.local: tuple[str, int] = ("localhost", 80)
        self.peer: tuple[str, int] = ("", 0)
        self.scheme = "http"
        self.secure: SecureTransport | None = None
        self.closing = False
        self._last: Exchange | None = None
        self.half_closed = False
        self._advancing = False

    # What uvicorn asks

    def shutdown(self) -> None:
        """Close now if idle, else after the answers to what has come.

        A client that does not end its side of TLS is not waited for.
        """
        if not self.closing:
            self._last = self.exchanges[-1] if self.exchanges else None
        self.closing = True
        if self.idle:
            self.transport.close()
            if self.secure is not None and self.secure.is_forgotten(self.loop.time()):
                self.transport.abort()

    @property
    def idle_since(self) -> float:
        """When the client of an idle one had its last answer, by the loop's clock; when it ends if that is certain."""
        if self.refused:
            return self.deadline
        return self.deadline - self.hub.settings.keep_alive if self._is_writing() else self.loop.time()

    def end_events(self) -> None:
        """End the answer that is being sent if it is an event stream: its client connects again by itself."""
        end = self.exchanges[0].events_end if self.exchanges else None
        if end is not None and not self.transport.is_closing():
            if not end:
                self.exchanges[0].ends_with_connection(whole=True)
            self.transport.write(end)
            self.transport.close()

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self.transport = transport
        if is_ssl(transport):
            self.transport = self.secure = SecureTransport(transport)
            self.scheme = "https"
        self.server_state.connections.add(self)
        self.server = get_local_addr(transport)
        if self.server is not None and self.server[1] is not None:
            self.local = (self.server[0], self.server[1])
        elif self.scheme == "https":
            self.local = ("localhost", 443)
        self.peer = get_remote_addr(transport) or ("", 0)
        self.deadline = self.loop.time() + self.hub.settings.keep_alive
        if not type(self).sweeping:
            type(self).sweeping = True
            self._sweep_later(self.loop, self.server_state)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every exchange that its client is gone."""
        del exc
        self.server_state.connections.discard(self)
        if self._flow is not None:
            self._flow.resume_writing()
        self.refused = True
        self._held = b""
        exchanges, self.exchanges = self.exchanges, []
        for exchange in exchanges:
            exchange.drop()
        self.outlet.close()
        self.receiving = None
        self.parser = None

    def eof_received(self) -> bool:
        """Answer what was asked before the client closed its side; return False to close the transport."""
        if self.scheme == "https" or not self.exchanges or self.exchanges[0] is self.receiving:
            return False
        self.half_closed = True
        if self.receiving is not None:
            self.refuse(400)  # the rest of it never comes, but those before it are answered
        return not any(exchange.sees_end for exchange in self.exchanges)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        if self.secure is not None:
            self.secure.paused()
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        if self.secure is not None and not self.secure.resumed():
            return
        self.flow.resume_writing()
        if self.exchanges:
            self.exchanges[0].writable()
            self._advance()
            self._read_on()
        elif self.idle and not self.refused:
            self.deadline = self.loop.time() + self.hub.settings.keep_alive

    def data_received(self, data: bytes) -> None:
        """Take what has come; the loop is not interrupted over it while async views are asked."""
        haste = self.hub.pool.haste
        if haste.hurries:
            haste.step(self._receive, data)
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Parse, or keep it while the client has to wait."""
        if self._held:
            self._held += data
            self.pause()  # an ASGI application that waits for its client's end resumed it
        elif not self.refused:
            if self.exchanges or len(data) > SLICE:
                self._take(data)
            else:
                self._take_piece(data)

    def takes_websocket(self, request: Request) -> bool:
        """Return whether the ASGI application answers this request's wish for a WebSocket."""
        return bool(
            self.hub.site.websockets and self.config.ws_protocol_class and request.upgrade() == b"websocket"
        )

    def hand_over(self, request: Request, rest: bytes) -> None:
        """Let uvicorn's WebSocket protocol go on with the connection; `rest` came behind the head."""
        if self.exchanges or (self.secure is not None and self.secure.is_held):
            self.refuse(400)
            return
        self.outlet.close()
        transport = self.transport if self.secure is None else self.secure.release()
        self.server_state.connections.discard(self)
        self.refused = True
        self._successor = websocket.begin(self, request, rest, transport)

    def begin(self, request: Request) -> None:
        """Decide which way a request takes, and give it its turn when it is the first."""
        exchange = self._exchange(request)
        if exchange is None:
            return
        self.receiving = exchange
        exchanges = self.exchanges
        exchanges.append(exchange)
        if self._flow is None and len(exchanges) == 1 and not self._advancing:
            # What `_advance` comes to here: nobody waits for anything.
            exchange.had_turn = self._advancing = True
            try:
                exchange.turn()
            finally:
                self._advancing = False
            return
        if len(exchanges) > 1 or not self._is_writing():
            self.pause()
        self._advance()

    def _exchange(self, request: Request) -> Exchange | None:
        """Return what answers a request, None where it is answered."""
        hub = self.hub
        site = hub.site
        fields = request.fields
        entry = site.files.find(request.path) if request.path != hub.health_path else None
        if entry is not None and not hub.logs_access:  # nobody else asks whose request it was
            return static_exchange(self, request, entry)
        identity = request_id(fields)
        client = hub.proxies.client(self.peer, self.scheme, fields)
        if entry is not None:
            return StaticExchange(self, request, client, identity, entry)
        if request.path == hub.health_path:
            return HealthExchange(self, request, client, identity)
        if site.media is not None:
            upload = site.media.path(request.path)
            if upload is not None:
                return MediaExchange(self, request, client, identity, upload)
        if site.wsgi is None or (site.views is not None and site.views.is_async(request.path)):
            return AsyncExchange(self, request, client, identity)
        return SyncExchange(self, request, client, identity)

    # Answers

    @property
    def is_busy(self) -> bool:
        """Whether anything is to be answered or written before what comes next, or it is the end."""
        return bool(self.exchanges) or self._flow is not None or self.closing or self.half_closed

    def keeps(self, keep_alive: bool) -> bool:
        """Return whether the connection goes on after the first exchange's answer; any thread may ask."""
        if not keep_alive:
            return False
        if self.closing:  # what was pipelined behind it is answered too
            return self._last is not None and self._last is not self.exchanges[0] and len(self.exchanges) > 1
        return not getattr(self.server_state, "parting", False) or len(self.exchanges) > 1

    def _advance(self) -> None:
        """Give the first exchange its turn, and the next one when that was answered at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            # A client that does not take its answers gets no more of them.
            while (
                self.exchanges
                and not self.exchanges[0].had_turn
                and self._is_writing()
                and not self.transport.is_closing()
            ):
                first = self.exchanges[0]
                first.had_turn = True
                first.turn()
        finally:
            self._advancing = False

    def done(self, exchange: Exchange, *, keep_alive: bool) -> None:
        """Note that an answer is complete; the next one may begin."""
        exchange.end()
        self.server_state.total_requests += 1
        if (views := self.hub.site.views) is not None:
            views.looked = False  # who was answered may have changed the URLconf
        exchanges = self.exchanges
        if not exchanges or exchanges[0] is not exchange:
            return
        del exchanges[0]
        if self.receiving is exchange and (not keep_alive or self.rest_is_long(exchange.request)):
            # The rest of the body may never come, and nothing could be told apart from it.
            keep_alive = False
        if not keep_alive or (self.half_closed and not exchanges and not self._held):
            unread = self.refused or self.receiving is not None or bool(self._held)
            self._close(unread=unread or (not self._is_reading() and has_unread(self)))
            return
        if exchanges or self._held or self._flow is not None:
            self._advance()
            self._read_on()
        if not self.exchanges and not self.refused and not self.in_head and self.receiving is None:
            self.deadline = self.loop.time() + self.hub.settings.keep_alive
            if self._is_writing():
                self._flow = None

    def _read_on(self) -> None:
        """Read on when nothing is left to be answered before what comes next."""
        if self.refused or (self.exchanges and self.exchanges[0] is not self.receiving):
            return
        if self._held:
            held, self._held = self._held, b""
            self._take(held)
        if not self._held and len(self.exchanges) < 2:
            self.resume()

    def _close(self, *, unread: bool) -> None:
        """Close once all is written; a client that still sends first gets the time to read the answer.

        The kernel answers data that nobody reads with a reset, and that takes the answer away from the client
        (RFC 9112, section 9.6).
        """
        self.refused = True
        if not unread or self.half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.receiving = None
        self._held = b""
        self.transport.write_eof()
        self.resume()
        self.deadline = self.loop.time() + LINGER_SECONDS

    def refuse(self, status: int) -> None:
        """Answer a request that cannot be served with a status of our own, after those before it, and close."""
        self.refused = True
        self._held = b""
        self.in_head = False
        self.deadline = 0.0
        broken, self.receiving = self.receiving, None
        if broken is not None and self.exchanges and self.exchanges[-1] is broken:
            if not broken.withdraw():
                self.transport.close()
                return
            self.exchanges.pop()
            broken.status = status
            broken.end()
        if self.exchanges and not self.exchanges[-1].request.keep_alive:
            return  # data after a request that was the last by its own word
        refusal = Refusal(self, status)
        self.exchanges.append(refusal)
        self._advance()
