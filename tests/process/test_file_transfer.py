"""Large files on their way: readers that are slow or leave, files that change meanwhile, and what is held open."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process import certificates
from tests.process.certificates import Pair
from tests.process.harness import DEADLINE, Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

LARGE = hashlib.shake_128(b"large").digest(12 << 20)  # more than the buffers of both ends take
MEDIUM = LARGE[100:1_000_000]  # sent at once where the kernel takes it: a Unix socket takes a part
MANY = 40
SETTINGS = 'STATIC_ROOT = BASE.parent / "collected"\n'


def write_files(project: Path) -> Path:
    root = project / "collected"
    root.mkdir()
    (root / "large.bin").write_bytes(LARGE)
    (root / "medium.bin").write_bytes(MEDIUM)
    (root / "small.txt").write_text("small")
    return root


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificates.make(tmp_path_factory.mktemp("tls") / "pair")


UNLOGGED = ("--access-log", "off")  # what was sent before takes a shorter way then


@pytest.fixture(scope="module", params=["plain", "unix", "tls", "plain-unlogged", "unix-unlogged"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pair: Pair
) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=SETTINGS)
    write_files(project)
    kind, _, unlogged = request.param.partition("-")
    options: tuple[str, ...] = UNLOGGED if unlogged else ()
    trusting: ssl.SSLContext | None = None
    if kind == "tls":
        options, trusting = pair.options, pair.trusting()
    if kind == "unix":
        options += ("--bind", f"unix:{project}/socket")
    with serving(project, "--workers", "1", *options, tls=trusting) as started:
        started.wait_for("ready")
        started.trusting = trusting  # type: ignore[attr-defined]
        started.path = f"{project}/socket" if kind == "unix" else ""  # type: ignore[attr-defined]
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


@contextlib.contextmanager
def talk_to(server: Server) -> Iterator[Talk]:
    if server.path:  # type: ignore[attr-defined]
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(server.path)  # type: ignore[attr-defined]
            yield Talk(sock)
        return
    with talking(server.address, server.trusting) as talk:  # type: ignore[attr-defined]
        yield talk


def descriptors(server: Server) -> list[str]:
    """Return what the worker holds open of files below the site and of sockets."""
    folder = Path(f"/proc/{server.workers()[0]}/fd")
    found = []
    for descriptor in folder.iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [path for path in found if "large.bin" in path]


def sockets(server: Server) -> int:
    """Return how many sockets the worker holds open."""
    found = 0
    for descriptor in Path(f"/proc/{server.workers()[0]}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


def ask(talk: Talk, headers: str = "") -> None:
    talk.send(f"GET /static/large.bin HTTP/1.1\r\nHost: testserver\r\n{headers}\r\n")


def test_a_large_file_comes_whole_again_and_again_on_one_connection(server: Server) -> None:
    with talk_to(server) as talk:
        for _ in range(3):
            assert talk.get("/static/large.bin").body == LARGE
            assert talk.get("/static/small.txt").text == "small"
        assert talk.get("/").text == "hello"
    wait_until(lambda: not descriptors(server) or None, "the file to be closed")


def test_files_that_may_be_sent_at_once_come_whole_to_those_who_ask_for_many_and_read_late(
    server: Server,
) -> None:
    with talk_to(server) as talk:
        for _ in range(5):
            talk.send("GET /static/medium.bin HTTP/1.1\r\nHost: testserver\r\n\r\n")
        talk.send("GET /static/medium.bin HTTP/1.1\r\nHost: testserver\r\nRange: bytes=-9\r\n\r\n")
        with talk_to(server) as other:
            assert other.get("/static/medium.bin").body == MEDIUM
        for _ in range(5):
            assert talk.answer().body == MEDIUM
        assert talk.answer().body == MEDIUM[-9:]


def test_what_sends_a_file_ends_with_its_connection(server: Server) -> None:
    before = sockets(server)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            talk = stack.enter_context(talk_to(server))
            assert talk.get("/static/large.bin").body == LARGE
        ask(talk)  # and one that leaves in the middle
        talk.take(100)
    wait_until(lambda: sockets(server) <= before or None, "the sockets to be closed")


def test_files_and_pages_asked_for_at_once_come_in_order(server: Server) -> None:
    with talk_to(server) as talk:
        paths = ["/static/small.txt", "/static/large.bin", "/", "/static/large.bin", "/static/small.txt"]
        talk.send("".join(f"GET {path} HTTP/1.1\r\nHost: testserver\r\n\r\n" for path in paths))
        assert [talk.answer().body for _ in paths] == [b"small", LARGE, b"hello", LARGE, b"small"]


def test_several_ranges_come_as_one_body(server: Server) -> None:
    with talk_to(server) as talk:
        answer = talk.get("/static/large.bin", "Range: bytes=5-9,1000000-8999999,-3\r\n")
    assert answer.status == 206
    boundary = answer.fields["content-type"].partition("boundary=")[2]
    parts = answer.body.split(f"--{boundary}".encode())
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts[1:-1]] == [
        LARGE[5:10], LARGE[1_000_000:9_000_000], LARGE[-3:],
    ]  # fmt: skip
    assert parts[-1] == b"--\r\n"


def test_readers_that_stop_or_leave_hold_nobody_up_and_nothing_open(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(MANY):
            talk = stack.enter_context(talk_to(server))
            ask(talk)
            talk.take(1000 * number)
        with talk_to(server) as other:
            assert other.get("/").text == "hello"
            assert other.get("/static/large.bin", "Range: bytes=7-1000006\r\n").body == LARGE[7:1_000_007]
        # A client has its last byte before the worker closes the file.
        wait_until(lambda: len(descriptors(server)) == MANY or None, "the files of those who wait to be open")
    wait_until(lambda: not descriptors(server) or None, "the files to be closed")


def test_a_client_that_closes_its_side_still_gets_the_file(server: Server) -> None:
    if server.trusting:  # type: ignore[attr-defined]
        return  # TLS has no half
    with talk_to(server) as talk:
        ask(talk)
        talk.socket.shutdown(socket.SHUT_WR)
        assert talk.answer().body == LARGE
        assert talk.closed()


def test_a_file_that_is_cut_while_it_is_sent_ends_the_connection(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = write_files(project)
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        ask(talk)
        received = talk.take(100)
        os.truncate(root / "large.bin", 1 << 20)
        received += talk.rest()
        assert len(received) < len(LARGE)
        assert LARGE.startswith(received.partition(b"\r\n\r\n")[2])
        server.wait_for("files")
        assert talk_again(server) == bytes(LARGE[: 1 << 20])


@pytest.mark.parametrize("options", [(), UNLOGGED])
def test_a_file_that_is_cut_after_the_kernel_took_a_part_of_it_ends_the_connection(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = write_files(project)
    with serving(project, "--workers", "1", *options) as server:
        server.path, server.trusting = "", None  # type: ignore[attr-defined]
        with talk_to(server) as talk:
            for _ in range(12):  # more of them than buffers hold
                talk.send("GET /static/medium.bin HTTP/1.1\r\nHost: testserver\r\n\r\n")
            wait_for_others(server)
            os.truncate(root / "medium.bin", 900_001)
            received = talk.rest()
        bodies = [answer.partition(b"\r\n\r\n")[2] for answer in received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        assert len(bodies) < 12
        assert all(body == MEDIUM for body in bodies[:-1])
        assert len(bodies[-1]) < len(MEDIUM)
        assert MEDIUM.startswith(bodies[-1])
        server.wait_for("files")


def test_a_file_that_is_written_to_while_it_is_sent_ends_the_connection(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = write_files(project)
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        ask(talk)
        received = talk.take(100)
        with (root / "large.bin").open("r+b") as file:
            file.seek(-10, os.SEEK_END)
            file.write(b"otherwise.")
        assert len(received + talk.rest()) < len(LARGE)
        server.wait_for("files")
        assert talk_again(server) == LARGE[:-10] + b"otherwise."


def test_a_file_that_is_replaced_or_deleted_while_it_is_sent_is_sent_as_it_was(tmp_path: Path) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = write_files(project)
    with serving(project, "--workers", "1") as server, talking(server.address) as talk:
        ask(talk)
        talk.socket.recv(1, socket.MSG_PEEK)
        (root / "new").write_bytes(b"new" * 100_000)
        (root / "new").rename(root / "large.bin")
        assert talk.answer().body == LARGE
        assert talk_again(server) == b"new" * 100_000
        (root / "large.bin").unlink()
        with talking(server.address) as other:
            assert other.get("/static/large.bin").status == 404


@pytest.mark.parametrize("options", [(), UNLOGGED])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_who_reads_slowly_gets_no_byte_of_what_is_written_into_the_file_meanwhile(
    tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    project = write_site(tmp_path, settings=SETTINGS)
    root = project / "collected"
    root.mkdir()
    contents = {
        f"{size}-{how}.bin": content
        for size, content in (("medium", MEDIUM), ("large", LARGE))
        for how in ("written", "cut", "emptied", "grown")
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    (root / "small.txt").write_text("small")
    bind = f"unix:{project}/socket" if kind == "unix" else "127.0.0.1:0"
    with serving(project, "--workers", "1", *options, bind=bind) as server:
        server.wait_for("ready")
        server.path = f"{project}/socket" if kind == "unix" else ""  # type: ignore[attr-defined]
        server.trusting = None  # type: ignore[attr-defined]
        for name, content in contents.items():
            with talk_to(server) as talk:
                assert talk.get(f"/static/{name}").body == content
            with talk_to(server) as talk:
                talk.send(f"GET /static/{name} HTTP/1.1\r\nHost: testserver\r\n\r\n")
                wait_for_others(server)
                spoil(root / name, name.partition("-")[2].removesuffix(".bin"))
                talk.socket.shutdown(socket.SHUT_WR)
                received = talk.rest()
            body = received.partition(b"\r\n\r\n")[2]
            assert b"content-length: %d\r\n" % len(content) in received[:1000]
            assert content.startswith(body), name  # all of it, or so little that the client knows
            if name.startswith("large"):
                assert len(body) < len(content)


def wait_for_others(server: Server) -> None:
    """Wait until the worker has sent those who do not read all that is held for them."""
    with talk_to(server) as talk:
        for _ in range(MANY):
            assert talk.get("/static/small.txt").text == "small"


def spoil(path: Path, how: str) -> None:
    """Change a file in place."""
    if how == "written":
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    elif how == "cut":
        os.truncate(path, 100_001)
    elif how == "emptied":
        path.write_bytes(bytes(1_500_000))
    else:
        with path.open("ab") as file:
            file.write(b"more")


def talk_again(server: Server) -> bytes:
    with talking(server.address) as talk:
        return talk.get("/static/large.bin").body
