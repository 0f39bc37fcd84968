"""Shared memory in which every worker notes what it is doing, for the supervisor to read, also after its death.

A front part for all: what the supervisor tells every worker, and rows of one number or note per slot that workers read
of each other, such as the tally by which they share connections out. Then one slot per worker: a head with a few
figures, the requests in flight, the open WebSockets, the requests whose bodies come, and what was counted (`counts`).
The worker alone writes its slot and takes no lock; a reader that catches it in the middle of a write sees two different
sequence numbers and skips the entry. Written as the machine writes numbers: both sides are processes of one machine.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nuages.runtime import counts
from nuages.runtime.counts import COUNTS_BYTES, Counting, Counts

PATH_BYTES, IDENTITY_BYTES = 158, 64  # what is kept of a request's path and identity
WHY_BYTES = 232  # and of what a database driver says, which begins with much that is no reason
# Sequence number, start (time.monotonic, seconds), method, path, request id, sequence number again.
_ENTRY = struct.Struct(f"=Qd10s{PATH_BYTES}s{IDENTITY_BYTES}sQ")
# pid, requests in flight, started, heartbeat, requests answered, connections, threads busy, threads, queued, database
# connections (time.monotonic, seconds).
_HEAD = struct.Struct("=IIddQIIIII")
# Sequence number, when (time.monotonic, seconds), why not; empty: the database answered. Sequence number again.
_CHECK = struct.Struct(f"=Qd{WHY_BYTES}sQ")
_TALLY = struct.Struct("=I")  # 0: this slot accepts no connections; else one more than it has
_FRONT = struct.Struct("=II")  # how many slots there are; whether balancers should send requests here
_ACCEPTS = 4
_FRONT_BYTES = 64
_HEAD_BYTES = 256
_PAGE = 4096
ENTRIES = 256  # requests in flight that a worker can note; what is beyond is served but not noted
SOCKETS = 64  # the same of WebSockets: an idle server may have thousands, and each takes memory
UPLOADS = 64  # the same of requests whose bodies still come, which is what slow clients have thousands of
_SOCKETS_AT = _HEAD_BYTES + ENTRIES * _ENTRY.size
_UPLOADS_AT = _SOCKETS_AT + SOCKETS * _ENTRY.size
_NOTES_BYTES = _UPLOADS_AT + UPLOADS * _ENTRY.size
_NUMBER = struct.Struct("=I")
_OPEN_AT = _HEAD.size  # how many WebSockets are open, behind the figures
_COMING_AT = _OPEN_AT + _NUMBER.size  # and how many bodies come
SLOT_BYTES = -(-(_NOTES_BYTES + COUNTS_BYTES) // _PAGE) * _PAGE
_FREE = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """A request that was begun and not ended, or comes still, or an open WebSocket; `since` is in monotonic seconds."""

    method: str
    path: str
    request_id: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a worker last said of itself; `heartbeat` and `started` are monotonic seconds, 0 for never."""

    pid: int = 0
    started: float = 0.0
    heartbeat: float = 0.0
    requests: int = 0
    connections: int = 0
    threads_busy: int = 0
    threads: int = 0
    queued: int = 0
    database_connections: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCheck:
    """Whether the database answered a worker, and when (monotonic seconds); `why` is empty where it did."""

    at: float
    why: str = ""


