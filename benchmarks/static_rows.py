"""Requests for static files and what RFC 9110 wants as their answers: one table, for nuages and for its peers.

In the headers, `{etag}` and the like stand for what the server itself said of the file first, for each knows a file by
a tag of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "/static/"
MODIFIED = 1_700_000_000
EARLIER, SAME, LATER = (
    "Tue, 14 Nov 2023 22:13:19 GMT",
    "Tue, 14 Nov 2023 22:13:20 GMT",
    "Tue, 14 Nov 2023 22:13:21 GMT",
)
PLAIN = hashlib.shake_128(b"plain").digest(1000)
SHEET = b"".join(b".a%d { margin: 0 }\n" % number for number in range(2000))
PACKED = gzip.compress(SHEET, 9, mtime=0)
LARGE = hashlib.shake_128(b"large").digest(300_000)
FILES = {
    "plain.bin": PLAIN, "sheet.css": SHEET, "sheet.css.gz": PACKED, "large.bin": LARGE, "empty.txt": b"",
    "ümlaut und leer.txt": b"unicode", "100%.txt": b"percent", "sub/page.html": b"<p>page</p>",
}  # fmt: skip


def write_files(root: Path) -> None:
    """Write the files that the table asks for."""
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (MODIFIED, MODIFIED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request and its answer. `length` is that of the body as sent, None: not looked at.

    `fields` must be in the answer with these values, `{…}` filled in; None: the field must not be there.
    """

    file: str = "plain.bin"
    headers: tuple[str, ...] = ()
    method: str = "GET"
    status: int = 200
    length: int | None = None
    fields: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The row in one line."""
        return " | ".join((f"{self.method} {self.file}", *self.headers))


def _known(*headers: str, file: str = "plain.bin", method: str = "GET") -> Row:
    """Return a row for 304, which has the validators and nothing of a content."""
    tag = "{gzip}" if any(h.startswith("Accept-Encoding: gzip") for h in headers) else "{etag}"
    if file != "plain.bin" and tag == "{etag}":
        tag = "{sheet}"
    gone = {"content-length": None, "content-type": None, "content-encoding": None}
    return Row(file=file, headers=headers, method=method, status=304, length=0, fields={"etag": tag, **gone})


def _whole(*headers: str, method: str = "GET") -> Row:
    length = 0 if method == "HEAD" else 1000
    return Row(
        headers=headers, method=method, length=length, fields={"content-length": "1000", "etag": "{etag}"}
    )


def _failed(*headers: str, method: str = "GET") -> Row:
    return Row(headers=headers, method=method, status=412, fields={"content-range": None})


def _part(value: str, start: int, stop: int, *more: str, file: str = "plain.bin", size: int = 1000) -> Row:
    return Row(
        file=file, headers=(f"Range: {value}", *more), status=206, length=stop - start,
        fields={"content-range": f"bytes {start}-{stop - 1}/{size}", "content-length": str(stop - start)},
    )  # fmt: skip


def _ignored(value: str, *more: str) -> Row:
    return Row(
        headers=(f"Range: {value}", *more),
        length=1000,
        fields={"content-range": None, "content-length": "1000"},
    )


def _beyond(value: str, file: str = "plain.bin", size: int = 1000) -> Row:
    return Row(
        file=file, headers=(f"Range: {value}",), status=416, fields={"content-range": f"bytes */{size}"}
    )


def _coded(accepted: str, *more: str) -> Row:
    return Row(
        file="sheet.css", headers=(f"Accept-Encoding: {accepted}", *more), length=len(PACKED),
        fields={
            "content-encoding": "gzip", "vary": "Accept-Encoding", "content-length": str(len(PACKED)),
            "content-type": "text/css; charset=utf-8", "etag": "{gzip}",
        },
    )  # fmt: skip


def _uncoded(accepted: str, *more: str) -> Row:
    return Row(
        file="sheet.css", headers=(f"Accept-Encoding: {accepted}", *more), length=len(SHEET),
        fields={"content-encoding": None, "vary": "Accept-Encoding", "content-length": str(len(SHEET))},
    )  # fmt: skip


def _refused(accepted: str, file: str = "sheet.css") -> Row:
    return Row(
        file=file, headers=(f"Accept-Encoding: {accepted}",), status=406, fields={"vary": "Accept-Encoding"}
    )


def _several(value: str, length: int, file: str = "large.bin") -> Row:
    """Return a row for several ranges; the length is that of the parts' contents."""
    return Row(
        file=file, headers=(f"Range: {value}",), status=206, length=length, fields={"content-range": None}
    )


