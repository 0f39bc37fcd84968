"""A finding: what is wrong, where, why that matters, and the one thing that mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nuages.errors import Origin


class Severity(str, Enum):
    """How bad a finding is."""

    ERROR = "error"
    """In production it does not work, loses data or lies open, whoever serves it."""
    WARNING = "warning"
    """It works, and will hurt one day: mend it in the project."""
    NOTICE = "notice"
    """nuages sees to it; another server would not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding. `where` are places, `fix` is a line to paste or a command; both may have several lines."""

    id: str
    severity: Severity
    what: str
    where: tuple[Origin, ...]
    why: str
    fix: str

    def render(self) -> str:
        """Return the block that a person reads."""
        lines = [f"{self.severity.value} {self.id}: {self.what}"]
        lines += [f"  {place}" for place in self.where]
        lines += [f"  {line}" for line in self.why.splitlines()]
        first, *rest = self.fix.splitlines()
        return "\n".join([*lines, f"  fix: {first}", *(f"       {line}".rstrip() for line in rest)])

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        data = dataclasses.asdict(self)
        return {**data, "severity": self.severity.value, "where": [str(place) for place in self.where]}


FIRST = frozenset({"N079", "N082", "N083", "N086"})


def order(finding: Finding) -> tuple[int, str, tuple[tuple[str, int], ...]]:
    """Return what findings are sorted by: the worst first, then by id and place.

    What keeps the settings from being read comes before what was found all the same.
    """
    rank = 2 * list(Severity).index(finding.severity) + (finding.id not in FIRST)
    return rank, finding.id, tuple((one.place, one.line or 0) for one in finding.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one id stands for; `title` is a sentence without its full stop."""

    id: str
    severity: Severity
    title: str

    def found(self, what: str, *where: Origin, why: str, fix: str) -> Finding:
        """Return a finding by this rule."""
        return Finding(id=self.id, severity=self.severity, what=what, where=where, why=why, fix=fix)


def some(names: Sequence[str], limit: int = 3) -> str:
    """Return the first few names: `a, b, c and 4 more`."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def are(names: Sequence[str]) -> str:
    """Return the verb for so many."""
    return "is" if len(names) == 1 else "are"


def error(number: int, title: str) -> Rule:
    """Return the rule N<number> of an error."""
    return Rule(id=f"N{number:03}", severity=Severity.ERROR, title=title)


def warning(number: int, title: str) -> Rule:
    """Return the rule N<number> of a warning."""
    return Rule(id=f"N{number:03}", severity=Severity.WARNING, title=title)


def notice(number: int, title: str) -> Rule:
    """Return the rule N<number> of a notice."""
    return Rule(id=f"N{number:03}", severity=Severity.NOTICE, title=title)
