"""Libraries of npm that are served as they are: without a build script nothing installs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.check.facts import Facts
from nuages.check.finding import Finding, warning

NOT_INSTALLED = warning(29, "static files come out of node_modules, and nothing installs it")
RULES = (NOT_INSTALLED,)


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the finding."""
    if facts.project.front_end is not None:
        return
    for name, pattern in (("STATICFILES_FINDERS", r"npm\.finders"), ("STATICFILES_DIRS", "node_modules")):
        setting = facts.setting(name)
        if setting is not None and re.search(pattern, setting.text):
            yield NOT_INSTALLED.found(
                NOT_INSTALLED.title, facts.line_in(setting.origin, pattern),
                why="package.json has no build script: neither the image nor `up` has what npm would install",
                fix="npm pkg set scripts.build=true, and commit package.json with its lock file",
            )  # fmt: skip
            return