S, T = len(SHEET), len(PACKED)

ROWS: tuple[Row, ...] = (
    # Plain answers
    Row(length=1000, fields={"content-length": "1000", "accept-ranges": "bytes", "last-modified": SAME, "vary": None}),
    Row(fields={"content-type": "application/octet-stream", "x-content-type-options": "nosniff"}),
    Row(fields={"access-control-allow-origin": "*", "content-encoding": None}),
    Row(file="empty.txt", length=0, fields={"content-length": "0", "content-type": "text/plain; charset=utf-8"}),
    Row(file="large.bin", length=300_000, fields={"content-length": "300000"}),
    Row(file="sub/page.html", length=11, fields={"content-type": "text/html; charset=utf-8"}),
    Row(file="%C3%BCmlaut%20und%20leer.txt", length=7),
    Row(file="%c3%bcmlaut%20und%20leer.txt", length=7),
    Row(file="100%25.txt", length=7),
    Row(file="plain%2Ebin", length=1000),
    Row(file="pl%61in.bin?v=1", length=1000),
    Row(file="plain.bin?", length=1000),
    # Methods
    Row(method="HEAD", length=0, fields={"content-length": "1000", "etag": "{etag}", "accept-ranges": "bytes"}),
    Row(file="large.bin", method="HEAD", length=0, fields={"content-length": "300000"}),
    Row(file="sheet.css", method="HEAD", headers=("Accept-Encoding: gzip",), length=0,
        fields={"content-length": str(T), "content-encoding": "gzip", "etag": "{gzip}"}),
    Row(method="HEAD", headers=("Range: bytes=0-9",), fields={"content-length": "1000", "content-range": None}),
    Row(method="HEAD", headers=("Range: bytes=5000-",), length=0, fields={"content-length": "1000"}),
    Row(method="OPTIONS", status=204, length=0, fields={"allow": "GET, HEAD, OPTIONS", "content-length": None}),
    Row(method="POST", status=405, fields={"allow": "GET, HEAD, OPTIONS"}),
    Row(method="PUT", status=405, fields={"allow": "GET, HEAD, OPTIONS"}),
    Row(method="DELETE", status=405, fields={"allow": "GET, HEAD, OPTIONS"}),
    Row(method="PATCH", headers=("If-None-Match: *",), status=405, fields={"allow": "GET, HEAD, OPTIONS"}),
    # If-None-Match
    _known("If-None-Match: {etag}"),
    _known("If-None-Match: {etag}", method="HEAD"),
    _known("If-None-Match: W/{etag}"),
    _known("If-None-Match: *"),
    _known('If-None-Match: "x", {etag}'),
    _known('If-None-Match: {etag}, "x"'),
    _known('If-None-Match: "x",W/{etag},"y"'),
    _known('If-None-Match: "a,b",  {etag}'),
    _known('If-None-Match: , ,{etag}'),
    _known('If-None-Match: "x"', "If-None-Match: {etag}"),
    _whole('If-None-Match: "x"'),
    _whole('If-None-Match: W/"x"'),
    _whole("If-None-Match: "),
    _whole("If-None-Match: x"),
    _whole('If-None-Match: "x'),
    _whole('If-None-Match: w/{etag}'),
    _known("If-None-Match: {gzip}", "Accept-Encoding: gzip", file="sheet.css"),
    _known("If-None-Match: {sheet}", file="sheet.css"),
    Row(file="sheet.css", headers=("If-None-Match: {sheet}", "Accept-Encoding: gzip"), length=T),
    Row(file="sheet.css", headers=("If-None-Match: {gzip}",), length=S),
    # If-Modified-Since
    _known(f"If-Modified-Since: {SAME}"),
    _known(f"If-Modified-Since: {LATER}"),
    _known(f"If-Modified-Since: {SAME}", method="HEAD"),
    _known("If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT"),
    _known("If-Modified-Since: Tue Nov 14 22:13:20 2023"),
    _known("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"),
    _whole(f"If-Modified-Since: {EARLIER}"),
    _whole("If-Modified-Since: yesterday"),
    _whole("If-Modified-Since: "),
    _whole("If-Modified-Since: 1700000000"),
    _whole("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 +0000"),
    _whole("If-Modified-Since: Tue, 31 Feb 2023 22:13:20 GMT"),
    _whole("If-Modified-Since: Tue Nov 14 22:13:19 2023"),
    # If-None-Match comes before If-Modified-Since
    _whole('If-None-Match: "x"', f"If-Modified-Since: {SAME}"),
    _known("If-None-Match: {etag}", f"If-Modified-Since: {EARLIER}"),
    _whole("If-None-Match: rubbish", f"If-Modified-Since: {LATER}"),
    # If-Match and If-Unmodified-Since
    _whole("If-Match: {etag}"),
    _whole("If-Match: *"),
    _whole('If-Match: "x", {etag}'),
    _failed('If-Match: "x"'),
    _failed("If-Match: W/{etag}"),
    _failed("If-Match: "),
    _failed('If-Match: "x"', method="HEAD"),
    _whole(f"If-Unmodified-Since: {SAME}"),
    _whole(f"If-Unmodified-Since: {LATER}"),
    _whole("If-Unmodified-Since: rubbish"),
    _failed(f"If-Unmodified-Since: {EARLIER}"),
    _whole("If-Match: {etag}", f"If-Unmodified-Since: {EARLIER}"),
    _failed('If-Match: "x"', f"If-Unmodified-Since: {LATER}"),
    _failed('If-Match: "x"', "If-None-Match: {etag}"),
    _known("If-Match: {etag}", "If-None-Match: {etag}"),
    _known(f"If-Unmodified-Since: {LATER}", f"If-Modified-Since: {SAME}"),
    _failed(f"If-Unmodified-Since: {EARLIER}", f"If-Modified-Since: {SAME}"),
    # One range
    _part("bytes=0-0", 0, 1),
    _part("bytes=0-9", 0, 10),
    _part("bytes=10-19", 10, 20),
    _part("bytes=999-999", 999, 1000),
    _part("bytes=500-", 500, 1000),
    _part("bytes=0-", 0, 1000),
    _part("bytes=0-999", 0, 1000),
    _part("bytes=0-1000", 0, 1000),
    _part("bytes=990-99999", 990, 1000),
    _part("bytes=-1", 999, 1000),
    _part("bytes=-100", 900, 1000),
    _part("bytes=-1000", 0, 1000),
    _part("bytes=-5000", 0, 1000),
    _part("Bytes=0-9", 0, 10),
    _part("bytes=00-009", 0, 10),
    _part("bytes=0-9,", 0, 10),
    _part("bytes=5000-,0-9", 0, 10),
    _part("bytes=0-9,5-19", 0, 20),
    _part("bytes=0-9,10-19", 0, 20),
    _part("bytes=100000-299999", 100_000, 300_000, file="large.bin", size=300_000),
    _part("bytes=-1", 299_999, 300_000, file="large.bin", size=300_000),
    # A range that cannot be had
    _beyond("bytes=1000-"),
    _beyond("bytes=1000-2000"),
    _beyond("bytes=-0"),
    _beyond("bytes=5000-,6000-7000"),
    _beyond("bytes=0-0", file="empty.txt", size=0),
    _beyond("bytes=-1", file="empty.txt", size=0),
    # A range that is to be ignored
    _ignored("bytes=5-4"),
    _ignored("bytes=0-9,5-4"),
    _ignored("bytes=-"),
    _ignored("bytes="),
    _ignored("bytes=,"),
    _ignored("bytes=a-b"),
    _ignored("bytes=0-9x"),
    _ignored("bytes=0x0-9"),
    _ignored("bytes=--1"),
    _ignored("bytes 0-9"),
    _ignored("bytes=0-9;10-19"),
    _ignored("items=0-9"),
    _ignored("0-9"),
    _ignored(""),
    _ignored("bytes=99999999999999999999999-"),
    _ignored("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 400, 2))),
    # Several ranges; the parts are compared by the tests
    _several("bytes=0-9,100-199", 110),
    _several("bytes=100-199, 0-9", 110),
    _several("bytes=0-0,-1", 2),
    _several("bytes=0-99999,150000-299999", 250_000),
    _several("bytes=0-9,20-29,40-49,60-69", 40),
    _several("bytes=0-9,400000-,20-29", 20),
    # If-Range
    _part("bytes=0-9", 0, 10, "If-Range: {etag}"),
    _part("bytes=0-9", 0, 10, f"If-Range: {SAME}"),
    _ignored("bytes=0-9", 'If-Range: "x"'),
    _ignored("bytes=0-9", "If-Range: W/{etag}"),
    _ignored("bytes=0-9", f"If-Range: {EARLIER}"),
    _ignored("bytes=0-9", f"If-Range: {LATER}"),
    _ignored("bytes=0-9", "If-Range: rubbish"),
    _ignored("bytes=5000-", 'If-Range: "x"'),
    _whole("If-Range: {etag}"),
    # Ranges and preconditions
    _known("Range: bytes=0-9", "If-None-Match: {etag}"),
    _failed("Range: bytes=0-9", 'If-Match: "x"'),
    _failed("Range: bytes=5000-", 'If-Match: "x"'),
    _part("bytes=0-9", 0, 10, 'If-None-Match: "x"'),
    _part("bytes=0-9", 0, 10, "If-Match: {etag}"),
    _part("bytes=0-9", 0, 10, f"If-Unmodified-Since: {SAME}"),
    # Codings
    _coded("gzip"),
    _coded("GZIP"),
    _coded("x-gzip"),
    _coded("deflate, gzip, br"),
    _coded("br;q=1, gzip;q=0.1"),
    _coded("gzip;q=1.0"),
    _coded("gzip;q=0.001"),
    _coded("gzip ; q=0.5"),
    _coded("gzip;Q=0.5"),
    _coded("*"),
    _coded("*;q=0.1"),
    _coded("identity;q=0, gzip"),
    _coded("identity;q=0, *"),
    _coded("gzip, *;q=0"),
    _coded("identity;q=0.2, gzip;q=0.3"),
    _coded("deflate", "Accept-Encoding: gzip"),
    _uncoded(""),
    _uncoded("identity"),
    _uncoded("deflate"),
    _uncoded("br, zstd"),
    _uncoded("gzip;q=0"),
    _uncoded("gzip;q=0.0"),
    _uncoded("gzip;q=0, deflate"),
    _uncoded("identity, gzip;q=0, *;q=0"),
    _uncoded("identity;q=1, *;q=0"),
    _uncoded("gzip;q=0.2, identity;q=0.3"),
    _uncoded("gzip;q=2"),
    _uncoded("gzip;q=x"),
    _uncoded("gzipped"),
    _refused("identity;q=0"),
    _refused("*;q=0"),
    _refused("identity;q=0, br"),
    _refused("gzip;q=0, *;q=0"),
    _refused("gzip, identity;q=0", file="plain.bin"),
    Row(headers=("Accept-Encoding: gzip, br",), length=1000, fields={"content-encoding": None, "vary": None}),
    # Codings and ranges
    _part("bytes=0-9", 0, 10, "Accept-Encoding: gzip", file="sheet.css", size=S),
    _part("bytes=10-", 10, T, "Accept-Encoding: gzip", "If-Range: {gzip}", file="sheet.css", size=T),
    _part("bytes=10-", 10, S, "Accept-Encoding: gzip", "If-Range: {sheet}", file="sheet.css", size=S),
    # Files that are not there
    Row(file="none.css", status=404),
    Row(file="sub", status=404),
    Row(file="sub/", status=404),
    Row(file="", status=404),
    Row(file="plain.bin/", status=404),
    Row(file="PLAIN.BIN", status=404),
    Row(file="none.css", headers=("If-None-Match: *",), status=404),
)  # fmt: skip
