"""`django.test.Client` and `AsyncClient` over a real connection to our server, in place of their handlers.

What a test sees of a response is what came over the wire: status, fields, cookies and body. Only what no wire can
carry is taken from the object that the server side made: its class, its templates, the request.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import client as django_client

from django_suite.background import DEADLINE, Background
from nuages.runtime.handlers import watch_asgi
from nuages.runtime.segments import sharing

WAY = os.environ.get("DJANGO_SUITE_WAY", "threads")
_BLANK = " " if django.VERSION < (6, 1) else ""  # that Django's WSGIHandler puts before a Set-Cookie
OURS = frozenset({"date", "server", "x-request-id", "connection", "transfer-encoding"})
_numbers = itertools.count(1)
_answer = WSGIHandler.__call__
asked = 0  # requests that went over the wire
_calls: dict[str, Call] = {}
_servers: dict[str, Background] = {}
_wire: dict[str, Any] = {}


class Call:
    """One request of a test: what the server side needs to know, and what it made."""

    def __init__(self, handler: Any, shared: dict[str, Any], extra: dict[str, Any]) -> None:
        self.name = f"django-suite-{next(_numbers)}"
        self.handler = handler
        self.shared = shared
        self.extra = extra
        self.request: Any = None
        self.response: Any = None
        self.finished = threading.Event()


class Wsgi(WSGIHandler):
    """Django's handler, with what ClientHandler does to requests."""

    def __init__(self, enforces_csrf: bool) -> None:
        self.enforces_csrf = enforces_csrf
        super().__init__()

    def get_response(self, request: Any) -> Any:
        """Answer, and keep both for the test."""
        call = request.environ["django_suite.call"]
        request._dont_enforce_csrf_checks = not self.enforces_csrf
        call.request = request
        call.response = super().get_response(request)
        return call.response


class Asgi(ASGIHandler):
    """The same on the loop."""

    def __init__(self, enforces_csrf: bool) -> None:
        self.enforces_csrf = enforces_csrf
        super().__init__()

    async def get_response_async(self, request: Any) -> Any:
        """Answer, and keep both for the test."""
        call = request.scope["django_suite.call"]
        request._dont_enforce_csrf_checks = not self.enforces_csrf
        call.request = request
        call.response = await super().get_response_async(request)
        return call.response


def _own(handler: Any, kind: Any) -> Any:
    """Return the Django handler that stands for a test client's handler; middleware is loaded when first used."""
    found = handler.__dict__.get(kind.__name__)
    if found is None:
        with sharing():
            found = handler.__dict__[kind.__name__] = kind(handler.enforce_csrf_checks)
        if kind is Asgi:
            watch_asgi(found)
    return found


# The server side


def _wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    call = _calls[environ.pop("HTTP_X_REQUEST_ID")]
    environ.update(call.extra)
    environ["django_suite.call"] = call
    _share(call.shared)
    result = call.handler(environ, start_response)
    if call.response is None and isinstance(result, HttpResponseBase):
        call.request, call.response = call, result
    return result


def _after() -> None:
    from nuages.runtime.connections import active

    call = _calls.get(active.exchange.request_id)
    if call is not None:
        _unshare(call.shared)
        call.finished.set()


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    fields = [pair for pair in scope["headers"] if pair[0] != b"x-request-id"]
    call = _calls[next(value for name, value in scope["headers"] if name == b"x-request-id").decode()]
    scope = {**scope, "headers": fields, **call.extra, "django_suite.call": call}
    await sync_to_async(_share)(call.shared)
    try:
        await call.handler(scope, receive, send)
    finally:
        await sync_to_async(_unshare)(call.shared)
        call.finished.set()


def _share(shared: dict[str, Any]) -> None:
    for alias, connection in shared.items():
        connections[alias] = connection


def _unshare(shared: dict[str, Any]) -> None:
    for alias in shared:
        with contextlib.suppress(AttributeError):
            del connections[alias]


def server(way: str) -> Background:
    """Return this process's server for `threads` or `loop`."""
    if way not in _servers:
        _servers[way] = Background(wsgi=_wsgi) if way == "threads" else Background(asgi=_asgi)
        if way == "threads":
            _servers[way].protocol.hub.after_request = _after
    return _servers[way]


# The client side


