"""How a WebSocket's connection ends; the clock is turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nuages.runtime.websocket import LONGEST_PARTING, Parting, Socket

MOMENT = 1.0


class Transport:
    """Stands in for a transport: notes what is done to it."""

    def __init__(self, *, halves: bool = True) -> None:
        self.done: list[str] = []
        self.unsent = 0
        self._halves = halves
        self.protocol: Any = None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return self._halves

    def is_closing(self) -> bool:
        return "close" in self.done

    def write(self, data: bytes) -> None:
        self.done.append(data.decode())

    def write_eof(self) -> None:
        self.done.append("end")

    def resume_reading(self) -> None:
        self.done.append("read")

    def close(self) -> None:
        self.done.append("close")

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Engine:
    """Stands in for uvicorn's protocol."""

    def __init__(self, transport: Transport) -> None:
        self.transport: Any = transport
        self.heard: list[str] = []

    def shutdown(self) -> None:
        self.transport.write(b"1012")
        self.transport.close()

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append("lost")


class WebSocket(Socket, Engine):
    """As `websocket.begin` puts one together."""


class Loop:
    """A loop whose time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append((self.now + seconds, call))

    def passes(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [timer for timer in self._timers if timer[0] <= until]:
            self.now, call = min(due, key=lambda timer: timer[0])
            self._timers.remove((self.now, call))
            call()
        self.now = until


def parted(transport: Transport) -> tuple[WebSocket, Loop]:
    protocol, loop = WebSocket(transport), Loop()
    protocol.part(MOMENT, loop)  # type: ignore[arg-type]
    return protocol, loop


def test_a_client_that_sends_on_reads_the_close_frame_and_the_end_first() -> None:
    transport = Transport()
    protocol, loop = parted(transport)
    assert transport.done == ["1012", "end", "read"]
    assert protocol.transport.is_closing()
    for _ in range(3):
        loop.passes(MOMENT - 0.2)
        transport.protocol.data_received(b"more")
    assert "close" not in transport.done
    loop.passes(MOMENT + 0.2)
    assert transport.done == ["1012", "end", "read", "close"]


def test_a_client_that_does_nothing_is_not_waited_for() -> None:
    transport = Transport()
    _, loop = parted(transport)
    loop.passes(MOMENT + 0.2)
    assert transport.done[-1] == "close"


def test_one_that_never_stops_sending_is_left() -> None:
    transport = Transport()
    _, loop = parted(transport)
    for _ in range(round(LONGEST_PARTING * 10) + 2):
        transport.protocol.data_received(b"more")
        loop.passes(0.1)
    assert transport.done[-1] == "close"


def test_one_that_still_takes_what_was_written_has_its_moment_from_then_on() -> None:
    transport = Transport()
    transport.unsent = 5
    _, loop = parted(transport)
    loop.passes(2 * MOMENT)
    transport.unsent = 0
    loop.passes(MOMENT - 0.2)
    assert "close" not in transport.done
    loop.passes(0.4)
    assert transport.done[-1] == "close"


def test_nothing_is_written_behind_the_end_and_nothing_is_ended_twice() -> None:
    transport = Transport()
    protocol, loop = parted(transport)
    protocol.transport.write(b"late")
    protocol.transport.close()
    assert transport.done == ["1012", "end", "read"]
    loop.passes(2 * MOMENT)
    protocol.transport.close()
    assert transport.done == ["1012", "end", "read", "close"]


def test_the_protocol_hears_what_the_transport_says() -> None:
    transport = Transport()
    protocol, _ = parted(transport)
    assert isinstance(transport.protocol, Parting)
    transport.protocol.pause_writing()
    transport.protocol.resume_writing()
    assert not transport.protocol.eof_received()  # the transport closes then
    transport.protocol.connection_lost(None)
    assert protocol.heard == ["pause", "resume", "lost"]


class Board:
    """Counts what is open."""

    def __init__(self) -> None:
        self.open = 0

    def opened(self, path: bytes, request_id: str) -> int:
        self.open += 1
        return 5

    def closed(self, slot: int) -> None:
        assert slot == 5
        self.open -= 1


def noted(transport: Transport) -> tuple[WebSocket, Board]:
    protocol, board = WebSocket(transport), Board()
    protocol.note(board, b"/chat/", "abc")  # type: ignore[arg-type]
    return protocol, board


def test_it_stands_on_the_board_until_its_connection_is_lost() -> None:
    protocol, board = noted(Transport())
    assert board.open == 1
    protocol.connection_lost(None)
    assert board.open == 0
    assert protocol.heard == ["lost"]


def test_one_that_is_told_why_it_ends_is_taken_off_when_all_is_written() -> None:
    transport, loop = Transport(), Loop()
    transport.unsent = 5
    protocol, board = noted(transport)
    protocol.part(MOMENT, loop)  # type: ignore[arg-type]
    loop.passes(2 * LONGEST_PARTING)
    assert board.open == 1
    transport, loop = Transport(), Loop()
    protocol, board = noted(transport)
    protocol.part(MOMENT, loop)  # type: ignore[arg-type]
    assert board.open == 0
    protocol.connection_lost(None)
    assert board.open == 0


def test_under_tls_the_loop_sees_to_the_end() -> None:
    transport = Transport(halves=False)
    parted(transport)
    assert transport.done == ["1012", "close"]
