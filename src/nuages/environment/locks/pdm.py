"""pdm.lock → packages and edges (PDM's lock format, versions 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nuages.environment.locks.graph import Edge, Lock, LockError, Package
from nuages.environment.locks.pep508 import edge_of
from nuages.project.model import normalized


def parse(
    document: Mapping[str, Any],
    pyproject: Mapping[str, Any],
    *,
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> Lock:
    """Return the lock: the default group, `groups` and `extras`.

    With the strategy `inherit_metadata` each package names its groups and its marker; older locks are walked from
    pyproject.toml. Raises LockError where the format is not known.
    """
    metadata = document.get("metadata", {})
    version = str(metadata.get("lock_version", ""))
    if version.partition(".")[0] not in {"3", "4"}:
        raise LockError(f"lock_version {version or 'none'} is not known to this nuages")
    # Before 4.0 the archives stood in a table of their own, keyed by «name version».
    files = metadata.get("files", {})
    rows = document.get("package", [])
    chosen = {"default", *groups, *extras}
    others = _sources(pyproject)
    if "inherit_metadata" in metadata.get("strategy", ()):
        taken = [row for row in rows if chosen & set(row.get("groups", ["default"]))]
        return Lock(packages=_merged(taken, files, with_marker=True), indexes=others)
    packages = _merged(rows, files, with_marker=False)
    return Lock(packages=packages, roots=_roots(pyproject, extras, groups), indexes=others)


def _sources(pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    rows = pyproject.get("tool", {}).get("pdm", {}).get("source", [])
    return tuple(row["url"] for row in rows if "url" in row and row.get("type") != "find_links")


def _roots(pyproject: Mapping[str, Any], extras: Iterable[str], groups: Iterable[str]) -> tuple[Edge, ...]:
    project = pyproject.get("project", {})
    found = list(project.get("dependencies", []))
    for extra in extras:
        found += project.get("optional-dependencies", {}).get(extra, [])
    for group in groups:
        found += pyproject.get("dependency-groups", {}).get(group, [])
        found += pyproject.get("tool", {}).get("pdm", {}).get("dev-dependencies", {}).get(group, [])
    return tuple(edge_of(text) for text in found if isinstance(text, str))


def _merged(
    rows: Iterable[Mapping[str, Any]], files: Mapping[str, Any], *, with_marker: bool
) -> tuple[Package, ...]:
    """Return one package for each release: PDM writes `name` and `name[extra]` as two rows with the same archives."""
    found: dict[tuple[str, str], Package] = {}
    for row in rows:
        package = _package(row, files, with_marker=with_marker)
        key = (package.name, package.version)
        extras = [normalized(each) for each in row.get("extras", ())]
        before = found.get(key)
        if not extras:
            kept = dict(before.extras) if before else {}
            found[key] = _with(package, package.dependencies, kept)
            continue
        base = before or _with(package, (), {})
        found[key] = _with(
            base, base.dependencies, {**base.extras, **dict.fromkeys(extras, package.dependencies)}
        )
    return tuple(found.values())


def _with(
    package: Package, dependencies: tuple[Edge, ...], extras: Mapping[str, tuple[Edge, ...]]
) -> Package:
    from dataclasses import replace

    return replace(package, dependencies=dependencies, extras=extras)


def _package(row: Mapping[str, Any], files: Mapping[str, Any], *, with_marker: bool) -> Package:
    name, version = normalized(row["name"]), str(row.get("version", ""))
    archives = row.get("files") or files.get(f"{row['name']} {version}", [])
    url, local = "", row.get("path", "")
    if "git" in row:
        folder = f"#subdirectory={row['subdirectory']}" if row.get("subdirectory") else ""
        url = f"git+{row['git'].removeprefix('git+')}@{row.get('revision') or row.get('ref', 'HEAD')}{folder}"
    elif "url" in row:
        url = row["url"]
    return Package(
        name=name,
        version=version,
        hashes=tuple(each["hash"] for each in archives if "hash" in each)
        if not local and "git" not in row
        else (),
        files=tuple(_name(each) for each in archives),
        url=url,
        local=local,
        marker=row.get("marker", "") if with_marker else "",
        requires_python=row.get("requires_python", ""),
        dependencies=() if with_marker else tuple(edge_of(text) for text in row.get("dependencies", [])),
    )


def _name(archive: Mapping[str, Any]) -> str:
    return str(archive.get("file") or archive.get("url", "").rpartition("/")[2])
