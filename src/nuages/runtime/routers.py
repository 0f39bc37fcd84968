"""Routers of protocols that answer no HTTP: Channels' `ProtocolTypeRouter({"websocket": …})`.

Behind Daphne or uvicorn alone such a project has another server for its pages; Channels 4 raises for each of them
(channels/routing.py).
"""

from __future__ import annotations

from typing import Any


def lacks_http(application: Any) -> bool:
    """Return whether an ASGI application routes by protocol and has nothing for `http`."""
    mapping = getattr(application, "application_mapping", None)
    return isinstance(mapping, dict) and bool(mapping) and "http" not in mapping


def with_http(router: Any, django: Any) -> Any:
    """Return an application that leaves all but HTTP to the router, and HTTP to Django's own."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await (django if scope["type"] == "http" else router)(scope, receive, send)

    return application
