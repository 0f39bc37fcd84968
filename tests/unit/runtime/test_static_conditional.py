"""The table of request fields and what a stored file is answered (RFC 9110)."""

from __future__ import annotations

import email
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.conditional import Variant, decide, parse_tags
from nuages.runtime.dates import parse_date
from nuages.runtime.ranges import MOST, multipart, parse_ranges

TIME = 1_700_000_000
SAME, LATER, EARLIER = (formatdate(TIME + shift, usegmt=True) for shift in (0, 60, -60))
PLAIN = Variant(coding="identity", size=1000, etag='"abc"')
GZIP = Variant(coding="gzip", size=400, etag='"abc-gzip"')
BROTLI = Variant(coding="br", size=300, etag='"abc-br"')
ALL = (PLAIN, BROTLI, GZIP)


def fields_of(headers: tuple[str, ...]) -> dict[bytes, bytes]:
    pairs = (header.partition(": ") for header in headers)
    return {name.lower().encode(): value.encode("latin-1") for name, _, value in pairs}


def answer(*headers: str, variants: tuple[Variant, ...] = (PLAIN,)) -> tuple[int, str, int, int]:
    found = decide("GET", fields_of(headers), variants, TIME)
    start, stop = found.ranges[0] if found.ranges else (0, 0)
    return found.status, found.variant.coding, start, stop


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
        ("bytes=1000-,2000-", (416, 0, 0)),
        ("bytes=1000-,5-9", (206, 5, 10)),
        (" bytes=1-2 ", (206, 1, 3)),
        ("bytes=1-2,", (206, 1, 3)),
        ("bytes=5-4", (200, 0, 1000)),
        ("bytes=1-2,5-4", (200, 0, 1000)),
        ("bytes=1-2;3-4", (200, 0, 1000)),
        ("bytes=-", (200, 0, 1000)),
        ("bytes=a-b", (200, 0, 1000)),
        ("items=0-1", (200, 0, 1000)),
        ("bytes=,", (200, 0, 1000)),
        ("bytes=\u0661-2", (200, 0, 1000)),
        ("bytes 0-1", (200, 0, 1000)),
        ("bytes=0-1x", (200, 0, 1000)),
        ("bytes=99999999999999999999-", (200, 0, 1000)),
        ("bytes=--1", (200, 0, 1000)),
        ("", (200, 0, 1000)),
    ],
)
def test_a_range_is_served_refused_or_ignored(value: str, expected: tuple[int, int, int]) -> None:
    status, _, start, stop = answer(f"Range: {value.encode().decode('latin-1')}")
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
        ("*;q=0, identity", "identity"),
        ("*;q=0, gzip", "gzip"),
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
    assert answer(f"Accept-Encoding: {accepted}", variants=ALL)[:2] == (200, coding)


@pytest.mark.parametrize(
    ("accepted", "variants"),
    [
        ("*;q=0", ALL),
        ("identity;q=0", (PLAIN,)),
        ("identity;q=0.0, gzip;q=0", (PLAIN, GZIP)),
        ("identity;q=0, zstd", ALL),
        ("gzip, identity;q=0", (PLAIN,)),
        ("*;q=0.000", (PLAIN,)),
    ],
)
def test_a_client_that_refuses_every_form_has_none(accepted: str, variants: tuple[Variant, ...]) -> None:
    assert answer(f"Accept-Encoding: {accepted}", 'If-None-Match: "abc"', variants=variants)[0] == 406


def test_a_coded_form_has_its_own_tag() -> None:
    assert answer("Accept-Encoding: gzip", 'If-None-Match: "abc-gzip"', variants=ALL)[0] == 304
    assert answer("Accept-Encoding: gzip", 'If-None-Match: "abc"', variants=ALL)[0] == 200


def test_a_range_is_taken_of_the_plain_form() -> None:
    assert answer("Accept-Encoding: gzip", "Range: bytes=0-9", variants=ALL) == (206, "identity", 0, 10)


def test_a_range_goes_on_with_the_form_that_the_client_has() -> None:
    ranged = ("Accept-Encoding: gzip", "Range: bytes=10-")
    assert answer(*ranged, 'If-Range: "abc-gzip"', variants=ALL) == (206, "gzip", 10, 400)
    assert answer(*ranged, 'If-Range: "abc"', variants=ALL) == (206, "identity", 10, 1000)
    assert answer(*ranged, 'If-Range: "abc-br"', variants=ALL) == (200, "identity", 0, 1000)
    assert answer("Accept-Encoding: gzip, identity;q=0", "Range: bytes=10-", variants=ALL)[:2] == (
        206,
        "gzip",
    )


