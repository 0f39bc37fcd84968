"""The front-end build: package.json with a build script, its lock file and the manager that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nuages.node import LOCKS, build_scripts, manager_of
from nuages.project.model import FrontEnd
from nuages.project.tree import Tree, join

_CONFIGURATION = re.compile(
    r"(vite|webpack[\w.-]*|rollup|esbuild|gulpfile|tailwind)(\.config)?\.(js|ts|mjs|cjs)$"
)
_OUTWARD = re.compile(r"outDir:\s*[\"']\.\./|(?:outfile|outdir|output|dist)\S*[=:, (\"'.]+\.\./|-o \.\./")


def find(tree: Tree, folders: tuple[str, ...]) -> FrontEnd | None:
    """Return the build in the project's folder, one above it, or one below that writes into the project.

    One elsewhere, or a workspace of several packages above the project, is a front end of its own.
    """
    for folder, path, document in _packages(tree, folders):
        scripts = build_scripts(document)
        if len(scripts) != 1:
            continue
        prefix = "" if folder == "." else f"{folder}/"
        manager, lock = manager_of(document, {name for name in LOCKS if prefix + name in tree})
        return FrontEnd(
            directory=folder, manager=manager, lock=lock, script=scripts[0], node=_node(tree, prefix, document),
            origin=tree.line_of(path, rf'"{re.escape(scripts[0])}"\s*:\s*"'),
        )  # fmt: skip
    return None


def undecided(tree: Tree, folders: tuple[str, ...]) -> str | None:
    """Return the note on a package.json where several scripts build something and none is the whole build."""
    for _, path, document in _packages(tree, folders):
        parts = build_scripts(document)
        if len(parts) > 1:
            origin = tree.line_of(path, rf'"{re.escape(parts[0])}"\s*:\s*"')
            return (
                f"no front end is built: {origin} has {', '.join(parts[:-1])} and {parts[-1]}, and none is the "
                "whole; a script called build that runs what production needs is taken"
            )
    return None


def _packages(tree: Tree, folders: tuple[str, ...]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield folder, path and content of each package.json that may be the project's front end."""
    for folder in (*folders, *_below(tree, folders[0])):
        path = join(folder, "package.json")
        if path not in tree:
            continue
        document = tree.json(path)
        if folder != folders[0] and ("workspaces" in document or join(folder, "pnpm-workspace.yaml") in tree):
            continue
        yield folder, path, document


def _below(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the folders directly below the project's whose build writes to a folder outside of them."""
    prefix = "" if folder == "." else f"{folder}/"
    inner = [path.rpartition("/")[0] for path in tree.files if path.endswith("/package.json")]
    return tuple(
        one
        for one in inner
        if one.startswith(prefix)
        and one != folder
        and "/" not in one[len(prefix) :]
        and _writes_outward(tree, one)
    )


def _writes_outward(tree: Tree, folder: str) -> bool:
    scripts = tree.json(f"{folder}/package.json").get("scripts")
    texts = [str(text) for text in scripts.values()] if isinstance(scripts, Mapping) else []
    texts += [tree.text(path) or "" for path in tree.below(folder) if _CONFIGURATION.search(path)]
    return any(_OUTWARD.search(text) for text in texts)


def _node(tree: Tree, prefix: str, document: Mapping[str, object]) -> str:
    """Return the major release of Node that the project names, else nothing."""
    for name in (".nvmrc", ".node-version"):
        if match := re.match(r"\s*v?(\d+)", tree.text(prefix + name) or ""):
            return match[1]
    engines = document.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, Mapping) else ""
    numbers = [int(number) for number in re.findall(r"(?:^|[^.\d])(\d+)", wanted)]
    return str(max(numbers)) if numbers else ""
