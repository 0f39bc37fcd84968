"""Dependencies that are declared without a lock: pyproject.toml, Pipfile, setup.cfg and setup.py, as PEP 508 lines."""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nuages.errors import Origin
from nuages.project import specifier
from nuages.project.roles import Role, role_of
from nuages.project.tree import Tree, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a file declares: PEP 508 lines, the optional parts that a production site takes, files read instead."""

    origin: Origin
    requirements: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def pyproject(tree: Tree, path: str, directory: str = ".") -> Declaration | None:
    """Return what pyproject.toml declares by PEP 621 or by Poetry's own table; None when it declares nothing.

    `directory` is the project's, relative to the root: an extra of its name is the project's, as that of a reusable
    application for the site in `sandbox/` or `demo/`.
    """
    document = tree.toml(path)
    project, tool = table_of(document, "project"), table_of(document, "tool")
    poetry = table_of(tool, "poetry")
    lines = [line for line in _list(project.get("dependencies")) if isinstance(line, str)]
    extras: list[str] = []
    for name, extra in table_of(project, "optional-dependencies").items():
        if role_of(name) is Role.PRODUCTION or name in _own(path, directory):
            extras.append(name)
            lines += [line for line in _list(extra) if isinstance(line, str)]
    wanted = {Role.PRODUCTION} if lines or poetry else {Role.PRODUCTION, Role.BASE}
    groups = [name for name in table_of(document, "dependency-groups") if role_of(name) in wanted]
    for name in groups:
        lines += [line for line in _list(document["dependency-groups"][name]) if isinstance(line, str)]
    lines += poetry_lines(table_of(poetry, "dependencies"))
    for name, group in table_of(poetry, "group").items():
        if role_of(name) is Role.PRODUCTION and isinstance(group, Mapping):
            groups.append(name)
            lines += poetry_lines(table_of(group, "dependencies"))
    files: list[str] = []
    if "dependencies" in _list(project.get("dynamic")):
        dynamic = table_of(table_of(table_of(tool, "setuptools"), "dynamic"), "dependencies").get("file", [])
        files += (
            [dynamic]
            if isinstance(dynamic, str)
            else [name for name in _list(dynamic) if isinstance(name, str)]
        )
    if not lines and not files:
        return None
    where = tree.line_of(path, r"^[ \t]*dependencies\s*=|^\[tool\.poetry\.dependencies\]|^\[project\]")
    return Declaration(
        origin=where,
        requirements=tuple(lines),
        extras=tuple(extras),
        groups=tuple(groups),
        files=tuple(files),
    )


def _own(path: str, directory: str) -> frozenset[str]:
    """Return the names of the folders from that of a declaration down to the project's."""
    above = posixpath.dirname(path)
    inside = directory == above or directory.startswith(above + "/") or not above
    return frozenset(directory[len(above) :].strip("/.").split("/")) if inside else frozenset()


def poetry_lines(table: Mapping[str, Any]) -> list[str]:
    """Return the PEP 508 lines of a table of Poetry dependencies; optional ones and Python itself are left out."""
    lines = []
    for name, value in table.items():
        if name.lower() == "python":
            continue
        for one in _list(value) if isinstance(value, list) else [value]:
            line = _poetry_line(name, one)
            if line:
                lines.append(line)
    return lines


def _poetry_line(name: str, value: Any) -> str | None:
    table = {"version": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or table.get("optional") is True:
        return None
    markers = [str(table["markers"])] if table.get("markers") else []
    if isinstance(table.get("python"), str):
        markers += _python_markers(table["python"])
    return _line(name, table, _package_specifier(table.get("version", "*")), " and ".join(markers))


def _python_markers(text: str) -> list[str]:
    try:
        clauses = [clause for clause in specifier.canonical(text).split(",") if clause]
    except ValueError:
        return []
    # PEP 508 compares python_version, which has two parts; `*` is no part of it.
    found = [re.fullmatch(r"([~=!<>]+)(\d+(?:\.\d+)?)(?:\.\*)?.*", clause) for clause in clauses]
    return [f"python_version {part[1]} '{part[2]}'" for part in found if part]


def _package_specifier(version: Any) -> str:
    if not isinstance(version, str) or version.strip() in {"", "*"}:
        return ""
    if re.fullmatch(r"\s*\d[\w.]*\s*", version) and "*" not in version:
        return f"=={version.strip()}"
    try:
        return specifier.canonical(version)
    except ValueError:
        return version.strip()


def pipfile(tree: Tree, path: str) -> Declaration | None:
    """Return the `[packages]` of a Pipfile; None when there are none."""
    packages = table_of(tree.toml(path), "packages")
    lines = []
    for name, value in packages.items():
        table = {"version": value} if isinstance(value, str) else value
        if isinstance(table, Mapping):
            markers = [str(table["markers"])] if table.get("markers") else []
            markers += [
                f"{key} {table[key]}"
                for key in ("sys_platform", "python_version", "os_name")
                if table.get(key)
            ]
            version = table.get("version", "*")
            text = version if isinstance(version, str) and version != "*" else ""
            lines.append(_line(name, table, text, " and ".join(markers)))
    if not packages:
        return None
    return Declaration(origin=tree.line_of(path, r"^\[packages\]"), requirements=tuple(lines))


def _line(name: str, table: Mapping[str, Any], version: str, marker: str) -> str:
    extras = ",".join(str(extra) for extra in _list(table.get("extras")))
    text = name + (f"[{extras}]" if extras else "")
    place = _place(table)
    text += f" @ {place}" if place else version
    return f"{text} ; {marker}" if marker else text


def _place(table: Mapping[str, Any]) -> str:
    for system in ("git", "hg", "svn"):
        if isinstance(table.get(system), str):
            revision = table.get("rev") or table.get("tag") or table.get("branch") or table.get("ref")
            inside = f"#subdirectory={table['subdirectory']}" if table.get("subdirectory") else ""
            return f"{system}+{table[system]}" + (f"@{revision}" if revision else "") + inside
    for key in ("url", "file", "path"):
        if isinstance(table.get(key), str):
            return str(table[key])
    return ""


def setup(tree: Tree, folder: str) -> Declaration | None:
    """Return `install_requires` of setup.cfg or setup.py, as far as it is written out; None when neither exists."""
    prefix = "" if folder == "." else folder + "/"
    text = tree.text(prefix + "setup.cfg") if prefix + "setup.cfg" in tree else None
    if text:
        lines = _setup_cfg(text)
        if lines:
            origin = tree.line_of(prefix + "setup.cfg", r"^[ \t]*install_requires\s*=")
            return Declaration(origin=origin, requirements=tuple(lines))
    path = prefix + "setup.py"
    if path not in tree:
        return None
    module = tree.module(path)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            strings = tuple(_strings(node.value, module))
            return Declaration(origin=Origin(path, node.value.lineno), requirements=strings)
    return Declaration(origin=Origin(path)) if re.search(r"\bsetup\s*\(", tree.text(path) or "") else None


def _setup_cfg(text: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
        value = parser.get("options", "install_requires", fallback="")
    except configparser.Error:
        return []
    return [
        line.split(" #")[0].strip() for line in value.splitlines() if line.strip() and line.strip()[0] != "#"
    ]


def _strings(node: ast.expr, module: ast.Module | None) -> Iterator[str]:
    if isinstance(node, ast.Name) and module is not None:
        for statement in module.body:
            if isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == node.id for target in statement.targets
            ):
                yield from _strings(statement.value, None)
        return
    if isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                yield item.value


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
