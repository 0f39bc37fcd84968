"""The front-end build: package.json with a build script, its lock file and the manager that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nuages.project.model import FrontEnd
from nuages.project.tree import Tree

_LOCKS = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
)
_SCRIPTS = ("build", "build:prod", "build:production", "production", "prod")
"""Names of the script that makes what production serves, the usual one first."""


def find(tree: Tree, folders: tuple[str, ...]) -> FrontEnd | None:
    """Return the build in the project's folder or one above it; one elsewhere is a front end of its own."""
    for folder in folders:
        path = "package.json" if folder == "." else f"{folder}/package.json"
        if path not in tree:
            continue
        document = tree.json(path)
        scripts = document.get("scripts")
        script = next((name for name in _SCRIPTS if isinstance(scripts, Mapping) and scripts.get(name)), None)
        if script is None:
            continue
        prefix = "" if folder == "." else f"{folder}/"
        lock, manager = next(
            ((name, tool) for name, tool in _LOCKS if prefix + name in tree), ("", _manager(document))
        )
        return FrontEnd(
            directory=folder, manager=manager, lock=lock, script=script, node=_node(tree, prefix, document),
            origin=tree.line_of(path, rf'"{re.escape(script)}"\s*:'),
        )  # fmt: skip
    return None


def _manager(document: Mapping[str, object]) -> str:
    """Return what `packageManager` names (Node's Corepack): `pnpm@9.1.0`."""
    name = str(document.get("packageManager", "")).partition("@")[0]
    return name if name in {"pnpm", "yarn"} else "npm"


def _node(tree: Tree, prefix: str, document: Mapping[str, object]) -> str:
    """Return the major release of Node that the project names, else nothing."""
    for name in (".nvmrc", ".node-version"):
        if match := re.match(r"\s*v?(\d+)", tree.text(prefix + name) or ""):
            return match[1]
    engines = document.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, Mapping) else ""
    numbers = [int(number) for number in re.findall(r"(?:^|[^.\d])(\d+)", wanted)]
    return str(max(numbers)) if numbers else ""
