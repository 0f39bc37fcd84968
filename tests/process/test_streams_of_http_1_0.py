"""Streams to clients of HTTP/1.0, as nginx is by default: how their connection ends tells whether they are whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, named_pipe, serving
from tests.process.sites import Talk, talking, write_site

URLS = """
def _ends(request):
    if "fails" in request.GET:
        raise RuntimeError("in the middle")


def sync_pieces(request):
    def pieces():
        yield b"abc"
        yield b"def"
        if "pipe" in request.GET:
            open(request.GET["pipe"]).read()
        _ends(request)
    return StreamingHttpResponse(pieces())


def _async_pieces(request):
    async def pieces():
        yield b"abc"
        yield b"def"
        if "pipe" in request.GET:
            await asyncio.to_thread(lambda: open(request.GET["pipe"]).read())
        _ends(request)
    return StreamingHttpResponse(pieces())


def async_of_sync(request):
    return _async_pieces(request)


async def async_pieces(request):
    return _async_pieces(request)


urlpatterns += [
    path("sync-pieces/", sync_pieces), path("async-of-sync/", async_of_sync), path("async-pieces/", async_pieces),
]
"""
PATHS = ("/sync-pieces/", "/async-of-sync/", "/async-pieces/")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"), urls=URLS)


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with serving(project, "--workers", "1") as started:
        started.wait_for("ready")
        yield started


def _begin(talk: Talk, target: str) -> None:
    """Ask, and read the head and what comes before the end."""
    talk.send(f"GET {target} HTTP/1.0\r\nHost: testserver\r\n\r\n")
    while talk.line():
        pass
    assert talk.take(6) == b"abcdef"


@pytest.mark.parametrize("path", PATHS)
def test_one_that_is_whole_ends_in_order(server: Server, path: str) -> None:
    with talking(server.address) as talk:
        _begin(talk, path)
        assert talk.socket.recv(100) == b""


@pytest.mark.parametrize("path", PATHS)
def test_one_that_fails_in_the_middle_is_reset(server: Server, path: str) -> None:
    with talking(server.address) as talk:
        _begin(talk, f"{path}?fails")
        with pytest.raises(ConnectionResetError):
            talk.socket.recv(100)


@pytest.mark.parametrize("path", PATHS)
def test_one_whose_worker_is_killed_is_reset(project: Path, tmp_path: Path, path: str) -> None:
    pipe = named_pipe(tmp_path)
    with serving(project, "--workers", "1") as server:
        worker = server.wait_for("worker-ready")["pid"]
        with talking(server.address) as talk:
            _begin(talk, f"{path}?pipe={pipe}")
            os.kill(worker, signal.SIGKILL)
            with pytest.raises(ConnectionResetError):
                talk.socket.recv(100)
