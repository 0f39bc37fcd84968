"""The answers of the management socket, without a socket."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from math import inf
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.address import Address
from nuages.runtime.management import Answer, Management, folder, places, respond
from nuages.runtime.observation import why_not
from nuages.runtime.pool import Limits, Phase, Pool, Stage, Worker
from nuages.runtime.sockets import Listener
from nuages.runtime.status import ready, startup

ANSWERS = {
    "/-/live": lambda _: Answer(status=200, body="alive\n"),
    "/-/ready": lambda _: Answer(status=503, body="no worker is ready\n"),
    "/-/status": lambda _: Answer(status=200, body={"ready": False}),
}


def test_a_whole_answer() -> None:
    assert respond(b"GET /-/ready?verbose HTTP/1.1\r\nHost: x\r\n\r\n", ANSWERS) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\nno worker is ready\n"
    )


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /-/live HTTP/1.0\r\n\r\n", 200),
        (b"GET /-/live HTTP/1.0\nHost: x\n\n", 200),
        (b"HEAD /-/live HTTP/1.1\r\n\r\n", 200),
        (b"POST /-/live HTTP/1.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
    ],
)
def test_status_codes(head: bytes, status: int) -> None:
    answer = respond(head, ANSWERS)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\n") == head.startswith(b"HEAD")


@pytest.mark.parametrize("body", [{"path": object()}, "a name with \udcff in it"])
def test_an_answer_that_cannot_be_written_is_a_500(body: Any) -> None:
    head = b"GET /-/status HTTP/1.1\r\n\r\n"
    assert respond(head, {"/-/status": lambda _: Answer(status=200, body=body)}).startswith(b"HTTP/1.1 500 ")


def test_an_answer_that_raises_is_a_500_with_its_reason() -> None:
    def fail(_: object) -> Answer:
        raise OSError(24, "Too many open files", "/run/\udcff")

    found = respond(b"GET /-/metrics HTTP/1.1\r\n\r\n", {"/-/metrics": fail})
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert body == b"OSError(24, 'Too many open files')\n"
    assert respond(b"HEAD /-/metrics HTTP/1.1\r\n\r\n", {"/-/metrics": fail}) == head + b"\r\n\r\n"


@given(st.binary(max_size=100))
def test_any_head_gets_an_answer(head: bytes) -> None:
    assert respond(head, ANSWERS).startswith(b"HTTP/1.1 ")


class _Short(socket.socket):
    """A listener of a process that has as many descriptors as it may, and of which there is always one to accept."""

    number = errno.EMFILE

    def accept(self) -> NoReturn:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "pauses"), [(errno.EMFILE, True), (errno.ENFILE, True), (errno.ECONNABORTED, False)]
)
def test_where_descriptors_are_short_it_looks_away_for_a_second_and_does_not_spin(
    number: int, pauses: bool
) -> None:
    one, other = socket.socketpair()
    with selectors.DefaultSelector() as selector, other:
        listener = _Short(fileno=one.detach())
        listener.number = number
        other.send(b"there is somebody")
        management = Management(Listener(socket=listener, address=Address(path="/m.sock")), selector, ANSWERS)
        ((key, _),) = selector.select(0)
        before = time.monotonic()
        key.data()
        assert len(selector.select(0)) == (not pauses)
        if pauses:
            until = management.next_deadline()
            assert 0.5 < until - before < 1.5
            management.expire(until - 0.01)
            assert selector.select(0) == []
            management.expire(until)
            assert len(selector.select(0)) == 1
            key.data()  # and once more: it is closed in the middle of a pause
        assert (management.next_deadline() == inf) is not pauses
        management.close()


def _pool(
    phase: Phase, stage: Stage = Stage.RUNNING, proven: int | None = 0, *, stalled: bool = False
) -> Pool:
    worker = Worker(id=1, generation=0, phase=phase, since=0.0, stalled=stalled)
    return Pool(limits=Limits(workers=1), workers=(worker,), stage=stage, proven=proven)


def test_it_is_ready_only_while_a_worker_is_and_nothing_stops() -> None:
    assert ready(why_not(_pool(Phase.READY))).status == 200
    assert ready(why_not(_pool(Phase.STARTING))).status == 503
    still = ready(why_not(_pool(Phase.READY, stalled=True)))
    assert still == Answer(status=503, body="no worker is ready: the event loop of each stands still\n")
    draining = ready(why_not(_pool(Phase.READY, Stage.DRAINING)))
    assert draining == Answer(status=503, body="the server is draining\n")


def test_started_once_is_started_for_good() -> None:
    assert startup(_pool(Phase.STARTING, proven=None)).status == 503
    assert startup(_pool(Phase.STARTING, proven=0)).status == 200


def test_the_socket_lies_in_the_runtime_directory_else_in_the_temporary_one(tmp_path: Path) -> None:
    assert folder({"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": "/t"}) == tmp_path / "nuages"
    assert folder({"XDG_RUNTIME_DIR": "/no/such/folder", "TMPDIR": "/t"}).parent == Path("/t")


def test_where_systemd_made_a_folder_for_the_service_the_socket_lies_there(tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": f"{tmp_path}:/run/other", "XDG_RUNTIME_DIR": "/run/user/1"}
    assert folder(environ) == tmp_path / "nuages"
    assert places(environ)[0] == tmp_path / "nuages"