class Board:
    """A worker's own slot. Made from the descriptor that the supervisor passed on."""

    def __init__(self, descriptor: int, slot: int) -> None:
        self._memory = mmap.mmap(descriptor, 0)
        self._start = _start(slot, _slots(self._memory))
        self._slot = slot
        self._accepts = memoryview(self._memory)[_ACCEPTS : _ACCEPTS + 1]
        row = _FRONT_BYTES + _slots(self._memory) * _TALLY.size
        self._tally = memoryview(self._memory)[_FRONT_BYTES:row].cast("I")
        self.counting = Counting(_counts(self._memory, slot))
        first = self._start + _HEAD_BYTES
        self._free = [first + number * _ENTRY.size for number in reversed(range(ENTRIES))]
        first = self._start + _SOCKETS_AT
        self._free_sockets = [first + number * _ENTRY.size for number in reversed(range(SOCKETS))]
        first = self._start + _UPLOADS_AT
        self._free_uploads = [first + number * _ENTRY.size for number in reversed(range(UPLOADS))]
        self._open = self._coming = 0
        self._sequence = 0
        self._checks = 0
        self._begun = 0
        self._until_limit = 0
        self._on_limit: Callable[[], None] = _nothing

    def limit(self, requests: int, on_limit: Callable[[], None]) -> None:
        """Have `on_limit` called when so many requests have begun; what `begin` is not called for is not counted."""
        self._until_limit, self._on_limit = requests, on_limit

    def tally(self, connections: int | None) -> None:
        """Tell the other workers how many connections this one has; None: it accepts no more."""
        self._tally[self._slot] = 0 if connections is None else connections + 1

    def least(self) -> int:
        """Return how many connections the worker with the fewest of those that accept has."""
        return min(filter(None, self._tally.tolist()), default=1) - 1

    @property
    def accepting(self) -> int:
        """How many workers accept connections."""
        row = self._tally.tolist()
        return len(row) - row.count(0)

    @property
    def in_flight(self) -> int:
        """How many requests are begun and not ended."""
        return self._begun

    def begin(self, method: str, path: bytes, request_id: str) -> int:
        """Note that a request has begun, its path as sent; return what `end` wants. For the loop's thread only."""
        self._begun += 1
        if self._until_limit:
            self._until_limit -= 1
            if not self._until_limit:
                self._on_limit()
        if not self._free:
            return -1
        offset = self._free.pop()
        self._sequence = sequence = self._sequence + 1
        _ENTRY.pack_into(
            self._memory, offset, sequence, time.monotonic(), method.encode(), path, request_id.encode(), sequence,
        )  # fmt: skip
        return offset

    def end(self, slot: int) -> None:
        """Note that the request of that slot has ended."""
        self._begun -= 1
        if slot >= 0:
            self._memory[slot : slot + 8] = _FREE
            self._free.append(slot)

    def opened(self, path: bytes, request_id: str) -> int:
        """Note that a WebSocket is open, which is no request in flight; return what `closed` wants."""
        self._open += 1
        return self._note(self._free_sockets, _OPEN_AT, self._open, "WebSocket", path, request_id)

    def closed(self, slot: int) -> None:
        """Note that the WebSocket of that slot is closed."""
        self._open -= 1
        self._clear(slot, self._free_sockets, _OPEN_AT, self._open)

    def awaits(self, method: str, path: bytes, request_id: str) -> int:
        """Note that a request's body still comes, so that it is not in flight; return what `arrived` wants."""
        self._coming += 1
        return self._note(self._free_uploads, _COMING_AT, self._coming, method, path, request_id)

    def arrived(self, slot: int) -> None:
        """Note that the body of the request of that slot has come, or never will."""
        self._coming -= 1
        self._clear(slot, self._free_uploads, _COMING_AT, self._coming)

    def _note(self, free: list[int], at: int, number: int, method: str, path: bytes, request_id: str) -> int:
        _NUMBER.pack_into(self._memory, self._start + at, number)
        if not free:
            return -1
        offset = free.pop()
        self._sequence = sequence = self._sequence + 1
        _ENTRY.pack_into(
            self._memory, offset, sequence, time.monotonic(), method.encode(), path, request_id.encode(), sequence,
        )  # fmt: skip
        return offset

    def _clear(self, slot: int, free: list[int], at: int, number: int) -> None:
        _NUMBER.pack_into(self._memory, self._start + at, number)
        if slot >= 0:
            self._memory[slot : slot + 8] = _FREE
            free.append(slot)

    def beat(self, figures: Figures) -> None:
        """Write this worker's figures, with the heartbeat of now."""
        _HEAD.pack_into(
            self._memory, self._start, figures.pid, figures.in_flight, figures.started, time.monotonic(),
            figures.requests, figures.connections, figures.threads_busy, figures.threads, figures.queued,
            figures.database_connections,
        )  # fmt: skip

    def note_check(self, why: str) -> None:
        """Note that the database was asked just now; `why` it did not answer, empty where it did."""
        self._checks += 1
        text = why.encode("utf-8", "replace")
        _CHECK.pack_into(
            self._memory, _check_at(self._slot, _slots(self._memory)), self._checks, time.monotonic(), text,
            self._checks,
        )  # fmt: skip

    def newest_check(self) -> DatabaseCheck | None:
        """Return what the last worker has noted that asked the database, whichever that was."""
        slots = _slots(self._memory)
        found = [check for slot in range(slots) if (check := _check(self._memory, slot))]
        return max(found, key=lambda check: check.at, default=None)

    @property
    def accepts(self) -> bool:
        """Whether balancers should send requests to this server: the supervisor says so."""
        return bool(self._accepts[0])


