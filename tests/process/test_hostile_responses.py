"""Applications that answer wrongly: the client sees a 500 or a cut connection, never a message with two meanings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.process.harness import Server, serving, write_project
from tests.process.sites import Talk, talking

WSGI = r'''
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_wsgi_application()
closed = []


class Closing:
    """An iterable of pieces that notes that it was closed."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        closed.append(1)


def fail(*pieces):
    yield from pieces
    raise RuntimeError("the application failed on purpose")


class FailsToClose(Closing):
    def close(self):
        raise RuntimeError("closing failed on purpose")


OK = "200 OK"
PLAIN = [("Content-Type", "text/plain")]
ANSWERS = {
    "/short": (OK, [("Content-Length", "10")], [b"abc"]),
    "/short-stream": (OK, [("Content-Length", "10")], Closing([b"a", b"bc"])),
    "/long": (OK, [("Content-Length", "3")], [b"abcdef"]),
    "/long-stream": (OK, [("Content-Length", "3")], Closing([b"ab", b"cd", b"ef"])),
    "/two-lengths": (OK, [("Content-Length", "6"), ("content-length", "3")], [b"abc"]),
    "/chunked-itself": (OK, [("Transfer-Encoding", "chunked")], [b"3\r\nabc\r\n0\r\n\r\n"]),
    "/204": ("204 No Content", [("Content-Length", "3")], [b"abc"]),
    "/204-stream": ("204 No Content", [], Closing([b"abc", b"def"])),
    "/304": ("304 Not Modified", [("Content-Length", "3")], [b"abc"]),
    "/empty": (OK, PLAIN, []),
    "/empty-stream": (OK, PLAIN, Closing([b"", b""])),
    "/hop": (OK, [("Connection", "upgrade, X"), ("Keep-Alive", "timeout=9"), ("Upgrade", "h2c")], [b"abc"]),
    "/no-reason": ("200", PLAIN, [b"abc"]),
    "/odd-status": ("299 Strange Thing", PLAIN, [b"abc"]),
    "/fails-to-close": (OK, PLAIN, FailsToClose([b"abc"])),
    "/length-of-words": (OK, [("Content-Length", "many")], [b"abc"]),
    "/length-negative": (OK, [("Content-Length", "-1")], [b"abc"]),
    "/length-with-plus": (OK, [("Content-Length", "+3")], [b"abc"]),
    "/length-of-other-digits": (OK, [("Content-Length", "\u0663")], [b"abc"]),
    "/name-with-space": (OK, [("X Y", "z")], [b"abc"]),
    "/name-with-colon": (OK, [("X: y\u00a0Z", "z")], [b"abc"]),
    "/name-empty": (OK, [("", "z")], [b"abc"]),
    "/name-with-line-end": (OK, [("X: 1\r\nSet-Cookie", "z")], [b"abc"]),
    "/value-with-line-end": (OK, [("X", "y\r\nSet-Cookie: z")], [b"abc"]),
    "/value-with-line-feed": (OK, [("X", "y\nSet-Cookie: z")], [b"abc"]),
    "/value-with-carriage-return": (OK, [("X", "y\rSet-Cookie: z")], [b"abc"]),
    "/value-with-NUL": (OK, [("X", "y\0z")], [b"abc"]),
    "/value-beyond-latin-1": (OK, [("X", "\u20ac")], [b"abc"]),
    "/value-that-is-no-text": (OK, [("X", 5)], [b"abc"]),
    "/status-with-line-end": ("200 OK\r\nSet-Cookie: z", PLAIN, [b"abc"]),
    "/status-of-words": ("fine", PLAIN, [b"abc"]),
    "/status-99": ("99 Low", PLAIN, [b"abc"]),
    "/status-100": ("100 Continue", PLAIN, [b"abc"]),
    "/status-101": ("101 Switching Protocols", PLAIN, [b"abc"]),
    "/status-with-four-digits": ("2000 OK", PLAIN, [b"abc"]),
    "/text": (OK, PLAIN, ["abc"]),
    "/text-stream": (OK, PLAIN, Closing(["abc"])),
    "/nothing": (OK, PLAIN, None),
    "/number": (OK, PLAIN, 5),
    "/never-started": (None, PLAIN, [b"abc"]),
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/closed":
        start_response(OK, PLAIN)
        return [str(len(closed)).encode()]
    if path == "/raise":
        raise RuntimeError("the application failed on purpose")
    if path == "/exit":
        sys.exit(3)
    if path == "/interrupt":
        raise KeyboardInterrupt
    if path == "/twice":
        start_response(OK, PLAIN)
        start_response(OK, PLAIN)
    if path == "/replaced":
        start_response(OK, [("X-First", "1")])
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("418 Teapot", PLAIN, sys.exc_info())
        return [b"replaced"]
    if path == "/write":
        write = start_response(OK, PLAIN)
        write(b"a")
        write(b"b")
        return [b"c"]
    if path == "/fails-at-once":
        start_response(OK, PLAIN)
        return fail()
    if path == "/fails-later":
        start_response(OK, PLAIN)
        return fail(b"abc", b"def")
    if path not in ANSWERS:
        return django(environ, start_response)
    status, headers, body = ANSWERS[path]
    if status:
        start_response(status, headers)
    return body
'''

WHOLE = {
    "/long": (200, b"abc"), "/long-stream": (200, b"abc"), "/chunked-itself": (200, b"3\r\nabc\r\n0\r\n\r\n"),
    "/two-lengths": (200, b"abc"), "/204": (204, b""), "/204-stream": (204, b""), "/304": (304, b""),
    "/empty": (200, b""), "/empty-stream": (200, b""), "/hop": (200, b"abc"), "/no-reason": (200, b"abc"),
    "/length-with-plus": (200, b"abc"), "/length-of-other-digits": (200, b"abc"),
    "/value-that-is-no-text": (200, b"abc"),
    "/odd-status": (299, b"abc"), "/replaced": (418, b"replaced"), "/write": (200, b"abc"),
}  # fmt: skip
BROKEN = (
    "/length-of-words", "/length-negative", "/name-with-space",
    "/name-with-colon", "/name-empty", "/name-with-line-end", "/value-with-line-end", "/value-with-line-feed",
    "/value-with-carriage-return", "/value-with-NUL", "/value-beyond-latin-1",
    "/status-with-line-end", "/status-of-words", "/status-99", "/status-100", "/status-101", "/status-with-four-digits",
    "/text", "/text-stream", "/nothing", "/number", "/never-started", "/raise", "/exit", "/interrupt", "/twice",
    "/fails-at-once",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_project(tmp_path_factory.mktemp("wrong"), wsgi=WSGI)
    with serving(project, "--workers", "1") as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []


@pytest.fixture
def talk(server: Server) -> Iterator[Talk]:
    with talking(server.address) as opened:
        opened.socket.settimeout(10)
        yield opened


@pytest.mark.parametrize("path", list(WHOLE))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_can_be_put_right_is(talk: Talk, path: str, method: str) -> None:
    answer = talk.get(path, method=method)
    status, body = WHOLE[path]
    assert (answer.status, answer.body) == (status, body if method == "GET" else b"")
    assert not {"upgrade", "keep-alive"} & answer.fields.keys()
    if answer.fields.get("connection") == "close":
        assert talk.closed()
    else:
        assert talk.get("/pid/").status == 200


@pytest.mark.parametrize("path", BROKEN)
def test_what_cannot_is_a_500(server: Server, talk: Talk, path: str) -> None:
    answer = talk.get(path)
    assert answer.status == 500
    assert "set-cookie" not in answer.fields
    assert b"abc" not in answer.body
    assert server.get("/pid/")


@pytest.mark.parametrize("path", ["/short", "/short-stream"])
def test_a_body_that_is_too_short_is_cut_by_the_end_of_the_connection(talk: Talk, path: str) -> None:
    talk.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\nGET /pid/ HTTP/1.1\r\nHost: a\r\n\r\n")
    came = talk.rest()
    assert b"\r\nContent-Length: 10\r\n" in came
    assert came.endswith(b"\r\n\r\nabc")


def test_a_stream_that_fails_has_no_last_chunk(talk: Talk) -> None:
    talk.send("GET /fails-later HTTP/1.1\r\nHost: a\r\n\r\n")
    assert talk.rest().endswith(b"3\r\nabc\r\n3\r\ndef\r\n")


def test_what_fails_to_close_harms_nobody(server: Server, talk: Talk) -> None:
    talk.send("GET /fails-to-close HTTP/1.1\r\nHost: a\r\n\r\n")
    assert talk.answer().status in (200, 500)
    assert server.get("/pid/")


def test_every_iterable_is_closed(server: Server, talk: Talk) -> None:
    before = int(server.get("/closed"))
    for path in ("/long-stream", "/204-stream", "/empty-stream"):
        talk.get(path)
        talk.get(path, method="HEAD")
    assert int(server.get("/closed")) == before + 6
