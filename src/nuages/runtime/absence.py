"""A database that pages ask for and the settings do not name, or keep in memory, and the variable that would name it.

`dj_database_url.config()` without its variable gives nothing at all, and Django then takes a backend that raises at the
first query: the server is ready, and each page is an error.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.runtime.sources import sources

_ASKS = frozenset({"django.contrib.admin", "django.contrib.auth", "django.contrib.sessions"})
_NAMES_DATABASE = re.compile(r"(^|_)(DATABASE|DB|POSTGRES(QL)?|PG|MYSQL|SQL)(_|$)")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_SAYS_MORE = ("URL", "ENGINE", "HOST", "NAME")  # a URL decides most; what comes after these less


def unnamed_database(
    databases: Mapping[str, Any], installed_apps: Collection[str], module: str, environ: Mapping[str, str]
) -> str:
    """Return what is wrong, for a person, where no database has an engine and something asks for one.

    `module` is the settings module, which is loaded. Empty where all is well, or nothing tells that pages use one.
    """
    engines = {alias: (database or {}).get("ENGINE") or "" for alias, database in databases.items()}
    # Routers may send everything to others, and nothing to an empty default (Django's «Multiple databases»).
    if any(engine and not engine.endswith(".dummy") for engine in engines.values()):
        return ""
    read = unset_variable(module, environ)
    if not read and _ASKS.isdisjoint(installed_apps):
        return ""
    lacks = "DATABASES has no ENGINE for 'default'"
    why = f"; {read}" if read else ""
    return f"the settings name no database ({lacks}): every page that asks it is answered 500{why}"


def database_in_memory(
    databases: Mapping[str, Any], installed_apps: Collection[str], module: str, environ: Mapping[str, str]
) -> str:
    """Return what is wrong, for a person, where the default database is SQLite's in memory and pages ask one.

    https://www.sqlite.org/inmemorydb.html: each connection has a database of its own, here one for each thread.
    """
    database = databases.get("default") or {}
    name = str(database.get("NAME") or "")
    is_kept = name != ":memory:" and "mode=memory" not in name
    if is_kept or "lite" not in str(database.get("ENGINE")) or _ASKS.isdisjoint(installed_apps):
        return ""
    read = unset_variable(module, environ)
    return (
        "the database 'default' is in memory: each connection has one of its own, without tables, and every page "
        f"that asks it is answered 500{f'; {read}' if read else ''}"
    )


def unset_variable(module: str, environ: Mapping[str, str]) -> str:
    """Return which variable for a database loaded settings read that has no value, and where; empty for none."""
    found = [
        (next((n for n, end in enumerate(_SAYS_MORE) if name.endswith(end)), len(_SAYS_MORE)), number, name, path, line)
        for number, (name, path, line) in enumerate(_reads(module))
        if not environ.get(name)
    ]  # fmt: skip
    if not found:
        return ""
    _, _, name, path, line = min(found)
    how = "empty" if name in environ else "not set"
    return f"{name}, which {Origin(os.path.relpath(path), line)} reads, is {how}"


def _reads(module: str) -> Iterator[tuple[str, str, int]]:
    """Yield variables' names in the settings and what these star-import, each with its file and line."""
    for path, _, tree in sources(module):
        for node in ast.walk(tree):
            for name in _read(node):
                yield name, path, node.lineno  # type: ignore[attr-defined]


def _read(node: ast.AST) -> list[str]:
    """Return the variables that an expression asks for, by name or because it names none."""
    match node:
        case ast.Call(func=func, args=[], keywords=keywords) if name := _by_default(func, keywords):
            return [name]
        case ast.Call(args=args, keywords=keywords):
            asked = [*args, *(word.value for word in keywords)]
        case ast.Subscript(value=of, slice=key) if "env" in ast.unparse(of).lower():
            asked = [key]
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()]):
            asked = [left]
        case _:  # a dictionary's key, as Redis' DB, is no variable
            return []
    texts = [one.value for one in asked if isinstance(one, ast.Constant) and type(one.value) is str]
    return [text for text in texts if _VARIABLE.fullmatch(text) and _NAMES_DATABASE.search(text)]


def _by_default(func: ast.expr, keywords: Iterable[ast.keyword]) -> str:
    """Return what dj-database-url takes without `env`, and django-environ without `var`."""
    named = {word.arg for word in keywords}
    if isinstance(func, ast.Attribute) and (
        (func.attr == "config" and "database_url" in ast.unparse(func.value) and "env" not in named)
        or (func.attr in {"db", "db_url"} and "var" not in named)
    ):
        return "DATABASE_URL"
    return ""
