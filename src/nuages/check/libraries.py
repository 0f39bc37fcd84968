"""Libraries of npm that are served as they are: without a package.json nothing installs them."""

from __future__ import annotations

from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, warning
from nuages.project import front_end

NOT_INSTALLED = warning(29, "static files come out of node_modules, and nothing installs it")
RULES = (NOT_INSTALLED,)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the finding."""
    if facts.project.front_end is not None:
        return
    setting = front_end.serves(facts.project.assignments)
    if setting is not None:
        yield NOT_INSTALLED.found(
            NOT_INSTALLED.title, facts.line_in(setting.origin, r"node_modules|npm\.finders|node_assets\.finders"),
            why="there is no package.json that says what of: neither the image nor `up` has what npm would install",
            fix="npm install PACKAGE …, and commit package.json with its lock file",
        )  # fmt: skip
