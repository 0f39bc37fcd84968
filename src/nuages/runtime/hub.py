"""What all connections of one worker share: the site, the threads, the logs and the clock."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from nuages.runtime.bridge import PoolExecutor
from nuages.runtime.handlers import active
from nuages.runtime.proxies import Proxies
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site
from nuages.runtime.threads import Pool


class Hub:
    """One per worker; connections find everything here."""

    def __init__(self, site: Site, settings: Settings, log: Any, board: Any) -> None:
        self.site = site
        self.wsgi: Any = site.wsgi
        self.asgi: Any = site.asgi
        self.settings = settings
        self.log = log
        self.board = board
        self.proxies = Proxies(settings.trusted_proxies)
        self.pool = Pool(
            settings.threads, on_begin=begin_thread, on_cold=close_connections, on_end=close_connections
        )
        self.after_request: Callable[[], None] | None = mend_connections
        site.handlers.bridge.executor = PoolExecutor(self.pool, mend_connections)
        header = site.ssl_header
        self.ssl_header = header.removeprefix("HTTP_").replace("_", "-").lower().encode() if header else b""
        self._defaults: tuple[Any, bytes] = (None, b"")

    def defaults(self, state: Any) -> bytes:
        """Return uvicorn's default header fields (Date, Server) as they are sent; they change once a second."""
        fields = state.default_headers
        if self._defaults[0] is not fields:
            self._defaults = (fields, b"".join(name + b": " + value + b"\r\n" for name, value in fields))
        return self._defaults[1]

    def close(self) -> None:
        """Let idle threads end and close their connections."""
        self.pool.close()
        self.site.handlers.lender.close()


def begin_thread() -> None:
    """Prepare a pool thread: the context that each of its requests gets a copy of.

    Every configured cache is touched in it, for their clients live in the context: else each request would make
    its own, and with it a new connection to the cache server.
    """
    context = contextvars.Context()
    active.exchange = None
    active.base = context
    context.run(_touch_caches)


def _touch_caches() -> None:
    from django.conf import settings
    from django.core.cache import caches

    if not settings.configured:
        return
    for alias in settings.CACHES:
        try:
            caches[alias]
        except Exception:  # noqa: BLE001 - who uses this cache will hear of it
            continue


def close_connections() -> None:
    """Close the calling thread's database connections."""
    from django.db import connections

    connections.close_all()


def mend_connections() -> None:
    """Close a connection that a view left inside a transaction, so that the next request does not continue it."""
    from django.db import connections

    for alias in _opened(connections):
        connection = connections[alias]
        if connection.connection is None:
            continue
        if (
            connection.in_atomic_block
            or connection.needs_rollback
            or (not connection.autocommit and connection.settings_dict.get("AUTOCOMMIT", True))
        ):
            active_exchange = getattr(active, "exchange", None)
            if active_exchange is not None:
                active_exchange.hub.log.event(
                    "warning", "database", f"a view left the connection {alias!r} inside a transaction; it was closed",
                    request_id=active_exchange.request_id,
                )  # fmt: skip
            connection.in_atomic_block = False
            connection.needs_rollback = False
            connection.savepoint_ids = []
            connection.run_on_commit = []
            connection.close()


def _opened(connections: Any) -> tuple[str, ...]:
    """Return the aliases whose connection object exists in this thread."""
    store = connections._connections  # all() would make the missing ones before Django 4.1
    return tuple(alias for alias in connections.settings if hasattr(store, alias))
