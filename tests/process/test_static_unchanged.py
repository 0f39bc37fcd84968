"""A 304 that a client was given before takes a shorter way, where no access log is written; nobody can tell by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.process.harness import Server, serving
from tests.process.sites import Talk, write_site
from tests.process.test_static_files import EXTRA, write_assets

FILE = "/static/css/site.css"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=EXTRA)
    write_assets(project).rename(project / "collected")
    with serving(project, "--workers", "1", "--access-log", "off") as started:
        started.wait_for("ready")
        yield started


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "condition",
    ["If-None-Match: {etag}", "If-None-Match: W/{etag}", 'If-None-Match: "x", {etag}', "If-None-Match: *",
     "If-Modified-Since: {last-modified}"],
)  # fmt: skip
def test_the_second_304_is_as_the_first(talk: Talk, condition: str, method: str) -> None:
    fields = talk.get(FILE).fields
    first, second, third = (
        talk.get(FILE, condition.format_map(fields) + "\r\n", method=method) for _ in range(3)
    )
    assert (first.status, first.body) == (304, b"")
    assert first.fields["etag"] == fields["etag"]
    for again in (second, third):
        assert again.status == 304
        assert {**again.fields, "date": ""} == {**first.fields, "date": ""}


@pytest.mark.parametrize(
    ("headers", "status"),
    [("If-None-Match: {etag}\r\nRange: bytes=0-1", 304), ("If-None-Match: {etag}\r\nIf-Match: \"x\"", 412),
     ('If-None-Match: "x"\r\nIf-Modified-Since: {last-modified}', 200), ("If-None-Match: {etag}\r\nExpect: x", 304)],
)  # fmt: skip
def test_other_conditions_beside_it_count(talk: Talk, headers: str, status: int) -> None:
    fields = talk.get(FILE).fields
    for _ in range(3):
        assert talk.get(FILE, f"If-None-Match: {fields['etag']}\r\n").status == 304
        assert talk.get(FILE, headers.format_map(fields) + "\r\n").status == status


def test_answers_keep_the_order_of_pipelined_requests(talk: Talk) -> None:
    etag = talk.get(FILE).fields["etag"]
    known = f"GET {FILE} HTTP/1.1\r\nHost: testserver\r\nIf-None-Match: {etag}\r\n\r\n"
    page = "GET / HTTP/1.1\r\nHost: testserver\r\n\r\n"
    large = "GET /static/large.bin HTTP/1.1\r\nHost: testserver\r\n\r\n"
    body = known.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")
    talk.get(FILE, f"If-None-Match: {etag}\r\n")
    talk.send(known, known, page, known, large, known, body, known, page)
    statuses = [talk.answer().status for _ in range(9)]
    assert statuses == [304, 304, 200, 304, 200, 304, 304, 304, 200]


@pytest.mark.parametrize("ending", ["HTTP/1.1\r\nHost: testserver\r\nConnection: close", "HTTP/1.0"])
def test_the_connection_ends_where_the_client_wants_it(talk: Talk, ending: str) -> None:
    etag = talk.get(FILE).fields["etag"]
    talk.get(FILE, f"If-None-Match: {etag}\r\n")
    talk.send(f"GET {FILE} {ending}\r\nIf-None-Match: {etag}\r\n\r\n")
    answer = talk.answer()
    assert answer.status == 304
    assert answer.fields["connection"] == "close"
    assert talk.closed()
