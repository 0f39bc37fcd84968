"""The kinds of value an option can have: how a text becomes a duration, a size, a choice …"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How a text becomes a value: `parse` raises ValueError with the reason as its text."""

    metavar: str
    parse: Callable[[str], T]
    choices: tuple[str, ...] = ()


def _integer(minimum: int, maximum: int | None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?\d+", text.strip()):
            raise ValueError("it is not a whole number")
        value = int(text)
        if value < minimum:
            raise ValueError(f"the smallest value is {minimum}")
        if maximum is not None and value > maximum:
            raise ValueError(f"the largest value is {maximum}")
        return value

    return parse


def integer(minimum: int = 0, maximum: int | None = None) -> Kind[int]:
    """A whole number not below `minimum` and not above `maximum`."""
    return Kind("N", _integer(minimum, maximum))


def word_or(word: str, kind: Kind[T]) -> Kind[T | None]:
    """The named word, which is None as a value, or what `kind` takes."""

    def parse(text: str) -> T | None:
        return None if text == word else kind.parse(text)

    return Kind(f"{kind.metavar}|{word}", parse, (word,))


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_MILLISECONDS = re.compile(r"(\d+)ms")


def _seconds(text: str) -> float:
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if match := _MILLISECONDS.fullmatch(text):
        return int(match[1]) / 1000
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise ValueError("it is not a duration such as 30s, 1h30m or 7d")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


duration: Kind[float] = Kind("DURATION", _seconds)


def at_least(seconds: float) -> Kind[float]:
    """A duration that is not shorter than `seconds`."""

    def parse(text: str) -> float:
        value = _seconds(text)
        if value < seconds:
            raise ValueError(f"the shortest is {round(seconds * 1000)}ms")
        return value

    return Kind("DURATION", parse)


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMGT]?)(i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError("it is not a size such as 300M or 1G")
    return int(match[1]) * _UNITS[match[2].upper()]


size: Kind[int] = Kind("SIZE", _bytes)


def choice(*words: str) -> Kind[str]:
    """One of the words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is none of {', '.join(words)}")
        return text

    return Kind("|".join(words), parse, words)


def _on_off(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("it is neither on nor off")
    return text == "on"


switch: Kind[bool] = Kind("on|off", _on_off, ("on", "off"))


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def text(metavar: str) -> Kind[str]:
    """Any text that is not empty."""
    return Kind(metavar, _text)


def _path(text: str) -> str:
    return str(Path(_text(text)).absolute())


file: Kind[str] = Kind("FILE", _path)
"""A file, whose relative name counts from the folder that nuages was called in."""

flag: Kind[bool] = Kind("", _on_off, ("on", "off"))
"""A flag that takes no value on the command line; `on` or `off` as a variable."""
