"""SIGTERM with everything in flight that there is: each completes or is closed properly, and the exit code says so."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
from pathlib import Path

import pytest
from tests.process.harness import (
    DEADLINE,
    IN_A_GROUP,
    Server,
    held,
    like_systemd,
    named_pipe,
    serving,
    wait_until,
)
from tests.process.sites import Talk, write_site
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

URLS = '''
def hold(request):
    """Answer when somebody opens the named pipe, writes into it and closes it."""
    with open(request.GET["pipe"], "rb") as pipe:
        return HttpResponse(b"released " + pipe.read())


async def later(request):
    await asyncio.sleep(float(request.GET["seconds"]))
    return HttpResponse("later")


async def block(request):
    """As `hold`, with the event loop standing still."""
    return hold(request)


def halves(request):
    """Stream one half at once, and the other when somebody writes into the named pipe and closes it."""
    def pieces():
        yield b"one half, "
        with open(request.GET["pipe"], "rb") as pipe:
            yield pipe.read()
    return StreamingHttpResponse(pieces())


def beside(request):
    """Answer, and go on in a thread until the named pipe is written to and closed."""
    import threading

    def send_mail():
        with open(request.GET["pipe"], "rb") as pipe:
            (HERE / "sent").write_bytes(pipe.read())

    threading.Thread(target=send_mail, name="mail").start()
    return HttpResponse("on its way")


async def beside_async(request):
    from asgiref.sync import sync_to_async

    return await sync_to_async(beside)(request)


urlpatterns += [
    path("hold/", hold), path("later/", later), path("block/", block), path("halves/", halves),
    path("beside/", beside), path("beside-async/", beside_async),
]
'''
ASGI = """\
import asyncio
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.asgi import get_asgi_application

pages = get_asgi_application()


