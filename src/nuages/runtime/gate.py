"""Tells when sockets can take more, for those that send files under descriptors of their own (epoll(7)).

The event loop watches this one epoll and nothing in it. Watching such a descriptor by the loop itself would be unsafe:
the loop may take it off its own epoll some time after it was closed, which takes nothing off, for the connection's
other descriptor holds the same open socket; from then on the loop would be woken without end.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable

# What is done for many connections in a row may take this before the loop has its turn again. A callback that fills a
# socket takes a tenth or a quarter of it; when hundreds of clients have read at the same moment, everybody else's
# requests wait for no longer.
TURN_SECONDS = 0.0005


class Gate:
    """One per worker. Callbacks run on the loop, as long as their descriptor is writable, broken or hung up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call `callback` while the descriptor can take more; forget it before the descriptor is closed."""
        self._epoll.register(descriptor, select.EPOLLOUT)
        self._waiting[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """Watch no more."""
        if self._waiting.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _ready(self) -> None:
        end = time.monotonic() + TURN_SECONDS
        # One by one: the kernel puts what it has told of at the end of its list, so that nobody is passed over.
        while ready := self._epoll.poll(0, 1):
            callback = self._waiting.get(ready[0][0])
            if callback is not None:
                callback()
            if time.monotonic() > end:
                return
