"""What is done for thousands of connections is done in turns: a request meanwhile waits for one of them only."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime import gate, patience
from nuages.runtime.gate import Gate
from nuages.runtime.patience import Patience


class Clock:
    """Time that passes only where work is said to take some."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (gate, patience):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Loop:
    """Keeps what is to be called, and the one descriptor that is watched."""

    def __init__(self) -> None:
        self.soon: list[Any] = []
        self.later: list[float] = []
        self.ready: Any = None

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Any, *arguments: Any) -> None:
        self.soon.append(lambda: callback(*arguments))

    def call_later(self, delay: float, *_: Any) -> None:
        self.later.append(delay)

    def add_reader(self, _descriptor: int, callback: Any) -> None:
        self.ready = callback


def test_connections_are_looked_at_in_turns(clock: Clock) -> None:
    looked: list[Patience] = []

    class Looked(Patience):
        hub: Any = SimpleNamespace(
            settings=SimpleNamespace(header_timeout=15.0, body_timeout=15.0, keep_alive=75.0),
            time_limits=SimpleNamespace(shortest=30.0),
        )

        def tick(self, now: float) -> None:
            looked.append(self)
            clock.now += gate.TURN_SECONDS * 0.6

    loop: Any = Loop()
    state = SimpleNamespace(connections={Looked() for _ in range(6)})
    Looked._sweep(loop, state)
    assert len(looked) == 2
    assert loop.later == [1.0]
    gone = next(one for one in state.connections if one not in looked)
    state.connections.discard(gone)
    while loop.soon:
        before = len(looked)
        loop.soon.pop()()
        assert len(looked) - before <= 2
    assert set(looked) == state.connections
    assert len(looked) == 5


@contextlib.contextmanager
def writable(count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(count)]
        for one in pairs:
            for end in one:
                stack.enter_context(end)
        yield [one for one, _ in pairs]


def test_those_that_can_take_more_are_served_in_turns_and_nobody_is_passed_over(clock: Clock) -> None:
    loop: Any = Loop()
    served: list[int] = []

    def serve(number: int) -> None:
        served.append(number)
        clock.now += gate.TURN_SECONDS * 0.6

    with writable(10) as sockets:
        one = Gate(loop)
        for number, own in enumerate(sockets):
            one.watch(own.fileno(), lambda number=number: serve(number))  # type: ignore[misc]
        for turn in range(1, 6):
            loop.ready()
            assert len(served) == 2 * turn
        assert sorted(served) == list(range(10))
        for own in sockets:
            one.forget(own.fileno())
        loop.ready()
        assert len(served) == 10
