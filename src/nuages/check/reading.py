"""What reading the project met: modules that are not there, files that cannot be read, doubts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, warning
from nuages.errors import Origin

_RULES = {
    "settings-absent": error(79, "the settings module that was asked for does not exist"),
    "settings-dangling": warning(80, "a settings module is named that does not exist"),
    "settings-elsewhere": warning(81, "the settings module is not among the project's files"),
    "settings-undecided": error(82, "nothing says which settings module is meant"),
    "settings-missing": error(83, "there is no settings module"),
    "application-missing": error(84, "the project makes no application to serve"),
    "source-unreadable": warning(85, "settings cannot be read whole"),
    "unreadable": (_UNREADABLE := error(86, "a file cannot be read")),
    "source-broken": _UNREADABLE,
    "requirements-missing": error(87, "a requirements file is named that does not exist"),
    "python-unclear": warning(88, "a file does not say which Python it wants"),
    "process-invalid": error(89, "a process of [tool.nuages.processes] cannot be read"),
}
RULES = tuple(dict.fromkeys(_RULES.values()))


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    for problem in facts.project.problems:
        where = tuple(_origin(line) for line in problem.where.splitlines())
        yield _RULES[problem.id].found(problem.what, *where, why=problem.why, fix=problem.hint)


def _origin(text: str) -> Origin:
    found = re.fullmatch(r"(.+):(\d+)", text)
    return Origin(found[1], int(found[2])) if found else Origin(text)
