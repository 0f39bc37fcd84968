"""The file that a view named, sent in the view's place: its own fields stay, conditions and ranges are the file's."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from nuages.runtime import livefile
from nuages.runtime.dispatch import send_file
from nuages.runtime.media_types import media_type
from nuages.runtime.response import BadHeaderError, render, status_line
from nuages.runtime.xsendfile import Named, conditions, kept_fields, takes_ranges

if TYPE_CHECKING:
    import asyncio

    from nuages.runtime.exchange import Exchange
    from nuages.runtime.stored import Reply

Headers = list[tuple[str, str]]


class HandedOver(Exception):  # noqa: N818 - no error: the view has named a file
    """The body is a file that the server sends."""

    def __init__(self, named: Named) -> None:
        super().__init__(named)
        self.named = named


def hand_over(exchange: Exchange, named: Named, headers: Headers) -> None:
    """Let a thread open the file, and send it then; on the loop, when it is the exchange's turn."""
    request = exchange.request
    method = "HEAD" if request.method == "HEAD" else "GET"
    wanted = conditions(request.fields, request.method, ranges=takes_ranges(headers))
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    entry_of = partial(livefile.entry_of, media=kind or media_type(named.names[-1] if named.names else ""))
    look = partial(livefile.reply_of, named.folder, named.names, entry_of, method, wanted, hidden=True)
    future = livefile.threads.submit(exchange.loop, look)
    if future is None:
        _send(exchange, headers, livefile.BUSY)
    else:
        future.add_done_callback(partial(_found, exchange, headers))


def _found(exchange: Exchange, headers: Headers, future: asyncio.Future[Reply]) -> None:
    try:
        reply = future.result()
    except OSError as error:
        text = f"the file that a view named cannot be read: {error}"
        exchange.hub.log.event("error", "sendfile", text, request_id=exchange.request_id)
        reply = livefile.BROKEN
    if exchange.lost or exchange.status:  # its client is gone, or has been told that it took too long
        if reply.descriptor >= 0:
            os.close(reply.descriptor)
        exchange.end()
        return
    if reply.status == 404:
        path = exchange.request.path.decode("latin-1")
        text = f"{path}: the file that the view named is not there, or leads out of its folder"
        exchange.hub.log.event("warning", "sendfile", text, request_id=exchange.request_id)
    _send(exchange, headers, reply)


def _send(exchange: Exchange, headers: Headers, reply: Reply) -> None:
    connection, request = exchange.connection, exchange.request
    lines = (line.partition(": ") for line in reply.head.decode("latin-1").split("\r\n") if line)
    fields = [(name, value) for name, _, value in lines]
    if not takes_ranges(headers):
        fields = [(name, "none" if name == "accept-ranges" else value) for name, value in fields]
    if reply.status in (200, 206, 304, 412, 416):
        fields = kept_fields(headers, reply.status) + fields
    try:
        head = render(
            status_line(reply.status), fields, method=request.method, version=request.version,
            keep_alive=exchange.received and connection.keeps(request.keep_alive), size=None,
            defaults=connection.server_state.default_headers, request_id=exchange.request_id,
        )  # fmt: skip
    except BadHeaderError as error:
        if reply.descriptor >= 0:
            os.close(reply.descriptor)
        text = f"the response cannot be sent: {error}"
        exchange.hub.log.event("error", "application", text, request_id=exchange.request_id)
        _send(exchange, [], livefile.BROKEN)
        return
    exchange.status = head.status
    if reply.descriptor >= 0:
        send_file(
            exchange, head.data, reply.descriptor, reply.pieces, keep_alive=head.keep_alive,
            expected=reply.expected, readers=livefile.threads.executor,
        )  # fmt: skip
        return
    body = reply.body if head.has_body else b""
    connection.transport.write(head.data + body)
    exchange.sent = len(body)
    connection.done(exchange, keep_alive=head.keep_alive)
