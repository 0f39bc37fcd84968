"""Values that only the build sees, of the right shape, for variables which the settings need before they load."""

from __future__ import annotations

import re

from nuages.project.model import Variable, VariableKind

HOST = "stand-in.invalid"
"""A name that never resolves (RFC 6761, section 6.4): whoever connects at build time fails at once."""

_DATABASES = (
    (r"^psycopg", "postgres"),
    (r"^mysqlclient|^pymysql", "mysql"),
)

_URLS = (
    (r"REDIS|CELERY|BROKER|RESULT_BACKEND|CHANNEL|QUEUE|RQ", f"redis://{HOST}:6379/0"),
    (r"AMQP|RABBIT", f"amqp://stand-in:stand-in@{HOST}:5672//"),
    (r"CACHE", "locmem://"),
    (r"EMAIL|SMTP|MAIL", f"smtp://stand-in:stand-in@{HOST}:25"),
    (r"SENTRY|DSN", f"https://{'0' * 32}@{HOST}/1"),
    (r"ELASTIC|OPENSEARCH|SEARCH", f"http://{HOST}:9200/"),
    (r"MONGO", f"mongodb://{HOST}:27017/stand-in"),
)


def stand_in(variable: Variable, requirements: str) -> str:
    """Return a value of the shape that the variable's reader takes.

    `requirements` are the project's, one a line: they tell which database a URL would name.
    """
    name = variable.name.upper()
    match variable.kind:
        case VariableKind.SECRET:
            return "stand-in-that-only-the-build-sees-" + "0" * 30
        case VariableKind.URL:
            return _url(name, requirements)
        case VariableKind.BOOL:
            return "False"
        case VariableKind.INTEGER:
            return "1"
        case VariableKind.HOSTS:
            return "localhost"
        case VariableKind.PATH:
            return "/tmp"
        case _:
            return _text(name)


def _url(name: str, requirements: str) -> str:
    if re.search(r"DATABASE|(^|_)DB(_|$)|POSTGRES|MYSQL", name):
        for pattern, scheme in _DATABASES:
            if re.search(pattern, requirements, re.MULTILINE | re.IGNORECASE):
                return f"{scheme}://stand-in:stand-in@{HOST}/stand-in"
        return "sqlite:////tmp/stand-in.sqlite3"
    return next((url for pattern, url in _URLS if re.search(pattern, name)), f"https://{HOST}")


def _text(name: str) -> str:
    if re.search(r"PORT$", name):
        return "5432"
    if re.search(r"HOST(NAME)?$|SERVER$|ENDPOINT", name):
        return HOST
    if re.search(r"EMAIL|FROM$", name):
        return f"stand-in@{HOST}"
    if re.search(r"URL|URI$", name):
        return _url(name, "")
    return "stand-in"
