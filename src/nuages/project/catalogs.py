"""Message catalogues that gettext has yet to compile."""

from __future__ import annotations

from nuages.errors import Origin
from nuages.project.tree import Tree


def uncompiled(tree: Tree) -> tuple[Origin, ...]:
    """Return the message catalogues (.po) that have no compiled one (.mo) beside them."""
    found = [path for path in tree.files if path.endswith(".po") and "/LC_MESSAGES/" in path]
    return tuple(Origin(path) for path in sorted(found) if path[:-3] + ".mo" not in tree)
