"""Async streams that come out of sync views: framed as their head says, and ended whenever their clients leave."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, held, named_pipe, serving, wait_until
from tests.process.sites import Talk, talking, write_site

URLS = """
def sized(request):
    async def pieces():
        for _ in range(int(request.GET["pieces"])):
            yield b"abcde"
            await asyncio.sleep(0)
    return StreamingHttpResponse(pieces(), headers={"Content-Length": "10"})


def held_at_its_end(request):
    async def pieces():
        yield b"all there is"
    response = StreamingHttpResponse(pieces())
    response._resource_closers.append(lambda: open(request.GET["pipe"]).read())
    return response


urlpatterns += [path("sized/", sized), path("held-at-its-end/", held_at_its_end)]
"""
GET = "GET {} HTTP/1.1\r\nHost: testserver\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), urls=URLS)
    with serving(project, "--workers", "1") as started:
        started.wait_for("ready")
        yield started
        assert started.stop() == 0


def _reset(talk: Talk) -> None:
    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.socket.close()


def test_what_is_longer_than_its_length_never_becomes_a_part_of_the_next_answer(server: Server) -> None:
    with talking(server.address) as talk:
        assert talk.get("/sized/?pieces=7").body == b"abcdeabcde"
        assert talk.get("/").text == "hello"


def test_what_is_shorter_than_its_length_ends_with_the_connection(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send(GET.format("/sized/?pieces=1") * 2)
        assert talk.rest().endswith(b"\r\n\r\nabcde")


def test_a_client_that_leaves_while_the_response_is_closed_is_no_request_in_flight(
    server: Server, tmp_path: Path
) -> None:
    pipe = named_pipe(tmp_path)
    with talking(server.address) as talk:
        talk.send(GET.format(f"/held-at-its-end/?pipe={pipe}"))
        while talk.line():
            pass
        assert [talk.line(), talk.line()] == [b"c", b"all there is"]
        with held(pipe):
            _reset(talk)
            for _ in range(2):  # its end has come to the server when others are answered
                server.get("/")
    server.wait_for_request(path="/held-at-its-end/?…")


def test_clients_that_leave_before_the_stream_begins_are_no_requests_in_flight(server: Server) -> None:
    count = 5
    for _ in range(count):
        with talking(server.address) as talk:
            talk.send(GET.format("/sync-async-endless/"))
            _reset(talk)

    def ended() -> bool:
        lines = (one for one in server.requests.objects() if one.get("path") == "/sync-async-endless/")
        return len(list(lines)) == count

    wait_until(ended, "all are in the access log")
