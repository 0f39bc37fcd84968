"""When a worker that retires closes a connection on which nothing is asked; the clock is turned by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime.retirement import Order, Retirement, State

IDLE = 1.0


class Connection:
    """An idle connection over a socket of its own; `client` is the other end."""

    exchanges = ()
    idle = True

    def __init__(self) -> None:
        self.socket, self.client = socket.socketpair()
        self.socket.setblocking(False)
        self.transport = SimpleNamespace(get_extra_info=lambda _: self.socket)
        self.loop = asyncio.new_event_loop()
        self.idle_since = 0.0
        self.ended = False

    def shutdown(self) -> None:
        self.ended = True


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    with connection.socket, connection.client, contextlib.closing(connection.loop):
        yield connection


class Clock:
    """A retirement whose loop has this time."""

    def __init__(self, connection: Connection, idle: float = IDLE, *, lingers: bool = False) -> None:
        self.now = 1000.0
        self._run = connection.loop.run_until_complete
        loop: Any = SimpleNamespace(time=lambda: self.now)
        self.told: list[dict[State, int]] = []
        self._retirement = Retirement(loop, {connection}, lambda states: self.told.append(dict(states)))
        self._order = Order(idle=idle, lingers=lingers)
        self._retirement.obey(self._order)

    def finish(self) -> None:
        """Tell that no connection is left."""
        self._retirement.finish()

    def look(self, seconds: float) -> None:
        """Let so many seconds pass and look."""
        self.now += seconds
        self._run(self._retirement.look(0))


def test_an_idle_connection_has_its_moment(connection: Connection) -> None:
    clock = Clock(connection)
    clock.look(IDLE - 0.1)
    assert not connection.ended
    clock.look(0.1)
    assert connection.ended


def test_it_begins_when_its_last_answer_has_ended(connection: Connection) -> None:
    clock = Clock(connection)
    connection.idle_since = clock.now + 10
    clock.look(10 + IDLE - 0.1)
    assert not connection.ended
    clock.look(0.1)
    assert connection.ended


def test_it_begins_when_the_client_has_taken_that_answer(connection: Connection) -> None:
    clock = Clock(connection)
    connection.socket.send(b"x" * 60_000)
    clock.look(IDLE)
    for _ in range(3):
        connection.client.recv(10_000)
        connection.socket.send(b"x" * 5_000)
        clock.look(IDLE)
        assert not connection.ended
    connection.idle_since = clock.now - 0.1  # whose answer ended after the order is asked each time
    clock.look(IDLE - 0.1)
    connection.client.recv(10_000)
    clock.look(0)
    clock.look(IDLE - 0.1)
    assert not connection.ended
    clock.look(IDLE)  # nothing of it was taken meanwhile: the client may be gone
    assert connection.ended


def test_a_request_that_has_come_is_waited_for(connection: Connection) -> None:
    clock = Clock(connection)
    connection.client.send(b"GET /")
    clock.look(IDLE)
    assert not connection.ended
    connection.socket.recv(5)
    clock.look(0)
    assert connection.ended


def test_nobody_is_waited_for_who_is_not_to_be(connection: Connection) -> None:
    connection.idle_since = 2000.0
    connection.socket.send(b"x")
    Clock(connection, idle=0.0).look(0)
    assert connection.ended


def test_it_is_told_when_what_takes_long_is_over(connection: Connection) -> None:
    clock = Clock(connection, idle=60.0, lingers=True)
    clock.finish()  # who never lingered has nothing to tell
    clock.look(2)
    clock.look(2)
    assert clock.told == [{State.IDLE: 1}]
    clock.finish()
    clock.finish()
    assert clock.told == [{State.IDLE: 1}, {}]
