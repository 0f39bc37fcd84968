"""`--unbuffered` and `--buffer-requests off`: views read the body while it comes, whatever the client does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving, wait_until, write_project
from tests.process.sites import Talk, talking

MB = 1 << 20
SETTINGS = """
MIDDLEWARE = []
FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
"""
URLS = '''
import hashlib
import threading
import time

from django.http import JsonResponse, StreamingHttpResponse, UnreadablePostError

seen = []
first = threading.Event()


def take(request):
    """Count the body; note when the first piece was there, and how it ended."""
    total = 0
    digest = hashlib.sha256()
    try:
        while piece := request.read(4000 if total else 10):
            if not total:
                seen.append(f"first {request.GET.get('name', '')}")
            total += len(piece)
            digest.update(piece)
    except Exception as error:
        seen.append(f"{type(error).__name__}: {error}")
        raise
    return JsonResponse({"size": total, "digest": digest.hexdigest(), "thread": threading.current_thread().name,
                         "length": request.META.get("CONTENT_LENGTH")})


def ignore(request):
    return HttpResponse("ignored")


def some(request):
    return HttpResponse(request.read(10))


def slow(request):
    """Read nothing until it is let go."""
    seen.append("slow")
    first.wait(20)
    return HttpResponse(str(len(request.body)))


def go(request):
    first.set()
    return HttpResponse("gone")


def lines(request):
    return JsonResponse([len(line) for line in request], safe=False)


def form(request):
    return JsonResponse({"post": request.POST.dict(),
                         "files": {k: [f.name, f.size, hashlib.sha256(f.read()).hexdigest()]
                                   for k, f in request.FILES.items()}})


def echo(request):
    """Answer piece by piece while reading."""
    def pieces():
        while piece := request.read(1 << 14):
            yield piece
    return StreamingHttpResponse(pieces())


def nap(request):
    time.sleep(3)
    return HttpResponse("slept")


def what_was_seen(request):
    return JsonResponse(seen, safe=False)


urlpatterns += [
    path("up/take/", take), path("up/ignore/", ignore), path("up/some/", some), path("up/slow/", slow),
    path("up/lines/", lines), path("up/form/", form), path("up/echo/", echo), path("up/nap/", nap),
    path("go/", go), path("seen/", what_was_seen), path("stored/take/", take),
]
'''
POST = "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"), settings=SETTINGS, urls=URLS)


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    limits = (
        "--workers",
        "1",
        "--unbuffered",
        "/up/",
        "--body-timeout",
        "1s",
        "--timeout",
        "1500ms",
        "--max-body",
        "64M",
    )
    with serving(project, *limits) as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []


def seen(server: Server) -> list[str]:
    found: list[str] = json.loads(server.get("/seen/"))
    return found


def test_a_view_reads_while_the_client_sends(server: Server, talk: Talk) -> None:
    talk.send(POST.format("/up/take/?name=early", 20_000), bytes(10_000))
    wait_until(lambda: "first early" in seen(server), "the view has read a piece")
    talk.send(bytes(10_000))
    found = json.loads(talk.answer().text)
    assert (found["size"], found["length"]) == (20_000, "20000")
    assert talk.get("/").text == "hello"


def test_elsewhere_the_body_is_stored_first(server: Server, talk: Talk) -> None:
    talk.send(POST.format("/stored/take/?name=late", 20_000), bytes(10_000))
    assert server.get("/") == "hello"
    assert "first late" not in seen(server)
    talk.send(bytes(10_000))
    assert json.loads(talk.answer().text)["size"] == 20_000


def test_a_chunked_body_is_stored_for_its_length(server: Server, talk: Talk) -> None:
    talk.send(
        "POST /up/take/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    found = json.loads(talk.answer().text)
    assert (found["size"], found["length"]) == (5, "5")


def test_100_continue_comes_when_the_view_reads(server: Server, talk: Talk) -> None:
    talk.send("POST /up/take/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert (talk.line(), talk.line()) == (b"HTTP/1.1 100 Continue", b"")
    talk.send("abcde")
    assert json.loads(talk.answer().text)["size"] == 5
    assert talk.get("/").text == "hello"


def test_100_continue_does_not_come_when_it_does_not(talk: Talk) -> None:
    talk.send("POST /up/ignore/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    answer = talk.answer()
    assert (answer.status, answer.fields["connection"]) == (200, "close")
    assert talk.closed()


@pytest.mark.parametrize("path", ["/up/ignore/", "/up/some/"])
def test_a_short_rest_that_nobody_read_is_thrown_away(talk: Talk, path: str) -> None:
    talk.send(POST.format(path, 300_000), bytes(20))
    assert talk.answer().status == 200
    talk.send(bytes(299_980))
    assert talk.get("/").text == "hello"


def test_after_a_long_rest_the_connection_closes(talk: Talk) -> None:
    talk.send(POST.format("/up/some/", 50 * MB), b"0123456789", bytes(MB))
    answer = talk.answer()
    assert (answer.body, answer.fields["connection"]) == (b"0123456789", "close")
    # The client may send on for a while, so that it reads the answer.
    with contextlib.suppress(ConnectionError):
        talk.send(bytes(MB))
    assert talk.closed()


def test_a_view_that_does_not_read_makes_the_client_wait(server: Server) -> None:
    sent = 0
    with talking(server.address) as talk:
        talk.send(POST.format("/up/slow/", 60 * MB))
        wait_until(lambda: "slow" in seen(server), "the view runs")
        talk.socket.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while sent < 60 * MB:
                sent += talk.socket.send(bytes(1 << 16))
    assert sent < 20 * MB  # the kernel's buffers, and little of ours
    assert server.get("/go/") == "gone"


@pytest.mark.parametrize("size", [10, MB, 20 * MB])
def test_bodies_of_all_sizes_arrive_whole(talk: Talk, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    talk.send(POST.format("/up/take/", size), data)
    found = json.loads(talk.answer().text)
    assert (found["size"], found["digest"]) == (size, hashlib.sha256(data).hexdigest())


def test_lines_are_read_as_they_are(talk: Talk) -> None:
    text = b"a\n" + b"b" * 100_000 + b"\n\n" + b"last"
    talk.send(POST.format("/up/lines/", len(text)))
    for start in range(0, len(text), 30_001):
        talk.send(text[start : start + 30_001])
    assert json.loads(talk.answer().text) == [2, 100_001, 1, 4]


def test_a_form_with_a_file_is_parsed_as_it_comes(talk: Talk) -> None:
    content = bytes(range(256)) * 20_000
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nNuages\r\n'
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--edge--\r\n"
    )
    head = POST.format("/up/form/", len(body)).replace(
        "Host: a", "Host: a\r\nContent-Type: multipart/form-data; boundary=edge"
    )
    talk.send(head)
    for start in range(0, len(body), 777_777):
        talk.send(body[start : start + 777_777])
    found = json.loads(talk.answer().text)
    assert found == {
        "post": {"title": "Nuages"},
        "files": {"file": ["f.bin", len(content), hashlib.sha256(content).hexdigest()]},
    }


def test_an_answer_may_begin_before_the_body_ends(talk: Talk) -> None:
    talk.send(POST.format("/up/echo/", 2 << 14), bytes(1 << 14))
    assert talk.line() == b"HTTP/1.1 200 OK"
    while talk.line():
        pass
    assert talk.line() == b"4000"
    assert talk.take(1 << 14) == bytes(1 << 14)
    talk.send(b"x" * (1 << 14))
    assert (talk.line(), talk.line()) == (b"", b"4000")
    assert talk.take(1 << 14) == b"x" * (1 << 14)
    assert (talk.line(), talk.line(), talk.line()) == (b"", b"0", b"")
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize("end", ["close", "half close", "reset"])
def test_a_client_that_leaves_gives_unreadable_post_error(server: Server, end: str) -> None:
    before = len(seen(server))
    name = end.replace(" ", "-")
    with talking(server.address) as talk:
        talk.send(POST.format(f"/up/take/?name={name}", 1000), bytes(10))
        wait_until(lambda: f"first {name}" in seen(server), "the view reads")
        if end == "half close":
            talk.socket.shutdown(socket.SHUT_WR)
            talk.rest()
        elif end == "reset":
            talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(
        lambda: any(line.startswith("UnreadablePostError") for line in seen(server)[before:]),
        "the view hears of it",
    )


def test_a_client_that_stalls_is_answered_408_and_its_view_ends(server: Server, talk: Talk) -> None:
    before = len(seen(server))
    talk.send(POST.format("/up/take/?name=stalled", 100_000), bytes(10))
    assert talk.answer().status == 408
    assert talk.closed()
    wait_until(lambda: any("too slowly" in line for line in seen(server)[before:]), "the view hears of it")


def test_a_body_that_comes_slowly_but_steadily_outlives_the_timeout_of_views(talk: Talk) -> None:
    talk.send(POST.format("/up/take/", 40_000))
    for _ in range(20):
        talk.send(bytes(2000))
        time.sleep(0.12)  # 2.4 s in all; --timeout is 1.5 s, but it is the client who takes them
    assert json.loads(talk.answer().text)["size"] == 40_000


def test_a_view_that_takes_its_time_itself_is_answered_for(talk: Talk) -> None:
    talk.send(POST.format("/up/nap/", 10), bytes(10))
    assert talk.answer().status == 504


def test_what_is_too_large_is_refused_before_the_view_runs(server: Server, talk: Talk) -> None:
    talk.send(POST.format("/up/take/?name=huge", 65 * MB))
    assert talk.answer().status == 413


def latencies(server: Server, count: int) -> list[float]:
    """Ask for a page again and again; return the seconds that each answer took."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        assert server.get("/") == "hello"
        times.append(time.monotonic() - began)
    return times


def test_slow_clients_leave_threads_for_pages(project: Path) -> None:
    with serving(project, "--workers", "1", "--threads", "2", "--buffer-requests", "off") as server:
        server.wait_for("ready")
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(talking(server.address)) for _ in range(50)]
            for number, talk in enumerate(slow):
                talk.send(POST.format(f"/stored/take/?name={number}", 200), bytes(100))
            wait_until(
                lambda: sum(line.startswith("first") for line in seen(server)) == 50,
                "every view has read a piece",
            )
            # The best of ten: this machine does other things too.
            assert any(sorted(latencies(server, 50))[45] < 0.1 for _ in range(10))
            for talk in slow:
                talk.send(bytes(100))
            for talk in slow:
                assert json.loads(talk.answer().text)["size"] == 200


def test_many_upload_at_once(server: Server) -> None:
    faults: list[object] = []

    def upload() -> None:
        try:
            with talking(server.address) as talk:
                for _ in range(3):
                    talk.send(POST.format("/up/take/", 3 * MB), bytes(3 * MB))
                    assert json.loads(talk.answer().text)["size"] == 3 * MB
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