class Wire:
    """A connection that is kept."""

    def __init__(self, way: str) -> None:
        self.socket = socket.create_connection(server(way).address, timeout=DEADLINE)
        self._left = b""

    def ask(self, data: bytes, method: str) -> tuple[int, str, list[tuple[str, str]], bytes]:
        """Send a request and return status, reason, fields and body."""
        self.socket.sendall(data)
        while True:
            line = self._line()
            status, _, reason = line.partition(b" ")[2].decode("latin-1").partition(" ")
            fields = []
            while field := self._line():
                name, _, value = field.decode("latin-1").partition(":")
                fields.append((name, value.strip()))
            if status != "100":
                break
        known = {name.lower(): value for name, value in fields}
        self.is_last = known.get("connection") == "close"
        if method == "HEAD" or status in ("204", "304"):
            body = b""
        elif known.get("transfer-encoding") == "chunked":
            body = b"".join(self._chunks())
        elif "content-length" in known:
            body = self._take(int(known["content-length"]))
        else:
            body = self._rest()
        return int(status), reason, fields, body

    def is_over(self) -> bool:
        """Return whether the server has closed the connection, as it does after a broken stream."""
        return bool(self._left or select.select([self.socket], [], [], 0)[0])

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._left += data

    def _line(self) -> bytes:
        while b"\r\n" not in self._left:
            self._more()
        line, _, self._left = self._left.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        while len(self._left) < size:
            self._more()
        data, self._left = self._left[:size], self._left[size:]
        return data

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line(), 16):
            yield self._take(size)
            self._line()
        self._line()

    def _rest(self) -> bytes:
        with contextlib.suppress(ConnectionResetError):
            while True:
                self._more()
        data, self._left = self._left, b""
        return data


def _ask(way: str, call: Call, method: str, head: bytes, body: bytes) -> HttpResponse:
    """Send a request over the wire of `way`, and return the response that came back."""
    global asked
    asked += 1
    _calls[call.name] = call
    for connection in call.shared.values():
        connection.inc_thread_sharing()
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        # A view may ask again through a client of its own: then nobody else has this connection.
        wire = _wire.pop(way, None)
        if wire is not None and wire.is_over():
            wire.socket.close()
            wire = None
        wire = wire or Wire(way)
        answer = wire.ask(head + b"\r\n" + body, method)
        if wire.is_last or way in _wire:
            wire.socket.close()
        else:
            _wire[way] = wire
        if call.request is not None:
            assert call.finished.wait(DEADLINE), "the server has not finished the request"
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)
        for connection in call.shared.values():
            connection.dec_thread_sharing()
        del _calls[call.name]
    return _response(call, method, *answer)


def _response(
    call: Call, method: str, status: int, reason: str, fields: list[tuple[str, str]], body: bytes
) -> HttpResponse:
    made = call.response
    known = {name.lower(): value for name, value in fields}
    if made is None:
        made = HttpResponse()
        made.headers.clear() if hasattr(made.headers, "clear") else made.headers._store.clear()
        for name, value in fields:
            made[name] = value
    response = made.__class__.__new__(made.__class__)
    response.__dict__.update(made.__dict__)
    response._resource_closers = []
    response.headers = made.headers.__class__({})
    _same(call, sorted(_fields(made.items())), sorted(_fields(_theirs(fields))))
    for name, value in made.items():
        if name.lower() != "content-length":
            response[name] = value
    if "content-length" in known and "Content-Length" in made:
        response["Content-Length"] = known["content-length"]
    sent = [value for name, value in fields if name.lower() == "set-cookie"]
    _same(call, sorted(morsel.output(header="").strip() for morsel in made.cookies.values()), sorted(sent))
    response.cookies = made.cookies or SimpleCookie()
    response.status_code = status
    response.reason_phrase = reason
    if not made.streaming:
        response.content = body
    elif getattr(made, "is_async", False):
        response.streaming_content = _pieces(body)
    else:
        response.streaming_content = [body] if body else []
    return response


async def _pieces(body: bytes) -> Any:
    if body:
        yield body


def _theirs(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if name.lower() not in OURS | {"set-cookie"}]


def _fields(pairs: Any) -> list[tuple[str, str]]:
    # The length is compared by reading the body.
    return [
        (name.lower(), value.strip())
        for name, value in pairs
        if name.lower() not in OURS | {"content-length"}
    ]


def _same(call: Call, made: Any, came: Any) -> None:
    if call.response is not None and made != came:
        raise AssertionError(f"what Django made is not what came over the wire:\n{made}\n{came}")


def _capture() -> dict[str, Any]:
    return {alias: connections[alias] for alias in connections}


