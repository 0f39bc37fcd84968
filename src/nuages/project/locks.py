"""What the lock files say without being parsed whole: which packages they hold, in which version, with hashes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nuages.errors import Origin
from nuages.project.model import Fact, Manager, normalized
from nuages.project.tree import Tree

# In the order in which they are preferred where several stand beside each other.
LOCKS = (
    (Manager.UV, "uv.lock", "pyproject.toml"),
    (Manager.PYLOCK, "pylock.toml", "pyproject.toml"),
    (Manager.POETRY, "poetry.lock", "pyproject.toml"),
    (Manager.PDM, "pdm.lock", "pyproject.toml"),
    (Manager.PIPENV, "Pipfile.lock", "Pipfile"),
)
_HEADER = re.compile(r"^\[\[packages?\]\]\s*$", re.MULTILINE)
_HASH = re.compile(r"sha256[:\"' =]")
_SOURCE = re.compile(r"^source\s*=\s*\{ registry = \"([^\"]+)\"", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file's content in short; `packages` maps normalized names to version and line."""

    packages: Mapping[str, Fact[str]]
    has_hashes: bool
    indexes: tuple[Fact[str], ...] = ()


def read(tree: Tree, path: str, manager: Manager) -> Lock | None:
    """Return what a lock holds, or None when it is empty or not a lock at all."""
    text = tree.text(path)
    if not text or not text.strip():
        return None
    if manager is Manager.PIPENV:
        return _pipfile_lock(tree, path)
    packages: dict[str, Fact[str]] = {}
    headers = [found.end() for found in _HEADER.finditer(text)]
    if not headers:
        return None
    line, at = 1, 0
    for start, end in zip(headers, [*headers[1:], len(text)], strict=True):
        line, at = line + text.count("\n", at, start), start
        chunk = text[start : min(end, start + 1000)]
        name = re.search(r"^name\s*=\s*\"([^\"]+)\"", chunk, re.MULTILINE)
        version = re.search(r"^version\s*=\s*\"([^\"]+)\"", chunk, re.MULTILINE)
        if name:
            packages.setdefault(
                normalized(name[1]), Fact(version[1] if version else "", Origin(path, line + 1))
            )
    indexes: dict[str, Fact[str]] = {}
    for found in _SOURCE.finditer(text):
        if found[1] not in indexes:
            indexes[found[1]] = Fact(found[1], Origin(path, text.count("\n", 0, found.start()) + 1))
    return Lock(packages=packages, has_hashes=bool(_HASH.search(text)), indexes=tuple(indexes.values()))


def _pipfile_lock(tree: Tree, path: str) -> Lock | None:
    document = tree.json(path)
    default = document.get("default")
    if not isinstance(default, Mapping):
        return None
    packages: dict[str, Fact[str]] = {}
    for name, entry in default.items():
        version = entry.get("version", "") if isinstance(entry, Mapping) else ""
        origin = (
            tree.line_of(path, rf'^[ \t]*"{re.escape(name)}"\s*:')
            if normalized(name) == "django"
            else Origin(path)
        )
        packages[normalized(name)] = Fact(str(version).removeprefix("=="), origin)
    has_hashes = any(isinstance(entry, Mapping) and entry.get("hashes") for entry in default.values())
    return Lock(packages=packages, has_hashes=has_hashes, indexes=_pipfile_sources(document, path))


def _pipfile_sources(document: Mapping[str, Any], path: str) -> tuple[Fact[str], ...]:
    meta = document.get("_meta")
    sources = meta.get("sources", []) if isinstance(meta, Mapping) else []
    urls = (
        [source.get("url") for source in sources if isinstance(source, Mapping)]
        if isinstance(sources, list)
        else []
    )
    return tuple(Fact(url, Origin(path)) for url in urls if isinstance(url, str))
