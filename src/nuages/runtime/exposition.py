"""Metrics as text: Prometheus' format 0.0.4 and OpenMetrics 1.0.0; pure.

https://prometheus.io/docs/instrumenting/exposition_formats/,
https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf, isnan

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. `suffix` is what its name has beyond the family's: `_total`, `_bucket` …"""

    suffix: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its samples. `kind` is counter, gauge, histogram, summary or info.

    The name of a counter is without `_total`, that of an info without `_info`.
    """

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]
    unit: str = ""


def render(families: Iterable[Family], *, openmetrics: bool) -> str:
    """Return the whole text."""
    lines = [line for family in families for line in _lines(family, openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""])


def wants_openmetrics(accept: str) -> bool:
    """Return whether an Accept field prefers OpenMetrics to Prometheus' own text (RFC 9110, section 12.5.1)."""
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = _weight(value.strip())
        if kind in weights:
            weights[kind] = max(weights[kind], weight)
    return weights["application/openmetrics-text"] > weights["text/plain"]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _lines(family: Family, *, openmetrics: bool) -> Iterator[str]:
    name, kind = family.name, family.kind
    if not openmetrics:
        # There a counter's name has its suffix in the comments too, and `info` is not known.
        name += {"counter": "_total", "info": "_info"}.get(kind, "")
        kind = "gauge" if kind == "info" else kind
    yield f"# HELP {name} {_escape(family.help, quotes=openmetrics)}"
    yield f"# TYPE {name} {kind}"
    if openmetrics and family.unit:
        yield f"# UNIT {name} {family.unit}"
    for sample in family.samples:
        labels = ",".join(f'{key}="{_escape(value, quotes=True)}"' for key, value in sample.labels)
        yield f"{family.name}{sample.suffix}{'{' + labels + '}' if labels else ''} {number(sample.value)}"


def number(value: float) -> str:
    """Return a value as both formats write it."""
    if value in {inf, -inf}:
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if isnan(value) else repr(value)


def _escape(text: str, *, quotes: bool) -> str:
    if not text.isascii():  # a project's label may have what UTF-8 has not, and is not to hide all the others
        text = text.encode("utf-8", "backslashreplace").decode()
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text
