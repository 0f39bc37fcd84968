"""A worker that is replaced lives on for what takes long: WebSockets, event streams, answers that have begun."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from tests.process.harness import Server, alive, held, named_pipe, serving, wait_until
from tests.process.sites import Talk, write_site
from tests.process.test_stopping import ASGI
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

URLS = """
async def events(request):
    async def ticks():
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.05)
    return StreamingHttpResponse(ticks(), content_type="text/event-stream")


def sync_events(request):
    def ticks():
        while True:
            yield "data: tick\\n\\n"
            time.sleep(0.05)
    return StreamingHttpResponse(ticks(), content_type="text/event-stream")


def pid(request):
    import os
    return HttpResponse(str(os.getpid()))


def hold(request):
    with open(request.GET["pipe"], "rb") as pipe:
        return HttpResponse(pipe.read())


urlpatterns += [
    path("events/", events), path("sync-events/", sync_events), path("pid/", pid), path("hold/", hold),
]
"""
HANGS = """\
import asyncio
import atexit
import os
import threading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.asgi import get_asgi_application

pages = get_asgi_application()
WHERE = os.environ["HANGS"]


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if WHERE == "lifespan":
            await asyncio.Event().wait()
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] != "websocket":
        return await pages(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        await send({"type": "websocket.send", "text": str(os.getpid()) if text == "pid" else text.upper()})
    if WHERE == "disconnect":
        await asyncio.Event().wait()
    if WHERE == "exit":
        atexit.register(threading.Event().wait)
"""
BOTH = ("--app", "pages.asgi:application")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    project = write_site(tmp_path / "site", urls=URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    return project


def shouts(socket: ClientConnection) -> bool:
    socket.send("hello")
    return socket.recv(timeout=10) == "HELLO"


def listen(talk: Talk, path: str) -> None:
    talk.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
    assert talk.line() == b"HTTP/1.1 200 OK"
    ticks(talk)


def ticks(talk: Talk) -> None:
    """Wait for two more events."""
    for _ in range(2):
        while talk.line().strip() != b"data: tick":
            pass


def outlast(server: Server, pipe: Path) -> None:
    """Wait until a worker that was told to go later, and does not linger, has had its time."""
    talk = Talk(server.connect().socket)
    pid = int(talk.get("/pid/").text)
    talk.send(f"GET /hold/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
    with held(pipe):
        os.kill(pid, signal.SIGTERM)
        assert "not finished within" in server.wait_for("worker-cut", pid=pid)["text"]


def test_websockets_and_event_streams_go_on_in_the_old_worker(site: Path) -> None:
    with serving(site, *BOTH, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        streams = [Talk(server.connect().socket) for _ in range(2)]
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            for talk, path in zip(streams, ("/events/", "/sync-events/"), strict=True):
                listen(talk, path)
            os.kill(first, signal.SIGTERM)
            assert server.wait_for("worker-lingers")["pid"] == first
            second = server.workers()[-1]
            for _ in range(5):
                assert server.get("/pid/") == str(second), "it takes nothing new"
            assert shouts(socket)
            for talk in streams:
                ticks(talk)
        for talk in streams:
            talk.socket.close()
        assert server.wait_for("worker-ended")["pid"] == first
        assert server.stop() == 0


def test_it_ends_after_the_time_that_it_may_linger(site: Path) -> None:
    with serving(site, *BOTH, "--workers", "1", "--recycle-linger", "1s") as server:
        first = server.wait_for("worker-ready")["pid"]
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            os.kill(first, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert server.wait_for("worker-ended")["pid"] == first
        assert server.found("request-lost") == []


def test_the_log_says_so_where_it_dies_before_its_time(site: Path) -> None:
    with serving(site, *BOTH, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        talk = Talk(server.connect().socket)
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            listen(talk, "/events/")
            os.kill(first, signal.SIGTERM)
            server.wait_for("worker-lingers")
            os.kill(first, signal.SIGKILL)
            died = server.wait_for("worker-died")
            server.wait_for("websocket-lost")  # the last that is said of it
        assert (died["pid"], died["phase"]) == (first, "lingering")
        assert "was killed by SIGKILL" in died["text"]
        assert [seen["path"] for seen in server.found("request-lost")] == ["/events/"]
        assert server.stop() == 0


def test_nothing_lingers_where_nobody_wants_it(site: Path) -> None:
    with serving(site, *BOTH, "--workers", "1", "--recycle-linger", "0s") as server:
        first = server.wait_for("worker-ready")["pid"]
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            os.kill(first, signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=20)
        assert server.wait_for("worker-ended")["pid"] == first


def test_no_more_linger_than_serve(site: Path) -> None:
    with contextlib.ExitStack() as stack, serving(site, *BOTH, "--workers", "1") as server:
        pids, sockets = [], []
        for number in range(1, 4):
            pids.append(server.wait_for("worker-ready", count=number)["pid"])
            socket = stack.enter_context(connect(f"ws://{server.address}/"))
            assert shouts(socket)
            sockets.append(socket)
            os.kill(pids[-1], signal.SIGTERM)
            server.wait_for("worker-lingers", count=number)
            lingering = [pid for pid in pids if alive(pid)]
            wait_until(lambda: sum(map(alive, pids)) <= 1, f"one of {lingering} lingers")
        assert alive(pids[-1])
        assert shouts(sockets[-1])
        for socket in sockets[:-1]:
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)


def test_an_upload_goes_on_in_the_old_worker_for_longer_than_the_grace(site: Path) -> None:
    limits = ("--grace", "1s", "--timeout", "1s")
    with serving(site, *BOTH, "--workers", "2", *limits) as server:
        server.wait_for("worker-ready", count=2)
        talk = Talk(server.connect().socket)
        first = int(talk.get("/pid/").text)
        talk.send("POST /size/ HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234")
        os.kill(first, signal.SIGTERM)
        lingers = server.wait_for("worker-lingers")
        assert (lingers["pid"], lingers["holds"]["upload"]) == (first, 1)
        assert lingers["text"].endswith("lives on for 1 upload")
        outlast(server, named_pipe(site))
        assert len(server.found("worker-retires", pid=first)) == 1, "it has its time still"
        talk.send("5678")
        answer = talk.answer()
        assert (answer.status, answer.text, answer.fields["connection"]) == (200, "8", "close")
        server.wait_for("worker-ended", pid=first)
        assert server.found("worker-cut", pid=first) == []
        assert server.found("request-lost", pid=first) == []


def test_a_stop_ends_what_lingers(site: Path) -> None:
    with serving(site, *BOTH, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            os.kill(first, signal.SIGTERM)
            server.wait_for("worker-lingers")
            server.signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert server.wait() == 0


@pytest.mark.parametrize("where", ["disconnect", "lifespan", "exit"])
def test_it_does_not_linger_for_an_end_that_hangs(site: Path, where: str) -> None:
    (site / "pages" / "asgi.py").write_text(HANGS)
    limits = ("--grace", "0s", "--timeout", "0.1s")
    with serving(site, *BOTH, "--workers", "2", *limits, environ={"HANGS": where}) as server:
        server.wait_for("worker-ready", count=2)
        with connect(f"ws://{server.address}/") as socket:
            assert shouts(socket)
            socket.send("pid")
            first = int(socket.recv(timeout=10))
            os.kill(first, signal.SIGTERM)
            server.wait_for("worker-lingers", pid=first)
            outlast(server, named_pipe(site))
            assert server.found("worker-cut", pid=first) == []
            assert shouts(socket)
        server.wait_for("worker-cut", pid=first)
        server.wait_for("worker-ended", pid=first)
        server.get("/")
