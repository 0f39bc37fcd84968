"""The table of request fields and what a stored file is answered (RFC 9110)."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.conditional import Variant, choose_coding, decide, parse_range, parse_tags

TIME = 1_700_000_000
SAME, LATER, EARLIER = (formatdate(TIME + shift, usegmt=True) for shift in (0, 60, -60))
PLAIN = Variant(coding="identity", size=1000, etag='"abc"')
GZIP = Variant(coding="gzip", size=400, etag='"abc-gzip"')
BROTLI = Variant(coding="br", size=300, etag='"abc-br"')
ALL = (PLAIN, BROTLI, GZIP)


def answer(*headers: str, variants: tuple[Variant, ...] = (PLAIN,)) -> tuple[int, str, int, int]:
    fields = {}
    for header in headers:
        name, _, value = header.partition(": ")
        fields[name.lower().encode()] = value.encode("latin-1")
    found = decide(fields, variants, TIME)
    return found.status, found.variant.coding, found.start, found.stop


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('If-None-Match: "abc"', 304),
        ('If-None-Match: W/"abc"', 304),
        ('If-None-Match: "x", "abc"', 304),
        ('If-None-Match: "x",W/"abc" , "y"', 304),
        ("If-None-Match: *", 304),
        ('If-None-Match: "abd"', 200),
        ('If-None-Match: "ab', 200),
        ("If-None-Match: abc", 200),
        ('If-None-Match: "a,b", "abc"', 304),
        ("If-None-Match: ", 200),
        (f"If-Modified-Since: {SAME}", 304),
        (f"If-Modified-Since: {LATER}", 304),
        (f"If-Modified-Since: {EARLIER}", 200),
        ("If-Modified-Since: yesterday", 200),
        ("If-Modified-Since: 0", 200),
        ('If-Match: "abc"', 200),
        ("If-Match: *", 200),
        ('If-Match: "x"', 412),
        ('If-Match: W/"abc"', 412),
        ('If-Match: "x", "abc"', 200),
        (f"If-Unmodified-Since: {SAME}", 200),
        (f"If-Unmodified-Since: {EARLIER}", 412),
        ("If-Unmodified-Since: nonsense", 200),
    ],
)
def test_one_precondition_decides(header: str, status: int) -> None:
    assert answer(header)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (('If-None-Match: "x"', f"If-Modified-Since: {SAME}"), 200),
        (('If-None-Match: "abc"', f"If-Modified-Since: {EARLIER}"), 304),
        (('If-Match: "abc"', f"If-Unmodified-Since: {EARLIER}"), 200),
        (('If-Match: "x"', 'If-None-Match: "abc"'), 412),
        (('If-Match: "abc"', 'If-None-Match: "abc"'), 304),
        (('If-None-Match: "abc"', "Range: bytes=0-1"), 304),
        (("Range: bytes=0-1", 'If-Match: "x"'), 412),
    ],
)
def test_preconditions_have_their_order(headers: tuple[str, ...], status: int) -> None:
    assert answer(*headers)[0] == status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", (206, 0, 1)),
        ("bytes=0-", (206, 0, 1000)),
        ("bytes=10-19", (206, 10, 20)),
        ("bytes=999-", (206, 999, 1000)),
        ("bytes=0-99999", (206, 0, 1000)),
        ("bytes=-1", (206, 999, 1000)),
        ("bytes=-5000", (206, 0, 1000)),
        ("Bytes=1-2", (206, 1, 3)),
        ("bytes=1000-", (416, 0, 0)),
        ("bytes=1000-2000", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        ("bytes=5-4", (200, 0, 1000)),
        ("bytes=-", (200, 0, 1000)),
        ("bytes=a-b", (200, 0, 1000)),
        ("items=0-1", (200, 0, 1000)),
        ("bytes=0-1,3-4", (200, 0, 1000)),
        ("bytes 0-1", (200, 0, 1000)),
        ("bytes=0-1x", (200, 0, 1000)),
        ("bytes=99999999999999999999-", (200, 0, 1000)),
        ("bytes=--1", (200, 0, 1000)),
        ("", (200, 0, 1000)),
    ],
)
def test_a_range_is_served_refused_or_ignored(value: str, expected: tuple[int, int, int]) -> None:
    status, _, start, stop = answer(f"Range: {value}")
    assert (status, start, stop) == expected


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        ('"abc"', 206),
        ('"x"', 200),
        ('W/"abc"', 200),
        ('"abc-gzip"', 200),
        (SAME, 206),
        (LATER, 200),
        (EARLIER, 200),
        ("rubbish", 200),
    ],
)
def test_if_range_must_match_exactly(if_range: str, status: int) -> None:
    assert answer("Range: bytes=0-1", f"If-Range: {if_range}")[0] == status


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0, *", "br"),
        ("*;q=0", "identity"),
        ("identity;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.5", "gzip"),
        ("br;q=0.5, gzip;q=0.5", "br"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=0.000", "identity"),
        ("gzip;q=1.000", "gzip"),
        ("gzip;q=2", "identity"),
        ("gzip;q=", "identity"),
        ("gzip;q=0.3, identity;q=0.9", "identity"),
        ("gzip ; q=0.3", "gzip"),
        ("deflate", "identity"),
        ("identity", "identity"),
        ("", "identity"),
        (",,gzip,,", "gzip"),
    ],
)
def test_the_best_coding_is_chosen(accepted: str, coding: str) -> None:
    assert choose_coding(accepted, ALL).coding == coding
    assert answer(f"Accept-Encoding: {accepted}", variants=ALL)[1] == coding


def test_a_coded_form_has_its_own_tag() -> None:
    assert answer("Accept-Encoding: gzip", 'If-None-Match: "abc-gzip"', variants=ALL)[0] == 304
    assert answer("Accept-Encoding: gzip", 'If-None-Match: "abc"', variants=ALL)[0] == 200


def test_a_range_is_taken_of_the_plain_form() -> None:
    assert answer("Accept-Encoding: gzip", "Range: bytes=0-9", variants=ALL) == (206, "identity", 0, 10)


def test_an_empty_file_has_no_range() -> None:
    assert parse_range("bytes=0-0", 0) == (-1, -1)
    assert parse_range("bytes=-1", 0) == (-1, -1)


@given(st.text(alphabet='W/"*, abc\x00\xff;', max_size=60))
def test_tags_of_any_text_are_tags(text: str) -> None:
    for tag in parse_tags(text):
        assert tag == "*" or tag.removeprefix("W/").startswith('"')


@given(st.text(alphabet="bytes=-0123456789, ", max_size=30), st.integers(0, 50))
def test_a_range_of_any_text_lies_in_the_file(text: str, size: int) -> None:
    found = parse_range(text, size)
    if found and found != (-1, -1):
        assert 0 <= found[0] < found[1] <= size


@given(st.text(alphabet="gzipbr;q=01.*, dentiy", max_size=60))
def test_any_accept_encoding_chooses_something(text: str) -> None:
    assert choose_coding(text, ALL) in ALL
