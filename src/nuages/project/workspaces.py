"""Workspaces of Node: the packages below one that its managers install along with it.

npm and Yarn read `workspaces` of package.json, a list or {"packages": [...]}, pnpm pnpm-workspace.yaml.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping

from nuages.project.tree import Tree, join, table_of

_ITEM = re.compile(r"""[ \t]*-[ \t]+["']?([^"'\s]+)""")


def listed(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the patterns of a package's workspace besides its own, relative to it: pnpm 10 has settings there too."""
    wanted = tree.json(join(folder, "package.json")).get("workspaces")
    if isinstance(wanted, Mapping):
        wanted = wanted.get("packages")
    patterns = [one for one in wanted if isinstance(one, str)] if isinstance(wanted, list) else []
    patterns += _packages(tree.text(join(folder, "pnpm-workspace.yaml")) or "")
    return tuple(one for one in map(posixpath.normpath, patterns) if one != ".")


def _packages(text: str) -> Iterator[str]:
    """Yield the items of `packages` in pnpm-workspace.yaml, a list of a line each or in brackets on one line."""
    is_inside = False
    for line in text.split("\n"):
        if item := _ITEM.match(line):
            if is_inside:
                yield item[1]
        elif line.strip() and not line.lstrip().startswith("#"):
            listed = re.match(r"packages:\s*(?:\[([^\]]*)\]|#|$)", line)
            is_inside = listed is not None and listed[1] is None
            yield from re.findall(r"[^\"',\s]+", (listed[1] or "") if listed else "")


def members(tree: Tree, folder: str) -> tuple[str, ...]:
    """Return the folders of the packages that are installed along with one, relative to it."""
    patterns = listed(tree, folder)
    if not patterns:
        return ()
    start = "" if folder == "." else f"{folder}/"
    found = (
        path[len(start) :].rpartition("/")[0]
        for path in tree.files
        if path.startswith(start) and path.endswith("/package.json")
    )
    wanted = [one for one in found if one and any(_fits(one, each) for each in patterns if each[0] != "!")]
    return tuple(
        sorted(one for one in wanted if not any(_fits(one, each[1:]) for each in patterns if each[0] == "!"))
    )


def scripts(tree: Tree, folder: str, member: str) -> frozenset[str] | None:
    """Return the names of the scripts of a member, as a manager's command names it: by name or place, "" for all.

    pnpm's `name...` is the member of that name, along with those that it needs. None where there is no such member.
    """
    wanted = member.removesuffix("...")
    packages = {one: tree.json(f"{join(folder, one)}/package.json") for one in members(tree, folder)}
    found = [
        package
        for one, package in packages.items()
        if not wanted or posixpath.normpath(wanted) == one or package.get("name") == wanted
    ]
    return frozenset(name for one in found for name in table_of(one, "scripts")) if found else None


def is_member(tree: Tree, folder: str) -> bool:
    """Whether a package above this one, with the lock file of both, is installed along with it."""
    above = folder
    while above not in {"", "."}:
        above = posixpath.dirname(above) or "."
        if posixpath.relpath(folder, above) in members(tree, above):
            return True
    return False


def _fits(folder: str, pattern: str) -> bool:
    """Whether a folder is one of a pattern's: `*` is part of a name there, `**` any number of folders, or none."""
    parts = folder.split("/")
    ends = {0}  # how many of the parts fit what was looked at of the pattern
    for wanted in pattern.split("/"):
        if wanted == "**":
            ends = set(range(min(ends, default=len(parts) + 1), len(parts) + 1))
        else:
            ends = {at + 1 for at in ends if at < len(parts) and fnmatch.fnmatchcase(parts[at], wanted)}
    return len(parts) in ends
