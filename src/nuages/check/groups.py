"""All groups of findings, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nuages.check import (
    ages,
    applications,
    databases,
    dependencies,
    exposure,
    leaks,
    libraries,
    reading,
    statics,
    steps,
    transport,
    uploads,
)
from nuages.check.facts import Facts
from nuages.check.finding import Finding, Rule, order

_GROUPS: tuple[tuple[Callable[[Facts], Iterator[Finding]], tuple[Rule, ...]], ...] = (
    (exposure.examine, exposure.RULES),
    (transport.examine, transport.RULES),
    (statics.examine, statics.RULES),
    (uploads.examine, uploads.RULES),
    (libraries.examine, libraries.RULES),
    (databases.examine, databases.RULES),
    (dependencies.examine, dependencies.RULES),
    (steps.examine, steps.RULES),
    (ages.examine, ages.RULES),
    (applications.examine, applications.RULES),
    (leaks.examine, leaks.RULES),
    (reading.examine, reading.RULES),
)
RULES: tuple[Rule, ...] = tuple(rule for _, rules in _GROUPS for rule in rules)


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Return everything that is found, the worst first."""
    return tuple(sorted((finding for group, _ in _GROUPS for finding in group(facts)), key=order))
