"""uvicorn's Server with another beginning and end: no signals, connections shared out evenly, none lost at the end.

CONTRIBUTING lists the names of uvicorn that are not documented and are used here («Private names of uvicorn we rely
on»); the contract test checks that list for every supported version.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterator
from typing import Any

import uvicorn

from nuages.runtime.accepting import Acceptor, Tally, read_most_connections
from nuages.runtime.retirement import Order, Retirement, State
from nuages.runtime.secure import SHUTDOWN_SECONDS

_TICK = 1.0  # seconds between two heartbeats and two values of the Date header


class Server(uvicorn.Server):
    """One worker's server. `on_ready` is called when it could accept, which `accept` lets it, and `beat` every second.

    `busy` tells how many requests have begun and not ended; `on_lingers` is called when a retiring server has only
    what may take long, and with nothing when that is over. `warm_up` is given what makes a connection's protocol, and
    awaited before anything is accepted.
    `tls` is an SSLContext, and a client has `handshake_seconds` to get through with it. The sockets of `lent`, by
    descriptor, are not ours to end.
    `on_full` is called once with how many connections there are when no more are taken for want of files.
    `server_state.parting` tells protocols that answers should say `Connection: close`: it retires, or others wait for
    a place. An idle connection may have a request on its way; who gets an answer can be told.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None],
        beat: Callable[[], None],
        busy: Callable[[], int],
        tally: Tally,
        tls: Any = None,
        handshake_seconds: float = 15.0,
        on_lingers: Callable[[Counter[State]], None] = lambda _: None,
        warm_up: Callable[[Callable[[], asyncio.Protocol]], Awaitable[None]] | None = None,
        lent: Container[int] = (),
        on_full: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(config)
        self.server_state.parting = False  # type: ignore[attr-defined]
        self._on_ready, self._beat, self._busy, self._on_lingers = on_ready, beat, busy, on_lingers
        self._tally, self._warm_up, self._on_full = tally, warm_up, on_full
        self._tls, self._handshake_seconds, self._lent = tls, handshake_seconds, lent
        self._told: asyncio.Event | None = None
        self._drains = self._was_full = False
        self._order = Order()
        self._acceptor: Acceptor | None = None
        self._retirement: Retirement | None = None

    @property
    def connections(self) -> set[Any]:
        """The protocols of all open connections."""
        return self.server_state.connections

    def accept(self) -> None:
        """Begin to accept connections; called once, when it has started."""
        assert self._acceptor is not None
        self._acceptor.start()

    def drain(self) -> None:
        """Go on accepting, but let every answer end its connection."""
        self._drains = True
        self.server_state.parting = True  # type: ignore[attr-defined]

    def retire(self, order: Order) -> None:
        """Accept nothing new, finish the requests and end; a second order may be stricter."""
        self.drain()
        self._order = order
        self.should_exit = True
        if self._told:
            self._told.set()
        if self._retirement:
            self._retirement.obey(order)

    def _crowds(self, connections: int) -> None:
        self.server_state.parting = self._drains or connections > 0  # type: ignore[attr-defined]
        if connections and not self._was_full:
            self._was_full = True
            self._on_full(connections)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the supervisor gives orders over the control channel."""
        yield

    def install_signal_handlers(self) -> None:
        """Do as `capture_signals`, which has its place since uvicorn 0.29."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and make everything ready to accept connections."""
        self._told = asyncio.Event()
        await super().startup(sockets=[])
        if self.started and not self.should_exit:
            await self.on_tick(0)  # the Date header, before the first request
            if self._warm_up:
                await self._warm_up(self._protocol)
            self._acceptor = Acceptor(
                sockets or (), self._tally, self._protocol, self._handshake(),
                most=read_most_connections(), on_full=self._crowds,
            )  # fmt: skip
            self.server_state.connections = self._acceptor.connections
            self._beat()
            self._on_ready()

    async def main_loop(self) -> None:
        """Wait for the order to end, with one look at the clock a second."""
        assert self._told is not None
        while not self._told.is_set():
            await self.on_tick(0)
            self._beat()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told.wait(), _TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish every request, then close; the supervisor sees to the deadline."""
        del sockets
        loop = asyncio.get_running_loop()
        retirement = self._retirement = Retirement(loop, self.connections, self._on_lingers)
        retirement.obey(self._order)
        acceptor = self._acceptor
        if acceptor:
            if self._order.last:
                acceptor.end_listening(self._lent)
            acceptor.stop()
        beat_at = loop.time()
        while self.connections or self.server_state.tasks or self._busy() or (acceptor and acceptor.own):
            await retirement.look(self._busy())
            if not (acceptor and acceptor.own):  # a task or a view without a client
                retirement.finish()
            if acceptor and retirement.gives_up_idle:
                acceptor.give_up()
            if loop.time() >= beat_at:
                beat_at = loop.time() + _TICK
                await self.on_tick(0)
                self._beat()
        retirement.finish()
        self._beat()  # without connections: what is still to come may take its time
        await self.lifespan.shutdown()

    def _handshake(self) -> dict[str, Any]:
        """Return what makes a connection TLS, as arguments of `loop.connect_accepted_socket`."""
        if self._tls is None:
            return {}
        options: dict[str, Any] = {"ssl": self._tls, "ssl_handshake_timeout": self._handshake_seconds}
        if sys.version_info >= (3, 11) or type(asyncio.get_running_loop()).__module__.startswith("uvloop"):
            options["ssl_shutdown_timeout"] = SHUTDOWN_SECONDS
        return options

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[no-any-return]
