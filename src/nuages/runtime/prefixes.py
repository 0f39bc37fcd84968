"""What holds for a path and all below it: bodies that are read as they come, and how long views may take.

Paths are compared decoded, as Django sees them: `/%61dmin/` is `/admin/`, in a request and in an option.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from nuages.kinds import Kind, at_least

if TYPE_CHECKING:
    from nuages.runtime.request import Request


def _path_prefix(text: str) -> str:
    if not text.startswith("/") or "?" in text:
        raise ValueError("it is not the beginning of a path, such as /upload")
    return text


path_prefix: Kind[str] = Kind("/PATH", _path_prefix)


def parse_path_limit(text: str) -> tuple[str, float]:
    """Return the path and the seconds that `/PATH=DURATION` stands for, infinite for `/PATH=off`; raise ValueError."""
    path, equals, limit = text.rpartition("=")
    if not equals:
        raise ValueError("it is not a path and a duration, such as /reports=5m")
    return _path_prefix(path), inf if limit == "off" else at_least(0.1).parse(limit)


def _path_limit(text: str) -> str:
    parse_path_limit(text)
    return text


path_limit: Kind[str] = Kind("/PATH=DURATION", _path_limit)


class Prefixes:
    """The paths below which bodies are not stored first; `/` is every path."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._exact = tuple(unquote_to_bytes(prefix).rstrip(b"/") for prefix in prefixes)
        self._below = tuple(prefix + b"/" for prefix in self._exact)

    def take(self, request: Request) -> bool:
        """Return whether the view reads this request's body as it comes.

        A chunked one is stored: it has no length before its end, and without one Django reads nothing.
        """
        if not request.length:
            return False
        path = unquote_to_bytes(request.path)
        return path in self._exact or path.startswith(self._below)


class TimeLimits:
    """How long views may take to begin their response, in seconds: `default`, and for a path and all below it."""

    def __init__(self, default: float, by_path: Iterable[str] = ()) -> None:
        self.default = default
        limits = {
            unquote_to_bytes(path).rstrip(b"/"): limit for path, limit in map(parse_path_limit, by_path)
        }
        # The longest first: the nearest counts.
        self._by_path = sorted(limits.items(), key=lambda item: -len(item[0]))

    def of(self, path: bytes) -> float:
        """Return the limit for a request's path, as sent."""
        path = unquote_to_bytes(path)
        for prefix, limit in self._by_path:
            if path == prefix or path.startswith(prefix + b"/"):
                return limit
        return self.default

    @property
    def longest(self) -> float:
        """The most of all."""
        return max([self.default, *(limit for _, limit in self._by_path)])

    @property
    def shortest(self) -> float:
        """The least of all."""
        return min([self.default, *(limit for _, limit in self._by_path)])
