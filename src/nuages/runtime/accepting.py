"""Take connections from the listening sockets that all workers share, so that each gets its share of them.

Whoever is woken first could take all that wait, and kept-alive connections stay where they are: without a rule one
worker ends with most of the load. Here a worker that is ahead of the one with the least lets the others go first for
a moment. What still waits then it takes itself, more and more of it while nobody else comes: a peer may be busy.

uvloop's own servers accept until nothing waits and cannot pause, so the sockets are read here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import select
import socket
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Protocol

MOST_AT_ONCE = 16  # connections taken before other work of the loop has its turn
SHORT_WAIT, LONG_WAIT = 0.002, 0.025  # seconds that peers get to take a connection first
EACH_WAIT = 0.001  # of these for each connection that this worker is ahead of the one with the least
ENOUGH = 1.125  # of the connections of the worker with the least are even enough
FEW = 8  # connections of a worker; with more of them it waits for the others as many times longer
OUT_OF_FILES_WAIT = 1.0  # seconds, where the kernel refuses another file descriptor
FULL_WAIT = 0.05  # seconds until a worker that has as many connections as it may looks whether one has gone
# Of the files that a process may open, as many as this and no more than a quarter are left to views: their database
# connections, templates and modules. A connection that waits is answered later; a view without files is a 500.
FOR_VIEWS = 256


class Tally(Protocol):
    """How many connections each worker has; see `scoreboard.Board`."""

    def tally(self, connections: int | None) -> None:
        """Tell how many this worker has."""

    def least(self) -> int:
        """Return how many the worker with the fewest of those that accept has."""


class Counted(set[Any]):
    """The open connections of a server, which tells when their number changes; uvicorn's protocols add themselves."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def add(self, connection: Any, /) -> None:
        """Note a new connection."""
        super().add(connection)
        self._changed()

    def discard(self, connection: Any, /) -> None:
        """Note that one is gone."""
        super().discard(connection)
        self._changed()

    def remove(self, connection: Any, /) -> None:
        """Do the same: uvicorn's WebSockets take themselves out by this name."""
        super().remove(connection)
        self._changed()


def may_take(own: int, least: int) -> bool:
    """Return whether a worker with so many connections takes the next one at once. Pure.

    An eighth ahead of the one with the least is even enough, and waiting for the last of it would hold up bursts. The
    mean of all would tell little of one that has just come and is far behind the others.
    """
    return own < least * ENOUGH + 2


