"""INSTALLED_APPS: as far as its value is known, else the names that stand in its assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from nuages.project.model import Assignment
from nuages.project.tree import Tree


def installed(tree: Tree, assignments: Sequence[Assignment], files: Sequence[str]) -> tuple[str, ...]:
    """Return the installed apps that reading tells, in their order; `files` are those of the settings."""
    setting = next((each for each in reversed(assignments) if each.name == "INSTALLED_APPS"), None)
    if setting is None:
        return ()
    if isinstance(setting.value, list):
        return tuple(app for app in setting.value if isinstance(app, str))
    # Reordered or completed by code that reading does not follow: what was listed is still there.
    return tuple(dict.fromkeys(app for path in reversed(files) for app in _listed(tree.module(path))))


def _listed(module: ast.Module | None) -> Iterator[str]:
    for node in module.body if module else ():
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AugAssign)
            else []
        )
        named = any(isinstance(target, ast.Name) and target.id == "INSTALLED_APPS" for target in targets)
        if (
            named
            and isinstance(node, (ast.Assign, ast.AugAssign))
            and isinstance(node.value, (ast.List, ast.Tuple))
        ):
            for element in node.value.elts:
                if isinstance(element, ast.Constant) and isinstance(element.value, str):
                    yield element.value
