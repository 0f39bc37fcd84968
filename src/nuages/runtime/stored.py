"""One stored file under a URL and the answers to requests for it; where it lies and who may have it, others know."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from nuages.runtime.conditional import Variant, decide
from nuages.runtime.media_types import media_type
from nuages.runtime.pieces import Piece, Stamp
from nuages.runtime.ranges import multipart

METHODS = "GET, HEAD, OPTIONS"


@dataclass(slots=True)
class Entry:
    """One file. `variants` are its stored forms, identity first; `extra` are header lines with their line ends.

    `is_live`: the file may change at any time. `root` is the folder that it must not lie outside of, `location` where
    a redirect leads instead. `bodies` and `stamps` are those of the forms that were opened, by path; `replies` are
    answers by what they depend on.
    """

    variants: tuple[Variant, ...]
    modified: int
    media: str
    cache_control: str
    extra: bytes = b""
    is_live: bool = False
    root: str = ""
    location: str = ""
    heads: dict[tuple[int, str], bytes] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    replies: dict[tuple[bytes | str | None, ...], Reply] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `head` lacks the status line, the server's own fields and the empty line.

    `body` is the whole body. Where there are `pieces`, they are those of the file of `variant` and follow instead, from
    `descriptor` if that is open already; `expected` is then how the file was.
    """

    status: int
    head: bytes
    body: bytes = b""
    variant: Variant | None = None
    pieces: tuple[Piece, ...] = ()
    descriptor: int = -1
    expected: Stamp | None = None


def live(
    path: str,
    status: os.stat_result,
    *,
    cache_control: str,
    extra: bytes = b"",
    media: str = "",
    root: str = "",
) -> Entry:
    """Return the entry of a file that is looked for at each request; `status` is what it is now."""
    variant = Variant(coding="identity", size=status.st_size, etag=stat_tag(status), path=path)
    return Entry(
        variants=(variant,), modified=int(status.st_mtime), media=media or media_type(path),
        cache_control=cache_control, extra=extra, is_live=True, root=root,
    )  # fmt: skip


def stat_tag(status: os.stat_result) -> str:
    """Return a strong entity tag from a file's time and size, where nobody has its digest."""
    return f'"{status.st_mtime_ns // 1_000_000:x}-{status.st_size:x}"'


def answer(entry: Entry, method: str, fields: Mapping[bytes, bytes]) -> Reply:
    """Return the answer to a request for `entry`; `fields` are its header fields in lower case."""
    if method not in ("GET", "HEAD"):
        return _other(entry, method)
    if entry.location:
        return Reply(
            302, b"location: %b\r\n" % entry.location.encode() + _caching(entry) + b"content-length: 0\r\n"
        )
    # A file can change again within the second that its time tells.
    is_settled = not entry.is_live or time.time() - entry.modified > 1
    decision = decide(method, fields, entry.variants, entry.modified, is_settled=is_settled)
    variant, status = decision.variant, decision.status
    if status == 206:
        return _part(entry, variant, decision.ranges)
    head = entry.heads.get((status, variant.coding))
    if head is None:
        head = entry.heads[(status, variant.coding)] = _head(entry, variant, status)
    if status != 200 or method == "HEAD":
        return Reply(status, head)
    return Reply(status, head, b"", variant, decision.ranges)


def _other(entry: Entry, method: str) -> Reply:
    """Answer a method that has no use here (RFC 9110, sections 9.3.7 and 15.5.6)."""
    allow = f"allow: {METHODS}\r\n".encode()
    if method == "OPTIONS":
        return Reply(204, allow + entry.extra)
    text = b"405 Method Not Allowed\n"
    return Reply(405, allow + b"content-type: text/plain\r\ncontent-length: %d\r\n" % len(text), text)


def _part(entry: Entry, variant: Variant, ranges: tuple[tuple[int, int], ...]) -> Reply:
    if len(ranges) == 1:
        start, stop = ranges[0]
        head = _head(entry, variant, 206, stop - start, entry.media)
        head += b"content-range: bytes %d-%d/%d\r\n" % (start, stop - 1, variant.size)
        return Reply(206, head, b"", variant, ranges)
    media, pieces = multipart(ranges, variant.size, entry.media)
    length = sum(len(one) if isinstance(one, bytes) else one[1] - one[0] for one in pieces)
    return Reply(206, _head(entry, variant, 206, length, media), b"", variant, tuple(pieces))


def _caching(entry: Entry) -> bytes:
    return f"cache-control: {entry.cache_control}\r\n".encode("latin-1") if entry.cache_control else b""


def _head(entry: Entry, variant: Variant, status: int, length: int = -1, media: str = "") -> bytes:
    lines: list[str] = []
    if status != 406:
        lines += [f"etag: {variant.etag}", f"last-modified: {formatdate(entry.modified, usegmt=True)}"]
    if len(entry.variants) > 1 or status == 406:
        lines.append("vary: Accept-Encoding")
    if status == 416:
        lines.append(f"content-range: bytes */{variant.size}")
    if status >= 400:
        lines.append("content-length: 0")
    elif status != 304:
        length = variant.size if length < 0 else length
        lines += [
            f"content-type: {media or entry.media}",
            f"content-length: {length}",
            "accept-ranges: bytes",
        ]
        if variant.coding != "identity":
            lines.append(f"content-encoding: {variant.coding}")
    head = "".join(line + "\r\n" for line in lines).encode("latin-1")
    # What is no answer of the file's must not be kept as long as the file.
    return head + (_caching(entry) if status < 400 else b"") + entry.extra
