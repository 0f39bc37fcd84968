"""Answers of views that leave compressed where --gzip asks for it: which ones, their fields, the bytes (RFC 9110)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping

from nuages.runtime.conditional import coding_weights
from nuages.runtime.wsgi import Started

LEAST_BYTES = 1024
LEVEL = 4  # a third of level 9's time, for two hundredths more bytes of a page
_GZIP = 16 + zlib.MAX_WBITS  # zlib's window size with gzip's frame around it
_TEXT = re.compile(r"text/(?!event-stream)|application/(json|javascript|xml)\b|[^;]*\+(json|xml)\b")
_WITHOUT = frozenset({204, 206, 304})

Fields = list[tuple[str, str]]


def shrunk(request: Mapping[bytes, bytes], status: int, headers: Fields, size: int | None) -> Fields | None:
    """Return the fields of an answer that is to be compressed, None for one that leaves as it is.

    `request` are the request's fields, `size` is the body's length, None where nobody knows it yet. An answer that
    another client would get compressed is marked by Vary in place, for the caches on the way.
    """
    given = {name.lower(): value for name, value in headers}
    if size is None and given.get("content-length", "").isdecimal():
        size = int(given["content-length"])
    if (
        status in _WITHOUT
        or status < 200
        or (size is not None and size < LEAST_BYTES)
        or "content-encoding" in given
        or "content-range" in given
        or "no-transform" in given.get("cache-control", "").lower()
        or not _TEXT.match(given.get("content-type", "").lower())
    ):
        return None
    varies = given.get("vary", "")
    if varies != "*" and "accept-encoding" not in varies.lower():
        headers[:] = [pair for pair in headers if pair[0].lower() != "vary"]
        headers.append(("Vary", f"{varies}, Accept-Encoding" if varies else "Accept-Encoding"))
    if not _accepts(request.get(b"accept-encoding", b"")):
        return None
    found: Fields = []
    for name, value in headers:
        lower = name.lower()
        if lower == "etag" and not value.startswith("W/"):
            value = f"W/{value}"
        if lower not in ("content-length", "accept-ranges"):
            found.append((name, value))
    return [*found, ("Content-Encoding", "gzip")]


def _accepts(accepted: bytes) -> bool:
    weights = coding_weights(accepted)
    weight = weights.get("gzip", weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def compress(body: bytes) -> bytes:
    """Return a whole body compressed."""
    return Stream().piece(body, is_last=True)


def stream(request: Mapping[bytes, bytes], started: Started, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a WSGI application's answer, compressed if it is to be; its fields change before the first."""
    iterator = iter(chunks)
    first = next((chunk for chunk in iterator if chunk), b"")
    if not first:
        return
    fields = shrunk(request, int(started.status[:3]), started.headers, None)
    if fields is None:
        yield first
        yield from iterator
        return
    started.headers = fields
    packer = Stream()
    yield packer.piece(first, is_last=False)
    for chunk in iterator:
        if chunk:
            yield packer.piece(chunk, is_last=False)
    yield packer.piece(b"", is_last=True)


class Stream:
    """Compresses a body that comes in pieces; each piece can be read by the client when it has it."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)

    def piece(self, data: bytes, *, is_last: bool) -> bytes:
        """Return what to send for a piece."""
        end = zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH
        return self._compressor.compress(data) + self._compressor.flush(end)
