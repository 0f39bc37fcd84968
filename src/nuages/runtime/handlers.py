"""Django's handlers as the server uses them: watched for the route and for async streams, with threads on loan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nuages.runtime.asgihandler import Handling, is_own
from nuages.runtime.asyncstream import adapt
from nuages.runtime.bridge import Bridge
from nuages.runtime.connections import active
from nuages.runtime.loans import Lender
from nuages.runtime.proxies import Proxies
from nuages.runtime.scope import Scope
from nuages.runtime.segments import making, sharing


class Handlers:
    """Makes and finds the Django handlers of one site.

    A handler that the project's entry module makes is watched through attributes of that one object: its class, and
    with it signals' sender and what monitoring agents have patched, stays Django's.
    """

    def __init__(self, proxies: Proxies | None = None) -> None:
        self.lender = Lender(proxies or Proxies(()))
        self.bridge = Bridge()
        self._made: list[Any] = []
        self._given: list[Any] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch each handler that Django's own factories make in this block.

        What a factory returns may be an agent's wrapper of its handler: ddtrace replaces `get_asgi_application`.
        """
        import django.core.asgi
        import django.core.wsgi
        from django.core.handlers.wsgi import WSGIHandler

        wsgi, asgi = django.core.wsgi.get_wsgi_application, django.core.asgi.get_asgi_application

        def get_wsgi_application() -> Any:
            with making(WSGIHandler) as made:
                given = wsgi()
            for handler in made:
                watch_wsgi(handler)
            self._given.append(given)
            return given

        def get_asgi_application() -> Any:
            with sharing() as made:
                given = asgi()
            self._made += [watch_asgi(handler) for handler in made]
            self._given.append(given)
            return given

        django.core.wsgi.get_wsgi_application = get_wsgi_application
        django.core.asgi.get_asgi_application = get_asgi_application
        try:
            yield
        finally:
            django.core.wsgi.get_wsgi_application = wsgi
            django.core.asgi.get_asgi_application = asgi

    def is_given(self, found: Any) -> bool:
        """Return whether this is what one of Django's factories has returned, and nothing that the project made."""
        return any(found is given for given in self._given)

    def own_wsgi(self) -> Any:
        """Return Django's WSGI handler for a project that brings none, in whatever an agent puts around it."""
        import django.core.wsgi

        with set_up_already():
            return django.core.wsgi.get_wsgi_application()

    def own_asgi(self) -> Any:
        """Return Django's ASGI handler for a project that brings none, in whatever an agent puts around it."""
        import django.core.asgi

        with set_up_already():
            return django.core.asgi.get_asgi_application()

    def asgi(self, found: Any, kind: str, *, alone: bool) -> Callable[[Any, Any, Any], Awaitable[None]]:
        """Return an ASGI 3 callable whose requests borrow their thread.

        Where it stands alone, sync views come this way too: the Django inside it gives them to our threads.
        """
        if self._made and alone:
            self.bridge.load()
            for handler in self._made:
                self.bridge.cross(handler)
        if kind == "asgi2":
            from uvicorn.middleware.asgi2 import ASGI2Middleware

            found = ASGI2Middleware(found)
        return self.lender.lending(found)


@contextmanager
def set_up_already() -> Iterator[None]:
    """Let factories not set Django up in this block: a second time would undo what was done to loggers."""
    import django

    setup, django.setup = django.setup, lambda **_: None
    try:
        yield
    finally:
        django.setup = setup


def watch_wsgi(handler: Any) -> Any:
    """Let a WSGI handler tell the active exchange its route and its response."""

    def get_response(request: Any) -> Any:
        exchange = getattr(active, "exchange", None)
        if exchange is None:
            return type(handler).get_response(handler, request)
        request.scope = Scope(exchange)
        exchange.asked = request
        try:
            # Looked up at each call: agents patch the class whenever they like.
            response = type(handler).get_response(handler, request)
        finally:
            exchange.resolved()
        exchange.response = response
        if response.streaming:
            exchange.stream = adapt(response, exchange.loop)
        return response

    handler.get_response = get_response
    return handler


def watch_asgi(handler: Any) -> Any:
    """Let an ASGI handler tell the exchange in the request's scope its route; with fewer hops if it is Django's own.

    Up to Django 3.2 all is done in `__call__`, which Python looks up in the class, so that one gets a subclass.
    """

    async def get_response_async(request: Any) -> Any:
        exchange = request.scope.get("nuages.exchange")
        if exchange is None:
            return await type(handler).get_response_async(handler, request)
        exchange.asked = request
        try:
            return await type(handler).get_response_async(handler, request)
        finally:
            exchange.resolved()

    handler.get_response_async = get_response_async
    if is_own(handler):
        kind = type(handler)
        handling = Handling(handler)
        if hasattr(kind, "handle"):
            handler.handle = handling.handle
        else:

            async def call(_handler: Any, scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http":
                    await handling.handle(scope, receive, send)
                else:
                    await kind.__call__(handler, scope, receive, send)

            # It is still Django's own for whoever asks: its module says so.
            members = {"__call__": call, "__module__": kind.__module__}
            handler.__class__ = type(kind.__name__, (kind,), members)
    return handler
