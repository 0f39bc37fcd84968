"""Connections that a database's server has ended while nobody used them.

A server that was restarted, or that ends what is idle (MySQL's `wait_timeout`, a pooler's limits), leaves connections
behind whose next query fails, one in each thread. Django asks it before a request's first query where
CONN_HEALTH_CHECKS is on, which takes a round trip, and dj-database-url writes down that it is off. That the peer has
closed the kernel knows by itself.
"""

from __future__ import annotations

import functools
import select
from typing import Any

_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL


def watch_hangups() -> None:
    """Have Django close such a connection before a request's first query; it then opens another one.

    Django before 4.1 has no place for that. A pool of Django's own looks after its connections itself.
    """
    from django.db.backends.base.base import BaseDatabaseWrapper

    own = getattr(BaseDatabaseWrapper, "close_if_health_check_failed", None)
    if own is None:
        return

    @functools.wraps(own)
    def close_if_health_check_failed(self: Any) -> None:
        if not (
            self.connection is None or self.health_check_done or self.settings_dict["OPTIONS"].get("pool")
        ):
            if has_hung_up(self.connection):
                self.close()
            elif not self.health_check_enabled:
                self.health_check_done = True  # until the next request
        own(self)

    BaseDatabaseWrapper.close_if_health_check_failed = close_if_health_check_failed


def has_hung_up(connection: Any) -> bool:
    """Return whether the peer of a driver's connection has closed it, as far as its socket can be asked; poll(2)."""
    try:
        number = getattr(connection, "fileno", None) or connection._sock.fileno  # the latter is PyMySQL's
        asked = select.poll()
        asked.register(number(), _GONE)
        return bool(asked.poll(0))
    except Exception:  # noqa: BLE001 - a file, a driver without a socket, or one that has noticed: it will say so
        return False
