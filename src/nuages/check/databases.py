"""Databases: kept connections, files in the container, passwords in the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from nuages.check.facts import Facts
from nuages.check.finding import Finding, error, notice, warning
from nuages.errors import Origin
from nuages.project.model import Database

NOT_KEPT = notice(30, "a new database connection for each request")
SQLITE = warning(31, "the database is a file in the container")
FILE_IN_TREE = warning(32, "a database file lies in the source tree")
POOL_AND_AGE = error(33, "a connection pool beside persistent connections")
UNCHECKED = notice(34, "kept connections are not checked before use")
PASSWORD = error(35, "a database password stands in the source")
GRANTED = notice(36, "more threads than the database's server grants connections")
HERE = warning(37, "the database's server is the machine itself")
UNNAMED = warning(38, "pages ask a database that the settings do not name")
IN_MEMORY = warning(39, "pages ask a database that is in memory")
RULES = (NOT_KEPT, SQLITE, FILE_IN_TREE, POOL_AND_AGE, UNCHECKED, PASSWORD, GRANTED, HERE, UNNAMED, IN_MEMORY)

_SERVERS = ("postgresql", "postgis", "psycopg", "mysql", "oracle")
_NAMES_DATABASE = re.compile(r"(^|_)(DATABASE|DB|POSTGRES(QL)?|PG|MYSQL|SQL|DJANGO_DB)(_|$)")
_ASKS = {"django.contrib.admin", "django.contrib.auth", "django.contrib.sessions"}
_LOCAL = {"", "localhost", "127.0.0.1", "::1"}
_FILES = (".sqlite3", ".sqlite", ".db3")


def examine(facts: Facts) -> Iterator[Finding]:
    """Yield the findings."""
    setting = facts.setting("DATABASES")
    value = setting.value if setting and isinstance(setting.value, dict) else {}
    for database in facts.project.databases:
        raw = value.get(database.alias)
        entry: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if database.is_sqlite and database.name == ":memory:":
            yield from _in_memory(facts, database)
        elif database.is_sqlite:
            yield _sqlite(facts, database)
        elif any(word in database.engine for word in _SERVERS) and isinstance(raw, dict):
            # Only an entry that stands there whole tells what it lacks.
            yield from _kept(database, entry)
            yield from _password(facts, database, entry)
            yield from _here(facts, database, entry)
    yield from _unnamed(facts)
    yield from _files(facts)


def too_many(facts: Facts, granted: Mapping[str, int], workers: int, threads: int) -> Iterator[Finding]:
    """Yield a finding for each database, by alias, whose server grants fewer connections than threads may open.

    A server tells when it is asked, so this is no part of `examine`, which reads files only.
    """
    for database in facts.project.databases:
        limit = granted.get(database.alias)
        if limit is not None and workers * threads > limit:
            # Room for one worker more, as one is started before another is replaced.
            most = max(1, limit // (workers + 1))
            yield GRANTED.found(
                f"{workers} workers of {threads} threads may open {workers * threads} connections to the database "
                f"{database.alias!r}, and its server grants {limit}", database.origin,
                why=f"nuages then uses {most} threads in each, with room for one more worker while one is replaced; "
                "other programs on that server are not known to it",
                fix=f"serve with --threads {most}, or have the server grant {(workers + 1) * threads}",
            )  # fmt: skip


def _sqlite(facts: Facts, database: Database) -> Finding:
    unless, fix = _deciding(facts, database)
    return SQLITE.found(
        f"the database {database.alias!r} is the file {database.name or 'of SQLite'}{unless}", database.origin,
        why="only one container can write it, and it goes with the disk; nuages puts it on a volume, for one replica",
        fix=fix,
    )  # fmt: skip


def _in_memory(facts: Facts, database: Database) -> Iterator[Finding]:
    if database.alias != "default" or _ASKS.isdisjoint(facts.apps):
        return  # pages that ask none are served all the same
    unless, fix = _deciding(facts, database)
    yield IN_MEMORY.found(
        f"the database {database.alias!r} is in memory{unless}", database.origin,
        why="each connection has one of its own, without tables: each page that asks it is answered 500", fix=fix,
    )  # fmt: skip


def _deciding(facts: Facts, database: Database) -> tuple[str, str]:
    """Return which variable makes it another database, in words, and what to do."""
    named = [each.name for each in facts.project.variables if _NAMES_DATABASE.search(each.name)]
    decides = database.variable or min(named, key=_says_more, default="")
    if decides:
        return f" unless {decides} says otherwise", f"set {decides} wherever it runs"
    return "", (
        "add dj-database-url to the dependencies, and write:\nimport dj_database_url\n"
        f'DATABASES = {{"{database.alias}": dj_database_url.config(conn_max_age=60, conn_health_checks=True)}}'
    )


def _says_more(name: str) -> int:
    """Return a rank: a URL or an engine decides which database it is, a name only where it lies."""
    return 0 if name.endswith("URL") else 1 if name.endswith("ENGINE") or name == "DB" else 2


def _kept(database: Database, entry: Mapping[str, Any]) -> Iterator[Finding]:
    options, age = entry.get("OPTIONS"), entry.get("CONN_MAX_AGE")
    pool = options.get("pool") if isinstance(options, dict) else None
    if pool and "CONN_MAX_AGE" in entry and age != 0:
        yield POOL_AND_AGE.found(
            f"the database {database.alias!r} has a pool and CONN_MAX_AGE", database.origin,
            why="Django raises ImproperlyConfigured at the first connection: a pool keeps connections by itself",
            fix=f'DATABASES["{database.alias}"]["CONN_MAX_AGE"] = 0',
        )  # fmt: skip
    elif not pool and ("CONN_MAX_AGE" not in entry or age == 0):
        said = "CONN_MAX_AGE is 0" if "CONN_MAX_AGE" in entry else "CONN_MAX_AGE is unset"
        kept = "nuages leaves it so" if "CONN_MAX_AGE" in entry else "nuages keeps connections for 60 s"
        yield NOT_KEPT.found(
            f"{said} for the database {database.alias!r}", database.origin,
            why=f"each request opens a connection of its own, a few milliseconds and a server process; {kept}",
            fix=f'DATABASES["{database.alias}"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)',
        )  # fmt: skip
    elif not pool and age and "CONN_HEALTH_CHECKS" not in entry:
        yield UNCHECKED.found(
            f"kept connections of the database {database.alias!r} are not checked", database.origin,
            why="after a fail-over each thread answers one request with an error; nuages checks them here",
            fix=f'DATABASES["{database.alias}"]["CONN_HEALTH_CHECKS"] = True',
        )  # fmt: skip


def _password(facts: Facts, database: Database, entry: Mapping[str, Any]) -> Iterator[Finding]:
    password, host = entry.get("PASSWORD"), entry.get("HOST")
    if not password or not isinstance(password, str) or str(host or "") in _LOCAL or not database.is_literal:
        return
    yield PASSWORD.found(
        f"the password of the database {database.alias!r} on {host} stands in the source",
        facts.line_in(database.origin, r"[\"']?PASSWORD[\"']?\s*[:=]"),
        why="who can read the repository can read the database",
        fix='"PASSWORD": os.environ["DATABASE_PASSWORD"],  # and give it a new one: this one is burnt',
    )


def _here(facts: Facts, database: Database, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for a host that nothing but an edit makes another one."""
    host = entry.get("HOST")  # where there is none, PGHOST or a file of the client's may name one
    if not host or host not in _LOCAL or not database.is_literal or isinstance(entry.get("OPTIONS"), dict):
        return  # a service file or a socket may stand in the options
    yield HERE.found(
        f"the database {database.alias!r} is on {host}, and nothing but an edit says otherwise",
        facts.line_in(database.origin, r"[\"']?HOST[\"']?\s*[:=]"),
        why="in a container that is the container itself, where no database runs",
        fix=f'"HOST": os.environ.get("DATABASE_HOST", "{host}"),',
    )


