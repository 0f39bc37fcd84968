"""Which answers of views are compressed by --gzip, and what of their fields changes."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.shrinking import LEAST_BYTES, Stream, compress, shrunk

HTML = ("Content-Type", "text/html; charset=utf-8")
GZIP = {b"accept-encoding": b"gzip, deflate, br"}


@pytest.mark.parametrize(
    ("status", "headers", "size", "is_shrunk"),
    [
        (200, [HTML], LEAST_BYTES, True),
        (200, [HTML], LEAST_BYTES - 1, False),
        (200, [HTML], None, True),
        (200, [HTML, ("Content-Length", "10")], None, False),
        (404, [HTML], 9000, True),
        (206, [HTML], 9000, False),
        (304, [HTML], None, False),
        (204, [HTML], None, False),
        (200, [("content-type", "application/json")], 9000, True),
        (200, [("Content-Type", "image/svg+xml")], 9000, True),
        (200, [("Content-Type", "application/vnd.api+json; v=1")], 9000, True),
        (200, [("Content-Type", "image/png")], 9000, False),
        (200, [("Content-Type", "text/event-stream")], None, False),
        (200, [], 9000, False),
        (200, [HTML, ("Content-Encoding", "br")], 9000, False),
        (200, [HTML, ("Content-Range", "bytes 0-1/2")], 9000, False),
        (200, [HTML, ("Cache-Control", "public, no-transform")], 9000, False),
    ],
)
def test_text_of_some_size_is_compressed(
    status: int, headers: list[tuple[str, str]], size: int | None, is_shrunk: bool
) -> None:
    assert (shrunk(GZIP, status, list(headers), size) is not None) == is_shrunk


@pytest.mark.parametrize(
    ("accepted", "is_shrunk"),
    [
        ("gzip", True),
        ("*", True),
        ("gzip;q=0", False),
        ("br", False),
        ("", False),
        ("gzip;q=.5, identity", False),
    ],
)
def test_a_client_has_what_it_accepts_and_caches_are_told(accepted: str, is_shrunk: bool) -> None:
    headers = [HTML, ("Vary", "Cookie")]
    found = shrunk({b"accept-encoding": accepted.encode()}, 200, headers, 9000)
    assert (found is not None) == is_shrunk
    assert ("Vary", "Cookie, Accept-Encoding") in (found or headers)


def test_fields_that_no_longer_hold_are_changed() -> None:
    found = shrunk(
        GZIP, 200, [HTML, ("ETag", '"x"'), ("Content-Length", "9000"), ("Set-Cookie", "a=b")], None
    )
    assert found == [
        HTML, ("ETag", 'W/"x"'), ("Set-Cookie", "a=b"), ("Vary", "Accept-Encoding"), ("Content-Encoding", "gzip"),
    ]  # fmt: skip


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_every_piece_can_be_read_when_it_comes(pieces: list[bytes]) -> None:
    stream, reader, seen = Stream(), zlib.decompressobj(16 + zlib.MAX_WBITS), b""
    for number, piece in enumerate(pieces):
        seen += reader.decompress(stream.piece(piece, is_last=False))
        assert seen == b"".join(pieces[: number + 1])
    seen += reader.decompress(stream.piece(b"", is_last=True))
    assert reader.eof
    assert gzip.decompress(compress(seen)) == seen
