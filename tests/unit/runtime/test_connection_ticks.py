"""When a connection is given up: its clock is turned by hand here, for the real limits are minutes."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace
from typing import Any

import httptools
import pytest

from nuages.runtime.counts import COUNTS_BYTES, Counting
from nuages.runtime.haste import STEP_SECONDS, SWITCH_SECONDS, Haste
from nuages.runtime.patience import SILENT_SECONDS
from nuages.runtime.protocol import LINGER_SECONDS, Connection


class Transport:
    """Stands in for a transport: notes how it was ended, and says how much is not sent yet.

    `socket` is what the kernel may have something unread in.
    """

    def __init__(self) -> None:
        self.unsent = 0
        self.ended = ""
        self.socket: socket.socket | None = None

    def get_extra_info(self, name: str) -> socket.socket | None:
        return self.socket if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return bool(self.ended)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self.unsent += len(data)

    def write_eof(self) -> None:
        self.ended = "half closed"

    def close(self) -> None:
        self.ended = "closing" if self.unsent else "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def connected() -> tuple[Connection, Transport, SimpleNamespace]:
    clock = SimpleNamespace(now=1000.0, time=lambda: clock.now)
    options = SimpleNamespace(
        keep_alive=75.0, header_timeout=15.0, body_timeout=15.0, timeout=30.0, max_body=100
    )
    counting = Counting(memoryview(bytearray(COUNTS_BYTES)))
    pool, site = SimpleNamespace(haste=Haste()), SimpleNamespace(views=None)
    hub = SimpleNamespace(settings=options, count=counting.count, site=site, pool=pool)
    kind: Any = type("Tested", (Connection,), {"hub": hub, "sweeping": True})
    state = SimpleNamespace(connections=set(), total_requests=0, default_headers=[])
    connection = kind(SimpleNamespace(loaded=True), state, {}, _loop=clock)
    transport = Transport()
    connection.connection_made(transport)
    return connection, transport, clock


def ended_after(connection: Connection, transport: Transport, clock: Any) -> float:
    """Return after how many seconds of ticks the connection is closed or aborted."""
    began = clock.now
    while transport.ended not in ("closed", "aborted"):
        clock.now += 1
        connection.tick(clock.now)
        assert clock.now - began < 1000
    return float(clock.now - began)


def test_an_idle_connection_is_closed_after_the_keep_alive_time() -> None:
    assert ended_after(*connected()) == 75


def test_an_idle_connection_is_not_closed_under_a_request_that_has_come() -> None:
    connection, transport, clock = connected()
    transport.socket, client = socket.socketpair()
    with transport.socket, client:
        client.send(b"\r\n")
        clock.now += 75
        connection.tick(clock.now)
        assert transport.ended == ""
        transport.socket.recv(2)  # and it was no request
        assert ended_after(connection, transport, clock) == 1


def test_what_a_refused_client_goes_on_to_send_keeps_nothing_open() -> None:
    connection, transport, clock = connected()
    connection.data_received(b"rubbish\r\n\r\n")
    transport.unsent = 0
    transport.socket, client = socket.socketpair()
    with transport.socket, client:
        client.send(b"more")
        assert ended_after(connection, transport, clock) == LINGER_SECONDS


def test_a_refused_client_has_a_little_time_to_read_why() -> None:
    connection, transport, clock = connected()
    connection.data_received(b"rubbish\r\n\r\n")
    assert transport.ended == "half closed"
    transport.unsent = 0
    assert ended_after(connection, transport, clock) == LINGER_SECONDS


def test_a_client_that_takes_nothing_of_a_refusal_is_aborted() -> None:
    connection, transport, clock = connected()
    connection.data_received(b"rubbish\r\n\r\n")
    # Closing waits until all is sent, which may be never.
    assert SILENT_SECONDS < ended_after(connection, transport, clock) <= SILENT_SECONDS + 2
    assert transport.ended == "aborted"


def test_a_client_that_stops_reading_is_aborted() -> None:
    connection, transport, clock = connected()
    connection.exchanges.append(SimpleNamespace(expired=bool, transfer=None))  # type: ignore[arg-type]
    connection.deadline = 0.0
    transport.unsent = 10_000_000
    for _ in range(20):
        clock.now += SILENT_SECONDS / 2
        transport.unsent -= 1  # slowly, but it reads
        connection.tick(clock.now)
    assert transport.ended == ""
    assert SILENT_SECONDS < ended_after(connection, transport, clock) <= SILENT_SECONDS + 2
    assert transport.ended == "aborted"


def test_threads_leave_the_loop_alone_while_it_reads_a_request_that_may_be_for_an_async_view() -> None:
    connection, _, _ = connected()
    seen: list[float] = []
    kind: Any = type(connection)
    kind.on_url = lambda *_: seen.append(sys.getswitchinterval())
    usual, haste = sys.getswitchinterval(), connection.hub.pool.haste
    try:
        for _ in range(2):
            connection.parser = httptools.HttpRequestParser(connection)
            connection.data_received(b"GET / HTTP/1.1\r\n")
            seen.append(sys.getswitchinterval())
            haste.asked(10.0)
    finally:
        sys.setswitchinterval(usual)
    assert seen == pytest.approx([usual, usual, STEP_SECONDS, SWITCH_SECONDS])
    # Who has lost the interpreter in a step waits for as long as this, perhaps several times.
    assert usual >= STEP_SECONDS