def wait(path):
    with open(path) as pipe:
        pipe.read()


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return await pages(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while scope["path"] == "/flood/":
        await send({"type": "websocket.send", "bytes": b"x" * 100_000})
    if scope["path"] == "/large/":  # more than kernels keep
        await send({"type": "websocket.send", "bytes": b"x" * 50_000_000})
    if scope["path"] == "/deaf/":
        await asyncio.to_thread(wait, scope["query_string"].removeprefix(b"pipe="))
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})
"""
UPLOAD = b"x" * 100_000
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CLOSE_1012 = b"\x88\x02\x03\xf4"
MESSAGE = b"\x81\x85\0\0\0\0hello"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    project = write_site(tmp_path / "site", urls=URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    return project


def _talk(server: Server) -> Talk:
    return Talk(server.connect().socket)


def _is_refused(server: Server) -> bool:
    try:
        server.connect().socket.close()
    except OSError:
        return True
    return False


def test_everything_in_flight_completes_or_is_closed_properly(site: Path) -> None:
    pipe = named_pipe(site)
    with serving(site, "--app", "pages.asgi:application", "--workers", "1") as server:
        server.wait_for("ready")
        long, upload, idle, pair = (_talk(server) for _ in range(4))
        assert idle.get("/status/200/").status == 200
        upload.send(
            f"POST /size/ HTTP/1.1\r\nHost: a\r\nContent-Length: {len(UPLOAD)}\r\n\r\n", UPLOAD[:50_000]
        )
        long.send(f"GET /hold/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
        with connect(f"ws://{server.address}/") as shouting:
            shouting.send("hello")
            assert shouting.recv(timeout=10) == "HELLO"
            with held(pipe) as writer:
                pair.send(
                    "GET /later/?seconds=1 HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n",
                )
                server.signal(signal.SIGTERM)
                server.wait_for("worker-retires")
                with pytest.raises(ConnectionClosed) as closed:
                    shouting.recv(timeout=10)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012
                # A request that was on its way to the idle connection is answered, and told that it was the last.
                last = idle.get("/status/200/")
                assert (last.status, last.fields["connection"]) == (200, "close")
                assert idle.closed()
                assert [pair.answer().text, pair.answer().text] == ["later", "body"]
                assert pair.closed()
                upload.send(UPLOAD[50_000:])
                os.write(writer, b"late")
            answer = upload.answer()
            assert (answer.text, answer.fields["connection"]) == (str(len(UPLOAD)), "close")
            assert upload.closed()
            answer = long.answer()
            assert (answer.text, answer.fields["connection"]) == ("released late", "close")
            assert long.closed()
        assert server.wait() == 0
    assert server.found("request-lost") == server.found("worker-killed") == []


def test_sigquit_to_the_whole_group_lets_requests_finish(site: Path) -> None:
    pipe = named_pipe(site)
    with serving(site, "--workers", "1", wrapper=IN_A_GROUP) as server:
        server.wait_for("ready")
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe) as writer:
            os.killpg(server.pid, signal.SIGQUIT)
            server.wait_for("worker-retires")
            os.write(writer, b"late")
        assert exchange.answer().text == "released late"  # type: ignore[attr-defined]
        assert server.wait() == 0


BOTH = ("--app", "pages.asgi:application", "--workers", "2")


def test_nobody_waits_for_a_worker_whose_loop_stands_still(site: Path) -> None:
    """The kernel would take connections for it as long as it lives, and reset them at its end."""
    pipe = named_pipe(site)
    with serving(site, *BOTH) as server:
        server.wait_for("worker-ready", count=2)
        stuck = _talk(server)
        stuck.send(f"GET /block/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
        with held(pipe):
            waiting = [_talk(server) for _ in range(50)]
            for one in waiting:
                one.send("GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n")
            server.signal(signal.SIGTERM)
            assert [one.answer().status for one in waiting] == [200] * 50
            server.wait_for("worker-ended")
            with pytest.raises(ConnectionRefusedError):
                server.connect()
            # Not even its address is taken any more.
            host, _, port = server.address.rpartition(":")
            socket.create_server((host, int(port))).close()
        assert stuck.answer().text == "released "
        assert server.wait() == 0
    assert server.found("request-lost") == []


def test_a_socket_that_was_handed_over_goes_on_listening_for_who_made_it(site: Path) -> None:
    pipe = named_pipe(site)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with serving(site, *BOTH, bind=None, **like_systemd(listener)) as server:
            server.wait_for("worker-ready", count=2)
            stuck = _talk(server)
            stuck.send(f"GET /block/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
            with held(pipe):
                server.signal(signal.SIGTERM)
                server.wait_for("worker-ended")
                early = _talk(server)
                early.send("GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n")
            # It had accepted nobody, and takes whom it finds when it goes on.
            assert stuck.answer().text == "released "
            assert early.answer().status == 200
            assert server.wait() == 0
        with serving(site, *BOTH, bind=None, **like_systemd(listener)) as server:
            late = _talk(server)
            late.send("GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert late.answer().status == 200
            assert server.stop() == 0


def test_a_connection_whose_answer_ends_late_has_a_moment_for_the_next_request(site: Path) -> None:
    """That answer began before the stop and has not said that it is the last, as a proxy's pool has to know."""
    pipe = named_pipe(site)
    with serving(site, "--workers", "1") as server:
        server.wait_for("ready")
        kept, idle = _talk(server), _talk(server)
        assert idle.get("/status/200/").status == 200
        kept.send(f"GET /halves/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.line() == b"HTTP/1.1 200 OK"
        with held(pipe) as writer:
            server.signal(signal.SIGTERM)
            assert idle.closed()  # the moment of those that were idle is over
            os.write(writer, b"the other")
        while kept.line() != b"0":
            pass
        assert kept.line() == b""
        kept.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            kept.socket.recv(1)
        kept.socket.settimeout(DEADLINE)
        last = kept.get("/status/200/")
        assert (last.status, last.fields["connection"]) == (200, "close")
        assert kept.closed()
        assert server.wait() == 0


@pytest.mark.parametrize("view", ["status/200", "later"])
def test_what_is_pipelined_behind_the_last_answer_does_not_reset_the_connection(
    site: Path, view: str
) -> None:
    """The kernel would answer it with a reset, which takes answers away that the client has not read yet."""
    pipe = named_pipe(site)
    with serving(site, "--workers", "1") as server:
        server.wait_for("ready")
        talk = _talk(server)
        head = f"?seconds=0&pipe={pipe} HTTP/1.1\r\nHost: a\r\nX-Long: {'x' * 20_000}\r\n\r\n"
        talk.send(f"GET /hold/{head}", *[f"GET /{view}/{head}"] * 10)
        with held(pipe):
            server.signal(signal.SIGTERM)
            server.wait_for("worker-retires")
            wait_until(
                lambda: _is_refused(server), "nobody listens, so the worker has looked at its connections"
            )
        answers = [talk.answer()]
        while "connection" not in answers[-1].fields:
            answers.append(talk.answer())
        assert len(answers) < 11
        assert answers[-1].fields["connection"] == "close"
        assert talk.socket.recv(1) == b""  # and no reset
        talk.socket.close()
        assert server.wait() == 0


def test_a_websocket_whose_client_reads_slowly_is_closed_once(site: Path) -> None:
    """Its close frame waits behind what it was sent before: told again meanwhile, it ended its worker with all else."""
    pipe = named_pipe(site)
    with serving(site, "--app", "pages.asgi:application", "--workers", "1") as server:
        server.wait_for("ready")
        flooded, idle = _talk(server), _talk(server)
        assert idle.get("/status/200/").status == 200
        flooded.send("GET /flood/ HTTP/1.1\r\nHost: a\r\n", WEBSOCKET)
        assert flooded.line() == b"HTTP/1.1 101 Switching Protocols"
        flooded.take(1_000_000)
        long = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.signal(signal.SIGTERM)
            server.wait_for("worker-retires")
            assert idle.closed()  # after a second, in which all connections were looked at again and again
            assert flooded.rest().endswith(CLOSE_1012)
        assert long.answer().status == 200
        assert server.wait() == 0
    assert server.found("worker-died") == []
    assert "Traceback" not in server.said


def open_socket(server: Server, path: str) -> Talk:
    """Open a WebSocket and read nothing of what is sent there."""
    talk = _talk(server)
    talk.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n", WEBSOCKET)
    assert talk.line() == b"HTTP/1.1 101 Switching Protocols"
    while talk.line():
        pass
    return talk


def fill(talk: Talk) -> None:
    """Send messages until nobody takes any more."""
    talk.socket.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while True:
            talk.socket.send(MESSAGE * 1000)
    talk.socket.settimeout(DEADLINE)


def test_a_websocket_whose_client_sends_more_than_is_read_reads_why_it_is_closed(site: Path) -> None:
    """The kernel answers what is not read with a reset, which takes the close frame away again."""
    pipe = named_pipe(site)
    with serving(site, "--app", "pages.asgi:application", "--workers", "1") as server:
        server.wait_for("ready")
        talk = open_socket(server, f"/deaf/?pipe={pipe}")
        with held(pipe):
            fill(talk)
            server.signal(signal.SIGTERM)
            assert talk.take(len(CLOSE_1012)) == CLOSE_1012
            talk.send(MESSAGE * 1000)
            assert talk.socket.recv(1) == b""  # and no reset
            talk.socket.close()
        assert server.wait() == 0
    assert "Traceback" not in server.said


def test_a_websocket_whose_client_does_not_leave_delays_a_stop_for_a_moment_only(site: Path) -> None:
    with serving(site, "--app", "pages.asgi:application", "--workers", "1") as server:
        server.wait_for("ready")
        talk = open_socket(server, "/")
        server.signal(signal.SIGTERM)
        assert talk.rest() == CLOSE_1012
        assert server.wait(within=15) == 0  # its grace is 30 s
        talk.socket.close()


def test_a_websocket_whose_client_reads_nothing_holds_a_stop_for_the_grace_and_is_named(site: Path) -> None:
    options = ("--app", "pages.asgi:application", "--workers", "1", "--grace", "2s")
    with serving(site, *options) as server:
        server.wait_for("ready")
        told = open_socket(server, "/told/")
        deaf = open_socket(server, "/large/")
        deaf.take(1)
        server.signal(signal.SIGTERM)
        assert told.rest() == CLOSE_1012
        assert server.wait() == 0  # no request was lost
        deaf.socket.close()
    (lost,) = server.found("websocket-lost")
    assert (lost["path"], lost["level"]) == ("/large/", "warning")
    assert "cut off: not finished within 2 s" in lost["text"]
    assert server.found("request-lost") == []


@pytest.mark.parametrize("path", ["/beside/", "/beside-async/"])
def test_threads_that_views_have_started_are_waited_for_and_named(site: Path, path: str) -> None:
    pipe, sent = named_pipe(site), site / "pages" / "sent"
    sent.unlink(missing_ok=True)
    with serving(site, "--workers", "1") as server:
        server.wait_for("ready")
        assert server.get(f"{path}?pipe={pipe}") == "on its way"
        with held(pipe) as release:
            server.signal(signal.SIGTERM)
            assert server.wait_for("exit")["text"] == "the process waits for its threads: mail"
            os.write(release, b"the mail")
        assert server.wait() == 0
    assert sent.read_bytes() == b"the mail"


def test_what_outlasts_the_grace_is_cut_and_named(site: Path) -> None:
    pipe = named_pipe(site)
    options = ("--app", "pages.asgi:application", "--workers", "1", "--grace", "1s")
    with serving(site, *options) as server:
        server.wait_for("ready")
        long, upload, idle, pair = (_talk(server) for _ in range(4))
        assert idle.get("/status/200/").status == 200
        upload.send(
            f"POST /size/ HTTP/1.1\r\nHost: a\r\nContent-Length: {len(UPLOAD)}\r\n\r\n", UPLOAD[:50_000]
        )
        long.send(f"GET /hold/?pipe={pipe} HTTP/1.1\r\nHost: a\r\n\r\n")
        with held(pipe):
            pair.send(
                "GET /status/200/ HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /later/?seconds=60 HTTP/1.1\r\nHost: a\r\n\r\n",
            )
            assert pair.answer().text == "body"
            server.signal(signal.SIGTERM)
            assert server.wait() == 1
        assert long.closed()
        assert pair.closed()
        assert upload.closed()
        assert idle.closed()
    lost = {seen["path"]: seen["text"] for seen in server.found("request-lost")}
    assert set(lost) == {"/hold/", "/size/", "/later/"}
    assert "cut off: not finished within 1 s" in lost["/hold/"]
    assert lost["/size/"].startswith("POST /size/ had not come whole")


def test_all_whose_bodies_were_still_coming_are_named_however_many_and_long_they_are(site: Path) -> None:
    """One message about them all was more than a socket takes; it was lost, and the server said it had ended well."""
    paths = ["/" + "a" * 6000] * 30 + ["/short/"] * 80
    with serving(site, "--workers", "1", "--grace", "1s") as server:
        server.wait_for("ready")
        uploads = [server.connect() for _ in paths]
        for path, upload in zip(paths, uploads, strict=True):
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
            upload.socket.sendall(head.encode())
        for upload in uploads:
            assert upload.socket.recv(100).startswith(b"HTTP/1.1 100 ")
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        lost = sorted(line["path"] for line in server.found("request-lost"))
        assert lost == sorted(path[:158] for path in paths)


def test_all_that_is_lost_is_named_where_stderr_holds_little(site: Path) -> None:
    with serving(site, "--workers", "1", "--grace", "1s") as server:
        assert server.process.stderr is not None
        fcntl.fcntl(server.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        server.wait_for("ready")
        head = "POST /size/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
        uploads = [_talk(server) for _ in range(300)]
        for upload in uploads:
            upload.send(head)
        for upload in uploads:
            assert upload.line() == b"HTTP/1.1 100 Continue"
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
    assert len(server.found("request-lost", path="/size/")) == 300
    assert "events before this were lost" not in server.said
