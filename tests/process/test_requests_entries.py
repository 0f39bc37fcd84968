"""The same pages through every kind of entry point: wrapped or standard, WSGI, ASGI, or both."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

ASGI = """\
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
application = get_asgi_application()
"""

WRAPPED_ASGI = (
    ASGI
    + """
django = application


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"{scope['client'][0]} {scope['scheme']} {message['text']}"})
        return

    async def marked(message):
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-wrapped-by", b"asgi")]
        await send(message)

    await django(scope, receive, marked if scope["type"] == "http" else send)
"""
)

WRAPPED_WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_wsgi_application()


def application(environ, start_response):
    def marked(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Wrapped-By", "wsgi")], exc_info)
    response = django(environ, marked)
    try:
        yield from response
    finally:
        response.close()
"""

HAS_ASYNC_STREAMS = django.VERSION >= (4, 2)
WSGI_APP, ASGI_APP = "pages.wsgi:application", "pages.asgi:application"
KINDS = {
    "standard-wsgi": (None, None, [WSGI_APP]),
    "standard-asgi": (None, ASGI, [ASGI_APP]),
    "standard-both": (None, ASGI, [WSGI_APP, ASGI_APP]),
    "wrapped-wsgi": (WRAPPED_WSGI, None, [WSGI_APP]),
    "wrapped-asgi": (None, WRAPPED_ASGI, [ASGI_APP]),
    "wrapped-both": (WRAPPED_WSGI, WRAPPED_ASGI, [WSGI_APP, ASGI_APP]),
}


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    wsgi, asgi, apps = KINDS[request.param]
    project = write_site(tmp_path_factory.mktemp("site"), wsgi=wsgi or "")
    if asgi:
        (project / "pages" / "asgi.py").write_text(asgi)
    more = [word for app in apps[1:] for word in ("--app", app)]
    with serving(project, "--workers", "1", *more, app=apps[0]) as server:
        server.wait_for("ready")
        yield request.param, server


@pytest.fixture
def kind(served: tuple[str, Server]) -> str:
    return served[0]


@pytest.fixture
def server(served: tuple[str, Server]) -> Server:
    return served[1]


def test_the_wrapper_is_always_called(kind: str, talk: Talk) -> None:
    sync, asynchronous = (talk.get(path).fields.get("x-wrapped-by") for path in ("/", "/async/"))
    expected = {
        "wrapped-wsgi": ("wsgi", "wsgi"), "wrapped-asgi": ("asgi", "asgi"), "wrapped-both": ("wsgi", "asgi"),
    }  # fmt: skip
    assert (sync, asynchronous) == expected.get(kind, (None, None))


def test_async_views_run_on_the_loop_unless_a_wsgi_wrapper_stands_alone(kind: str, talk: Talk) -> None:
    assert talk.get("/async/").text == f"on the loop: {kind != 'wrapped-wsgi'}"


def test_sync_views_run_in_the_pool(talk: Talk) -> None:
    assert talk.get("/thread/").text.startswith("nuages-")
    assert not talk.get("/thread/").text.startswith("nuages-async")


def test_pages_are_the_same(server: Server, talk: Talk) -> None:
    assert talk.get("/").text == "hello"
    assert talk.get("/stream/").text == "one two three"
    if HAS_ASYNC_STREAMS:
        assert talk.get("/sync-async/").text == "0 1 2 "
        assert talk.get("/live/").text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert talk.get("/download/").body == bytes(range(256)) * 8192
    assert talk.get("/explode/").status == 500
    assert talk.get("/nowhere/").status == 404
    assert talk.get("/status/204/").status == 204
    assert talk.get("/meta").fields["location"] == "/meta/"
    assert len([1 for name, _ in talk.get("/cookies/").all if name.lower() == "set-cookie"]) == 2
    assert [talk.get("/leak/").text for _ in range(3)] == ["noneen-us"] * 3
    found = json.loads(
        talk.get("/meta/%C3%A4%20b/?q=%C3%A4", "X-Forwarded-For: 203.0.113.9\r\nX_Y: 1\r\n").text
    )
    assert (found["path"], found["full"], found["host"]) == (
        "/meta/ä b/",
        "/meta/%C3%A4%20b/?q=%C3%A4",
        "testserver",
    )
    assert found["meta"]["REMOTE_ADDR"] == "203.0.113.9"
    assert "HTTP_X_Y" not in found["meta"]
    assert talk.get("/", method="HEAD").fields["content-length"] == "5"
    assert server.wait_for_request(path="/status/204/")["status"] == 204


def test_bodies_arrive(talk: Talk) -> None:
    talk.send("POST /size/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n", b"u" * 3_000_000)
    assert talk.answer().text == "3000000"
    form = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"
    talk.send(f"POST /form/ HTTP/1.1\r\nHost: x\r\n{form}\r\n3\r\na=b\r\n0\r\n\r\n")
    assert json.loads(talk.answer().text)["post"] == {"a": "b"}
    talk.send("POST /size/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert talk.line() == b"HTTP/1.1 100 Continue"
    assert talk.line() == b""
    assert talk.send("ab").answer().text == "2"


def test_the_route_is_in_the_access_log(server: Server, talk: Talk) -> None:
    talk.get("/inner/deep/7/", "X-Request-ID: entry-1\r\n")
    assert server.wait_for_request(request_id="entry-1")["route"] == "inner/deep/<int:number>/"


def test_streams_end_when_the_client_leaves(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send("GET /endless/ HTTP/1.1\r\nHost: x\r\n\r\n")
        talk.take(200_000)
    wait_until(lambda: server.get("/closed/") != "[]", "the stream is closed")
    if not HAS_ASYNC_STREAMS:
        return
    with talking(server.address) as talk:
        talk.send("GET /sync-async-endless/ HTTP/1.1\r\nHost: x\r\n\r\n")
        talk.take(400)
    wait_until(lambda: "async" in server.get("/closed/"), "the generator is closed")


def test_database_connections_outlive_requests(talk: Talk) -> None:
    # Two threads may take turns where a busy machine made the pool grow.
    assert len({talk.get("/database/").text for _ in range(20)}) <= 2


def test_web_sockets_reach_the_wrapper(kind: str, server: Server) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    url = f"ws://{server.address}/socket/"
    if kind in ("wrapped-asgi", "wrapped-both"):
        with connect(url, additional_headers={"X-Forwarded-For": "203.0.113.9"}) as socket:
            socket.send("hello")
            assert socket.recv(timeout=10) == "203.0.113.9 ws hello"
    else:
        with pytest.raises(InvalidStatus) as caught:
            connect(url)
        assert caught.value.response.status_code == 404


def test_settings_that_only_the_entry_module_makes_loadable(tmp_path: Path) -> None:
    wsgi = "import os\nos.environ['NEEDED'] = 'here'\n" + WRAPPED_WSGI
    project = write_site(tmp_path, settings="import os\nNEEDED = os.environ['NEEDED']\n", wsgi=wsgi)
    with serving(project, "--workers", "1") as server:
        assert server.get("/") == "hello"


@pytest.mark.parametrize("path", ["/", "/async/"])
def test_the_last_answer_of_a_worker_that_is_replaced_says_so(server: Server, path: str) -> None:
    (old,) = server.workers()
    with talking(server.address) as talk:

        def said() -> list[str] | None:
            return [value for name, value in talk.get(path).all if name.lower() == "connection"] or None

        assert said() is None
        server.signal(signal.SIGHUP)
        assert wait_until(said, "an answer that is the last") == ["close"]
        assert talk.closed()
    server.wait_for("worker-ended", pid=old)
