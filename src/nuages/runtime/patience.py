"""How long a connection waits for its client, and how it makes its client wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from uvicorn.protocols.http.flow_control import FlowControl

from nuages.runtime.gate import TURN_SECONDS
from nuages.runtime.outlet import IDLE_SECONDS, Outlet
from nuages.runtime.reception import Reception
from nuages.runtime.retirement import has_unread

SLOWEST_BODY = 500  # bytes a second that a body must bring, looked at once in every body timeout
SILENT_SECONDS = 60.0  # seconds that a client may take nothing of what was written to it


class Patience(Reception):
    """A reception with its limits on time, and with the brakes of both directions."""

    sweeping: ClassVar[bool] = False
    transport: asyncio.Transport

    def __init__(self) -> None:
        super().__init__()
        self.transport = None  # type: ignore[assignment]
        self._flow: FlowControl | None = None
        self.outlet = Outlet()
        self._unsent = 0
        self._unsent_since = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing of a request has come that is not answered."""
        return not self.exchanges and not self.in_head

    @property
    def flow(self) -> FlowControl:
        """Which way is paused; made when it is first needed, for an idle connection needs none."""
        if self._flow is None:
            self._flow = FlowControl(self.transport)
        return self._flow

    def _is_reading(self) -> bool:
        return self._flow is None or not self._flow.read_paused

    def _is_writing(self) -> bool:
        return self._flow is None or not self._flow.write_paused

    def pause(self) -> None:
        """Read no more for now."""
        self.flow.pause_reading()

    def resume(self) -> None:
        """Read on; the client has its time again."""
        if self._flow is not None:
            if self._flow.read_paused and self.receiving is not None and self.deadline:
                self.deadline = self.loop.time() + self.hub.settings.body_timeout
                self._body_mark = self._body_bytes
            self._flow.resume_reading()

    @classmethod
    def _sweep_later(cls, loop: asyncio.AbstractEventLoop, state: Any) -> None:
        settings = cls.hub.settings
        shortest = min(
            settings.header_timeout, settings.body_timeout, settings.keep_alive, cls.hub.time_limits.shortest
        )
        loop.call_later(max(0.05, min(1.0, shortest / 4)), cls._sweep, loop, state)

    @classmethod
    def _sweep(cls, loop: asyncio.AbstractEventLoop, state: Any) -> None:
        """Look at every connection's deadline; one timer for all is cheaper than one for each request.

        In turns: two thousand that are being sent files take 10 ms, which one request in a hundred would meet.
        """
        cls._sweep_later(loop, state)  # first: whatever happens to this one, it is not the last
        cls._sweep_on(loop, state, iter(list(state.connections)))

    @classmethod
    def _sweep_on(cls, loop: asyncio.AbstractEventLoop, state: Any, left: Iterator[object]) -> None:
        now, end = loop.time(), time.monotonic() + TURN_SECONDS
        for connection in left:
            if isinstance(connection, Patience) and connection in state.connections:
                connection.tick(now)
                if time.monotonic() > end:
                    loop.call_soon(cls._sweep_on, loop, state, left)
                    return

    def tick(self, now: float) -> None:
        """Close what has been idle or slow for too long."""
        if self.exchanges:
            self.exchanges[0].expired(time.monotonic())
        elif self.deadline and self.deadline - now < self.hub.settings.keep_alive - IDLE_SECONDS:
            self.outlet.close()
        if (self.exchanges or self.refused) and self._is_silent(now):
            self.transport.abort()
        elif not self.deadline or now < self.deadline:
            return
        elif self.idle or self.refused:
            if not self.refused and has_unread(self):
                return  # the loop reads it next
            self.refused = True
            self.transport.close()
        elif self._held or not self._is_reading():
            self.deadline = now + self.hub.settings.body_timeout  # it is we who make this client wait
        elif self.in_head:
            self.refuse(408)
        elif self.receiving is not None:
            seconds = self.hub.settings.body_timeout
            if self._body_bytes - self._body_mark < SLOWEST_BODY * seconds:
                self.refuse(408)
                return
            self._body_mark = self._body_bytes
            self.deadline = now + seconds

    def _is_silent(self, now: float) -> bool:
        """Return whether the client has taken nothing for too long of what was written."""
        unsent = self.transport.get_write_buffer_size()
        if self.exchanges and self.exchanges[0].transfer is not None:
            unsent += self.exchanges[0].transfer.unsent()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
            return False
        return now - self._unsent_since > SILENT_SECONDS
