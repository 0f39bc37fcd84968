"""Which Python a project wants: every place that says so, and the rule that picks among them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project import specifier
from nuages.project.model import Fact, Problem
from nuages.project.tree import Tree, table_of

SERVED = tuple(f"3.{minor}" for minor in range(10, 21))  # by nuages, those to come included
_KNOWN = tuple(f"3.{minor}" for minor in range(5, 21))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The specifier that was picked, all that was found (as written), what to say and what is wrong."""

    python: Fact[str] | None
    everything: tuple[Fact[str], ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def find(tree: Tree, folders: tuple[str, ...]) -> Found:
    """Return the Python that the project wants. `folders` are searched in order, the project's own first.

    A pin (`.python-version`, `runtime.txt`, `.tool-versions`, Pipfile) says which minor version was used; a limit
    (`requires-python` and its like) which ones work. The first pin within all limits is picked, else the limits.
    """
    pins = [fact for folder in folders for fact in _pins(tree, folder)]
    limits = [fact for folder in folders for fact in _limits(tree, folder)]
    problems: list[Problem] = []
    usable_pins = _usable(pins, problems)
    usable_limits = _usable(limits, problems)
    # A limit of an outer folder (a monorepo's) counts only where the project's own folder says nothing.
    limit = usable_limits[0] if usable_limits else None
    notes: list[str] = []
    chosen: Fact[str] | None = limit
    for pin in usable_pins:
        if limit is None or _meet(pin.value, limit.value):
            chosen = _exact(pin, limit)
            notes += _disagreements(pin, usable_pins)
            break
        notes.append(
            f"{pin.origin} wants Python {pin.value}, which {limit.origin} does not allow ({limit.value})"
        )
    return Found(python=chosen, everything=(*pins, *limits), notes=tuple(notes), problems=tuple(problems))


def _exact(pin: Fact[str], limit: Fact[str] | None) -> Fact[str]:
    # A limit that itself names one patch release is stricter than the pin's minor version.
    if limit is not None and re.fullmatch(r"===?\d+\.\d+\.\d+", limit.value):
        return limit
    return pin


def _disagreements(pin: Fact[str], pins: list[Fact[str]]) -> Iterator[str]:
    for other in pins:
        if not _meet(pin.value, other.value):
            yield f"Python {pin.value} by {pin.origin}; {other.origin} says {other.value}"


def _meet(left: str, right: str) -> bool:
    return bool(set(specifier.minors(left, _KNOWN)) & set(specifier.minors(right, _KNOWN)))


def _usable(facts: list[Fact[str]], problems: list[Problem]) -> list[Fact[str]]:
    usable = []
    for fact in facts:
        try:
            # `==3.12` is meant as the series; PEP 440 has it mean 3.12.0 alone.
            text = re.sub(r"==\s*(\d+\.\d+)(?=\s*(,|$))", r"==\1.*", specifier.canonical(fact.value))
        except ValueError as error:
            problems.append(
                Problem(
                    id="python-unclear", what=f"{fact.origin} does not say which Python it wants",
                    where=str(fact.origin), why=str(error), hint=f"write a version such as 3.12 in {fact.origin.place}",
                )
            )  # fmt: skip
            continue
        if text:
            usable.append(Fact(text, fact.origin))
    return usable


def _pins(tree: Tree, folder: str) -> Iterator[Fact[str]]:
    prefix = "" if folder == "." else folder + "/"
    yield from _python_version(tree, prefix + ".python-version")
    yield from _line(tree, prefix + "runtime.txt", r"^[ \t]*python-(\d[\w.]*)")
    yield from _line(tree, prefix + ".tool-versions", r"^[ \t]*python\s+(\d[\w.]*)")
    yield from _line(tree, prefix + "mise.toml", r"^[ \t]*python\s*=\s*[\"'](\d[\w.]*)")
    requires = tree.toml(prefix + "Pipfile").get("requires")
    if isinstance(requires, Mapping):
        for key in ("python_full_version", "python_version"):
            if isinstance(requires.get(key), str):
                yield Fact(_minor(requires[key]), tree.line_of(prefix + "Pipfile", rf"^[ \t]*{key}\s*="))
                break


def _python_version(tree: Tree, path: str) -> Iterator[Fact[str]]:
    for number, line in enumerate((tree.text(path) or "").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        found = re.fullmatch(r"(?:c?python-?)?(\d+(?:\.\d+)*)(?:-dev|t)?(?:-.*)?", words[0])
        # The name of a pyenv virtual environment, or `system`, says nothing about the version.
        if found:
            yield Fact(_minor(found[1]), Origin(path, number))
        return


def _line(tree: Tree, path: str, pattern: str) -> Iterator[Fact[str]]:
    found = re.search(pattern, tree.text(path) or "", re.MULTILINE)
    if found:
        number = (tree.text(path) or "").count("\n", 0, found.start(1)) + 1
        yield Fact(_minor(found[1]), Origin(path, number))


def _minor(version: str) -> str:
    # The patch release of a pin is the newest one of the day it was written; security fixes are not refused.
    found = re.match(r"\d+(?:\.\d+)?", version)
    return f"=={found[0]}.*" if found else version


def _limits(tree: Tree, folder: str) -> Iterator[Fact[str]]:
    prefix = "" if folder == "." else folder + "/"
    yield from _pyproject(tree, prefix + "pyproject.toml")
    for path, pattern in (
        (prefix + "uv.lock", r"^requires-python\s*="),
        (prefix + "pylock.toml", r"^requires-python\s*="),
    ):
        if path in tree:
            # Only the head is looked at: a lock may have a hundred thousand lines.
            found = re.search(pattern + r"\s*[\"']([^\"']+)", tree.text(path) or "", re.MULTILINE)
            if found:
                yield Fact(found[1], tree.line_of(path, pattern))
    for path, pattern in (
        (prefix + "poetry.lock", r"^python-versions\s*="),
        (prefix + "pdm.lock", r"^requires_python\s*="),
    ):
        yield from _lock_metadata(tree, path, pattern)
    found = re.search(
        r"^[ \t]*python_requires\s*=\s*(.+)$", tree.text(prefix + "setup.cfg") or "", re.MULTILINE
    )
    if found:
        yield Fact(found[1].strip(), tree.line_of(prefix + "setup.cfg", r"^[ \t]*python_requires\s*="))
    yield from _setup_py(tree, prefix + "setup.py")


def _pyproject(tree: Tree, path: str) -> Iterator[Fact[str]]:
    document = tree.toml(path)
    project = table_of(document, "project")
    if isinstance(project.get("requires-python"), str):
        yield Fact(project["requires-python"], tree.line_of(path, r"^[ \t]*requires-python\s*="))
        return
    python = table_of(table_of(table_of(document, "tool"), "poetry"), "dependencies").get("python")
    if isinstance(python, str):
        yield Fact(python, tree.line_of(path, r"^[ \t]*python\s*="))


def _lock_metadata(tree: Tree, path: str, pattern: str) -> Iterator[Fact[str]]:
    # `[metadata]` is the last table of poetry.lock and the first of pdm.lock; packages have keys of the same name.
    text = tree.text(path) or ""
    start = text.rfind("\n[metadata]") if "poetry" in path else text.find("[metadata]")
    if start < 0:
        return
    found = re.compile(pattern + r"\s*\"([^\"]+)\"", re.MULTILINE).search(text, start)
    if found:
        yield Fact(found[1], Origin(path, text.count("\n", 0, found.start()) + 1))


def _setup_py(tree: Tree, path: str) -> Iterator[Fact[str]]:
    if path not in tree:
        return
    module = tree.module(path)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.keyword) and node.arg == "python_requires":
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield Fact(value.value, Origin(path, value.lineno))
