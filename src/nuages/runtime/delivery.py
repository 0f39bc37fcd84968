"""Requests that are answered out of files: prepared bytes at once, a large file as the client takes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from nuages.runtime.dispatch import send_file, send_kept
from nuages.runtime.exchange import Exchange
from nuages.runtime.response import status_line
from nuages.runtime.stored import Reply

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from nuages.runtime.pieces import Stamp
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request
    from nuages.runtime.stored import Entry

_OK = b"HTTP/1.1 200 OK\r\n"
_NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n"
_lines: dict[int, bytes] = {200: _OK, 304: _NOT_MODIFIED}


class Begun(NamedTuple):
    """An answer of which `sent` bytes are on their way: its head, what of that is the file's, and how the file was."""

    head: bytes
    own: bytes
    expected: Stamp
    sent: int


class FileExchange(Exchange):
    """Answers once the whole request has come, or at once to a client that waits to be asked for its body."""

    is_waiting = False
    begun: Begun | None = None
    readers: Executor | None = None
    """The threads that read its file, where the loop is not to touch it."""

    def reply(self) -> Reply:
        """Return the answer; a descriptor in it is closed when it is sent."""
        raise NotImplementedError

    def turn(self) -> None:
        """Answer, or wait for the rest of the request."""
        if not self.received and not self.request.expects_continue:
            self.is_waiting = True
            return
        self.start()

    def start(self) -> None:
        """Answer, or begin to look for what is the answer."""
        self.send(self.reply())

    def send(self, reply: Reply) -> None:
        """Send the answer."""
        request, connection = self.request, self.connection
        self.status = reply.status
        keep_alive = self.received and connection.keeps(request.keep_alive)
        end = b"\r\n"
        if not keep_alive:
            end = b"connection: close\r\n\r\n"
        elif request.version == "1.0":
            end = b"connection: keep-alive\r\n\r\n"
        line = _lines.get(reply.status) or _status_line(reply.status)
        defaults = self.hub.defaults(connection.server_state)
        begun = self.begun
        if begun is not None and (begun.own, begun.expected) != (reply.head, reply.expected):
            # The file has changed since, and another cannot follow.
            if reply.descriptor >= 0:
                os.close(reply.descriptor)
            connection.transport.abort()
            return
        if reply.descriptor >= 0:
            head = begun.head if begun else b"".join((line, defaults, reply.head, end))
            send_file(
                self, head, reply.descriptor, reply.pieces, keep_alive=keep_alive, expected=reply.expected,
                readers=self.readers, sent=begun.sent if begun else 0,
            )  # fmt: skip
            return
        body = reply.body if request.method != "HEAD" else b""
        connection.transport.write(b"".join((line, defaults, reply.head, end, body)))
        self.sent = len(body)
        connection.done(self, keep_alive=keep_alive)

    def complete(self) -> None:
        """Answer if it is its turn."""
        super().complete()
        if self.is_waiting:
            self.is_waiting = False
            self.turn()

    def drop(self) -> None:
        """Note that the client is gone."""
        super().drop()
        self.end()

    def _count(self, seconds: float) -> None:
        del seconds  # what an answer out of memory takes tells nothing
        self.hub.count_static(self.status, self.sent)


class StaticExchange(FileExchange):
    """A file of the site's index."""

    def __init__(
        self, connection: Connection, request: Request, client: Client | None, identity: str, entry: Entry
    ) -> None:
        super().__init__(connection, request, client, identity)
        self.entry = entry

    def reply(self) -> Reply:
        """Return what the index answers."""
        return self.hub.site.files.answer(self.entry, self.request.method, self.request.fields)


def static_exchange(connection: Connection, request: Request, entry: Entry) -> StaticExchange | None:
    """Return what answers a request for a file, None where it is answered.

    A large file that was sent before leaves at once, out of the copy that is kept of it, as far as the kernel takes it.
    Where it takes all, there is nothing left that could be late or cut off.
    """
    begun = None
    if not (connection.is_busy or request.has_body or request.version != "1.1"):
        if _is_unchanged(connection, request, entry):
            return None
        begun = _begun(connection, request, entry)
        if begun is not None and begun.sent == len(begun.head) + begun.expected[-1]:
            _count(connection, 200, begun.expected[-1])
            return None
    exchange = StaticExchange(connection, request, None, "", entry)
    exchange.begun = begun
    return exchange


def _begun(connection: Connection, request: Request, entry: Entry) -> Begun | None:
    """Send what the kernel takes now of a large file that was sent before; return how far that came."""
    hub = connection.hub
    known = hub.site.files.large(entry, request.fields) if request.method == "GET" else None
    if known is None or not connection.keeps(request.keep_alive):
        return None
    own, expected = known
    head = b"".join((_OK, hub.defaults(connection.server_state), own, b"\r\n"))
    sent = send_kept(connection, head, expected)
    return Begun(head, own, expected, sent) if sent else None


def _status_line(status: int) -> bytes:
    line = _lines[status] = f"HTTP/1.1 {status_line(status)}\r\n".encode()
    return line


def _is_unchanged(connection: Connection, request: Request, entry: Entry) -> bool:
    """Answer 304 at once to a client that was answered so before; return whether that was done.

    Nothing of it could be late, taken slowly or cut off, so it takes no exchange.
    """
    fields = request.fields
    if b"if-none-match" not in fields and b"if-modified-since" not in fields:
        return False
    hub, state = connection.hub, connection.server_state
    head = hub.site.files.unchanged(entry, request.method, fields)
    if head is None or not connection.keeps(request.keep_alive):
        return False
    connection.transport.write(b"".join((_NOT_MODIFIED, hub.defaults(state), head, b"\r\n")))
    _count(connection, 304, 0)
    return True


def _count(connection: Connection, status: int, size: int) -> None:
    """Note an answer that took no exchange."""
    hub = connection.hub
    hub.count_static(status, size)
    connection.server_state.total_requests += 1
    connection.deadline = connection.loop.time() + hub.settings.keep_alive