def test_a_part_is_never_of_another_form_than_if_match_names() -> None:
    ranged = ("Accept-Encoding: gzip", "Range: bytes=10-")
    assert answer(*ranged, 'If-Match: "abc-gzip"', variants=ALL)[0] == 412
    assert answer(*ranged, 'If-Match: "abc"', variants=ALL)[0] == 206


def test_only_get_has_ranges() -> None:
    assert decide("HEAD", fields_of(("Range: bytes=0-1",)), (PLAIN,), TIME).status == 200


def test_a_time_that_may_not_be_the_last_of_its_second_is_no_strong_validator() -> None:
    fields = fields_of(("Range: bytes=0-1", f"If-Range: {SAME}"))
    assert decide("GET", fields, (PLAIN,), TIME, is_settled=False).status == 200
    assert decide("GET", fields, (PLAIN,), TIME).status == 206


def test_weak_tags_never_match_strongly() -> None:
    weak = Variant(coding="identity", size=9, etag='W/"w"')
    assert answer('If-Match: W/"w"', variants=(weak,))[0] == 412
    assert answer('If-None-Match: "w"', variants=(weak,))[0] == 304
    assert answer("Range: bytes=0-1", 'If-Range: W/"w"', variants=(weak,))[0] == 200


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        ("bytes=0-1,3-4", ((0, 2), (3, 5))),
        ("bytes=9-9, 0-0", ((9, 10), (0, 1))),
        ("bytes=0-5,3-9", ((0, 10),)),
        ("bytes=0-4,5-9", ((0, 10),)),
        ("bytes=0-1,8-9,1-8", ((0, 10),)),
        ("bytes=-1,0-0", ((99, 100), (0, 1))),
        ("bytes=0-,0-,0-", ((0, 100),)),
        ("bytes=" + ",".join(["0-0"] * MOST), ((0, 1),)),
        ("bytes=" + ",".join(["0-0"] * (MOST + 1)), None),
    ],
)
def test_several_ranges_keep_their_order_and_are_joined_where_they_meet(
    value: str, ranges: tuple[tuple[int, int], ...] | None
) -> None:
    assert parse_ranges(value, 100) == ranges


def test_a_multipart_body_is_what_its_type_says() -> None:
    content = bytes(range(100))
    media, pieces = multipart(((10, 20), (50, 51)), 100, "text/css")
    body = b"".join(one if isinstance(one, bytes) else content[one[0] : one[1]] for one in pieces)
    message = email.message_from_bytes(f"Content-Type: {media}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    assert [part["content-range"] for part in parts] == ["bytes 10-19/100", "bytes 50-50/100"]
    assert [part["content-type"] for part in parts] == ["text/css"] * 2
    assert b"\r\n\r\n" + content[10:20] + b"\r\n--" in body


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        ("Thu, 29 Feb 2023 00:00:00 GMT", None),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +0100", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("", None),
    ],
)
def test_the_three_forms_of_a_date_are_read_and_nothing_else(text: str, seconds: int | None) -> None:
    assert parse_date(text.encode()) == seconds


def test_an_empty_file_has_no_range() -> None:
    assert parse_ranges("bytes=0-0", 0) == ()
    assert parse_ranges("bytes=-1", 0) == ()


@given(st.integers(0, 4_000_000_000))
def test_any_date_that_is_written_is_read(seconds: int) -> None:
    assert parse_date(formatdate(seconds, usegmt=True).encode()) == seconds


@given(st.text(alphabet='W/"*, abc\x00\xff;', max_size=60))
def test_tags_of_any_text_are_tags(text: str) -> None:
    for tag in parse_tags(text):
        assert tag == "*" or tag.removeprefix("W/").startswith('"')


@given(st.text(alphabet="bytes=-0123456789, ", max_size=30), st.integers(0, 50))
def test_a_range_of_any_text_lies_in_the_file(text: str, size: int) -> None:
    found = parse_ranges("bytes=" + text, size) or ()
    assert all(0 <= start < stop <= size for start, stop in found)
    covered = [place for start, stop in found for place in range(start, stop)]
    assert len(covered) == len(set(covered))


@given(st.text(alphabet="gzipbr;q=01.*, dentiy", max_size=60))
def test_any_accept_encoding_chooses_something(text: str) -> None:
    found = decide("GET", {b"accept-encoding": text.encode()}, ALL, TIME)
    assert found.status in (200, 406)
    assert found.variant in ALL
