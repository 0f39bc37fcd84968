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
        if named and isinstance(node, (ast.Assign, ast.AugAssign)):
            yield from _texts(node.value)


def _texts(value: ast.expr) -> Iterator[str]:
    """Yield the texts of a list, also of one that is added to others, unpacked into one, or made anew by a function."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, (ast.List, ast.Tuple)):
        for element in value.elts:
            yield from _texts(element)
    elif isinstance(value, ast.Starred):
        yield from _texts(value.value)
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        yield from _texts(value.left)
        yield from _texts(value.right)
    elif (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in {"list", "tuple"}
    ):
        for argument in value.args:
            yield from _texts(argument)
