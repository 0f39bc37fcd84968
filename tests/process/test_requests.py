"""What a client sees on the wire: framing, order, limits, streams and disconnects, against a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Talk, talking, write_site

URLS = """
async def async_pieces(request):
    async def pieces():
        for piece in (b"one ", b"two ", b"", b"three"):
            yield piece
    return StreamingHttpResponse(pieces())


def log_file(request):
    return FileResponse(open(request.GET["file"], "rb"))


async def log_file_async(request):
    return log_file(request)


urlpatterns += [
    path("async-pieces/", async_pieces), path("log-file/", log_file), path("log-file-async/", log_file_async),
]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), urls=URLS)
    with serving(
        project,
        "--workers",
        "1",
        "--header-timeout",
        "3s",
        "--body-timeout",
        "3s",
        "--timeout",
        "4s",
        "--max-body",
        "8M",
    ) as started:
        started.wait_for("ready")
        yield started


GET = "GET {} HTTP/1.1\r\nHost: testserver\r\n\r\n"


def test_a_connection_is_used_again(talk: Talk) -> None:
    for _ in range(3):
        answer = talk.get("/")
        assert (answer.status, answer.text) == (200, "hello")
        assert "connection" not in answer.fields
        assert "date" in answer.fields


def test_connection_close_is_honoured(talk: Talk) -> None:
    assert talk.get("/", "Connection: close\r\n").fields["connection"] == "close"
    assert talk.closed()


