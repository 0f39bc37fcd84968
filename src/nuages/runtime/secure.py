"""The transport of a TLS connection, which knows what the client has not taken yet.

The event loop's own hands everything it is given to the transport below, calls it sent, and cuts it off when closing
takes too long: a slow client would lose the end of a large answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

PIECE_BYTES = 64 << 10  # so much of an answer may be below, where it is not seen
FORGOTTEN_SECONDS = 2.0  # the same, for an idle connection of a worker that ends
SHUTDOWN_SECONDS = 60.0  # for the last piece and for the client's own close_notify (RFC 8446, section 6.1)


class SecureTransport(asyncio.Transport):
    """Stands before the loop's TLS transport. Its connection tells it `paused` and `resumed`.

    `is_held` is whether the connection is to write no more: something is unsent.
    """

    def __init__(self, below: Any) -> None:
        super().__init__()
        self.below = below
        self.is_held = False
        self.closed_at = 0.0
        self._pieces: deque[bytes | memoryview] = deque()
        self._unsent = 0
        self._closing = False
        below.set_write_buffer_limits(high=1, low=0)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport below knows."""
        return self.below.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether no more is taken."""
        return self._closing or bool(self.below.is_closing())

    def pause_reading(self) -> None:
        """Read no more for now."""
        self.below.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self.below.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are not encrypted yet, and what of the encrypted ones is seen."""
        return self._unsent + int(self.below.get_write_buffer_size())

    def can_write_eof(self) -> bool:
        """Return False: with TLS there is no half."""
        return False

    def write(self, data: Any) -> None:
        """Send data, piece by piece as the client takes them."""
        if self._closing or not data:
            return
        if not self.is_held and len(data) <= PIECE_BYTES:
            self.below.write(data)
            return
        view = memoryview(data)
        self._pieces.extend(view[start : start + PIECE_BYTES] for start in range(0, len(view), PIECE_BYTES))
        self._unsent += len(view)
        self._send()

    def _send(self) -> None:
        while self._pieces and not self.is_held:
            piece = self._pieces.popleft()
            self._unsent -= len(piece)
            self.below.write(piece)

    def paused(self) -> None:
        """Note that the client takes less than it is sent."""
        self.is_held = True

    def resumed(self) -> bool:
        """Send on; return whether all is sent, and the connection may write again."""
        self.is_held = False
        self._send()
        if self.is_held or self._pieces:
            return False
        if self._closing:
            self.below.close()
        return True

    def close(self) -> None:
        """Close once all is sent."""
        if not self._closing:
            self._closing = True
            if not self.is_held:
                self.below.close()

    def is_forgotten(self, now: float) -> bool:
        """Return whether it was closed long ago, and the client keeps it open; asked again and again."""
        self.closed_at = self.closed_at or now
        return now - self.closed_at > FORGOTTEN_SECONDS

    def abort(self) -> None:
        """Close now."""
        self._closing = True
        self._pieces.clear()
        self._unsent = 0
        self.below.abort()

    def release(self) -> Any:
        """Return the transport below as it was at first, for another protocol."""
        self.below.set_write_buffer_limits()
        return self.below
