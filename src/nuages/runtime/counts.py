"""What one worker has counted since its start, in its slot of the shared memory: requests, durations, bytes.

The worker alone writes, aligned words of eight bytes, which no reader sees half written; the supervisor reads at any
moment, also after the worker's death, so nothing that was counted is lost. A route's name is written before the
number of names that a reader believes. Written as the machine writes numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

Key = TypeVar("Key")

# Upper bounds in seconds, inclusive, as Prometheus has them; what takes longer is in one more bucket.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "(other)")
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
OTHER, NONE = "(other)", "(none)"  # a route beyond the most that are told apart; no route matched
MOST_ROUTES = 500
MOST_SERIES = 1500  # combinations of route, method and class of status
CLIENT_LEFT = 499  # the status of a request whose client went before there was one, as nginx logs it

_SHORT = BOUNDS[0]
_BUCKETS = len(BOUNDS) + 1
_NAME_BYTES = 192
_MOST_CELLS = 4096
# In words, of the memory: numbers of names and series, bytes sent, static files by class, the queue's histogram.
_ROUTES, _SERIES, _SENT, _STATIC = 0, 1, 2, 3
_QUEUE = _STATIC + len(CLASSES)
_QUEUE_SUM = _QUEUE + _BUCKETS
_HISTOGRAMS = 32
_SUMS = _HISTOGRAMS + MOST_ROUTES * _BUCKETS
_COUNTS = _SUMS + MOST_ROUTES
_LABELS = _COUNTS + MOST_SERIES
_NAMES = _LABELS + MOST_SERIES
_WORDS = _NAMES + MOST_ROUTES * _NAME_BYTES // 8
COUNTS_BYTES = _WORDS * 8


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many took how long: a number for each of BOUNDS and one for what took longer, and the sum in seconds."""

    counts: tuple[int, ...] = (0,) * _BUCKETS
    sum: float = 0.0

    def plus(self, other: Histogram) -> Histogram:
        """Return both together."""
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Histogram(counts, self.sum + other.sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted, by one worker or by many.

    `requests` by route, method and class of status; `durations` by route; `static` by class of status.
    """

    requests: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    durations: Mapping[str, Histogram] = field(default_factory=dict)
    queue: Histogram = Histogram()
    static: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            requests=_add(self.requests, other.requests, int.__add__),
            durations=_add(self.durations, other.durations, Histogram.plus),
            queue=self.queue.plus(other.queue),
            static=_add(self.static, other.static, int.__add__),
            sent=self.sent + other.sent,
        )

    def within(self, known: Collection[str]) -> Counts:
        """Return the same with all routes but the known ones told as OTHER."""
        if all(name in known for name in self.durations):
            return self
        requests: dict[tuple[str, str, str], int] = {}
        for (route, method, status), count in self.requests.items():
            key = (route if route in known else OTHER, method, status)
            requests[key] = requests.get(key, 0) + count
        durations: dict[str, Histogram] = {}
        for route, seconds in self.durations.items():
            name = route if route in known else OTHER
            durations[name] = durations[name].plus(seconds) if name in durations else seconds
        return replace(self, requests=requests, durations=durations)

    @property
    def total(self) -> int:
        """How many requests were answered by the application, or refused; static files are not among them."""
        return sum(self.requests.values())


def _add(left: Mapping[Key, Any], right: Mapping[Key, Any], add: Callable[[Any, Any], Any]) -> dict[Key, Any]:
    total = dict(left)
    for key, value in right.items():
        total[key] = add(total[key], value) if key in total else value
    return total


class Counting:
    """A worker's side. `memory` is its part of the shared memory, zeroed; one thread only may count: the loop's."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._words, self._floats = memory.cast("Q"), memory.cast("d")
        # What was written, again: reading a word of shared memory costs more than an element of a list.
        self._counted = [0] * _LABELS
        self._summed = [0.0] * _LABELS
        self._cells: dict[tuple[str, str, int], tuple[int, int, int]] = {}
        self._routes: dict[str, int] = {}
        self._series: dict[tuple[int, int, int], int] = {}
        self._route(OTHER)

    def count(
        self, method: str, route: str, status: int, seconds: float, queued: float, sent: int
    ) -> None:  # fmt: skip
        """Count a request: `seconds` to its answer, `queued` of them without a thread, `sent` bytes of body."""
        cell = self._cells.get((route, method, status)) or self._cell(route, method, status)
        series, histogram, total = cell
        counted, words, summed, floats = self._counted, self._words, self._summed, self._floats
        words[series] = counted[series] = counted[series] + 1
        at = histogram + bisect_left(BOUNDS, seconds)
        words[at] = counted[at] = counted[at] + 1
        floats[total] = summed[total] = summed[total] + seconds
        at = _QUEUE if queued <= _SHORT else _QUEUE + bisect_left(BOUNDS, queued)
        words[at] = counted[at] = counted[at] + 1
        floats[_QUEUE_SUM] = summed[_QUEUE_SUM] = summed[_QUEUE_SUM] + queued
        words[_SENT] = counted[_SENT] = counted[_SENT] + sent

    def count_static(self, status: int, sent: int) -> None:
        """Count a file of the static index."""
        at = _STATIC + _class(status)
        counted, words = self._counted, self._words
        words[at] = counted[at] = counted[at] + 1
        words[_SENT] = counted[_SENT] = counted[_SENT] + sent

    def _cell(self, route: str, method: str, status: int) -> tuple[int, int, int]:
        """Return where the words are of a combination that was not seen yet."""
        number = self._route(route or NONE)
        if len(self._series) >= MOST_SERIES - len(METHODS) * len(CLASSES):
            number = 0  # so many are kept for what is told of all other routes together
        verb = METHODS.index(method) if method in METHODS else len(METHODS) - 1
        key = (number, verb, _class(status))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = len(self._series)
            self._words[_LABELS + series] = (number * len(METHODS) + verb) * len(CLASSES) + key[2]
            self._words[_SERIES] = len(self._series)
        cell = (_COUNTS + series, _HISTOGRAMS + number * _BUCKETS, _SUMS + number)
        if len(self._cells) >= _MOST_CELLS:
            self._cells.clear()
        self._cells[(route, method, status)] = cell
        return cell

    def _route(self, name: str) -> int:
        number = self._routes.get(name)
        if number is None:
            if len(self._routes) >= MOST_ROUTES:
                return 0
            number = self._routes[name] = len(self._routes)
            start = _NAMES * 8 + number * _NAME_BYTES
            text = _cut(name)
            self._memory[start : start + len(text)] = text
            self._words[_ROUTES] = len(self._routes)
        return number


def _class(status: int) -> int:
    return min(max((status or CLIENT_LEFT) // 100, 1), 5) - 1


def _cut(name: str) -> bytes:
    text = name.encode("utf-8", "replace")
    if len(text) <= _NAME_BYTES:
        return text
    return text[: _NAME_BYTES - 3].decode("utf-8", "ignore").encode() + "…".encode()


def clear(memory: memoryview) -> None:
    """Make it new for the next worker; what was never written to is left alone, for it takes no memory so."""
    words = memory.cast("Q")
    routes, series = min(words[_ROUTES], MOST_ROUTES), min(words[_SERIES], MOST_SERIES)
    words.release()
    for start, count in (
        (0, _HISTOGRAMS + routes * _BUCKETS), (_SUMS, routes), (_COUNTS, series), (_LABELS, series),
        (_NAMES, routes * _NAME_BYTES // 8),
    ):  # fmt: skip
        memory[start * 8 : (start + count) * 8] = bytes(count * 8)


def read(memory: memoryview) -> Counts:
    """Return what a worker has counted so far."""
    words, floats = memory.cast("Q"), memory.cast("d")
    with words, floats:
        routes, series = min(words[_ROUTES], MOST_ROUTES), min(words[_SERIES], MOST_SERIES)
        names = [_name(memory, number) for number in range(routes)]
        requests: dict[tuple[str, str, str], int] = {}
        for number in range(series):
            rest, status = divmod(words[_LABELS + number], len(CLASSES))
            route, verb = divmod(rest, len(METHODS))
            if route < routes and (count := words[_COUNTS + number]):
                key = (names[route], METHODS[verb], CLASSES[status])
                requests[key] = requests.get(key, 0) + count
        durations: dict[str, Histogram] = {}
        for number, name in enumerate(names):
            found = _histogram(words, floats, _HISTOGRAMS + number * _BUCKETS, _SUMS + number)
            if any(found.counts):
                durations[name] = durations.get(name, Histogram()).plus(found)
        static = {name: words[_STATIC + at] for at, name in enumerate(CLASSES) if words[_STATIC + at]}
        queue = _histogram(words, floats, _QUEUE, _QUEUE_SUM)
        return Counts(requests=requests, durations=durations, queue=queue, static=static, sent=words[_SENT])


def _histogram(words: memoryview[int], floats: memoryview[float], start: int, total: int) -> Histogram:
    return Histogram(tuple(words[start : start + _BUCKETS]), floats[total])


def _name(memory: memoryview, number: int) -> str:
    start = _NAMES * 8 + number * _NAME_BYTES
    return bytes(memory[start : start + _NAME_BYTES]).rstrip(b"\0").decode("utf-8", "replace")
