"""What a GET or HEAD of one stored file is answered: coding, preconditions and ranges (RFC 9110, sections 8, 12–14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from nuages.runtime.dates import parse_date
from nuages.runtime.ranges import Ranges, parse_ranges

_TAG = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"|(\*))?[ \t]*(?:,|$)')
_WEIGHT = re.compile(r"q[ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One stored form of a file: `coding` is `identity`, `gzip`, `br` or `zstd`, `etag` the tag with its quotes."""

    coding: str
    size: int
    etag: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer's status and which bytes of which variant belong to it, none for those that have no content of it."""

    status: int
    variant: Variant
    ranges: Ranges = ()


def decide(
    method: str,
    fields: Mapping[bytes, bytes],
    variants: tuple[Variant, ...],
    modified: int,
    *,
    is_settled: bool = True,
) -> Decision:
    """Return what to answer: 200, 206, 304, 406, 412 or 416.

    `variants` has identity first; `modified` is the file's time in Unix seconds, `is_settled` whether it can no longer
    change within that second, which makes the time a strong validator (section 8.8.2.2). A range is taken of the
    identity form, unless If-Range shows that the client has a part of another one: most clients that ask for a range
    cannot decode a part of a coded form, whatever they accept.
    """
    wanted = fields.get(b"range") if method == "GET" else None
    if_range = fields.get(b"if-range") if wanted is not None else None
    accepted = fields.get(b"accept-encoding")
    variant: Variant | None = variants[0]
    if accepted:
        weights = coding_weights(accepted)
        choose = choose_coding if wanted is None else partial(_for_part, if_range=if_range)
        variant = choose(weights, variants)
        if variant is None:
            return Decision(status=406, variant=variants[0])
    assert variant is not None
    status = precondition(fields, variant, modified)
    if status:
        return Decision(status=status, variant=variant)
    if wanted is not None and _range_applies(if_range, variant, modified, is_settled=is_settled):
        ranges = parse_ranges(wanted.decode("latin-1"), variant.size)
        if ranges is not None:
            return Decision(status=206 if ranges else 416, variant=variant, ranges=ranges)
    return Decision(status=200, variant=variant, ranges=((0, variant.size),))


@lru_cache(maxsize=512)
def coding_weights(accepted: bytes) -> Mapping[str, float]:
    """Return the weight of each coding of an Accept-Encoding field; browsers send the same few again and again."""
    weights: dict[str, float] = {}
    for item in accepted.decode("latin-1").lower().split(","):
        name, _, parameter = item.partition(";")
        weight = 1.0
        if parameter.strip():
            match = _WEIGHT.fullmatch(parameter.strip())
            if match is None:
                continue
            weight = float(match[1])
        name = name.strip()
        weights["gzip" if name == "x-gzip" else name] = weight
    return weights


def choose_coding(weights: Mapping[str, float], variants: tuple[Variant, ...]) -> Variant | None:
    """Return the variant with the greatest weight, the smaller one of equals; None where even identity is refused.

    Identity is acceptable unless it is refused, but never preferred to a coding that was asked for (section 12.5.3).
    """
    best, best_weight = variants[0], weights.get("identity", 0.0)
    if len(variants) > 1:
        rest = weights.get("*", 0.0)
        for variant in variants[1:]:
            weight = weights.get(variant.coding, rest)
            if weight > 0 and (weight, -variant.size) > (best_weight, -best.size):
                best, best_weight = variant, weight
    if best is variants[0] and _refuses_identity(weights):
        return None
    return best


def _refuses_identity(weights: Mapping[str, float]) -> bool:
    return not weights.get("identity", weights.get("*", 1.0))


def _for_part(
    weights: Mapping[str, float], variants: tuple[Variant, ...], if_range: bytes | None
) -> Variant | None:
    """Return the variant that a client has a part of by its If-Range, else identity."""
    if if_range is not None:
        tag = if_range.decode("latin-1").strip()
        for variant in variants[1:]:
            if variant.etag == tag and weights.get(variant.coding, weights.get("*", 0.0)):
                return variant
    return choose_coding(weights, variants) if _refuses_identity(weights) else variants[0]


def precondition(fields: Mapping[bytes, bytes], chosen: Variant, modified: int) -> int:
    """Return 412 or 304 where a precondition decides, else 0 (section 13.2.2's order)."""
    if_match = fields.get(b"if-match")
    if if_match is not None:
        tags = parse_tags(if_match.decode("latin-1"))
        if "*" not in tags and (chosen.etag not in tags or chosen.etag.startswith("W/")):
            return 412
    else:
        since = _date(fields.get(b"if-unmodified-since"))
        if since is not None and modified > since:
            return 412
    if_none_match = fields.get(b"if-none-match")
    if if_none_match is not None:
        text = if_none_match.decode("latin-1")
        if text == chosen.etag:  # what browsers send
            return 304
        tags = parse_tags(text)
        return (
            304
            if "*" in tags or chosen.etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
            else 0
        )
    since = _date(fields.get(b"if-modified-since"))
    return 304 if since is not None and modified <= since else 0


def parse_tags(text: str) -> frozenset[str]:
    """Return the entity tags of a list, `*` for any; nothing after the first thing that is no tag."""
    found = set()
    position = 0
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None:
            break
        if match[3]:
            found.add("*")
        elif match[2] is not None:
            found.add(f'{match[1] or ""}"{match[2]}"')
        position = match.end()
    return frozenset(found)


def _range_applies(if_range: bytes | None, chosen: Variant, modified: int, *, is_settled: bool) -> bool:
    """Return whether If-Range lets the range through: by strong comparison only (section 13.1.5)."""
    if if_range is None:
        return True
    text = if_range.decode("latin-1").strip()
    if text.startswith(('"', "W/")):
        return text == chosen.etag and not text.startswith("W/")
    return is_settled and parse_date(if_range) == modified


def _date(value: bytes | None) -> int | None:
    return None if value is None else parse_date(value)
