"""uvicorn's Server with another end: no signals, no idle connection closed under a request, no fixed half second.

CONTRIBUTING lists the names of uvicorn that are not documented and are used here («Private names of uvicorn we rely
on»); the contract test checks that list for every supported version.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import uvicorn

_TICK = 1.0  # seconds between two heartbeats and two values of the Date header
_POLL = 0.02  # seconds between two looks at what is still open, while ending
IDLE_LINGER = 1.0  # seconds that an idle connection is kept for a request that may be on its way already


class Server(uvicorn.Server):
    """One worker's server. `on_ready` is called once it accepts, `on_tick_done` every second.

    `server_state.retiring` tells protocols that answers should say `Connection: close`.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None],
        beat: Callable[[], None],
        busy: Callable[[], int],
    ) -> None:
        super().__init__(config)
        self.server_state.retiring = False  # type: ignore[attr-defined]
        self._on_ready, self._beat, self._busy = on_ready, beat, busy
        self._told: asyncio.Event | None = None
        self._linger = IDLE_LINGER

    @property
    def connections(self) -> set[Any]:
        """The protocols of all open connections."""
        return self.server_state.connections

    def drain(self) -> None:
        """Go on accepting, but let every answer end its connection."""
        self.server_state.retiring = True  # type: ignore[attr-defined]

    def retire(self, *, linger: float = IDLE_LINGER) -> None:
        """Accept nothing new, finish the requests and end; keep idle connections for `linger` seconds."""
        self.drain()
        self._linger = linger
        self.should_exit = True
        if self._told:
            self._told.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the supervisor gives orders over the control channel."""
        yield

    def install_signal_handlers(self) -> None:
        """Do as `capture_signals`, which has its place since uvicorn 0.29."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and accept connections."""
        self._told = asyncio.Event()
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            await self.on_tick(0)  # the Date header, before the first request
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
        loop = asyncio.get_running_loop()
        await self._accept_the_rest(loop, sockets or ())
        close_idle_at = loop.time() + self._linger
        while self.connections or self.server_state.tasks or self._busy():
            late = loop.time() >= close_idle_at
            for connection in list(self.connections):
                # A busy connection closes after its answer; uvicorn's protocols close an idle one at once.
                if late or not is_idle(connection):
                    connection.shutdown()
            await asyncio.sleep(_POLL)
        await self.lifespan.shutdown()

    async def _accept_the_rest(
        self, loop: asyncio.AbstractEventLoop, sockets: Iterable[socket.socket]
    ) -> None:
        """Close the listening sockets, but first accept who is in their queues: the kernel would reset them."""
        queues = [sock.dup() for sock in sockets]
        for server in self.servers:
            server.close()
        for sock in sockets:
            sock.close()
        for queue in queues:
            with queue, contextlib.suppress(OSError):  # BlockingIOError: the queue is empty
                while True:
                    accepted, _ = queue.accept()
                    accepted.setblocking(False)
                    await loop.connect_accepted_socket(self._protocol, accepted, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[no-any-return]


def is_idle(connection: Any) -> bool:
    """Return whether no request of a connection is being answered; WebSockets never are idle."""
    own = getattr(connection, "idle", None)
    if own is not None:
        return bool(own)
    if not hasattr(connection, "cycle"):
        return False
    cycle = connection.cycle
    return cycle is None or bool(cycle.response_complete)
