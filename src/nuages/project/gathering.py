"""A settings package whose own file takes everything from one of its modules: `from .dev import *`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from nuages.errors import Origin
from nuages.project.model import Fact
from nuages.project.tree import Tree


def gathered(tree: Tree, package: str, path: str) -> list[Fact[str]]:
    """Return the modules that a package's `__init__.py` takes everything from whatever the environment says, in order.

    What stands below `if` is the environment's choice, and what stands below `except` is for where a module is absent.
    """
    if not path.endswith("/__init__.py"):
        return []
    syntax = tree.module(path)
    return [
        Fact(_absolute(package, node), Origin(path, node.lineno))
        for node in (_plain(syntax.body) if syntax else ())
        if [alias.name for alias in node.names] == ["*"]
    ]


def _plain(body: Iterable[ast.stmt]) -> Iterator[ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            yield from _plain(node.body)


def _absolute(package: str, node: ast.ImportFrom) -> str:
    """Return the module that an import in a package's own file names (PEP 328)."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