def _unnamed(facts: Facts) -> Iterator[Finding]:
    """Yield a finding where DATABASES is empty, or is so without a variable that has no default."""
    setting = facts.setting("DATABASES")
    variables = {each.name: each for each in facts.project.variables}
    why = "Django then takes a backend that raises at the first query, and each page that asks it is answered 500"
    for database in facts.project.databases:
        variable = variables.get(database.variable)
        if database.alias != "default" or database.engine or variable is None or variable.given:
            continue
        if (
            not variable.required
            and variable.default in {None, "None", "''", '""'}
            and not variable.condition
        ):
            yield UNNAMED.found(
                f"without {variable.name} there is no database", database.origin, why=why,
                fix=f"set {variable.name} wherever it runs",
            )  # fmt: skip
    is_empty = setting is not None and setting.is_known and setting.value == {}
    if setting is None or not is_empty or _ASKS.isdisjoint(facts.apps):
        return
    if filled := _filled(facts):
        place, names = filled
        if names:
            yield UNNAMED.found(
                f"without {', '.join(names)} there is no database", place, why=why,
                fix=f"set {', '.join(names)} wherever it runs",
            )  # fmt: skip
    else:
        yield UNNAMED.found(
            "DATABASES is empty, and applications ask a database", setting.origin, why=why,
            fix="add dj-database-url to the dependencies, and write:\nimport dj_database_url\n"
            'DATABASES = {"default": dj_database_url.config(conn_max_age=60, conn_health_checks=True)}',
        )  # fmt: skip


def _filled(facts: Facts) -> tuple[Origin, list[str]] | None:
    """Return where a condition puts a database into DATABASES, and the variables without a value that it asks."""
    read = {each.name: each.variables for each in facts.project.assignments}
    unset = {each.name for each in facts.project.variables if each.given is None}
    for path in facts.project.settings_files:
        module = facts.tree.module(path)
        for branch in ast.walk(module) if module else ():
            if not isinstance(branch, ast.If):
                continue
            line = next((one.lineno for part in branch.body for one in ast.walk(part) if _fills(one)), None)
            if line is None:
                continue
            asked: list[str] = []
            for one in ast.walk(branch.test):
                if isinstance(one, ast.Name):
                    asked += read.get(one.id, ())
                elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                    asked.append(one.value)
            return Origin(path, line), [name for name in dict.fromkeys(asked) if name in unset]
    return None


def _fills(node: ast.AST) -> TypeGuard[ast.Assign]:
    return isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Subscript) and isinstance(one.value, ast.Name) and one.value.id == "DATABASES"
        for one in node.targets
    )


def _files(facts: Facts) -> Iterator[Finding]:
    found = [path for path in facts.tracked if path.endswith(_FILES) and not facts.is_aside(path)]
    if found:
        yield FILE_IN_TREE.found(
            f"{found[0]} is committed", *facts.origins(found),
            why="users and password hashes in it are in every clone for ever; nuages keeps it out of the image",
            fix=f"git rm --cached {' '.join(found[:3])}, and name it in .gitignore",
        )  # fmt: skip
