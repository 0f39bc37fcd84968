"""The report: a table a subject, who is best, where nuages stands, and the promises beside what was seen."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any

from benchmarks.bars import NUAGES
from benchmarks.samples import CPU, Bar, Metric, Outcome, Sample, faults, median, ranking, servers, spread
from benchmarks.servers import HANDLER
from benchmarks.subject import Subject

SIGNS = {True: "held", False: "MISSED", None: "?"}


def _cell(samples: Sequence[Sample], server: str, metric: Metric) -> str:
    found = spread(samples, server, metric)
    if found is None:
        return "–"
    middle = f"{found.median:,.{metric.digits}f}"
    if found.least == found.most:
        return middle
    return f"{middle} ({found.least:,.{metric.digits}f}–{found.most:,.{metric.digits}f})"


def _share(samples: Sequence[Sample], server: str) -> str:
    own, limit = spread(samples, server, CPU), spread(samples, HANDLER, CPU)
    return f"{limit.least / own.least:.0%}" if own and limit else "–"


def table(outcome: Outcome) -> list[str]:
    """Return the rows, best server first, then those with faults."""
    samples = outcome.samples
    sound = ranking(samples, outcome.rank)
    order = [*sound, *(server for server in servers(samples) if server not in sound)]
    limited = CPU in outcome.metrics and spread(samples, HANDLER, CPU) is not None
    head = ["server", *(metric.title for metric in outcome.metrics), *(["% of limit"] if limited else [])]
    rows = [head]
    for server in order:
        name = server if server in sound else f"{server} *"
        cells = [_cell(samples, server, metric) for metric in outcome.metrics]
        rows.append([name, *cells, *([_share(samples, server)] if limited else [])])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]  # fmt: skip
    lines.insert(1, "-" * max(map(len, lines)))
    for server in order:
        lines += [f"* {server}: {fault}" for fault in faults(samples, server)]
    return lines


def standing(outcome: Outcome) -> str:
    """Say who is best by the subject's metric, and where nuages stands; Django's handler is no server."""
    samples, metric = outcome.samples, outcome.rank
    order = ranking(samples, metric, without=(HANDLER,))
    if not order:
        return "No server ran without a fault."
    best = order[0]
    top = median(samples, best, metric) or 0.0
    said = f"Best by {metric.title}: {best}, {top:,.{metric.digits}f}."
    own = median(samples, NUAGES, metric)
    if own is None:
        return f"{said} nuages has no result here."
    if best == NUAGES:
        if len(order) == 1:
            return said
        second = median(samples, order[1], metric) or 0.0
        return f"{said} Next: {order[1]}, {second:,.{metric.digits}f}."
    ratio = f", {own / top:.2f} × the best" if top else ""
    return f"{said} nuages: place {order.index(NUAGES) + 1} of {len(order)}, {own:,.{metric.digits}f}{ratio}."


def promise(bar: Bar) -> str:
    """Return one promise with what was seen."""
    return f"  {SIGNS[bar.held]:6}  {bar.promise}: {bar.seen}"


def text(subject: Subject, outcome: Outcome) -> str:
    """Return the whole report of one subject."""
    commands = {sample.server: sample.command for sample in outcome.samples if sample.command}
    lines = [f"## {subject.name}: {subject.title}", ""]
    rounds = 1 + max((sample.round for sample in outcome.samples), default=0)
    lines += [
        "One round." if rounds == 1 else f"Median (least–most) of {rounds} rounds.",
        "",
        *table(outcome),
        "",
        standing(outcome),
    ]
    lines += [promise(bar) for bar in outcome.bars]
    lines += [f"  note: {remark}" for remark in outcome.remarks]
    lines += ["", "Command lines:", *(f"  {shlex.join(command)}" for command in commands.values()), ""]
    return "\n".join(lines)


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as values that JSON has."""
    return dataclasses.asdict(outcome)
