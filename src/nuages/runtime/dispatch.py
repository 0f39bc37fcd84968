"""Sends an answer out of a file: at once where the kernel takes all of it, else by a transfer."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from nuages.runtime.copies import Copies
from nuages.runtime.pieces import Piece, Stamp
from nuages.runtime.residence import BURST_BYTES
from nuages.runtime.transfer import CAN_BYPASS, Transfer

if TYPE_CHECKING:
    from nuages.runtime.exchange import Exchange
    from nuages.runtime.protocol import Connection

_copies = Copies()


def send_file(
    exchange: Exchange,
    head: bytes,
    descriptor: int,
    pieces: Iterable[Piece],
    *,
    keep_alive: bool,
    expected: Stamp | None = None,
    readers: Executor | None = None,
    sent: int = 0,
) -> None:
    """Send `head` and then `pieces` of the file under `descriptor`, which is ours to close; then tell the connection.

    To be called on the loop when it is the exchange's turn. A file that gets shorter meanwhile, or no longer is what
    `expected` says, ends the connection, which is the only way to tell the client. Where `readers` are given, it is
    these threads that read: the file may lie on a disk that the loop must not wait for. `sent` bytes are on their way.
    """
    pieces = tuple(pieces)
    if not sent and expected is not None and readers is None and pieces == ((0, expected[-1]),):
        sent = _send_at_once(exchange.connection, head, expected, descriptor)
        if sent == len(head) + expected[-1]:
            os.close(descriptor)
            exchange.sent = expected[-1]
            exchange.connection.done(exchange, keep_alive=keep_alive)
            return
    transfer = Transfer(
        exchange, head, descriptor, pieces, keep_alive=keep_alive, expected=expected, readers=readers, sent=sent
    )  # fmt: skip
    exchange.transfer = transfer
    transfer.start()


def send_kept(connection: Connection, head: bytes, expected: Stamp) -> int:
    """Send what the kernel takes now of `head` and the copy that is kept of a file; return how many bytes that was."""
    return _send_at_once(connection, head, expected, None)


def _send_at_once(connection: Connection, head: bytes, expected: Stamp, descriptor: int | None) -> int:
    """Send what the kernel takes now of an answer that is a whole file; return how many bytes of both that was.

    Most files are sent by this. What it does not do, or not to the end, a Transfer does. A copy is made only where the
    file's descriptor is given.
    """
    transport = connection.transport
    size = expected[-1]
    if (
        not CAN_BYPASS
        or not 0 < size <= BURST_BYTES
        or connection.secure is not None
        or transport.get_write_buffer_size()
        or transport.is_closing()
    ):
        return 0
    sent = 0
    try:
        copy = _copies.kept(expected) if descriptor is None else _copies.of(descriptor, expected, size)
        if copy < 0:
            return 0
        own = connection.outlet.take(transport)
        sent = own.send(head, socket.MSG_MORE)
        if sent == len(head):
            sent += os.sendfile(own.fileno(), copy, 0, size)
    except OSError:
        pass  # the transfer meets it again, and knows what to do
    return sent
