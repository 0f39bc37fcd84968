"""The front end: package.json with a build script, or with libraries that are served as they are; its lock file and the
manager that reads it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nuages.node import LOCKS, build_scripts, manager_of
from nuages.project.model import Assignment, FrontEnd
from nuages.project.tree import Tree, join

_CONFIGURATION = re.compile(
    r"(vite|webpack[\w.-]*|rollup|esbuild|gulpfile|tailwind)(\.config)?\.(js|ts|mjs|cjs)$"
)
_OUTWARD = re.compile(r"outDir:\s*[\"']\.\./|(?:outfile|outdir|output|dist)\S*[=:, (\"'.]+\.\./|-o \.\./")


_FINDERS = re.compile(r"(npm|node_assets)\.finders")
"""Of django-npm and django-node-assets: they serve node_modules."""
_FINDERS_PLACES = ("NODE_MODULES_ROOT", "NODE_PACKAGE_JSON", "NPM_ROOT_PATH")
_BUNDLERS = {"webpack": "webpack", "vite": "vite build", "rollup": "rollup --config", "gulpfile": "gulp"}


def find(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment] = ()) -> FrontEnd | None:
    """Return the build in the project's folder, one above it, or one below or beside it that writes into the project.

    One elsewhere, or a workspace of several packages above the project, is a front end of its own. Where static files
    come out of a node_modules, its package.json counts too: without a build script it is installed only.
    """
    served = _served(tree, folders, assignments)
    for folder, path, document in _packages(tree, folders, served):
        scripts = build_scripts(document)
        script = scripts[0] if len(scripts) == 1 else ""
        if not script and (folder not in served or not document.get("dependencies")):
            continue
        prefix = "" if folder == "." else f"{folder}/"
        manager, lock = manager_of(document, {name for name in LOCKS if prefix + name in tree})
        return FrontEnd(
            directory=folder, manager=manager, lock=lock, script=script, node=_node(tree, prefix, document),
            origin=tree.line_of(path, rf'"{re.escape(script or "dependencies")}"\s*:'),
        )  # fmt: skip
    return None


def undecided(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment] = ()) -> str | None:
    """Return the note on a package.json where several scripts build something and none is the whole build, or where
    none runs the bundler whose configuration lies beside it."""
    for folder, path, document in _packages(tree, folders, _served(tree, folders, assignments)):
        parts = build_scripts(document)
        if len(parts) == 1:
            return None
        bundler = next(_bundlers(tree, folder), None)
        if not parts and bundler is not None:
            configuration, command = bundler
            return (
                f"no script of {path} runs {configuration}: what it makes is missing where nobody has committed it; "
                f"npm pkg set scripts.build={command!r} beside it has nuages build it"
            )
        if len(parts) > 1:
            origin = tree.line_of(path, rf'"{re.escape(parts[0])}"\s*:\s*"')
            return (
                f"no front end is built: {origin} has {', '.join(parts[:-1])} and {parts[-1]}, and none is the "
                "whole; a script called build that runs what production needs is taken"
            )
    return None


def _bundlers(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    for path in tree.below(folder):
        match = _CONFIGURATION.search(posixpath.basename(path))
        command = _BUNDLERS.get(match[1].partition(".")[0]) if match else None
        if command:
            yield path, command


def serves(assignments: Sequence[Assignment]) -> Assignment | None:
    """Return the setting by which static files come out of node_modules: a folder of them, or a finder for them."""
    last = {each.name: each for each in assignments}
    for name, pattern in (("STATICFILES_FINDERS", _FINDERS.pattern), ("STATICFILES_DIRS", "node_modules")):
        if name in last and re.search(pattern, last[name].text):
            return last[name]
    return None


def _served(tree: Tree, folders: tuple[str, ...], assignments: Sequence[Assignment]) -> tuple[str, ...]:
    """Return the folders whose node_modules is served, as far as the settings tell; else the project's."""
    setting = serves(assignments)
    if setting is None:
        return ()
    values = [each.value for each in assignments if each.name in _FINDERS_PLACES]
    values += setting.value if isinstance(setting.value, list) else []
    texts = [str(value[-1] if isinstance(value, (list, tuple)) and value else value) for value in values]
    found = [re.split(r"/?(?:node_modules|package\.json)(?:/|$)", text)[0] or "." for text in texts]
    return tuple(dict.fromkeys(one for one in (*found, *folders) if join(one, "package.json") in tree))


def _packages(
    tree: Tree, folders: tuple[str, ...], served: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield folder, path and content of each package.json that may be the project's front end."""
    for folder in dict.fromkeys((*folders, *_below(tree, folders[0]), *_beside(tree, folders[0]), *served)):
        path = join(folder, "package.json")
        if path not in tree:
            continue
        document = tree.json(path)
        if folder != folders[0] and ("workspaces" in document or join(folder, "pnpm-workspace.yaml") in tree):
            continue
        if isinstance(document.get("scripts"), Mapping) or folder in served:
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


def _beside(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the folders beside the project's whose build names a place in the project: `../backend/static`."""
    if folder == ".":
        return ()
    parent, name = posixpath.split(folder)
    inward = re.compile(rf"\.\./{re.escape(name)}/")
    found = [posixpath.dirname(path) for path in tree.files if path.endswith("/package.json")]
    return tuple(
        one
        for one in found
        if one != folder
        and posixpath.dirname(one) == parent
        and any(inward.search(text) for text in _building(tree, one))
    )


def _writes_outward(tree: Tree, folder: str) -> bool:
    return any(_OUTWARD.search(text) for text in _building(tree, folder))


def _building(tree: Tree, folder: str) -> Iterator[str]:
    """Yield what says how a package is built: its scripts, the bundlers' configuration, the programs beside it."""
    scripts = tree.json(f"{folder}/package.json").get("scripts")
    yield from (str(text) for text in scripts.values()) if isinstance(scripts, Mapping) else ()
    yield from (tree.text(path) or "" for path in tree.below(folder) if _CONFIGURATION.search(path))
    for inner in (f"{folder}/bin", f"{folder}/scripts"):
        yield from (tree.text(path) or "" for path in (tree.below(inner) if inner in tree.folders else ()))


def _node(tree: Tree, prefix: str, document: Mapping[str, object]) -> str:
    """Return the major release of Node that the project names, else nothing."""
    for name in (".nvmrc", ".node-version"):
        if match := re.match(r"\s*v?(\d+)", tree.text(prefix + name) or ""):
            return match[1]
    engines = document.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, Mapping) else ""
    numbers = [int(number) for number in re.findall(r"(?:^|[^.\d])(\d+)", wanted)]
    return str(max(numbers)) if numbers else ""
