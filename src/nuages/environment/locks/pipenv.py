"""Pipfile.lock → packages (pipfile-spec 6): the default section, with hashes, markers and named sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nuages.environment.locks.graph import Lock, LockError, Package
from nuages.project.model import normalized

_VCS = ("git", "hg", "svn", "bzr")


def parse(document: Mapping[str, Any]) -> Lock:
    """Return the lock that a Pipfile.lock's JSON holds; raises LockError for another version of the format."""
    meta = document.get("_meta", {})
    version = meta.get("pipfile-spec")
    if version != 6:
        raise LockError(f"pipfile-spec {version} is not known to this nuages")
    sources = {row.get("name", ""): row.get("url", "") for row in meta.get("sources", [])}
    # Pipenv itself calls the default source «pypi»; any other name was given by hand, and is kept.
    first = next(iter(sources), "")
    first = first if first == "pypi" else ""
    packages = tuple(_package(name, row, sources, first) for name, row in document.get("default", {}).items())
    others = tuple(url for name, url in sources.items() if name != first)
    return Lock(packages=packages, index=sources.get(first, ""), indexes=others)


def _package(name: str, row: Mapping[str, Any], sources: Mapping[str, str], first: str) -> Package:
    url, local = _place(row)
    source = row.get("index", first)
    return Package(
        name=normalized(name),
        version=_version(name, row.get("version", "")) if not url and not local else "",
        hashes=tuple(row.get("hashes", ())) if not local and not any(kind in row for kind in _VCS) else (),
        url=url,
        local=local,
        index=sources.get(source, "") if source != first else "",
        marker=row.get("markers", ""),
    )


def _version(name: str, text: str) -> str:
    if not text.startswith("=="):
        raise LockError(f"{name} has no version")
    return text.lstrip("=")


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    for kind in _VCS:
        if kind in row:
            folder = f"#subdirectory={row['subdirectory']}" if "subdirectory" in row else ""
            reference = f"@{row['ref']}" if "ref" in row else ""
            address = row[kind] if row[kind].startswith(f"{kind}+") else f"{kind}+{row[kind]}"
            return address + reference + folder, ""
    target = row.get("file", row.get("path", ""))
    return (target, "") if "://" in target else ("", target)
