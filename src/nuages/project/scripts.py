"""The console scripts that a project declares for itself: an installer would write them, and it is not installed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nuages.project.tree import Tree, join, table_of

_REFERENCE = re.compile(r"([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)\s*(\[.*\])?")
"""Python Packaging User Guide, «Entry points specification»: `module:object`; extras behind it are to be ignored."""


def find(tree: Tree, folders: Iterable[str]) -> dict[str, str]:
    """Return the scripts of the nearest pyproject.toml that has some, by name: `module:object`."""
    for folder in folders:
        document = tree.toml(join(folder, "pyproject.toml"))
        poetry = table_of(table_of(document, "tool"), "poetry")
        declared = {**table_of(poetry, "scripts"), **table_of(table_of(document, "project"), "scripts")}
        read = {name: _REFERENCE.fullmatch(text) for name, text in declared.items() if isinstance(text, str)}
        if declared:
            return {name: f"{found[1]}:{found[2]}" for name, found in read.items() if found}
    return {}
