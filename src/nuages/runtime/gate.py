"""Tells when sockets can take more, for those that send files under descriptors of their own (epoll(7)).

The event loop watches this one epoll and nothing in it. Watching such a descriptor by the loop itself would be unsafe:
the loop may take it off its own epoll some time after it was closed, which takes nothing off, for the connection's
other descriptor holds the same open socket; from then on the loop would be woken without end.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

MOST_AT_ONCE = 64  # callbacks before the loop has its turn again


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
        for descriptor, _ in self._epoll.poll(0, MOST_AT_ONCE):
            callback = self._waiting.get(descriptor)
            if callback is not None:
                callback()
