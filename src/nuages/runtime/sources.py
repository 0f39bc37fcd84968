"""The source of loaded settings: the module's, and of those that it imports everything of."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nuages.errors import Origin


def sources(module: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Yield path, text and tree of each, the module itself first; what is not loaded or no Python is left out."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop(0)
        if name in seen or name not in sys.modules:
            continue
        seen.add(name)
        path = getattr(sys.modules[name], "__file__", None) or ""
        try:
            text = Path(path).read_text(encoding="utf-8")
            with warnings.catch_warnings():
                # Importing it has warned of its escapes, with its name; here there is none.
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        yield path, text, tree
        todo += _star_imports(tree, sys.modules[name])


def assignment(module: str, name: str) -> tuple[Origin, str] | None:
    """Return where a settings module, or one that it star-imports, assigns to a name last, and that source line."""
    for path, text, tree in sources(module):
        lines = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id == name
        ]
        if lines:
            line = max(lines)
            return Origin(os.path.relpath(path), line), text.splitlines()[line - 1].strip()
    return None


def line_of(module: str, name: str) -> str:
    """Return `file:line` of the assignment to a setting, else the module's name."""
    found = assignment(module, name)
    return str(found[0]) if found else f"the settings module {module}"


def _star_imports(tree: ast.AST, module: Any) -> Iterator[str]:
    package = getattr(module, "__package__", "") or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            name = "." * node.level + (node.module or "")
            yield importlib.util.resolve_name(name, package) if node.level else name
