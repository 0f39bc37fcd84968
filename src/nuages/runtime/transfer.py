"""A file on its way to a client, as the client takes it: by copies the kernel makes of it, or block by block.

What sends copies writes into the socket beside the transport. That is done under a descriptor of our own (`outlet`);
only while the transport has nothing unsent and does not read; and it ends in `connection_lost` at the latest. TLS, a
transport that has something unsent and file systems that map nothing take the other way, through the transport.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from nuages.runtime.pieces import Piece, Stamp, length, stamp
from nuages.runtime.residence import BLOCK_BYTES, BURST_BYTES, is_in_memory, read_through
from nuages.runtime.response import plain
from nuages.runtime.windows import ShorterError, send_part

if TYPE_CHECKING:
    from nuages.runtime.exchange import Exchange

SHORT_BYTES = (1 << 20) + (64 << 10)  # up to this, the kernel may have all of an answer at once
UNSENT_BYTES = 256 << 10  # of a longer one, what it may hold beyond what is on its way to the client
_NOT_MAPPED = {errno.EINVAL, errno.ENODEV, errno.EACCES, errno.EPERM, errno.ENOMEM}
CAN_BYPASS = sys.platform == "linux"  # what tells whether a file is in memory is Linux's
_readers = ThreadPoolExecutor(4, "nuages-files")


class Transfer:
    """One answer out of a file under way. It owns the file's descriptor, and the outlet while it uses that."""

    def __init__(
        self,
        exchange: Exchange,
        head: bytes,
        descriptor: int,
        pieces: Iterable[Piece],
        *,
        keep_alive: bool,
        expected: Stamp | None,
        readers: Executor | None,
        sent: int = 0,
    ) -> None:
        """`sent` are the bytes of `head`, and of the first piece behind it, that the client has been sent already."""
        self.exchange = exchange
        self.connection = exchange.connection
        self.loop = exchange.loop
        self._file = descriptor
        self._keep_alive = keep_alive
        self._expected = expected
        self._has_own_readers = readers is not None
        self._readers = readers or _readers
        self._has_begun = sent > 0
        self._head_left = len(head)
        self._pieces: list[Piece] = [head, *pieces]
        self._next = 0
        if sent:
            self._note(min(sent, len(head)))
            if sent > len(head):
                self._note(sent - len(head))
        self._socket: socket.socket | None = None
        self._is_watched = False
        self._is_read = False  # a thread has the file's descriptor just now
        self._ended = False

    def start(self) -> None:
        """Send what can be sent at once."""
        connection = self.connection
        transport = connection.transport
        if (
            CAN_BYPASS
            and not self._has_own_readers
            and connection.secure is None
            and not transport.get_write_buffer_size()
            and not transport.is_closing()
            # Who knows how the file has to be has seen that it is one.
            and (self._expected is not None or stat.S_ISREG(os.fstat(self._file).st_mode))
            and self._take_socket()
        ):
            self._pieces = _with_end_apart(self._pieces)
            self._push()
        else:
            self._send_blocks()

    def cancel(self) -> None:
        """End: the client is gone."""
        self._close()

    def unsent(self) -> int:
        """Return the bytes that the client has not taken of what was sent beside the transport (tcp(7), SIOCOUTQ)."""
        if self._socket is None:
            return 0
        held = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", held)[0]) + sum(map(length, self._pieces[self._next :]))

    def _take_socket(self) -> bool:
        """Take the connection's own descriptor for it; return False where none is free."""
        try:
            self._socket = self.connection.outlet.take(self.connection.transport)
        except OSError:
            return False
        if sum(map(length, self._pieces)) > SHORT_BYTES and self._socket.family != socket.AF_UNIX:
            # Else the kernel takes megabytes for each client, however slowly it reads.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        return True

    def _watch(self, *, wanted: bool) -> None:
        if wanted == self._is_watched or self._socket is None:
            return
        self._is_watched = wanted
        self.connection.pause()
        gate = self.connection.hub.gate(self.loop)
        if wanted:
            gate.watch(self._socket.fileno(), self._push)
        else:
            gate.forget(self._socket.fileno())

    def _leave_socket(self) -> None:
        if self._socket is not None:
            self._watch(wanted=False)
            self._socket = None

    def _close(self) -> None:
        """Give back the socket, and the file as soon as no thread reads it."""
        self._ended = True
        self._leave_socket()
        if self._file >= 0 and not self._is_read:
            os.close(self._file)
            self._file = -1

    def _finish(self, *, keep_alive: bool) -> None:
        self._close()
        self.exchange.transfer = None
        self.connection.done(self.exchange, keep_alive=keep_alive)

    def _fail(self, why: object) -> None:
        """Say that the file cannot be sent; to the client too, if it has been sent nothing."""
        self.exchange.hub.log.event("error", "files", f"a file cannot be sent: {why}")
        if not self._has_begun:
            self.exchange.status = 500
            self.connection.transport.write(plain(500, keep_alive=False, defaults=[]))
        self._finish(keep_alive=False)

    def _is_changed(self) -> bool:
        return self._expected is not None and stamp(os.fstat(self._file)) != self._expected

    # Beside the transport

    def _push(self, *, is_at_hand: bool = False) -> None:
        """Send until the socket takes no more or others have to have their turn."""
        if self._socket is None or not (is_at_hand or self._is_at_hand()):
            return
        budget = BURST_BYTES
        try:
            while self._next < len(self._pieces) and budget > 0:
                budget -= self._push_piece(self._socket, budget)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionError):
            self._close()
            self.connection.transport.abort()
            return
        except OSError as error:
            if error.errno in _NOT_MAPPED:
                self._leave_socket()
                self._send_blocks()
            else:
                self._fail(error)
            return
        if self._next == len(self._pieces):
            self._finish(keep_alive=self._keep_alive)
        else:
            self._watch(wanted=True)

    def _push_piece(self, own: socket.socket, most: int) -> int:
        """Send some of the next piece; return how many bytes of the file that was.

        Raises OSError; BlockingIOError when the socket takes no more, also after it has taken some.

        The last one is sent only if the file, after all others have been copied, is the one it was: who has received
        everything has received what was there when it was asked for.
        """
        piece = self._pieces[self._next]
        is_last = self._next + 1 == len(self._pieces)
        if isinstance(piece, tuple) and is_last:
            piece = os.pread(self._file, 1, piece[0])
            if not piece:
                raise ShorterError
        if self._is_changed():
            raise OSError("it was changed meanwhile")
        flags = 0 if is_last else socket.MSG_MORE
        if isinstance(piece, bytes):
            self._note(own.send(piece, flags))
            return 0
        start, stop = piece[0], min(piece[1], piece[0] + most)
        sent = send_part(own, self._file, start, stop, flags)
        self._note(sent)
        if sent < stop - start:
            raise BlockingIOError  # asking whether the socket takes more would cost as much as sending it
        return sent

    def _note(self, sent: int) -> None:
        """Note how many bytes of the next piece are sent."""
        self._has_begun = True
        piece = self._pieces[self._next]
        rest: Piece = piece[sent:] if isinstance(piece, bytes) else (piece[0] + sent, piece[1])
        if length(rest):
            self._pieces[self._next] = rest
        else:
            self._next += 1
        of_head = min(sent, self._head_left)
        self._head_left -= of_head
        self.exchange.sent += sent - of_head

    def _is_at_hand(self) -> bool:
        """Return whether the next bytes are in memory; else let a thread read them and push on then.

        The loop must not wait for a disk.
        """
        part = next((one for one in self._pieces[self._next :] if isinstance(one, tuple)), None)
        if part is None:
            return True
        if is_in_memory(self._file, part[0]):
            return True
        number = part[0] // BURST_BYTES
        self._watch(wanted=False)
        self.connection.pause()
        self._is_read = True
        # A burst that begins in this stretch may end in the next one.
        reading = self.loop.run_in_executor(
            _readers,
            read_through,
            self._file,
            number * BURST_BYTES,
            min(part[1], (number + 2) * BURST_BYTES),
        )
        reading.add_done_callback(lambda done: self._was_read(done.exception()))
        return False

    def _was_read(self, error: BaseException | None) -> None:
        self._is_read = False
        if self._ended:
            self._close()
        elif error is not None:
            self._fail(error)
        else:
            self._push(is_at_hand=True)

    # Through the transport

    def _send_blocks(self) -> None:
        task = self.loop.create_task(self._blocks())
        tasks = self.connection.server_state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _blocks(self) -> None:
        """Send what a thread reads, as the client takes it. It ends by itself when the client is gone."""
        transport, waiting = self.connection.transport, b""
        try:
            for number in range(self._next, len(self._pieces)):
                piece = self._pieces[number]
                if isinstance(piece, bytes):
                    waiting += piece
                    continue
                position, stop = piece
                while position < stop:
                    block = await self._read(position, min(BLOCK_BYTES, stop - position))
                    if self._ended:
                        return
                    if not block or self._is_changed():
                        raise OSError("it was changed meanwhile")
                    self._next, self._has_begun = number, True
                    transport.write(waiting + block)
                    waiting = b""
                    position += len(block)
                    self.exchange.sent += len(block)
                    await self.connection.flow.drain()
                    if self._ended:
                        return
        except OSError as error:
            self._fail(error)
            return
        if waiting:
            transport.write(waiting)
        self._finish(keep_alive=self._keep_alive)

    async def _read(self, position: int, size: int) -> bytes:
        self._is_read = True
        try:
            return await self.loop.run_in_executor(self._readers, os.pread, self._file, size, position)
        finally:
            self._is_read = False
            if self._ended:
                self._close()


def _with_end_apart(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces with the last byte as a piece of its own."""
    *before, last = pieces
    if isinstance(last, bytes) or length(last) == 1:
        return [*before, last]
    return [*before, (last[0], last[1] - 1), (last[1] - 1, last[1])]
