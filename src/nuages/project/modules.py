"""Module names and files: which file `import a.b` reads, and what a file is called when it is imported."""

from __future__ import annotations

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