def most_connections(files: int, open_now: int) -> int:
    """Return how many connections a process takes that may open so many files and has some open already. Pure."""
    return max(1, files - open_now - min(FOR_VIEWS, files // 4))


def read_most_connections() -> int:
    """Return the same for this process as it is now."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return sys.maxsize
    # Where there is no /proc, as on macOS, /dev has them; in Linux' it is a link that some jails lack.
    place = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    return most_connections(files, len(os.listdir(place)))  # noqa: PTH208 - names only


def wait_seconds(own: int, least: int) -> float:
    """Return how long a worker that may not take a connection waits for the others to do so. Pure.

    The further it is ahead the longer: whoever is behind may have a machine that is busy. And the more connections
    there are: an uneven share of few is gone with the next, one of many stays.
    """
    each = EACH_WAIT * max(1.0, least / FEW)
    return min(LONG_WAIT, max(SHORT_WAIT, each * (own - least * ENOUGH)))


class Acceptor:
    """The listening sockets of one worker. `make` makes the protocol of a connection.

    `handshake` is what `loop.connect_accepted_socket` takes for TLS; Unix sockets do without. It takes `most`
    connections; `on_full` is called with how many when others begin to wait for that, and with 0 when nobody does.
    """

    def __init__(
        self,
        sockets: Iterable[socket.socket],
        tally: Tally,
        make: Callable[[], asyncio.Protocol],
        handshake: Mapping[str, Any],
        *,
        most: int = sys.maxsize,
        on_full: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._sockets = list(sockets)
        self._tally, self._make, self._handshake = tally, make, handshake
        self._loop = asyncio.get_running_loop()
        self.connections = Counted(self._count)
        self._arriving = 0  # accepted, but their protocols have not begun
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._alone = 1  # how many are taken after a wait in which nobody else came
        self._least = 0  # connections of the worker with the fewest, when this one began to wait
        self._accepts = False
        self._most, self._on_full, self._is_full = most, on_full, False

    def start(self) -> None:
        """Begin to accept."""
        self._accepts = True
        self._count()
        for sock in self._sockets:
            sock.setblocking(False)
        self._listen()

    def stop(self) -> None:
        """Accept no more, and close the sockets."""
        self._pause()
        self._accepts = False
        self._tally.tally(None)
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    def end_listening(self, lent: Container[int] = ()) -> None:
        """Accept whoever is in the sockets' queues, and have the kernel refuse who comes after them.

        Closing would leave a socket open as long as another worker has it, whose loop may stand still: nobody would
        accept who comes then. What still waits where no more files can be opened is left to the others, and sockets
        of `lent`, by descriptor, to who made them.
        """
        for sock in self._sockets:
            if self._take_the_rest(sock) and sock.fileno() not in lent:
                with contextlib.suppress(OSError):  # another worker was first
                    sock.shutdown(socket.SHUT_RDWR)

    def _take_the_rest(self, sock: socket.socket) -> bool:
        """Accept all that wait; return whether none is left, whom the kernel would reset when nobody listens."""
        while True:
            try:
                accepted, _ = sock.accept()
            except BlockingIOError:
                return True
            except ConnectionAbortedError:
                continue
            except OSError:
                return False
            self._arrived(accepted)

    def give_up(self) -> None:
        """Leave those who have not come through their handshake."""
        for task in self._tasks:
            task.cancel()

    @property
    def own(self) -> int:
        """How many connections this worker has."""
        return len(self.connections) + self._arriving

    def _count(self) -> None:
        if self._accepts:
            self._tally.tally(self.own)

    def _listen(self) -> None:
        for sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._readable, sock)

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(MOST_AT_ONCE):
            least = self._tally.least()
            if not may_take(self.own, least):
                self._leave(least)
                return
            if not self._take(sock):
                self._alone = 1
                return

    def _leave(self, least: int) -> None:
        """Let the others go first for a moment."""
        self._least = least
        self._wait(wait_seconds(self.own, least))

    def _wait(self, seconds: float) -> None:
        self._pause()
        self._timer = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        """Take what the others have left, then go on as usual; leave it longer while who is behind is taking it."""
        self._timer = None
        least = self._tally.least()
        if least > self._least and not may_take(self.own, least):
            self._leave(least)
            return
        for sock in self._sockets:
            taken = 0
            while taken < self._alone and self._take(sock):
                taken += 1
            self._alone = min(self._alone + 1, MOST_AT_ONCE) if taken == self._alone else 1
        if self._timer is None:
            self._listen()

    def _take(self, sock: socket.socket) -> bool:
        """Accept one connection; return False when none waits, or none may be taken now."""
        full = self.own >= self._most
        self._tell_full(full and self._is_waited_for())
        if full:
            self._wait(FULL_WAIT)
            return False
        try:
            accepted, _ = sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError:
            if self._accepts:
                self._wait(OUT_OF_FILES_WAIT)
            return False
        self._arrived(accepted)
        return True

    def _tell_full(self, is_full: bool) -> None:
        if is_full is not self._is_full:
            self._is_full = is_full
            self._on_full(self._most if is_full else 0)

    def _is_waited_for(self) -> bool:
        """Return whether a connection waits that nobody has taken."""
        waiting = select.poll()
        for sock in self._sockets:
            waiting.register(sock, select.POLLIN)
        return bool(waiting.poll(0))

    def _arrived(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self._arriving += 1
        self._count()
        task = self._loop.create_task(self._begin(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        try:
            # A client that leaves in the middle of a TLS handshake is no event of ours.
            with contextlib.suppress(OSError, EOFError):
                # A Unix socket does not leave this machine.
                options = self._handshake if accepted.family != socket.AF_UNIX else {}
                await self._loop.connect_accepted_socket(self._make, accepted, **options)
        finally:
            self._arriving -= 1
            self._count()
