"""Clients that are slow, greedy, impatient or gone: each is bounded, and none takes anything from the others."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import socket
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.corpus.echo import write_echo
from tests.process.harness import Server, held, named_pipe, serving, wait_until
from tests.process.sites import Talk, talking

GET = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"
POST = "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"
BLOCKS = 200 << 4  # of 64 KiB: 200 MB
MB = 1 << 20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_echo(tmp_path_factory.mktemp("echo"))
    with (folder / "collected" / "huge.bin").open("wb") as file:
        file.truncate(BLOCKS << 16)
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with serving(project, "--workers", "1", "--max-body", "8M") as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


@pytest.fixture(scope="module")
def hasty(project: Path) -> Iterator[Server]:
    """A server that waits for nobody."""
    limits = ("--header-timeout", "300ms", "--body-timeout", "300ms", "--keep-alive", "300ms")
    with serving(project, "--workers", "1", "--threads", "1", *limits) as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


@pytest.fixture(scope="module")
def patient(project: Path) -> Iterator[Server]:
    """A server that waits for bodies long enough for a client that is not always given a CPU at once."""
    with serving(project, "--workers", "1", "--threads", "1", "--body-timeout", "1s") as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


def drip(talk: Talk, data: bytes, *, step: int = 1, pause: float = 0.02) -> float:
    """Send data piece by piece until the server answers or closes; return how many seconds that took."""
    began = time.monotonic()
    for start in range(0, len(data), step):
        if select.select([talk.socket], [], [], pause)[0]:
            break
        with contextlib.suppress(ConnectionError):
            talk.socket.sendall(data[start : start + step])
    return time.monotonic() - began


def memory(server: Server) -> int:
    """Return the resident bytes of the only worker."""
    (pid,) = server.workers()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def descriptors(server: Server) -> int:
    """Return how many sockets and files of the project the only worker has open."""
    (pid,) = server.workers()
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(link))  # noqa: PTH115 - sockets are no paths
    return sum(1 for link in links if link.startswith("socket:") or "/collected/" in link or "/#" in link)


def waiting_bytes(sock: socket.socket) -> int:
    """Return how many bytes the kernel holds for a socket that nobody reads; tcp(7), SIOCINQ."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0])


def stands_still(value: object) -> object:
    """Return a condition for `wait_until`: a figure has not changed in thirty looks."""
    last: list[object] = []

    def looked() -> bool:
        now = value()  # type: ignore[operator]
        if last and last[-1] != now:
            last.clear()
        last.append(now)
        return len(last) > 30 and bool(now)

    return looked


# Slow


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000,
        b"GET /" + b"a" * 1000,
        b"\r\n" * 1000,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b" " * 1000,
    ],
    ids=["fields", "target", "empty lines", "white space"],
)
def test_a_head_that_drips_ends(hasty: Server, data: bytes) -> None:
    with talking(hasty.address) as talk:
        assert drip(talk, data) < 3
        assert talk.rest()[:12] in (b"HTTP/1.1 408", b"")


@pytest.mark.parametrize(
    "data",
    [
        (POST.format("/s", 1000)).encode() + b"x" * 900,
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000,
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;" + b"x" * 1000,
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 1000,
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 1000,
        b"POST /async/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900,
        b"POST /static/small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900,
    ],
    ids=["sized", "chunked", "extension", "trailer", "size", "async", "static"],
)
def test_a_body_that_drips_ends(hasty: Server, data: bytes) -> None:
    head, _, body = data.partition(b"\r\n\r\n")
    with talking(hasty.address) as talk:
        talk.send(head + b"\r\n\r\n")
        assert drip(talk, body) < 3
        assert talk.answer().status == 408
        assert talk.closed()


def test_a_body_that_began_fast_may_not_rest_on_it(hasty: Server) -> None:
    with talking(hasty.address) as talk:
        talk.send(POST.format("/s", 2_000_000), b"x" * 1_000_000)
        assert drip(talk, b"x" * 1000) < 3
        assert talk.answer().status == 408


def test_a_body_that_is_slow_but_goes_on_arrives(patient: Server) -> None:
    with talking(patient.address) as talk:
        talk.send(POST.format("/s", 20_000))
        assert drip(talk, b"x" * 20_000, step=500, pause=0.05) > 1.9
        assert json.loads(talk.answer().text)["length"] == 20_000