CARRIED = {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_PROTOCOL"}


def ask_wsgi(self: Any, environ: dict[str, Any]) -> Any:
    """Stand in for `ClientHandler.__call__`."""
    call = Call(_own(self, Wsgi if WAY == "threads" else Asgi), _capture(), {})
    response = _ask_environ(WAY, call, environ)
    response.wsgi_request = call.request
    return response


def ask_directly(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """Stand in for `WSGIHandler.__call__` where a test calls it by itself."""
    if "SERVER_SOFTWARE" in environ:  # it comes from a server, and not from a test
        return _answer(self, environ, start_response)
    response = _ask_environ("threads", Call(self, _capture(), {}), environ)
    cookies = [("Set-Cookie", f"{_BLANK}{morsel.OutputString()}") for morsel in response.cookies.values()]
    start_response(f"{response.status_code} {response.reason_phrase}", [*response.items(), *cookies])
    return response


def _ask_environ(way: str, call: Call, environ: dict[str, Any]) -> Any:
    """Send what an environ says; what no request can carry is given to the server side beside it."""
    method = environ["REQUEST_METHOD"]
    body = environ["wsgi.input"].read()
    if way == "threads":
        call.extra = {
            name: value for name, value in environ.items()
            if name not in CARRIED and not name.startswith(("HTTP_", "wsgi."))
        }  # fmt: skip
        call.extra["wsgi.url_scheme"] = environ.get("wsgi.url_scheme", "http")
    else:
        call.extra = {
            "scheme": environ["wsgi.url_scheme"], "client": (environ["REMOTE_ADDR"], 0),
            "server": (environ["SERVER_NAME"], str(environ["SERVER_PORT"])), "root_path": environ["SCRIPT_NAME"],
        }  # fmt: skip
    fields = {
        name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")
    }  # fmt: skip
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if name in environ:
            fields[name.replace("_", "-").title()] = environ[name]
    if body and "Content-Length" not in fields:
        fields["Content-Length"] = str(len(body))
    if "Host" not in fields:
        port = environ.get("SERVER_PORT", "80")
        usual = {"http": "80", "https": "443"}[environ.get("wsgi.url_scheme", "http")]
        fields["Host"] = environ.get("SERVER_NAME", "testserver") + ("" if str(port) == usual else f":{port}")
    path = environ.get("PATH_INFO", "/").encode("latin-1")
    query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
    return _ask(way, call, method, _head(method, path, query, list(fields.items()), call.name), body)


async def ask_asgi(self: Any, scope: dict[str, Any]) -> Any:
    """Stand in for `AsyncClientHandler.__call__`; the test's loop stands still meanwhile, ours is in another thread."""
    body_file = scope.pop("_body_file", None)
    body = body_file.read() if body_file is not None else b""
    shared = await sync_to_async(_capture)()
    extra = {"scheme": scope["scheme"], "client": tuple(scope["client"]), "server": tuple(scope["server"])}
    usual = {"type", "asgi", "http_version", "method", "path", "query_string", "headers"}
    extra |= {name: value for name, value in scope.items() if name not in usual | extra.keys()}
    call = Call(_own(self, Asgi), shared, extra)
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    path = (
        scope["path"].encode("latin-1", "surrogateescape")
        if scope["path"].isascii()
        else scope["path"].encode()
    )
    query = scope.get("query_string", b"")
    head = _head(
        scope["method"], path, query if isinstance(query, bytes) else query.encode(), fields, call.name
    )  # fmt: skip
    response = _ask("loop", call, scope["method"], head, body)
    response.asgi_request = call.request
    return response


def _head(method: str, path: bytes, query: bytes, fields: list[tuple[str, Any]], name: str) -> bytes:
    target = quote(path, safe="/:@!$&'()*+,;=~-._").encode() + (
        b"?" + quote(query, safe="/?:@!$&'()*+,;=~-._%").encode() if query else b""
    )
    lines = [
        f"{field}: {value}\r\n".encode("latin-1", "replace") for field, value in fields
        if value is not None and (value != "" or field.lower() != "cookie")
    ]  # fmt: skip
    return b"%b %b HTTP/1.1\r\n%bx-request-id: %b\r\n" % (
        method.encode(),
        target,
        b"".join(lines),
        name.encode(),
    )


def install() -> None:
    """Put the wire in the place of the test clients' handlers."""
    WSGIHandler.__call__ = ask_directly
    django_client.ClientHandler.__call__ = ask_wsgi
    django_client.AsyncClientHandler.__call__ = ask_asgi
