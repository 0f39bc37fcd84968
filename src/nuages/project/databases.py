"""The databases of the settings: engine, name and host of each, from DATABASES or from the URL that stands for it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from nuages.project.model import Assignment, Database, Variable, VariableKind
from nuages.project.readers import URL_HELPER

# The schemes of dj-database-url and django-environ.
_ENGINES = {
    "postgres": "django.db.backends.postgresql", "postgresql": "django.db.backends.postgresql",
    "psql": "django.db.backends.postgresql", "pgsql": "django.db.backends.postgresql",
    "postgis": "django.contrib.gis.db.backends.postgis", "timescale": "timescale.db.backends.postgresql",
    "mysql": "django.db.backends.mysql", "mysql2": "django.db.backends.mysql",
    "mysql-connector": "mysql.connector.django", "mysqlgis": "django.contrib.gis.db.backends.mysql",
    "sqlite": "django.db.backends.sqlite3", "spatialite": "django.contrib.gis.db.backends.spatialite",
    "oracle": "django.db.backends.oracle", "oraclegis": "django.contrib.gis.db.backends.oracle",
    "mssql": "mssql", "mssqlms": "mssql", "cockroach": "django_cockroachdb",
}  # fmt: skip

_NAMES_DATABASE = re.compile(r"(DATABASE|DB|POSTGRES(QL)?|PG|MYSQL|SQL|DSN)(_|$)")


def find(assignments: Sequence[Assignment], variables: Sequence[Variable], root: str) -> tuple[Database, ...]:
    """Return the databases, `default` first; an engine that only the environment tells is empty."""
    setting = next((each for each in reversed(assignments) if each.name == "DATABASES"), None)
    if setting is None:
        return ()
    if not isinstance(setting.value, dict):
        return tuple(sorted(_written(setting), key=lambda one: (one.alias != "default", one.alias)))
    urls = {each.name: each for each in variables if each.kind is VariableKind.URL}
    touched = [name for name in setting.variables if name in urls]
    if len(setting.variables) > 1:
        # Settings that come out of one object, as a file of options, touch every variable that it reads.
        touched = [name for name in touched if _is_database(urls[name])]
    variable = touched[0] if len(touched) == 1 else ""
    found = list(_databases(setting, variable, root))
    return tuple(sorted(found, key=lambda one: (one.alias != "default", one.alias)))


def _written(setting: Assignment) -> Iterator[Database]:
    """Yield the databases that a dictionary names itself, where a branch behind it may name others."""
    try:
        tree = ast.parse(setting.text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for alias, entry in _constants(tree):
        engine = next(
            (_text(one.value) for key, one in _constants(entry) if key == "ENGINE" and _is_constant(one)), ""
        )
        if engine:
            yield Database(alias=alias, engine=engine, origin=setting.origin)


def _constants(node: ast.expr) -> Iterator[tuple[str, Any]]:
    """Yield the items of a dictionary whose keys are texts."""
    for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def _is_database(variable: Variable) -> bool:
    """Return whether a variable holds a database's URL, by its name, its reader or its default."""
    scheme = (variable.default or "").strip("\"'").partition("://")[0]
    return bool(_NAMES_DATABASE.search(variable.name)) or variable.reader == URL_HELPER or scheme in _ENGINES


def _databases(setting: Assignment, variable: str, root: str) -> Iterator[Database]:
    for alias, entry in setting.value.items():
        if isinstance(entry, dict):
            yield Database(
                alias=alias, engine=_text(entry.get("ENGINE")), name=_text(entry.get("NAME")),
                host=_text(entry.get("HOST")), variable=variable, origin=setting.origin,
                is_literal=not setting.variables,
            )  # fmt: skip
        elif isinstance(entry, str) and "://" in entry:
            yield _of_url(alias, entry, variable, setting, root)
        else:
            # The whole value is not known; the one engine that its text names still is.
            named = {_ENGINES[word] for word in re.findall(r"\b(\w+)://", setting.text) if word in _ENGINES}
            named |= set(re.findall(r"[\w.]*\bdb\.backends\.\w+", setting.text))
            yield Database(
                alias=alias, engine=named.pop() if len(named) == 1 else "", variable=variable, origin=setting.origin,
            )  # fmt: skip


def _of_url(alias: str, url: str, variable: str, setting: Assignment, root: str) -> Database:
    parts = urlsplit(url)
    engine = _ENGINES.get(parts.scheme, "")
    name = unquote(parts.path[1:])
    if "sqlite" in engine or "spatialite" in engine:
        # `sqlite:///db.sqlite3` is relative, `sqlite:////data/db.sqlite3` is not (SQLAlchemy's form).
        name = posixpath.relpath(name, root) if name.startswith(root + "/") else name or ":memory:"
    try:
        host = parts.hostname or ""
    except ValueError:
        host = ""
    return Database(
        alias=alias, engine=engine, name=name, host=host, variable=variable, origin=setting.origin,
        is_literal=not setting.variables,
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
