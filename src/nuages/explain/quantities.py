"""Numbers and times as the servers and nuages write them."""

from __future__ import annotations

import re
from math import isfinite


def number(text: str) -> int:
    """Return a whole number; a comment behind it does not count, as atoi(3) has it. Raises ValueError."""
    match = re.match(r"\s*(-?\d+)", text.replace("_", ""))
    if not match:
        raise ValueError(f"{text} is not a number")
    return int(match[1])


def in_seconds(text: str) -> float:
    """Return a time in seconds, of a number alone or with units: `90`, `1.5`, `500ms`, `30s`, `1h30m` (granian).

    Raises ValueError.
    """
    if re.fullmatch(r"\s*(?:\d+(?:\.\d+)?(?:ms|[smhd]))+\s*", text):
        parts = re.findall(r"([\d.]+)(ms|[smhd])", text)
        seconds = sum(
            float(count) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
            for count, unit in parts
        )
    else:
        match = re.match(r"\s*\d+(?:\.\d+)?\s*$", text)
        seconds = float(match[0] if match else str(number(text)))
    if not isfinite(seconds):
        raise ValueError(f"{text[:20]}… is no time")
    return seconds


def duration(seconds: float) -> str:
    """Return a time as nuages writes it: 300 as `5m`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
