"""--gzip on the wire: views in threads and on the loop, streams, and what must not be touched."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving
from tests.process.sites import Talk, talking, write_site

URLS = """
TEXT = "".join(f"line {number}\\n" for number in range(5000))


def parts():
    return (TEXT[start : start + 3000] for start in range(0, len(TEXT), 3000))


def long(request):
    return HttpResponse(TEXT, headers={"ETag": '"long"'})


async def async_long(request):
    return HttpResponse(TEXT)


def short(request):
    return HttpResponse("short")


def pieces(request):
    return StreamingHttpResponse(parts(), content_type="text/plain")


async def async_pieces(request):
    async def lines():
        for part in parts():
            yield part
    return StreamingHttpResponse(lines(), content_type="text/plain")


def image(request):
    return HttpResponse(b"x" * 9000, content_type="image/png")


urlpatterns += [path(f"{view.__name__}/", view) for view in (
    long, async_long, short, pieces, async_pieces, image,
)]
"""
TEXT = "".join(f"line {number}\n" for number in range(5000)).encode()
ACCEPTS = "Accept-Encoding: gzip\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project: Path = write_site(tmp_path_factory.mktemp("site"), urls=URLS)
    with serving(project, "--workers", "1", "--gzip", "on") as started:
        started.wait_for("ready")
        yield started
        assert "Traceback" not in started.said


@pytest.mark.parametrize("view", ["long", "async_long", "pieces", "async_pieces"])
def test_text_is_compressed_for_who_accepts_it(talk: Talk, view: str) -> None:
    answer = talk.get(f"/{view}/", ACCEPTS)
    assert answer.fields["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.fields["vary"]
    assert gzip.decompress(answer.body) == TEXT
    assert len(answer.body) < len(TEXT) / 2
    plain = talk.get(f"/{view}/")
    assert "content-encoding" not in plain.fields
    assert "Accept-Encoding" in plain.fields["vary"]
    assert plain.body == TEXT


def test_a_tag_becomes_weak_and_head_is_like_get(talk: Talk) -> None:
    answer = talk.get("/long/", ACCEPTS)
    assert answer.fields["etag"] == 'W/"long"'
    head = talk.get("/long/", ACCEPTS, method="HEAD")
    assert head.fields["content-length"] == answer.fields["content-length"]
    assert head.fields["content-encoding"] == "gzip"


@pytest.mark.parametrize("view", ["short", "image"])
def test_short_and_dense_answers_are_left_alone(talk: Talk, view: str) -> None:
    assert "content-encoding" not in talk.get(f"/{view}/", ACCEPTS).fields


def test_nothing_is_compressed_without_being_asked_for(tmp_path: Path) -> None:
    with (
        serving(write_site(tmp_path, urls=URLS), "--workers", "1") as server,
        talking(server.address) as talk,
    ):
        answer = talk.get("/long/", ACCEPTS)
        assert answer.body == TEXT
        assert answer.fields["etag"] == '"long"'
