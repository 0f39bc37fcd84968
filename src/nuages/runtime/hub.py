"""What all connections of one worker share: the site, the threads, the logs and the clock."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from nuages.runtime import receivers
from nuages.runtime.allowance import Allowance, will_be_told
from nuages.runtime.bridge import PoolExecutor
from nuages.runtime.connections import (
    active,
    close_connections,
    hold_server,
    mend_connections,
    release_unused,
    wait_to_connect,
    watch_connections,
)
from nuages.runtime.gate import Gate
from nuages.runtime.hangups import watch_hangups
from nuages.runtime.homecoming import bring_contexts_home
from nuages.runtime.prefixes import Prefixes, TimeLimits
from nuages.runtime.proxies import Proxies
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site
from nuages.runtime.threads import Pool
from nuages.runtime.xsendfile import Named


class Hub:
    """One per worker; connections find everything here."""

    def __init__(
        self, site: Site, settings: Settings, log: Any, board: Any, report: Callable[[str, str], None]
    ) -> None:
        self.site = site
        self.wsgi: Any = site.wsgi
        self.asgi: Any = site.asgi
        self.settings = settings
        self.log = log
        self.logs_access = getattr(log, "access_format", "json") != "off"
        self.board = board
        self.health_path = settings.health_path.encode() if settings.health_path else None
        self.count, self.count_static = board.counting.count, board.counting.count_static
        self.time_limits = TimeLimits(settings.timeout, settings.timeout_path)
        self.proxies = Proxies(settings.trusted_proxies)
        self.unbuffered = Prefixes(settings.unbuffered if settings.buffer_requests else ("/",))
        self.pool = Pool(
            settings.threads, on_begin=begin_thread, on_cold=close_connections, on_end=close_connections,
            holds=hold_server, release=release_unused,
            on_refused=lambda text: log.event("error", "threads", text),
        )  # fmt: skip
        self.after_request: Callable[[], None] = self.mend_connections
        site.handlers.bridge.executor = PoolExecutor(self.pool, self.mend_connections)
        reserve = site.handlers.lender.reserve
        reserve.mend = self.mend_connections
        self.allowance = Allowance(
            self.pool,
            reserve if site.asgi is not None else None,
            board,
            settings.workers,
            lambda text: report("allowance", text),
            is_known=not will_be_told(),
        )
        watch_connections(self.mend_connections, self.allowance.opened)
        wait_to_connect()
        watch_hangups()
        receivers.hasten()
        bring_contexts_home()
        site.files.report = lambda text: log.event("error", "static", text)
        header = site.ssl_header
        self.ssl_header = header.removeprefix("HTTP_").replace("_", "-").lower().encode() if header else b""
        self._defaults: tuple[Any, bytes] = (None, b"")
        self._gate: Gate | None = None

    def defaults(self, state: Any) -> bytes:
        """Return uvicorn's default header fields (Date, Server) as they are sent; they change once a second."""
        fields = state.default_headers
        if self._defaults[0] is not fields:
            self._defaults = (fields, b"".join(name + b": " + value + b"\r\n" for name, value in fields))
        return self._defaults[1]

    def gate(self, loop: asyncio.AbstractEventLoop) -> Gate:
        """Return what tells that sockets can take more; made when a client first reads slowly."""
        if self._gate is None:
            self._gate = Gate(loop)
        return self._gate

    def named_file(self, field: str, value: str) -> Named | None:
        """Return the file that a response field of a view's names; None, and a warning, where it is not for us."""
        locations = self.site.locations
        named = locations.find(field, value)
        if named is None:
            text = locations.unknown(field, value)
            if text:
                self.log.event("warning", "sendfile", text)
        return named

    def mend_connections(self) -> None:
        """Close what a request has left open in the calling thread, and say so."""
        mend_connections(self._say_mended)

    def _say_mended(self, text: str) -> None:
        exchange = getattr(active, "exchange", None)
        known = {"request_id": exchange.request_id} if exchange is not None else {}
        self.log.event("warning", "database", text, **known)

    def close(self) -> None:
        """Let idle threads end and close their connections."""
        self.pool.close()
        self.site.handlers.lender.reserve.close()


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
