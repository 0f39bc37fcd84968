"""uv.lock → the packages and edges of it (uv's lock format, version 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from posixpath import basename, normpath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from nuages.environment.locks.graph import Edge, Lock, LockError, Package
from nuages.project.model import normalized

_OWN = ("virtual", "editable")


def parse(
    document: Mapping[str, Any],
    pyproject: Mapping[str, Any],
    *,
    member: str = ".",
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> Lock:
    """Return the lock of one project. `member` is its folder relative to the lock (a workspace has several).

    Raises LockError where the lock is of a version that is not known, or does not hold the project.
    """
    if document.get("version") != 1:
        raise LockError(f"version {document.get('version')} of the format is not known to this nuages")
    named = _indexes(pyproject)
    rows: list[Mapping[str, Any]] = document.get("package", [])
    own = _own_rows(rows, member, pyproject)
    packages = tuple(_package(row, named) for row in rows)
    roots = [edge for row in own for edge in _roots(row, extras, groups)]
    if not own:
        manifest = document.get("manifest", {})
        roots = [_edge(each) for each in manifest.get("requirements", [])]
        for group in groups:
            roots += [_edge(each) for each in manifest.get("dependency-groups", {}).get(group, [])]
        if not roots:
            raise LockError(f"it does not hold the project in {member!r}")
    seen = {package.index for package in packages if package.index}
    kept = [url for url in named if url in seen]
    index = next(iter(_unnamed(rows, named)), "")
    names = frozenset(normalized(row["name"]) for row in own)
    return Lock(packages=packages, roots=tuple(roots), own=names, index=index, indexes=tuple(kept))


def _indexes(pyproject: Mapping[str, Any]) -> list[str]:
    """Return the indexes that the project names, its own default among them."""
    tool = pyproject.get("tool", {}).get("uv", {})
    found = [row["url"] for row in tool.get("index", []) if "url" in row]
    found += [tool["index-url"]] if "index-url" in tool else []
    return [_plain(url) for url in [*found, *tool.get("extra-index-url", [])]]


def _unnamed(rows: Iterable[Mapping[str, Any]], named: list[str]) -> list[str]:
    found = [_plain(row["source"]["registry"]) for row in rows if "registry" in row.get("source", {})]
    return [url for url in dict.fromkeys(found) if url not in named]


def _plain(url: str) -> str:
    return url.rstrip("/")


def _own_rows(
    rows: Iterable[Mapping[str, Any]], member: str, pyproject: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the row of the project itself: the one whose source is its folder, or that bears its name."""
    own = [
        row for row in rows
        if any(normpath(row.get("source", {}).get(kind, "\0")) == normpath(member) for kind in (*_OWN, "directory"))
    ]  # fmt: skip
    if own:
        return own
    name = pyproject.get("project", {}).get("name", "")
    local = [row for row in rows if any(kind in row.get("source", {}) for kind in _OWN)]
    return [row for row in local if name and row["name"] == normalized(name)]


def _roots(row: Mapping[str, Any], extras: Iterable[str], groups: Iterable[str]) -> list[Edge]:
    found = [_edge(each) for each in row.get("dependencies", [])]
    optional, development = row.get("optional-dependencies", {}), row.get("dev-dependencies", {})
    for extra in extras:
        found += [_edge(each) for each in optional.get(normalized(extra), optional.get(extra, []))]
    for group in groups:
        found += [_edge(each) for each in development.get(group, [])]
    return found


def _edge(row: Mapping[str, Any]) -> Edge:
    extras = row.get("extra", row.get("extras", ()))
    return Edge(
        name=normalized(row["name"]),
        version=row.get("version"),
        specifier=row.get("specifier", ""),
        marker=row.get("marker", ""),
        extras=tuple([extras] if isinstance(extras, str) else extras),
    )


def _package(row: Mapping[str, Any], named: list[str]) -> Package:
    source = row.get("source", {})
    archives = [*row.get("wheels", []), *([row["sdist"]] if "sdist" in row else [])]
    url, local = _place(source)
    registry = _plain(source.get("registry", ""))
    return Package(
        name=normalized(row["name"]),
        version=row.get("version", ""),
        # A folder has no hash, and neither has a commit: git verifies that itself.
        hashes=tuple(each["hash"] for each in archives if "hash" in each)
        if not local and "git" not in source
        else (),
        files=tuple(_file(each) for each in archives),
        url=url,
        local=local,
        index=registry if registry in named else "",
        marker="",
        dependencies=tuple(_edge(each) for each in row.get("dependencies", [])),
        extras={
            normalized(extra): tuple(_edge(each) for each in edges)
            for extra, edges in row.get("optional-dependencies", {}).items()
        },
    )


def _file(archive: Mapping[str, Any]) -> str:
    return basename(urlsplit(archive.get("url") or archive.get("path") or archive.get("filename") or "").path)


def _place(source: Mapping[str, Any]) -> tuple[str, str]:
    """Return the direct reference and the local path of a source; both are empty for an index."""
    if "git" in source:
        parts = urlsplit(source["git"])
        query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
        folder = f"#subdirectory={query['subdirectory']}" if "subdirectory" in query else ""
        return f"git+{urlunsplit(parts._replace(query='', fragment=''))}@{parts.fragment}{folder}", ""
    if "url" in source:
        folder = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return source["url"] + folder, ""
    for kind in ("path", "directory", *_OWN):
        if kind in source:
            return "", source[kind]
    return "", ""
