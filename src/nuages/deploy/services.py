"""Which other servers a project needs, and what its variables hold where those run beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nuages.image.plan import Plan
from nuages.project.model import Variable, VariableKind

DRIVERS: Mapping[str, tuple[str, ...]] = {
    "PostgreSQL": ("psycopg", "psycopg-binary", "psycopg-c", "psycopg2", "psycopg2-binary"),
    "MariaDB": ("mysqlclient", "pymysql", "mysql-connector-python"),
}
_REDIS = {"redis", "django-redis", "channels-redis", "valkey", "django-valkey"}
_DATABASE = re.compile(r"(^|_)(DATABASES?|DB|POSTGRES(QL)?|PG|MYSQL|MARIADB|SQL|RDS)(_|$)|^(PG|DB)[A-Z]+$")
_CACHE = re.compile(r"(^|_)(REDIS|VALKEY|CACHE|CACHES|BROKER|CELERY|CHANNELS?)(_|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database server, and the variable that names it."""

    kind: str
    variable: Variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a project needs beside itself."""

    database: Database | None = None
    redis: bool = False
    bucket: bool = False


def wanted(plan: Plan) -> Services:
    """Return what the project needs: a driver is installed, and a variable says where the server is."""
    installed = distributions(plan)
    naming = [one for one in plan.variables if _DATABASE.search(one.name) and one.kind in _PLACES]
    kinds = [kind for kind, drivers in DRIVERS.items() if installed.intersection(drivers)]
    urls = sorted(naming, key=lambda one: one.kind is not VariableKind.URL)
    return Services(
        database=Database(kind=_kind(kinds, urls), variable=urls[0]) if kinds and urls else None,
        redis=bool(installed & _REDIS),
        bucket=bool(installed & {"boto3", "django-storages"}),
    )


_PLACES = {VariableKind.URL, VariableKind.TEXT, VariableKind.SECRET}


def _kind(kinds: list[str], variables: Iterable[Variable]) -> str:
    if len(kinds) > 1 and any(
        re.search(r"mysql|mariadb", f"{one.name} {one.default}".lower()) for one in variables
    ):
        return "MariaDB"
    return kinds[0]


def distributions(plan: Plan) -> frozenset[str]:
    """Return the names of the installed distributions, normalised (PEP 503)."""
    lines = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", plan.install.requirements, re.MULTILINE)
    return frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database server is and how to enter it, as texts that may name variables of their own."""

    scheme: str
    host: str
    port: str
    user: str
    password: str
    name: str

    @property
    def url(self) -> str:
        """`postgres://app:…@db:5432/app`, as dj-database-url and django-environ read it."""
        return f"{self.scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{self.name}"


def value(variable: Variable, database: Place | None, redis: str) -> str | None:
    """Return what a variable holds that says where another server is; None for every other variable.

    `redis` is its URL without a database's number, empty where there is none.
    """
    name = variable.name.upper()
    if database and _DATABASE.search(name):
        return _database_value(variable, name, database)
    if redis and _CACHE.search(name):
        if variable.kind is VariableKind.URL or name.endswith(("_URL", "_BROKER", "_BACKEND", "_LOCATION")):
            return f"{redis}/0"
        host, _, port = redis.removeprefix("redis://").partition(":")
        return {"HOST": host, "PORT": port}.get(name.rpartition("_")[2])
    return None


def _database_value(variable: Variable, name: str, database: Place) -> str | None:
    if variable.kind is VariableKind.URL or name.endswith(("URL", "DSN", "URI")):
        return database.url
    for pattern, text in (
        (r"HOST(NAME)?$|SERVER$", database.host),
        (r"PORT$", database.port),
        (r"USER(NAME)?$", database.user),
        (r"PASS(WORD|WD)?$|PW$", database.password),
        (r"ENGINE$", f"django.db.backends.{'mysql' if database.scheme == 'mysql' else 'postgresql'}"),
        (r"NAME$|DATABASE$|_DB$|^DB$", database.name),
    ):
        if re.search(pattern, name):
            return text
    return None
