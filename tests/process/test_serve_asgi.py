"""What goes through uvicorn's own request cycle: ASGI applications, their lifespan, streams and WebSockets."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, held, named_pipe, serving, wait_until, write_project
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ASGI = """\
import asyncio, json, os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()
seen = {"startup": 0}


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        if os.environ.get("FAIL_STARTUP"):
            await send({"type": "lifespan.startup.failed", "message": "no broker here"})
            return
        seen["startup"] += 1
        scope["state"]["greeting"] = "from the lifespan"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        open(os.environ["SHUTDOWN_FILE"], "w").write("down")
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
    elif scope["path"] == "/state/":
        body = json.dumps({**seen, **scope["state"]}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
    elif scope["path"] == "/stream/":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with open(scope["query_string"].decode(), "rb") as pipe:
            loop = asyncio.get_running_loop()
            await send({"type": "http.response.body", "body": b"first ", "more_body": True})
            body = await loop.run_in_executor(None, pipe.read)
        await send({"type": "http.response.body", "body": body})
    else:
        await django_application(scope, receive, send)
"""


@pytest.fixture
def asgi_project(tmp_path: Path) -> Path:
    project = write_project(tmp_path / "project")
    (project / "pages/asgi.py").write_text(ASGI)
    return project


@pytest.fixture
def server(asgi_project: Path) -> Iterator[Server]:
    environ = {"SHUTDOWN_FILE": str(asgi_project / "down")}
    with serving(asgi_project, "--workers", "1", app="pages.asgi:application", environ=environ) as server:
        server.wait_for("ready")
        yield server


def test_an_asgi_application_has_its_lifespan_and_its_state(server: Server, asgi_project: Path) -> None:
    assert json.loads(server.get("/state/")) == {"startup": 1, "greeting": "from the lifespan"}
    assert server.get("/") == "hello"
    assert server.stop() == 0
    assert (asgi_project / "down").read_text() == "down"


def test_a_stream_finishes_before_the_server_ends(server: Server, asgi_project: Path) -> None:
    pipe = named_pipe(asgi_project)
    exchange = server.begin(f"/stream/?{pipe}")
    with held(pipe) as writer:
        server.signal(signal.SIGTERM)
        server.wait_for("worker-retires")
        _write(writer, b"last")
    assert exchange.answer().text == "first last"  # type: ignore[attr-defined]
    assert server.wait() == 0


def test_websockets_are_answered_and_closed_with_1012_at_the_end(server: Server) -> None:
    with connect(f"ws://{server.address}/chat/") as websocket:
        websocket.send("hello")
        assert websocket.recv(timeout=10) == "HELLO"
        server.signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert server.wait() == 0


def test_a_lifespan_that_fails_ends_the_start_with_its_reason(asgi_project: Path) -> None:
    with serving(
        asgi_project, "--workers", "2", app="pages.asgi:application", environ={"FAIL_STARTUP": "1"}
    ) as server:
        error = server.error()
        assert server.wait() == 3
    assert error.splitlines()[0] == "error: the ASGI application failed to start"
    assert error.count("error:") == 1
    assert "no broker here" in error


def _write(descriptor: int, data: bytes) -> None:
    import os

    wait_until(lambda: os.write(descriptor, data), "written")