def test_clients_that_stall_hold_no_thread(hasty: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(talking(hasty.address)).send(POST.format("/s", 1000), b"x")
        assert hasty.get("/pid/")


def test_an_idle_connection_is_closed_without_a_word(hasty: Server) -> None:
    with talking(hasty.address) as talk:
        assert talk.get("/pid/").status == 200
        assert talk.closed()
    with talking(hasty.address) as talk:
        assert talk.closed()


def test_half_a_head_behind_an_answer_is_not_taken_for_an_idle_connection(project: Path) -> None:
    with serving(project, "--workers", "1", "--header-timeout", "300ms", "--keep-alive", "5m") as server:
        server.wait_for("ready")
        with talking(server.address) as talk:
            talk.send(GET.format("/pid/"), "GET / HTTP/1.1\r\nHost:")
            assert talk.answer().status == 200
            assert talk.answer().status == 408
            assert talk.closed()


def test_a_body_behind_a_slow_answer_is_received_when_its_turn_comes(patient: Server, tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    with talking(patient.address) as talk:
        with held(pipe) if talk.send(GET.format(f"/hold/?pipe={pipe}")) else contextlib.nullcontext():
            talk.send(POST.format("/s", 100_000), b"x")
            # Longer than the body timeout: it is the server who makes this client wait.
            assert select.select([talk.socket], [], [], 1.5)[0] == []
        assert talk.answer().text.startswith("released")
        talk.send(b"x" * 99_999)
        assert json.loads(talk.answer().text)["length"] == 100_000
        assert talk.get("/pid/").status == 200


def test_requests_that_are_held_back_are_not_late(hasty: Server, tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    count = 1001  # many reads, and a head that is cut wherever we stop parsing
    with talking(hasty.address) as talk:
        talk.send(GET.format(f"/hold/?pipe={pipe}"), GET.format("/x") * count)
        with held(pipe):
            assert select.select([talk.socket], [], [], 0.7)[0] == []
        assert talk.answer().text.startswith("released")
        assert [talk.answer().status for _ in range(count)] == [200] * count


# In order


def test_pipelined_requests_of_all_kinds_are_answered_in_order(server: Server) -> None:
    paths = [
        "/a",
        "/static/small.txt",
        "/async/b",
        "/static/large.bin",
        "/c",
        "/large/?blocks=3",
        "/async/d",
    ] * 5
    with talking(server.address) as talk:
        talk.send(*(GET.format(path) for path in paths))
        for path in paths:
            answer = talk.answer()
            if path == "/static/small.txt":
                assert answer.body == b"a static file"
            elif path == "/static/large.bin":
                assert answer.body == bytes(range(256)) * 4096
            elif path.startswith("/large/"):
                assert answer.body == b"x" * (3 << 16)
            else:
                assert json.loads(answer.text)["path"] == path


def test_pipelined_bodies_of_all_sizes_arrive_whole(server: Server) -> None:
    sizes = [0, 1, 65_535, 3, 3_000_000, 0, 1_100_000, 7, 200_000]
    bodies = [os.urandom(size) for size in sizes]
    with talking(server.address) as talk:
        for path in ("/s", "/async/s"):
            for body in bodies:
                talk.send(POST.format(path, len(body)), body)
            for body in bodies:
                assert json.loads(talk.answer().text)["digest"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("path", ["/s", "/async/s"])
def test_100_continue_comes_in_turn(server: Server, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    with talking(server.address) as talk:
        talk.send(GET.format("/a"), head)
        assert talk.answer().status == 200
        assert talk.answer().status == 100
        talk.send("abc")
        assert json.loads(talk.answer().text)["length"] == 3
        talk.send(head, "abc")  # it did not wait, so it need not be told
        answer = talk.answer()
        assert json.loads((talk.answer() if answer.status == 100 else answer).text)["length"] == 3


def test_a_static_file_does_not_wait_for_a_body_that_waits_for_it(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send(
            "POST /static/small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = talk.answer()
        assert (answer.status, answer.fields["connection"]) == (405, "close")
        assert talk.closed()


def test_options_asterisk_is_answered(server: Server) -> None:
    with talking(server.address) as talk:
        assert talk.get("*", method="OPTIONS").status in (200, 404)
        assert talk.get("/pid/").status == 200


@pytest.mark.parametrize(
    "path", ["/a", "/async/a", "/static/small.txt", "/static/large.bin", "/large/?blocks=2"]
)
def test_head_has_no_body(server: Server, path: str) -> None:
    with talking(server.address) as talk:
        assert talk.get(path, method="HEAD").status == 200
        assert talk.get("/pid/").status == 200


@pytest.mark.parametrize("path", ["/a", "/static/small.txt", "/static/large.bin", "/large/?blocks=30"])
def test_a_half_closed_client_gets_all_its_answers(server: Server, path: str) -> None:
    with talking(server.address) as talk:
        talk.send(GET.format(path) * 3)
        talk.socket.shutdown(socket.SHUT_WR)
        for _ in range(3):
            assert talk.answer().status == 200
        assert talk.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        POST.format("/s", 100).encode() + b"abc",
        POST.format("/async/s", 100).encode() + b"abc",
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["line", "head", "sized", "async", "chunked"],
)
def test_an_unfinished_request_of_a_half_closed_client_reaches_nobody(server: Server, data: bytes) -> None:
    before = server.get("/seen/")
    with talking(server.address) as talk:
        talk.send(data)
        talk.socket.shutdown(socket.SHUT_WR)
        talk.rest()
    assert server.get("/seen/") == before


def test_a_half_closed_client_gets_the_answers_before_its_unfinished_request(
    server: Server, tmp_path: Path
) -> None:
    pipe = named_pipe(tmp_path)
    with talking(server.address) as talk:
        talk.send(GET.format(f"/hold/?pipe={pipe}"))
        with held(pipe):
            talk.send(POST.format("/s", 100), "x")
            talk.socket.shutdown(socket.SHUT_WR)
        assert talk.answer().text.startswith("released")
        assert talk.rest()[:12] in (b"HTTP/1.1 400", b"")


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_who_sends_too_much_can_read_why_it_is_refused(server: Server, chunked: bool) -> None:
    with talking(server.address) as talk:
        if chunked:
            talk.send("POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            piece = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
        else:
            talk.send(POST.format("/s", 64 * MB))
            piece = bytes(1 << 16)
        for _ in range(1024):
            talk.send(piece)
        answer = talk.answer()
        assert (answer.status, answer.fields["connection"]) == (413, "close")


# Gone


def test_clients_that_vanish_leave_nothing_behind(server: Server) -> None:
    server.get("/pid/")
    before = descriptors(server)
    heads = [
        GET.format("/large/?blocks=1000"), GET.format("/large-async/?blocks=1000"), GET.format("/static/huge.bin"),
        POST.format("/s", 5_000_000) + "x" * 2_000_000, POST.format("/async/s", 5_000_000) + "x" * 200_000,
        "GET / HTTP/1.1\r\nHost:", GET.format("/whole/?blocks=100") * 5, "",
    ]  # fmt: skip
    reset = struct.pack("ii", 1, 0)
    for number in range(15):
        for head in heads:
            with talking(server.address) as talk:
                talk.send(head)
                if number % 3 and head.startswith("GET") and head.endswith("\r\n\r\n"):
                    talk.take(number * 5000)
                if number % 2:
                    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    wait_until(lambda: descriptors(server) <= before + 1, "all descriptors are closed")
    assert server.get("/pid/")


@pytest.mark.parametrize("path", ["/large/", "/large-async/"])
def test_a_stream_whose_client_is_gone_is_closed(server: Server, path: str) -> None:
    def ended() -> list[str]:
        return [one for one in json.loads(server.get("/seen/")) if one.startswith("streamed")]

    before = len(ended())
    with talking(server.address) as talk:
        talk.send(GET.format(f"{path}?blocks={BLOCKS}"))
        talk.take(1_000_000)
    found = wait_until(lambda: ended()[before:], "the stream is closed")
    assert int(found[0].split()[1]) < BLOCKS


# Greedy


@pytest.mark.parametrize(
    "path",
    [f"/large/?blocks={BLOCKS}", f"/large-async/?blocks={BLOCKS}", "/static/huge.bin"],
    ids=["sync", "async", "static"],
)
def test_a_client_that_reads_nothing_costs_no_memory(server: Server, path: str) -> None:
    server.get("/pid/")
    before = memory(server)
    with talking(server.address) as talk:
        talk.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_until(stands_still(lambda: waiting_bytes(talk.socket)), "no more comes")  # type: ignore[arg-type]
        assert memory(server) - before < 16 * MB
        assert server.get("/pid/")
        total, space = 0, bytearray(MB)
        while got := talk.socket.recv_into(space):
            total += got
        assert BLOCKS << 16 < total < (BLOCKS << 16) + 16 * BLOCKS


def test_a_client_that_asks_and_never_reads_is_not_read_for_ever(server: Server) -> None:
    server.get("/pid/")
    before = memory(server)
    data = GET.format("/whole/?blocks=1").encode() * 20_000
    with talking(server.address) as talk:
        talk.socket.setblocking(False)
        sent = 0

        def stuck() -> int:
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while sent < 64 * MB:
                    sent += talk.socket.send(data)
            return sent

        wait_until(stands_still(stuck), "the server stops reading")  # type: ignore[arg-type]
        assert sent < 32 * MB
        assert memory(server) - before < 64 * MB
        assert server.get("/pid/")


@pytest.mark.parametrize("path", ["/x", "/async/x", "/static/small.txt"])
def test_thousands_of_requests_behind_one_that_waits_are_not_begun(
    server: Server, tmp_path: Path, path: str
) -> None:
    server.get("/pid/")
    before = memory(server)
    pipe = named_pipe(tmp_path)
    data = GET.format(path).encode() * 20_000
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(talking(server.address)) for _ in range(8)]
        for talk in talks:
            talk.send(GET.format(f"/hold/?pipe={pipe}"))
            talk.socket.setblocking(False)
        sent = dict.fromkeys(talks, 0)

        def stuck() -> int:
            for talk in talks:
                with contextlib.suppress(BlockingIOError):
                    sent[talk] += talk.socket.send(data)
            return sum(sent.values())

        with held(pipe):
            wait_until(stands_still(stuck), "the server stops reading")  # type: ignore[arg-type]
            assert memory(server) - before < 12 * MB
    assert server.get("/pid/")
