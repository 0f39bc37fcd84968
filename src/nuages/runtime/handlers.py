"""Django's handlers as the server uses them: watched for the route and for async streams, with threads on loan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nuages.runtime.asyncstream import adapt
from nuages.runtime.bridge import Bridge
from nuages.runtime.connections import LentThread, active, close_connections
from nuages.runtime.proxies import Proxies
from nuages.runtime.scope import Scope


class Handlers:
    """Makes and finds the Django handlers of one site.

    A handler that the project's entry module makes is watched through attributes of that one object: its class, and
    with it signals' sender and what monitoring agents have patched, stays Django's.
    """

    def __init__(self, proxies: Proxies | None = None) -> None:
        self.lender = Lender(proxies or Proxies(()))
        self.bridge = Bridge()
        self._made: list[Any] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch each handler that Django's own factories make in this block."""
        import django.core.asgi
        import django.core.wsgi

        wsgi, asgi = django.core.wsgi.get_wsgi_application, django.core.asgi.get_asgi_application

        def get_wsgi_application() -> Any:
            return watch_wsgi(wsgi())

        def get_asgi_application() -> Any:
            handler = watch_asgi(asgi())
            self._made.append(handler)
            return handler

        django.core.wsgi.get_wsgi_application = get_wsgi_application
        django.core.asgi.get_asgi_application = get_asgi_application
        try:
            yield
        finally:
            django.core.wsgi.get_wsgi_application = wsgi
            django.core.asgi.get_asgi_application = asgi

    def own_wsgi(self) -> Any:
        """Return Django's WSGI handler for a project that brings none."""
        from django.core.handlers.wsgi import WSGIHandler

        return watch_wsgi(WSGIHandler())

    def own_asgi(self) -> Any:
        """Return Django's ASGI handler for a project that brings none."""
        from django.core.handlers.asgi import ASGIHandler

        return watch_asgi(ASGIHandler())

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


def watch_wsgi(handler: Any) -> Any:
    """Let a WSGI handler tell the active exchange its route and its response."""

    def get_response(request: Any) -> Any:
        exchange = getattr(active, "exchange", None)
        if exchange is not None:
            request.scope = Scope(exchange)
        # Looked up at each call: agents patch the class whenever they like.
        response = type(handler).get_response(handler, request)
        if exchange is not None:
            match = request.resolver_match
            if match is not None:
                exchange.route = match.route or "/"
            exchange.response = response
            exchange.stream = adapt(response, exchange.loop)
        return response

    handler.get_response = get_response
    return handler


def watch_asgi(handler: Any) -> Any:
    """Let an ASGI handler tell the exchange in the request's scope its route."""

    async def get_response_async(request: Any) -> Any:
        response = await type(handler).get_response_async(handler, request)
        exchange = request.scope.get("nuages.exchange")
        if exchange is not None and request.resolver_match is not None:
            exchange.route = request.resolver_match.route or "/"
        return response

    handler.get_response_async = get_response_async
    return handler


class Lender:
    """Lends single threads to async requests, so that their database connections outlive the request.

    asgiref runs all sync code of one request in one thread; left alone it makes a new one for each request.
    The most recently returned thread is lent first.
    """

    def __init__(self, proxies: Proxies, keep: int = 8) -> None:
        self._proxies = proxies
        self._keep = keep
        self._idle: list[LentThread] = []
        self.mend: Callable[[], None] = lambda: None

    def lending(self, app: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
        """Return `app` with a borrowed thread around each HTTP request."""
        from asgiref.sync import SyncToAsync, ThreadSensitiveContext

        executors = SyncToAsync.context_to_thread_executor

        async def application(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await app(self._forwarded(scope), receive, send)
                return
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            executor = self._idle.pop() if self._idle else LentThread()
            context = ThreadSensitiveContext()
            async with context:
                executors[context] = executor
                try:
                    await app(scope, receive, send)
                finally:
                    # Taken back before the context ends: it would shut the thread down.
                    executors.pop(context, None)
                    self._return(executor)

        return application

    def _forwarded(self, scope: Any) -> Any:
        """Return a WebSocket's scope with the client that trusted proxies tell; uvicorn made it from the peer."""
        secure = scope["scheme"] == "wss"
        peer = tuple(scope.get("client") or ("", 0))
        client = self._proxies.client(peer, "https" if secure else "http", dict(scope["headers"]))
        known = (client.address, client.port) if client.address else None
        headers = [pair for pair in scope["headers"] if b"_" not in pair[0]]
        scheme = "wss" if client.scheme == "https" else "ws"
        return {**scope, "client": known, "scheme": scheme, "headers": headers}

    def _return(self, executor: LentThread) -> None:
        if executor.is_astray:
            executor.submit(self.mend)
        if len(self._idle) < self._keep:
            self._idle.append(executor)
        else:
            executor.submit(close_connections)
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Let every idle thread close its connections and end."""
        while self._idle:
            executor = self._idle.pop()
            executor.submit(close_connections)
            executor.shutdown(wait=False)
