"""What a GET or HEAD of one stored file is answered: coding, preconditions and ranges (RFC 9110, sections 8, 12–14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_TAG = re.compile(r'\s*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"|(\*))\s*(?:,|$)')
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$", re.IGNORECASE)
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One stored form of a file; `coding` is `identity`, `gzip`, `br` or `zstd`, `etag` the strong tag with quotes."""

    coding: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer's status and which bytes of which variant follow; `stop` is exclusive."""

    status: int
    variant: Variant
    start: int = 0
    stop: int = 0


def decide(fields: Mapping[bytes, bytes], variants: tuple[Variant, ...], modified: int) -> Decision:
    """Return what to answer. `variants` has identity first; `modified` is the file's time in Unix seconds.

    A Range is taken of the identity form, for that is what a resuming client has; several ranges are answered with
    the whole file, as section 14.2 allows.
    """
    identity = variants[0]
    wanted = fields.get(b"range")
    variant = identity
    if len(variants) > 1 and wanted is None:
        accepted = fields.get(b"accept-encoding")
        if accepted:
            variant = choose_coding(accepted.decode("latin-1"), variants)
    status = precondition(fields, variants, variant, modified)
    if status:
        return Decision(status=status, variant=variant)
    if wanted is not None and _range_applies(fields.get(b"if-range"), identity, modified):
        found = parse_range(wanted.decode("latin-1"), identity.size)
        if found == (-1, -1):
            return Decision(status=416, variant=identity)
        if found:
            return Decision(status=206, variant=identity, start=found[0], stop=found[1])
    return Decision(status=200, variant=variant, stop=variant.size)


def choose_coding(accepted: str, variants: tuple[Variant, ...]) -> Variant:
    """Return the variant with the greatest weight, the smaller one of equals; identity where nothing else may be."""
    weights: dict[str, float] = {}
    for item in accepted.lower().split(","):
        name, _, parameter = item.partition(";")
        weight = 1.0
        if parameter.strip():
            match = _WEIGHT.match(parameter.strip())
            if match is None:
                continue
            weight = float(match[1])
        name = name.strip()
        weights["gzip" if name == "x-gzip" else name] = weight
    rest = weights.get("*", 0.0)
    # Identity is acceptable unless it is refused, but never preferred to a coding that was asked for (12.5.3).
    best, best_weight = variants[0], weights.get("identity", 0.0)
    for variant in variants[1:]:
        weight = weights.get(variant.coding, rest)
        if weight > 0 and (weight, -variant.size) > (best_weight, -best.size):
            best, best_weight = variant, weight
    return best


def precondition(
    fields: Mapping[bytes, bytes], variants: tuple[Variant, ...], chosen: Variant, modified: int
) -> int:
    """Return 412 or 304 where a precondition decides, else 0 (section 13.2.2's order)."""
    if_match = fields.get(b"if-match")
    if if_match is not None:
        tags = parse_tags(if_match.decode("latin-1"))
        if not ("*" in tags or any(variant.etag in tags for variant in variants)):
            return 412
    else:
        since = _seconds(fields.get(b"if-unmodified-since"))
        if since is not None and modified > since:
            return 412
    if_none_match = fields.get(b"if-none-match")
    if if_none_match is not None:
        tags = parse_tags(if_none_match.decode("latin-1"))
        weak = {tag.removeprefix("W/") for tag in tags}
        return 304 if "*" in tags or chosen.etag in weak else 0
    since = _seconds(fields.get(b"if-modified-since"))
    return 304 if since is not None and modified <= since else 0


def parse_tags(text: str) -> set[str]:
    """Return the entity tags of a list, `*` for any; nothing after the first thing that is no tag."""
    found = set()
    position = 0
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None:
            break
        found.add("*" if match[3] else f'{match[1] or ""}"{match[2]}"')
        position = match.end()
    return found


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return (start, stop) of a single byte range, (-1, -1) for one that cannot be satisfied, None to ignore it."""
    match = _RANGE.match(text.strip())
    if match is None or not (match[1] or match[2]) or len(match[1]) > 18 or len(match[2]) > 18:
        return None
    if not match[1]:
        length = int(match[2])
        return (max(0, size - length), size) if length and size else (-1, -1)
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        return (-1, -1)
    return start, min(size, int(match[2]) + 1) if match[2] else size


def _range_applies(if_range: bytes | None, identity: Variant, modified: int) -> bool:
    if if_range is None:
        return True
    text = if_range.decode("latin-1").strip()
    if text.startswith(('"', "W/")):
        return text == identity.etag
    return _seconds(if_range) == modified


def _seconds(value: bytes | None) -> int | None:
    """Return an HTTP date as Unix seconds; None for none and for what is no date, which is to be ignored."""
    if value is None:
        return None
    try:
        return int(parsedate_to_datetime(value.decode("latin-1")).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
