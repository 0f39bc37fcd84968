"""What was measured: one sample a server and round, the metrics they have, and how they compare."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a sample: its key, its heading with the unit, its digits, and whether less is better."""

    key: str
    title: str
    digits: int = 0
    less_is_better: bool = True


CPU = Metric(key="cpu_us", title="CPU µs/request")
RATE = Metric(key="rps", title="requests/s", less_is_better=False)
P50 = Metric(key="p50_ms", title="p50 ms", digits=1)
P99 = Metric(key="p99_ms", title="p99 ms", digits=1)
THREADS = Metric(key="threads", title="threads")
MEMORY = Metric(key="memory_mb", title="PSS MB")
USUAL = (CPU, RATE, P50, P99, THREADS, MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of one server: its numbers by metric key, or why there are none; `faults` are requests gone wrong."""

    server: str
    round: int
    numbers: dict[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, least and most of one metric over the rounds."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What the project promised, what was seen, and whether it holds; None: it could not be told."""

    promise: str
    seen: str
    held: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One subject's end: its samples, the metrics to show, the one to rank by, the promises and the remarks."""

    samples: tuple[Sample, ...]
    metrics: tuple[Metric, ...] = USUAL
    rank: Metric = CPU
    bars: tuple[Bar, ...] = ()
    remarks: tuple[str, ...] = ()


def servers(samples: Sequence[Sample]) -> list[str]:
    """Return the names of the servers, in the order of their first sample."""
    return list(dict.fromkeys(sample.server for sample in samples))


def faults(samples: Sequence[Sample], server: str) -> list[str]:
    """Return what went wrong with a server, each once."""
    return list(
        dict.fromkeys(fault for sample in samples if sample.server == server for fault in sample.faults)
    )


def spread(samples: Sequence[Sample], server: str, metric: Metric) -> Spread | None:
    """Return the spread of a metric over the rounds of a server, or None where it was not measured."""
    found = [s.numbers[metric.key] for s in samples if s.server == server and metric.key in s.numbers]
    return Spread(median=statistics.median(found), least=min(found), most=max(found)) if found else None


def median(samples: Sequence[Sample], server: str, metric: Metric) -> float | None:
    """Return the median of a server that ran without a fault, else None: a wrong answer is no result."""
    found = spread(samples, server, metric)
    return found.median if found and not faults(samples, server) else None


def ranking(samples: Sequence[Sample], metric: Metric, *, without: Sequence[str] = ()) -> list[str]:
    """Return the servers that ran without a fault, best first, by the median of a metric."""
    medians = {
        server: median(samples, server, metric) for server in servers(samples) if server not in without
    }
    known = {server: value for server, value in medians.items() if value is not None}
    return sorted(known, key=lambda server: known[server], reverse=not metric.less_is_better)