def test_http_1_0_closes_unless_asked_to_stay(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send("GET / HTTP/1.0\r\n\r\n")
        assert talk.answer().text == "hello"
        assert talk.closed()
    with talking(server.address) as talk:
        talk.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert talk.answer().fields["connection"] == "keep-alive"
        talk.send("GET / HTTP/1.0\r\n\r\n")
        assert talk.answer().text == "hello"


@pytest.mark.parametrize("path", ["/stream/", "/async-pieces/"])
def test_a_stream_to_http_1_0_ends_with_the_connection(talk: Talk, path: str) -> None:
    talk.send(f"GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    answer = talk.answer()
    assert "transfer-encoding" not in answer.fields
    assert answer.text == "one two three"


def test_pipelined_requests_are_answered_in_order(talk: Talk) -> None:
    paths = ["/nap/?seconds=0.1", "/", "/async/", "/stream/", "/meta/x/", "/live/", "/"]
    talk.send(*(GET.format(path) for path in paths))
    texts = [talk.answer().text for _ in paths]
    assert texts[0:2] == ["slept", "hello"]
    assert texts[2] == "on the loop: True"
    assert texts[3] == "one two three"
    assert json.loads(texts[4])["path"] == "/meta/x/"
    assert texts[5].startswith("data: 0")
    assert texts[6] == "hello"


def test_pipelined_bodies_do_not_mix(talk: Talk) -> None:
    post = "POST /form/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    talk.send(
        post, "Content-Length: 3\r\n\r\na=1", post, "Transfer-Encoding: chunked\r\n\r\n3\r\nb=2\r\n0\r\n\r\n"
    )
    assert json.loads(talk.answer().text)["post"] == {"a": "1"}
    assert json.loads(talk.answer().text)["post"] == {"b": "2"}


def test_a_thousand_pipelined_requests_are_answered(talk: Talk) -> None:
    sender = threading.Thread(target=talk.send, args=[GET.format("/") * 1000])
    sender.start()
    assert all(talk.answer().text == "hello" for _ in range(1000))
    sender.join()


def test_a_request_that_comes_byte_by_byte_is_understood(talk: Talk) -> None:
    for byte in b"GET /meta/?q=1 HTTP/1.1\r\nHost: testserver\r\nX-Long: 12345\r\n\r\n":
        talk.send(bytes([byte]))
    meta = json.loads(talk.answer().text)["meta"]
    assert (meta["QUERY_STRING"], meta["HTTP_X_LONG"]) == ("q=1", "12345")


def test_100_continue_is_sent_when_the_body_is_wanted(talk: Talk) -> None:
    head = "POST /size/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    talk.send(head)
    assert talk.line() == b"HTTP/1.1 100 Continue"
    assert talk.line() == b""
    assert talk.send("12345").answer().text == "5"


def test_100_continue_is_not_sent_for_a_body_that_is_refused(talk: Talk) -> None:
    talk.send("POST /size/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    assert talk.answer().status == 413
    assert talk.closed()


def test_head_has_the_fields_of_get_and_no_body(talk: Talk) -> None:
    get, head = talk.get("/"), talk.get("/", method="HEAD")
    assert head.fields["content-length"] == get.fields["content-length"] == "5"
    assert talk.get("/stream/", method="HEAD").status == 200
    assert talk.get("/endless/", method="HEAD").status == 200
    assert talk.get("/download/", method="HEAD").fields["content-length"] == str(256 * 8192)
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize("code", [204, 304])
def test_a_status_without_a_body_has_neither_body_nor_length(talk: Talk, code: int) -> None:
    answer = talk.get(f"/status/{code}/")
    assert answer.status == code
    assert "content-length" not in answer.fields
    assert "transfer-encoding" not in answer.fields
    assert talk.get("/").text == "hello"


def test_a_stream_is_chunked(talk: Talk) -> None:
    answer = talk.get("/stream/")
    assert answer.fields["transfer-encoding"] == "chunked"
    assert answer.text == "one two three"
    assert talk.get("/").text == "hello"


def test_a_file_is_sent_whole(talk: Talk) -> None:
    answer = talk.get("/download/")
    assert answer.body == bytes(range(256)) * 8192
    assert answer.fields["content-length"] == str(len(answer.body))
    assert talk.get("/").text == "hello"


@pytest.mark.parametrize("path", ["/log-file/", "/log-file-async/"])
def test_a_file_that_is_appended_to_while_it_is_sent_is_sent_as_long_as_it_was(
    talk: Talk, tmp_path: Path, path: str
) -> None:
    file, size = tmp_path / "log", 20_000_000
    file.write_bytes(b"a" * size)
    talk.send(GET.format(f"{path}?file={file}"))
    while line := talk.line():
        if line.lower().startswith(b"content-length:"):
            assert int(line.partition(b":")[2]) == size
    with file.open("ab") as log:
        log.write(b"b" * size)
    assert talk.take(size).count(b"a") == size
    assert talk.get("/").text == "hello"


def test_an_async_stream_from_a_sync_chain_is_iterated(talk: Talk) -> None:
    assert talk.get("/sync-async/").text == "0 1 2 "
    assert talk.get("/").text == "hello"


def test_an_endless_async_stream_from_a_sync_chain_flows_and_is_closed(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send(GET.format("/sync-async-endless/"))
        while talk.line():
            pass
        assert [talk.line() for _ in range(4)] == [b"5", b"tick\n", b"5", b"tick\n"]
    wait_until(lambda: "async" in server.get("/closed/"), "the generator is closed")


def test_a_stream_is_closed_in_its_own_thread_when_the_client_leaves(server: Server) -> None:
    def closed() -> list[bool]:
        return [one for one in json.loads(server.get("/closed/")) if one != "async"]

    before = len(closed())
    with talking(server.address) as talk:
        talk.send(GET.format("/endless/"))
        talk.take(200_000)
    assert wait_until(lambda: closed()[before:], "the stream is closed") == [True]


def test_a_client_that_half_closes_still_gets_its_answer(server: Server) -> None:
    import socket

    with talking(server.address) as talk:
        talk.send(GET.format("/nap/?seconds=0.2"))
        talk.socket.shutdown(socket.SHUT_WR)
        assert talk.answer().text == "slept"
        assert talk.closed()


def test_an_upload_larger_than_memory_arrives(talk: Talk) -> None:
    size = 5_000_000
    talk.send(f"POST /size/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
    talk.send(b"u" * size)
    assert talk.answer().text == str(size)
    assert talk.get("/").text == "hello"


def test_a_chunked_upload_has_its_length(talk: Talk) -> None:
    talk.send("POST /size/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(30):
        talk.send(b"10000\r\n", b"c" * 65536, b"\r\n")
    assert talk.send(b"0\r\n\r\n").answer().text == str(30 * 65536)


def test_a_chunked_upload_that_grows_too_large_is_refused(talk: Talk) -> None:
    import contextlib

    talk.send("POST /size/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(200):
            talk.send(b"10000\r\n", b"c" * 65536, b"\r\n")
    assert talk.rest()[:12] in (b"HTTP/1.1 413", b"")


def test_files_and_fields_of_a_form_arrive(talk: Talk) -> None:
    body = (
        b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xc3\xa4\r\n--xx\r\n'
        b'Content-Disposition: form-data; name="f"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        + b"p" * 3_000_000
        + b"\r\n--xx--\r\n"
    )
    talk.send("POST /form/?g=1 HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=xx\r\n")
    talk.send(f"Content-Length: {len(body)}\r\n\r\n", body)
    found = json.loads(talk.answer().text)
    assert found["post"] == {"a": "ä"}
    assert found["files"] == {"f": ["p.png", 3_000_000, "image/png"]}
    assert found["get"] == {"g": "1"}


def test_several_cookies_are_several_fields(talk: Talk) -> None:
    cookies = [value for name, value in talk.get("/cookies/").all if name == "Set-Cookie"]
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]


def test_the_request_id_comes_back(talk: Talk) -> None:
    assert talk.get("/", "X-Request-ID: abc-123\r\n").fields["x-request-id"] == "abc-123"
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (
        talk.get("/", f"traceparent: {trace}\r\n").fields["x-request-id"]
        == "4bf92f3577b34da6a3ce929d0e0e4736"
    )
    assert talk.get("/", "X-Request-ID: a b\r\n").fields["x-request-id"] != "a b"
    assert talk.get("/async/", "X-Request-ID: def-456\r\n").fields["x-request-id"] == "def-456"


def test_the_access_log_knows_the_route(server: Server, talk: Talk) -> None:
    talk.get("/inner/deep/7/?secret=1", "X-Request-ID: route-1\r\n")
    line = server.wait_for_request(request_id="route-1")
    assert (line["route"], line["status"], line["method"]) == ("inner/deep/<int:number>/", 200, "GET")
    assert "secret" not in json.dumps(line)
    talk.get("/async/", "X-Request-ID: route-2\r\n")
    assert server.wait_for_request(request_id="route-2")["route"] == "async/"


def test_an_exploding_view_is_a_500_and_the_connection_goes_on(talk: Talk) -> None:
    assert talk.get("/explode/").status == 500
    assert talk.get("/").text == "hello"


def test_a_header_that_would_split_the_response_is_a_500(talk: Talk) -> None:
    answer = talk.get("/split/")
    assert answer.status == 500
    assert "set-cookie" not in answer.fields


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GE T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("GET / HTTP/1.2.3\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        ("GET /" + "x" * 20000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 300 + "\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 100_000 + "\r\n\r\n", 431),
        ("GET http://user@host/ HTTP/1.1\r\nHost: host\r\n\r\n", 400),
        ("CONNECT example.com:80 HTTP/1.1\r\nHost: example.com\r\n\r\n", 501),
    ],
    ids=range(24),
)  # fmt: skip
def test_an_invalid_request_is_refused_and_the_connection_closed(talk: Talk, head: str, status: int) -> None:
    talk.send(head)
    answer = talk.answer()
    assert answer.status == status
    assert answer.fields["connection"] == "close"
    assert talk.closed()


def test_an_endless_header_is_refused(talk: Talk) -> None:
    import contextlib

    talk.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
    with contextlib.suppress(OSError):
        for _ in range(100):
            talk.send(b"y" * 10_000)
    assert talk.rest()[:12] in (b"HTTP/1.1 431", b"")


def test_what_follows_a_good_request_is_refused_after_its_answer(talk: Talk) -> None:
    talk.send(GET.format("/nap/?seconds=0.1"), "rubbish\r\n\r\n")
    assert talk.answer().text == "slept"
    assert talk.answer().status in (400, 501)
    assert talk.closed()


def test_an_absolute_target_is_understood(talk: Talk) -> None:
    assert json.loads(talk.get("http://testserver/meta/?a=b").text)["full"] == "/meta/?a=b"


def test_a_slow_head_ends(talk: Talk) -> None:
    talk.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
    assert talk.answer().status == 408
    assert talk.closed()


def test_a_slow_body_ends(talk: Talk) -> None:
    talk.send("POST /size/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    assert talk.answer().status == 408
    assert talk.closed()


def test_a_view_that_does_not_answer_in_time_is_a_504_with_its_stack_in_the_log(
    server: Server, talk: Talk
) -> None:
    assert talk.get("/nap/?seconds=6").status == 504
    event = server.wait_for("timeout")
    assert "time.sleep(float(" in event["text"]
    assert talk.closed()


def test_an_upgrade_to_something_else_is_answered_as_http(talk: Talk) -> None:
    answer = talk.get(
        "/", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    )
    assert answer.text == "hello"
    assert talk.get("/").text == "hello"


def test_nothing_of_one_request_is_seen_by_the_next(talk: Talk) -> None:
    assert [talk.get("/leak/").text for _ in range(3)] == ["noneen-us"] * 3


def test_a_transaction_left_open_is_not_continued(server: Server, talk: Talk) -> None:
    assert talk.get("/leave-atomic/").text == "True"
    assert talk.get("/in-atomic/").text == "False"
    assert "inside a transaction" in server.wait_for("database")["text"]


def test_database_connections_outlive_requests(talk: Talk) -> None:
    # Two threads may take turns where a busy machine made the pool grow.
    assert len({talk.get("/database/").text for _ in range(20)}) <= 2


def test_requests_that_do_not_wait_share_one_thread(talk: Talk) -> None:
    for _ in range(20):  # what other tests made it grow to is forgotten
        talk.get("/thread/")
    assert len({talk.get("/thread/").text for _ in range(20)}) <= 2


def test_requests_that_wait_run_side_by_side(server: Server) -> None:
    import contextlib
    import time

    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(talking(server.address)) for _ in range(20)]
        for talk in talks:
            talk.send(GET.format("/nap/?seconds=0.5"))
        assert all(talk.answer().text == "slept" for talk in talks)
    assert time.monotonic() - started < 5  # and not ten


def test_the_async_view_runs_on_the_loop(talk: Talk) -> None:
    assert talk.get("/async/").text == "on the loop: True"
    assert talk.get("/live/").text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert talk.get("/").text == "hello"


def test_a_post_without_a_token_is_refused_by_django(talk: Talk) -> None:
    talk.send("POST /guarded/ HTTP/1.1\r\nHost: testserver\r\nContent-Length: 0\r\n\r\n")
    assert talk.answer().status == 403


def test_sessions_and_messages_work(talk: Talk) -> None:
    first = talk.get("/visits/")
    jar = "; ".join(value.partition(";")[0] for name, value in first.all if name == "Set-Cookie")
    assert talk.get("/visits/", f"Cookie: {jar}\r\n").text == "2"
    assert "welcome" in talk.get("/noted/", f"Cookie: {jar}\r\n").text


def test_a_missing_slash_is_appended(talk: Talk) -> None:
    answer = talk.get("/meta")
    assert (answer.status, answer.fields["location"]) == (301, "/meta/")


def test_unicode_paths_arrive(talk: Talk) -> None:
    found = json.loads(talk.get("/meta/%C3%A4%20b/").text)
    assert found["path"] == "/meta/ä b/"
    assert talk.get("/meta/%ff/").status in (200, 404)


def test_field_names_with_underscores_are_dropped(talk: Talk) -> None:
    meta = json.loads(talk.get("/meta/", "X_Evil: 1\r\nX-Good: 2\r\n").text)["meta"]
    assert "HTTP_X_EVIL" not in meta
    assert meta["HTTP_X_GOOD"] == "2"


def test_a_trusted_proxy_tells_who_the_client_is(talk: Talk) -> None:
    found = json.loads(
        talk.get("/meta/", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n").text
    )
    assert found["meta"]["REMOTE_ADDR"] == "203.0.113.9"
    assert found["secure"] is True


def test_an_untrusted_peer_is_not_believed(tmp_path: Path) -> None:
    extra = 'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")\n'
    project = write_site(tmp_path, settings=extra)
    with serving(project, "--workers", "1", "--trusted-proxies", "10.0.0.0/8") as server:
        with talking(server.address) as talk:
            answer = talk.get("/meta/", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n")
        found = json.loads(answer.text)
    assert found["meta"]["REMOTE_ADDR"] == "127.0.0.1"
    assert found["secure"] is False
    assert "HTTP_X_FORWARDED_PROTO" not in found["meta"]
