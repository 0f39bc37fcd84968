"""A connection's socket under a second descriptor that is ours: what sends files beside the transport.

A raw descriptor of the transport's may name anything once the transport has closed it; this one is closed by us alone.
It is kept from one file to the next, for as long as the connection is not idle.
"""

from __future__ import annotations

import os
import socket
from typing import Any

IDLE_SECONDS = 5.0  # that an idle connection keeps it


class Outlet:
    """One per connection, which closes it in `connection_lost` at the latest."""

    __slots__ = ("_socket",)

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def take(self, transport: Any) -> socket.socket:
        """Return the socket, opened when it is first needed; raises OSError where no descriptor is free."""
        if self._socket is None:
            own = transport.get_extra_info("socket")
            self._socket = socket.socket(own.family, own.type, own.proto, fileno=os.dup(own.fileno()))
        return self._socket

    def close(self) -> None:
        """Close it; what is sent next opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
