"""The receiving side of a connection: bytes in, requests and pieces of their bodies out, within limits (RFC 9112)."""

from __future__ import annotations

import traceback
from asyncio import AbstractEventLoop
from typing import Any, ClassVar

import httptools

from nuages.runtime.exchange import Exchange
from nuages.runtime.hub import Hub
from nuages.runtime.request import (
    LONGEST_HEAD,
    LONGEST_TARGET,
    MOST_FIELDS,
    BadRequestError,
    Request,
    method_name,
    status_of_line,
)

LONGEST_REST = 1 << 20  # bytes of an answered request that are thrown away for the sake of the next one
SLICE = 4 << 10  # bytes that are parsed before it is looked whether the client has to wait


class Reception:
    """Feeds the parser and obeys its callbacks; what is done with a request, the connection decides.

    `receiving` is the exchange whose body comes in, `in_head` is true from the first byte of a head to its last.
    `deadline` is when what is awaited must have come, by the loop's clock; 0 when nothing is.
    """

    hub: ClassVar[Hub]
    loop: AbstractEventLoop

    def __init__(self) -> None:
        self.parser: Any = httptools.HttpRequestParser(self)
        self.exchanges: list[Exchange] = []  # few; a deque would cost every idle connection 600 bytes
        self.receiving: Exchange | None = None
        self.in_head = False
        self.refused = False
        self.upgrading: Request | None = None
        self.deadline = 0.0
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._trailer_fields = 0
        self._trailer_bytes = 0
        self._raw_bytes = 0
        self._held = b""
        self._successor: Any = None
        self._status = 0
        self._body_bytes = 0
        self._body_mark = 0
        self._first_line = True

    # What the connection does

    def begin(self, request: Request) -> None:
        """Take a request whose head is whole; pieces of its body go to `receiving` then."""
        raise NotImplementedError

    def refuse(self, status: int) -> None:
        """Answer what came with a status of our own, and close."""
        raise NotImplementedError

    def takes_websocket(self, request: Request) -> bool:
        """Return whether a request's wish for a WebSocket is granted."""
        raise NotImplementedError

    def hand_over(self, request: Request, rest: bytes) -> None:
        """Let another protocol go on with the connection; `rest` came behind the head."""
        raise NotImplementedError

    def rest_is_long(self, request: Request) -> bool:
        """Return whether what may still come of a request is more than is worth to be thrown away."""
        if request.expects_continue or request.length is None:
            return True
        return request.length - self._body_bytes > LONGEST_REST

    # Bytes

    def _take(self, data: bytes) -> None:
        """Parse piece by piece: one read can hold thousands of requests, which is too many to begin at once."""
        if len(data) <= SLICE and not self.exchanges:
            self._take_piece(data)
            return
        start = 0
        while start < len(data) and not self.refused:
            if len(self.exchanges) > 1 or (self.exchanges and not self.exchanges[0].had_turn):
                self._held = data[start:]
                return
            receiving = self.receiving
            size = SLICE
            if receiving is not None:
                size = max(16 * SLICE, (receiving.request.length or 0) - self._body_bytes)
            piece = data[start : start + size] if start or len(data) > size else data
            start += len(piece)
            self._take_piece(piece)
        if self._successor is not None and start < len(data):
            self._successor.data_received(data[start:])

    def _take_piece(self, data: bytes) -> None:
        receiving, body_bytes = self.receiving, self._body_bytes
        self._parse(data)
        if self.receiving is not None:
            self.receiving.awaits_body()
            # The length of chunk extensions, and of a trailer that does not end, is known here only.
            if receiving is self.receiving and receiving.request.chunked:
                self._raw_bytes = max(0, self._raw_bytes + len(data) - 8 * (self._body_bytes - body_bytes))
                if self._raw_bytes > LONGEST_HEAD:
                    self.refuse(400)
        elif self.in_head:
            # httptools keeps an unfinished line to itself, so the bytes are counted here.
            self._raw_bytes += len(data)
            if self._raw_bytes > LONGEST_HEAD + LONGEST_TARGET or len(self._headers) > MOST_FIELDS:
                self.refuse(431)

    def _parse(self, data: bytes) -> None:
        self._first_line = not self.in_head and self.receiving is None
        rest: bytes | None = None
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # What comes then has errors of its own, whose cause Python would take this one for.
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if not self.refused:
                cause = error.__context__
                if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(
                    cause, BadRequestError
                ):
                    self._failed(cause or error)
                    return
                unknown = isinstance(error, httptools.HttpParserInvalidMethodError)
                line = data if self._first_line else b""
                self.refuse(self._status or status_of_line(line, unknown_method=unknown))
        if rest is not None:
            self._upgraded(rest)

    def _failed(self, error: BaseException) -> None:
        """Say what went wrong here with a request that may be a good one."""
        text = "".join(traceback.format_exception(error)).rstrip()
        self.hub.log.event("error", "connection", text)
        self.refuse(500)

    def _upgraded(self, rest: bytes) -> None:
        request, self.upgrading = self.upgrading, None
        if request is None:
            # A protocol that is not served here: the request was answered as plain HTTP, and the connection goes on.
            if rest and not self.refused:
                self._parse(rest)
            return
        if request.has_body:
            # httptools takes the body for the other protocol's data: the same again, but without the wish to change.
            self.parser = httptools.HttpRequestParser(self)
            self._parse(request.head(without=b"upgrade") + rest)
            return
        self.hand_over(request, rest)

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target = b""
        self._headers = []
        self._raw_bytes = 0
        self.in_head = True
        self.deadline = self.loop.time() + self.hub.settings.header_timeout

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url
        if len(self._target) > LONGEST_TARGET:
            self._reject(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; how many there may be is looked at piece by piece, which costs the usual few nothing."""
        if self.in_head:
            self._headers.append((name.lower(), value.rstrip(b" \t")))  # httptools leaves tabs at the end
            return
        # A trailer is no field of the request (RFC 9110, section 6.5.1).
        self._trailer_fields += 1
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_bytes > LONGEST_HEAD or self._trailer_fields > MOST_FIELDS:
            self._reject(431)

    def _field_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self._headers)

    def _reject(self, status: int) -> None:
        """Leave the parser, which has no other way out of a callback than an exception."""
        self._status = status
        raise BadRequestError(status)

    def on_headers_complete(self) -> None:
        """Decide which way the request takes."""
        parser = self.parser
        self.in_head = False
        # A head that came in one piece is shorter than the longest.
        if len(self._headers) > MOST_FIELDS or (self._raw_bytes and self._field_bytes() > LONGEST_HEAD):
            self._reject(431)
        self._trailer_fields = self._trailer_bytes = self._raw_bytes = 0
        try:
            request = Request(
                method_name(parser.get_method()), self._target, parser.get_http_version(), self._headers,
                keep_alive=parser.should_keep_alive(),
            )  # fmt: skip
        except BadRequestError as error:
            self._reject(error.status)
            return
        self._headers, self._target = [], b""  # an idle connection need not keep its last request
        if parser.should_upgrade() and (request.has_body or self.takes_websocket(request)):
            self.upgrading = request
            return
        settings = self.hub.settings
        if request.length is not None and request.length > settings.max_body:
            self._reject(413)
        self._body_bytes = self._body_mark = 0
        self.deadline = self.loop.time() + settings.body_timeout
        self.begin(request)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        exchange = self.receiving
        if exchange is None:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self.hub.settings.max_body:
            self._reject(413)
        exchange.feed(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._first_line = False
        exchange, self.receiving = self.receiving, None
        if exchange is None:
            return
        self.deadline = 0.0
        exchange.complete()
