"""Which other servers a project needs, and what its variables hold where those run beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nuages.image.plan import Plan
from nuages.project.model import Variable, VariableKind, normalized

DRIVERS: Mapping[str, tuple[str, ...]] = {
    "PostgreSQL": ("psycopg", "psycopg-binary", "psycopg-c", "psycopg2", "psycopg2-binary"),
    "MariaDB": ("mysqlclient", "pymysql", "mysql-connector-python"),
}
_REDIS = {"redis", "django-redis", "channels-redis", "valkey", "django-valkey"}
_DATABASE = re.compile(r"(^|_)(DATABASES?|DB|POSTGRES(QL)?|PG|MYSQL|MARIADB|SQL|RDS)(_|$)|^(PG|DB)[A-Z]+$")
# The first that fits says which part of the address a variable holds.
_PARTS = (
    (r"HOST(NAME)?$|SERVER$", "host"), (r"PORT$", "port"), (r"USER(NAME)?$", "user"),
    (r"PASS(WORD|WD)?$|PW$", "password"), (r"ENGINE$", "engine"), (r"NAME$|DATABASE$|_DB$", "name"),
)  # fmt: skip
_CACHE = re.compile(r"(^|_)(REDIS|VALKEY|CACHE|CACHES|BROKER|CELERY|CHANNELS?)(_|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database server, and the variables that say where it is: one with its URL, or its parts.

    `switches` are variables, with their texts, that make the settings take this kind of server.
    """

    kind: str
    variables: tuple[Variable, ...]
    switches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a project needs beside itself."""

    database: Database | None = None
    unnamed: str = ""
    """The kind of server that a driver is installed for, where no variable says which."""
    redis: bool = False
    bucket: bool = False


def wanted(plan: Plan) -> Services:
    """Return what the project needs: a driver is installed, and a variable says where the server is."""
    installed = distributions(plan)
    naming = [one for one in plan.variables if _DATABASE.search(one.name) and _says_where(one)]
    urls = [one for one in naming if one.kind is VariableKind.URL]
    kinds = [kind for kind, drivers in DRIVERS.items() if installed.intersection(drivers)]
    database = None
    if kinds and naming:
        kind = _kind(kinds, naming, plan.engine)
        database = Database(
            kind=kind, variables=tuple(urls[:1] or naming), switches=_switches(kind, plan.variables)
        )
    return Services(
        database=database,
        unnamed=_kind(kinds, (), plan.engine) if kinds and not naming else "",
        redis=bool(installed & _REDIS),
        bucket=bool(installed & {"boto3", "django-storages"}),
    )


# `os.getenv("DB") == "postgres"`, `os.environ["DB"] == "postgres"` around the read of a variable.
_COMPARED = re.compile(r"""\(?["'](\w+)["'][^=]*== *["']([\w.+-]+)["']""")
_ENGINES = {"PostgreSQL": "postg", "MariaDB": "mysql"}
_KINDS = {"PostgreSQL": re.compile("postgres|^pgs?q?l?$"), "MariaDB": re.compile("mysql|maria")}


def _switches(kind: str, variables: Iterable[Variable]) -> dict[str, str]:
    """Return the variables that the settings compare before they read where a server of this kind is."""
    found: dict[str, str] = {}
    for variable in variables:
        match = _COMPARED.search(variable.condition or "")
        if match and _DATABASE.search(variable.name) and _KINDS[kind].search(match[2].lower()):
            found.setdefault(match[1], match[2])
    return found


def _says_where(variable: Variable) -> bool:
    """Whether a database's variable is needed to find it: not its port and its options, which have usual values."""
    return variable.kind is VariableKind.URL or (
        variable.kind in {VariableKind.TEXT, VariableKind.SECRET}
        and any(re.search(pattern, variable.name.upper()) for pattern, part in _PARTS if part != "port")
    )


def _kind(kinds: list[str], variables: Iterable[Variable], engine: str) -> str:
    """Return the kind of the server among those that a driver is installed for: what the settings take by default."""
    told = [kind for kind in kinds if re.search(_ENGINES[kind], engine)]
    if told:
        return told[0]
    if len(kinds) > 1 and any(
        re.search(r"mysql|mariadb", f"{one.name} {one.default}".lower()) for one in variables
    ):
        return "MariaDB"
    return kinds[0]


def distributions(plan: Plan) -> frozenset[str]:
    """Return the names of the installed distributions, normalized (PEP 503)."""
    lines = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", plan.install.requirements, re.MULTILINE)
    return frozenset(normalized(name) for name in lines)


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
    def engine(self) -> str:
        """Django's name of the backend."""
        return f"django.db.backends.{'mysql' if self.scheme == 'mysql' else 'postgresql'}"

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
    return next((getattr(database, part) for pattern, part in _PARTS if re.search(pattern, name)), None)