class Scoreboard:
    """The supervisor's side: the whole memory, read only but for clearing a slot before it is given away again."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        size = _start(slots, slots)
        self.descriptor = _shared_memory(size)
        self._memory = mmap.mmap(self.descriptor, size)
        _FRONT.pack_into(self._memory, 0, slots, 0)

    def show_accepting(self, accepts: bool) -> None:
        """Let workers know whether balancers should send requests here."""
        self._memory[_ACCEPTS] = accepts

    def clear(self, slot: int) -> None:
        """Make a slot new for the next worker."""
        start = _start(slot, self.slots)
        self._memory[start : start + _NOTES_BYTES] = bytes(_NOTES_BYTES)
        self._memory[_check_at(slot, self.slots) : _check_at(slot + 1, self.slots)] = bytes(_CHECK.size)
        with _counts(self._memory, slot) as memory:
            counts.clear(memory)
        self.leave(slot)

    def leave(self, slot: int) -> None:
        """Note that nobody accepts for a slot: its worker has ended, perhaps without a word."""
        _TALLY.pack_into(self._memory, _FRONT_BYTES + slot * _TALLY.size, 0)

    def counted(self, slot: int) -> Counts:
        """Return what the worker of that slot has counted."""
        with _counts(self._memory, slot) as memory:
            return counts.read(memory)

    def check(self, slot: int) -> DatabaseCheck | None:
        """Return what the worker of that slot last noted of the database; None when it never asked."""
        return _check(self._memory, slot)

    def figures(self, slot: int) -> Figures:
        """Return what the worker of that slot last said of itself."""
        pid, in_flight, started, heartbeat, requests, connections, busy, threads, queued, database = (
            _HEAD.unpack_from(self._memory, _start(slot, self.slots))
        )
        return Figures(
            pid=pid, started=started, heartbeat=heartbeat, requests=requests, connections=connections,
            threads_busy=busy, threads=threads, queued=queued, database_connections=database, in_flight=in_flight,
        )  # fmt: skip

    def in_flight(self, slot: int) -> tuple[InFlight, ...]:
        """Return the requests that the worker of that slot has begun and not ended, the oldest first."""
        return self._noted(_start(slot, self.slots) + _HEAD_BYTES, ENTRIES)

    def open_sockets(self, slot: int) -> tuple[tuple[InFlight, ...], int]:
        """Return the WebSockets of the worker of that slot, the oldest first, and how many more there are."""
        return self._counted(slot, _SOCKETS_AT, SOCKETS, _OPEN_AT)

    def coming(self, slot: int) -> tuple[tuple[InFlight, ...], int]:
        """Return the same of the requests whose bodies still came to the worker of that slot."""
        return self._counted(slot, _UPLOADS_AT, UPLOADS, _COMING_AT)

    def _counted(self, slot: int, at: int, most: int, count_at: int) -> tuple[tuple[InFlight, ...], int]:
        start = _start(slot, self.slots)
        noted = self._noted(start + at, most)
        (number,) = _NUMBER.unpack_from(self._memory, start + count_at)
        return noted, max(0, number - len(noted))

    def _noted(self, first: int, most: int) -> tuple[InFlight, ...]:
        found = []
        for number in range(most):
            before, since, method, path, request_id, after = _ENTRY.unpack_from(
                self._memory, first + number * _ENTRY.size
            )
            if before and before == after:
                names = {"method": _text(method), "path": _text(path), "request_id": _text(request_id)}
                found.append(InFlight(**names, since=since))
        return tuple(sorted(found, key=lambda entry: entry.since))

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)


def at_work(figures: Figures, noted: Sequence[InFlight]) -> int:
    """Return how many requests a worker is at: those that it notes, or what it last said where it can note no more."""
    return max(len(noted), figures.in_flight) if len(noted) >= ENTRIES else len(noted)


def _nothing() -> None:
    pass


def _slots(memory: mmap.mmap) -> int:
    slots, _ = _FRONT.unpack_from(memory)
    return int(slots)


def _check_at(slot: int, slots: int) -> int:
    return _FRONT_BYTES + slots * _TALLY.size + slot * _CHECK.size


def _start(slot: int, slots: int) -> int:
    return -(-_check_at(slots, slots) // _PAGE) * _PAGE + slot * SLOT_BYTES


def _counts(memory: mmap.mmap, slot: int) -> memoryview:
    start = _start(slot, _slots(memory)) + _NOTES_BYTES
    return memoryview(memory)[start : start + COUNTS_BYTES]


def _check(memory: mmap.mmap, slot: int) -> DatabaseCheck | None:
    before, at, why, after = _CHECK.unpack_from(memory, _check_at(slot, _slots(memory)))
    return DatabaseCheck(at=at, why=_text(why)) if before and before == after else None


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("utf-8", "ignore")


def _shared_memory(size: int) -> int:
    """Return a descriptor of so much zeroed memory that has no name; see memfd_create(2)."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("nuages-scoreboard", os.MFD_CLOEXEC)
    else:
        import tempfile  # late: it costs a supervisor on Linux 10 ms

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
