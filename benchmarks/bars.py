"""The promises, as functions of the samples: each returns a Bar with the two figures in it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.samples import CPU, Bar, Metric, Sample, median, ranking, spread
from benchmarks.servers import HANDLER

NUAGES = "nuages"
NOT_MEASURED = "not measured in this run"


def _text(value: float, metric: Metric) -> str:
    return f"{value:,.{metric.digits}f}"


def at_most(samples: Sequence[Sample], metric: Metric, limit: float, *, server: str = NUAGES) -> Bar:
    """Promise that a metric stays at or under a limit."""
    return _absolute(samples, metric, limit, server, less=True)


def at_least(samples: Sequence[Sample], metric: Metric, limit: float, *, server: str = NUAGES) -> Bar:
    """Promise that a metric reaches a limit."""
    return _absolute(samples, metric, limit, server, less=False)


def _absolute(samples: Sequence[Sample], metric: Metric, limit: float, server: str, *, less: bool) -> Bar:
    promise = f"{server}: {metric.title} {'≤' if less else '≥'} {_text(limit, metric)}"
    seen = median(samples, server, metric)
    if seen is None:
        return Bar(promise=promise, seen=NOT_MEASURED, held=None)
    return Bar(promise=promise, seen=_text(seen, metric), held=seen <= limit if less else seen >= limit)


def times_own(
    samples: Sequence[Sample], metric: Metric, other: Metric, factor: float, *, server: str = NUAGES
) -> Bar:
    """Promise that a metric stays at or under `factor` times another metric of the same server."""
    promise = f"{server}: {metric.title} ≤ {factor:.2g} × {other.title}"
    own, base = median(samples, server, metric), median(samples, server, other)
    if own is None or base is None:
        return Bar(promise=promise, seen=NOT_MEASURED, held=None)
    limit = base * factor
    return Bar(promise=promise, seen=f"{_text(own, metric)} against {_text(limit, other)}", held=own <= limit)


def not_worse(
    samples: Sequence[Sample], metric: Metric, other: str, *, factor: float = 1.0, server: str = NUAGES
) -> Bar:
    """Promise a metric at least as good as `factor` times another server's in the same run."""
    times = "" if factor == 1.0 else f"{factor:.2g} × "
    sign = "≤" if metric.less_is_better else "≥"
    promise = f"{server}: {metric.title} {sign} {times}{other}'s"
    own, theirs = median(samples, server, metric), median(samples, other, metric)
    if own is None or theirs is None:
        return Bar(promise=promise, seen=NOT_MEASURED, held=None)
    limit = theirs * factor
    held = own <= limit if metric.less_is_better else own >= limit
    return Bar(promise=promise, seen=f"{_text(own, metric)} against {_text(limit, metric)}", held=held)


def not_worse_than_best(samples: Sequence[Sample], metric: Metric, *, server: str = NUAGES) -> Bar:
    """Promise a metric at least as good as the best peer's in the same run."""
    peers = ranking(samples, metric, without=(server, HANDLER))
    if not peers:
        return Bar(
            promise=f"{server}: {metric.title} as good as the best peer's", seen=NOT_MEASURED, held=None
        )
    return not_worse(samples, metric, peers[0], server=server)


def share_of_limit(samples: Sequence[Sample], share: float, *, server: str = NUAGES) -> Bar:
    """Promise how much of a server's CPU is Django's own: the handler's best run by the server's best run."""
    promise = f"{server}: {share:.0%} of Django's handler in a loop (aim)"
    own, limit = spread(samples, server, CPU), spread(samples, HANDLER, CPU)
    if own is None or limit is None or median(samples, server, CPU) is None:
        return Bar(promise=promise, seen=NOT_MEASURED, held=None)
    seen = limit.least / own.least
    return Bar(promise=promise, seen=f"{seen:.0%}", held=seen >= share)
