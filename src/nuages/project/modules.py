"""Module names and files: which file `import a.b` reads, and what a file is called when it is imported."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence

from nuages.project.tree import Tree, join


def resolve(tree: Tree, module: str, bases: tuple[str, ...]) -> str | None:
    """Return the file that `module` is imported from, searched in `bases` in order; None when it is not there."""
    path = module.replace(".", "/")
    for base in bases:
        for candidate in (join(base, path + "/__init__.py"), join(base, path + ".py")):
            if candidate in tree:
                return candidate
    return None


def name_of(path: str, bases: tuple[str, ...]) -> str | None:
    """Return the dotted name of a file as seen from the deepest of `bases` that holds it, or None."""
    best: str | None = None
    for base in bases:
        if base == ".":
            relative = path
        elif path.startswith(base + "/"):
            relative = path[len(base) + 1 :]
        else:
            continue
        if best is None or len(relative) < len(best):
            best = relative
    if best is None or not best.endswith(".py"):
        return None
    parts = best[:-3].split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


def search(tree: Tree, module: str, directory: str) -> str | None:
    """Return the folder that has to be on sys.path for `module` to be importable, the nearest first, or None."""
    tail = module.replace(".", "/")
    found = [
        path[: -len(suffix)].rstrip("/") or "."
        for path in tree.files
        for suffix in (tail + "/__init__.py", tail + ".py")
        if path == suffix or path.endswith("/" + suffix)
    ]
    # Below the project's folder first, then the shallowest.
    below = [
        folder
        for folder in found
        if directory == "." or folder == directory or folder.startswith(directory + "/")
    ]
    return min(below or found, key=lambda folder: (folder.count("/"), folder), default=None)


# `-e ../..`, `..[extra]`: a line of a requirements file that installs a folder.
_FOLDER_LINE = re.compile(r"^(?:-e|--editable)?[ \t=]*(\.[\w./-]*)(?:\[[^\]]*\])?[ \t]*$", re.MULTILINE)


def beyond(
    tree: Tree,
    named: Sequence[str],
    bases: tuple[str, ...],
    folders: tuple[str, ...],
    installed: Sequence[str],
) -> dict[str, str]:
    """Return the folders above the project's that hold packages it names, and for each a package that lies there.

    A reusable application and the example project in a folder below it: who develops it has it installed in place, so
    no file of the example declares it. `named` are dotted names of modules, `folders` the project's and those above
    it, `installed` requirements files, whose own folders are installed and need no path. Only packages
    (`__init__.py`) count, in these folders and in `src` below them.
    """
    given = {
        posixpath.normpath(posixpath.join(posixpath.dirname(file), match[1]))
        for file in installed
        for match in _FOLDER_LINE.finditer(tree.text(file) or "")
    }
    found: dict[str, str] = {}
    for top in dict.fromkeys(name.partition(".")[0] for name in named):
        if (
            not top.isidentifier()
            or resolve(tree, top, bases)
            or any(tree.below(join(base, top)) for base in bases)
        ):
            continue
        for folder in folders:
            places = () if folder in given else (folder, join(folder, "src"))
            place = next((one for one in places if join(one, f"{top}/__init__.py") in tree), None)
            if place is not None:
                found.setdefault(place, top)
                break
    return {place: top for place, top in found.items() if place not in bases}


def imported(tree: Tree, files: Sequence[str]) -> Iterator[str]:
    """Yield the absolute names that files import, wherever the import stands."""
    for path in files:
        for node in ast.walk(tree.module(path) or ast.Module(body=[], type_ignores=[])):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module
