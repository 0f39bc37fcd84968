"""poetry.lock → packages and edges (Poetry's lock format, versions 1.0 to 2.x)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from nuages.environment.locks.graph import Edge, Lock, LockError, Package
from nuages.environment.locks.pep508 import edge_of
from nuages.project.model import normalized
from nuages.project.specifier import canonical


def parse(
    document: Mapping[str, Any],
    pyproject: Mapping[str, Any],
    *,
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> Lock:
    """Return the lock: the main group, `groups` and `extras`, walked from pyproject.toml.

    Every version of the format can be walked; the groups that version 2 writes beside each package are not needed.
    Raises LockError where the format is not known.
    """
    version = str(document.get("metadata", {}).get("lock-version", "1.0"))
    if version.partition(".")[0] not in {"1", "2"}:
        raise LockError(f"lock-version {version} is not known to this nuages")
    files = document.get("metadata", {}).get("files", {})
    files = {normalized(name): rows for name, rows in files.items()}
    packages = tuple(_package(row, files) for row in document.get("package", []))
    roots = _roots(pyproject, {normalized(extra) for extra in extras}, groups)
    return Lock(packages=packages, roots=tuple(roots), indexes=_sources(pyproject))


def _sources(pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    rows = pyproject.get("tool", {}).get("poetry", {}).get("source", [])
    return tuple(row["url"].rstrip("/") for row in rows if "url" in row)


def _roots(pyproject: Mapping[str, Any], extras: set[str], groups: Iterable[str]) -> list[Edge]:
    poetry, project = pyproject.get("tool", {}).get("poetry", {}), pyproject.get("project", {})
    main: Mapping[str, Any] = poetry.get("dependencies", {})
    wanted = {
        normalized(re.split(r"[\s\[(<>=!~;]", name)[0])
        for extra, names in poetry.get("extras", {}).items() if normalized(extra) in extras for name in names
    }  # fmt: skip
    found = [edge_of(text) for text in project.get("dependencies", [])]
    for extra, lines in project.get("optional-dependencies", {}).items():
        if normalized(extra) in extras:
            found += [edge_of(text) for text in lines]
    known = {edge.name for edge in found}
    for name, rows in main.items():
        # Beside [project], Poetry's own table only adds sources to what is declared there.
        if normalized(name) == "python" or normalized(name) in known:
            continue
        found += [
            edge for row in _as_rows(rows)
            if not row.get("optional") or normalized(name) in wanted
            for edge in [_edge(name, row)]
        ]  # fmt: skip
    for group in groups:
        table = poetry.get("group", {}).get(group, {}).get("dependencies", {})
        if group == "dev" and not table:
            table = poetry.get("dev-dependencies", {})
        found += [_edge(name, row) for name, rows in table.items() for row in _as_rows(rows)]
        found += [
            edge_of(t) for t in pyproject.get("dependency-groups", {}).get(group, []) if isinstance(t, str)
        ]
    return found


def _as_rows(value: Any) -> list[Mapping[str, Any]]:
    rows = value if isinstance(value, list) else [value]
    return [row if isinstance(row, dict) else {"version": str(row)} for row in rows]


def _edge(name: str, row: Mapping[str, Any]) -> Edge:
    return Edge(
        name=normalized(name),
        specifier=_specifier(row.get("version", "*")),
        marker=_marker(row),
        extras=tuple(row.get("extras", ())),
    )


def _specifier(text: str) -> str:
    # Alternatives cannot be said in PEP 440; only the choice among several locked releases would need them.
    if "||" in text:
        return ""
    try:
        return canonical(text)
    except ValueError:
        return ""


def _marker(row: Mapping[str, Any]) -> str:
    parts = [row["markers"]] if row.get("markers") else []
    if row.get("platform"):
        parts.append(f"sys_platform == '{row['platform']}'")
    python = row.get("python", "")
    if python and python != "*":
        alternatives = [_python_marker(part) for part in python.split("||")]
        parts.append(" or ".join(f"({each})" for each in alternatives if each))
    return " and ".join(f"({part})" for part in parts if part)


def _python_marker(specifier: str) -> str:
    clauses = [clause for clause in _specifier(specifier.strip()).split(",") if clause]
    found = []
    for clause in clauses:
        operator, version = re.match(r"([<>=!~]+)\s*(.*)", clause).groups()  # type: ignore[union-attr]
        exact = (
            "python_full_version"
            if version.count(".") > 1 and not version.endswith("*")
            else "python_version"
        )
        found.append(f"{exact} {operator} '{version}'")
    return " and ".join(found)


def _package(row: Mapping[str, Any], files: Mapping[str, Any]) -> Package:
    name = normalized(row["name"])
    archives = row.get("files", files.get(name, []))
    url, local, index = _place(row.get("source", {}))
    table = {key: _as_rows(value) for key, value in row.get("dependencies", {}).items()}
    plain = [_edge(key, each) for key, rows in table.items() for each in rows if not each.get("optional")]
    return Package(
        name=name,
        version=str(row["version"]),
        hashes=tuple(each["hash"] for each in archives if "hash" in each)
        if not local and "git+" not in url
        else (),
        files=tuple(each.get("file", "") for each in archives),
        url=url,
        local=local,
        index=index,
        requires_python=_requires(row.get("python-versions", "")),
        dependencies=tuple(plain),
        extras={normalized(extra): _extra(lines, table) for extra, lines in row.get("extras", {}).items()},
    )


def _requires(text: str) -> str:
    return text if "||" not in text and not re.search(r"[\^]", text) else _specifier(text)


def _extra(lines: Iterable[str], table: Mapping[str, list[Mapping[str, Any]]]) -> tuple[Edge, ...]:
    names = [normalized(re.split(r"[\s\[(<>=!~;]", line)[0]) for line in lines]
    known = {normalized(key): rows for key, rows in table.items()}
    # What an extra names but the package's table does not hold was left out of the lock by Poetry.
    return tuple(_edge(name, row) for name in names for row in known.get(name, []))


def _place(source: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the direct reference, the local path and the index of a package's source."""
    kind, url = source.get("type", ""), source.get("url", "")
    if kind == "git":
        folder = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
        return (
            f"git+{url}@{source.get('resolved_reference') or source.get('reference', 'HEAD')}{folder}",
            "",
            "",
        )
    if kind == "url":
        return url, "", ""
    if kind in {"directory", "file"}:
        return "", url, ""
    return "", "", url.rstrip("/")
