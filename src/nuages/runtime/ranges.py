"""Byte ranges of a file and the bodies that answer them (RFC 9110, section 14)."""

from __future__ import annotations

import random
import re

Ranges = tuple[tuple[int, int], ...]
"""Ranges as pairs: the first byte and the one behind the last."""

MOST = 64  # ranges in one request; more of them are an attack (section 17.15)
_RANGE = re.compile(r"(\d{1,18})-(\d{0,18})|-(\d{1,18})", re.ASCII)


def parse_ranges(text: str, size: int) -> Ranges | None:
    """Return the ranges that a Range field asks of `size` bytes; none where it can have none of them.

    Returns None for a field that is to be ignored: another unit, a mistake, too many ranges. Ranges that overlap or
    touch are made one (section 15.3.7.2), so no request can ask for more than the whole file.
    """
    unit, equals, rest = text.strip(" \t").partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs = [spec.strip(" \t") for spec in rest.split(",")]
    specs = [spec for spec in specs if spec]
    if not specs or len(specs) > MOST:
        return None
    found: list[tuple[int, int]] = []
    for spec in specs:
        match = _RANGE.fullmatch(spec)
        if match is None:
            return None
        if match[3]:
            start, stop = max(0, size - int(match[3])), size
        else:
            start, stop = int(match[1]), size
            if match[2]:
                if int(match[2]) < start:
                    return None
                stop = min(size, int(match[2]) + 1)
        if start < stop:
            found = _with(found, start, stop)
    return tuple(found)


def _with(found: list[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
    """Return the ranges with one more; where it meets others, one range stands in the place of the first of them."""
    kept: list[tuple[int, int]] = []
    place = -1
    for one in found:
        if one[0] <= stop and start <= one[1]:
            start, stop = min(start, one[0]), max(stop, one[1])
            place = len(kept) if place < 0 else place
        else:
            kept.append(one)
    kept.insert(len(kept) if place < 0 else place, (start, stop))
    return kept


def multipart(ranges: Ranges, size: int, media: str) -> tuple[str, list[bytes | tuple[int, int]]]:
    """Return the Content-Type and the pieces of a multipart/byteranges body (section 14.6)."""
    boundary = f"{random.getrandbits(96):024x}"
    pieces: list[bytes | tuple[int, int]] = []
    for start, stop in ranges:
        lead = "\r\n" if pieces else ""
        text = f"{lead}--{boundary}\r\nContent-Type: {media}\r\nContent-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n"
        pieces += [text.encode("latin-1"), (start, stop)]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/byteranges; boundary={boundary}", pieces
