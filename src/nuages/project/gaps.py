"""What of the settings' source cannot be read: broken for every Python, or for the one that reads it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from nuages.errors import Origin
from nuages.project.execute import Executor
from nuages.project.model import Problem
from nuages.project.syntax import Lost
from nuages.project.tree import Tree

_READS = re.compile(r"environ|getenv|\benv\b|\bconfig\(|BaseSettings")
# What only newer Pythons than the oldest that nuages runs on can read (PEPs 646, 654, 695, 701, 750, 758).
_NEWER = re.compile(
    r"^\s*type\s+\w|\b(def|class)\s+\w+\s*\[|\bexcept\s*\*|\bexcept\s+[\w.]+\s*,|\*\w+\]|\b[fFtT][rR]?[\"']",
    re.MULTILINE,
)


def unread(tree: Tree, executor: Executor, settings: str, is_old: bool) -> Iterator[Problem]:
    """Yield a problem for each file of which something is lost that the settings may need to be known."""
    for path in executor.scopes:
        if path not in tree.files:
            continue
        errors = tuple(broken(tree, path, is_old)) if path in executor.certain else ()
        yield from errors
        if errors:
            continue
        lines = (tree.text(path) or "").split("\n")
        lost = "\n".join("\n".join(lines[one.first - 1 : one.last]) for one in tree.lost(path))
        if (lost and (path == settings or _READS.search(lost))) or tree.module(path) is None:
            yield unparsed(tree, path)


def broken(tree: Tree, path: str, is_old: bool) -> Iterator[Problem]:
    """Yield the error in a file that no Python that nuages runs on can load; nothing where that is in doubt."""
    garbled, lost = tree.garbled(path), tree.lost(path)
    if garbled is not None:
        yield _wrong(
            path, garbled, "UTF-8" if "UTF-8" in garbled.why or "utf-8" in garbled.why else "in its encoding",
            "save the file as UTF-8, the encoding of Python's source where its first two lines name no other",
        )  # fmt: skip
    elif lost and not is_old:
        lines = (tree.text(path) or "").split("\n")
        if not any(_NEWER.search("\n".join(lines[one.first - 1 : one.last])) for one in lost):
            yield _wrong(path, lost[0], "valid Python", f"correct {path} at line {lost[0].first}")


def _wrong(path: str, lost: Lost, what: str, hint: str) -> Problem:
    return Problem(
        id="source-broken", what=f"{path} is not {what}: the settings cannot be loaded",
        where=str(Origin(path, lost.first)), why=lost.why, hint=hint, is_error=True,
    )  # fmt: skip


def unparsed(tree: Tree, path: str) -> Problem:
    """Return what to say of a file that cannot be read, or not whole."""
    lost = tree.lost(path)
    first = lost[0] if lost else None
    if tree.module(path) is None:
        what, why = f"{path} cannot be read as Python", first.why if first else "the file cannot be read"
    else:
        ranges = ", ".join(
            str(one.first) if one.first == one.last else f"{one.first}-{one.last}" for one in lost[:6]
        )
        what = f"{path} cannot be read whole: {ranges if len(lost) < 7 else ranges + ' …'}"
        why = f"{lost[0].why}; it may be written for another Python than {sys.version_info[0]}.{sys.version_info[1]}"
    return Problem(
        id="source-unreadable",
        what=what,
        where=str(Origin(path, first.first if first else None)),
        why=why,
        hint="variables that are only read there are not known: name them with --env-file",
    )
