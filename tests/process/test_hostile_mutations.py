"""Valid requests with something wrong in them: whatever comes, there is an answer or an end, and the next is served.

Where h11, a parser of other authors, understands the same bytes too, both must have seen the same requests: two parsers
that differ about where a request ends are what request smuggling is made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
from collections.abc import Iterator

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.process.corpus.echo import write_echo
from tests.process.corpus.requests import CORPUS, Served
from tests.process.harness import Server, serving
from tests.process.sites import talking

VALID = [row.data for row in CORPUS if isinstance(row, Served) and len(row.data) < 500]
PIECES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"f", b"%", b"\xff",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"0\r\n\r\n", b"Host: b\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0", b"\x0b",
    b"GET /x HTTP/1.1\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"\r\nHost: a\r\n\r\n", b"X" * 5000,
]  # fmt: skip
ANSWER = re.compile(rb"HTTP/1\.1 \d\d\d ")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_echo(tmp_path_factory.mktemp("echo"))
    with serving(project, "--workers", "1", "--max-body", "8M") as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert started.found("application") == []
        assert "Traceback" not in started.said


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """One to three valid requests with up to four changes."""
    data = b"".join(draw(st.lists(st.sampled_from(VALID), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 12))
        change = draw(st.sampled_from(["insert", "delete", "replace", "repeat", "cut", "flip"]))
        if change == "insert":
            data = data[:start] + draw(st.sampled_from(PIECES)) + data[start:]
        elif change == "delete":
            data = data[:start] + data[start + size :]
        elif change == "replace":
            data = data[:start] + draw(st.binary(max_size=6)) + data[start + size :]
        elif change == "repeat":
            data = data[:start] + data[start : start + 10 * size] * 2 + data[start + 10 * size :]
        elif change == "cut":
            data = data[:start]
        elif start < len(data):
            data = data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
    return data


def understood(data: bytes) -> list[tuple[str, str, int, str]] | None:
    """Return method, target, length and digest of each whole request that h11 finds; None if it refuses one."""
    found = []
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    connection.receive_data(b"")
    body = b""
    request = None
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            target = request.target.decode("latin-1")
            found.append((request.method.decode(), target, len(body), hashlib.sha256(body).hexdigest()))
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return found
            connection.start_next_cycle()
        else:
            return found


def exchanged(server: Server, data: bytes) -> bytes:
    """Send the data, close our side, and return all that comes until the server closes its own."""
    with talking(server.address) as talk:
        with contextlib.suppress(ConnectionError):
            talk.send(data)
            talk.socket.shutdown(socket.SHUT_WR)
        return talk.rest()


def bodies(came: bytes) -> list[dict[str, object]]:
    """Return what the echo said, for each answer of 200 that has a body."""
    return [json.loads(line) for line in re.findall(rb'\{"method".*?\}\}', came)]


@settings(
    max_examples=300,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(data=broken())
@example(data=b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
@example(data=b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\0\0\0")
@example(data=b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
def test_there_is_always_an_end_and_the_next_client_is_served(server: Server, data: bytes) -> None:
    came = exchanged(server, data)
    assert came == b"" or ANSWER.match(came), came[:200]
    assert b" 500 " not in came[:200]
    theirs, ours = understood(data), bodies(came)
    if theirs is not None and b" 400 " not in came and b" 501 " not in came:
        for one, other in zip(ours, theirs, strict=False):
            assert (one["method"], one["length"], one["digest"]) == (other[0], other[2], other[3])
    assert server.get("/pid/")
