"""Values that only the build sees, of the right shape, for variables which the settings need before they load."""

from __future__ import annotations

import re

from nuages.image import stand_in_keys
from nuages.project.model import Shape, Variable, VariableKind

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

_PATHS = (
    (r"(^|_)STATIC_URL$", "/static/"),
    (r"(^|_)MEDIA_URL$", "/media/"),
    (r"(^|_)ADMIN_URL$", "admin/"),
    (r"(^|_)LOG(IN|OUT)(_REDIRECT)?_URL$", "/"),
)
"""URLs that are paths: Django refuses STATIC_URL and MEDIA_URL that do not end with a slash."""

_TEXTS = (
    (r"PORT$", "5432"),
    (r"EMAIL_BACKEND$", "django.core.mail.backends.dummy.EmailBackend"),
    (r"CACHES?_(BACKEND|ENGINE)$", "django.core.cache.backends.dummy.DummyCache"),
    (r"SESSION_ENGINE$", "django.contrib.sessions.backends.db"),
    (r"(^|_)(DB|DATABASE|SQL|POSTGRES|MYSQL)(_\w+)?_ENGINE$|^ENGINE$", "django.db.backends.sqlite3"),
    (r"HOST(NAME)?$|SERVER$|ENDPOINT", HOST),
    (r"EMAIL|FROM$", f"stand-in@{HOST}"),
    (r"LOG(GING)?_?LEVEL$", "INFO"),
    (r"(^|_)(TIME_?ZONE|TZ)$", "UTC"),
    (r"(^|_)LANGUAGE(_CODE)?$", "en-us"),
    (r"(^|_)REGION(_NAME)?$", "us-east-1"),
    (r"SAMESITE$", "Lax"),
    (r"(^|_)SITE_ID$|(^|_)(NUM|MAX|MIN)_", "1"),
    (r"(^|_)(ENV|ENVIRONMENT)$", "production"),
    (r"(^|_)IP(_ADDRESS)?$", "127.0.0.1"),
)
"""What Django, logging and the like refuse any other word for, by the variable's name."""

_SECRET = "stand-in-that-only-the-build-sees-" + "0" * 30

_SHAPES = {
    Shape.DECIMAL: "1", Shape.JSON: "{}", Shape.JSON_LIST: '["stand-in"]', Shape.PAIRS: "stand-in=stand-in",
    # «stand-in-that-only-the-build-see», 32 bytes; `{}`.
    Shape.BASE64: "c3RhbmQtaW4tdGhhdC1vbmx5LXRoZS1idWlsZC1zZWU=", Shape.BASE64_JSON: "e30=", Shape.HEX: "00" * 32,
    Shape.PRIVATE_KEY: stand_in_keys.PRIVATE, Shape.PUBLIC_KEY: stand_in_keys.PUBLIC, Shape.DATE: "2000-01-01",
    Shape.DATETIME: "2000-01-01T00:00:00+00:00", Shape.TIME: "00:00:00",
    Shape.UUID: "00000000-0000-4000-8000-000000000000", Shape.ADDRESS: "127.0.0.1", Shape.CACHE: "locmemcache://",
    Shape.SEARCH: "simple://", Shape.EMAIL: f"stand-in@{HOST}", Shape.LOG_LEVEL: "INFO",
}  # fmt: skip

_KEY_SETS = {Shape.JSON: '{"keys": []}', Shape.BASE64_JSON: "eyJrZXlzIjogW119"}
"""A JSON Web Key Set without keys (RFC 7517, section 5): `{}` is none, and libraries refuse it."""


def stand_in(variable: Variable, requirements: str) -> str:
    """Return a value of the shape that the variable's reader takes.

    `requirements` are the project's, one a line: they tell which database a URL would name.
    """
    name = variable.name.upper()
    if variable.shape is not None:
        is_hosts = variable.kind is VariableKind.HOSTS and variable.shape is Shape.JSON_LIST
        shapes = {**_SHAPES, **_KEY_SETS} if "JWKS" in name else _SHAPES
        return '["localhost"]' if is_hosts else shapes[variable.shape]
    match variable.kind:
        case VariableKind.SECRET:
            return _url(name, requirements) if name.endswith("DSN") or "_DSN_" in name else _SECRET
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
    path = next((path for pattern, path in _PATHS if re.search(pattern, name)), None)
    if path is not None:
        return path
    if re.search(r"DATABASE|(^|_)DB(_|$)|POSTGRES|MYSQL", name):
        for pattern, scheme in _DATABASES:
            if re.search(pattern, requirements, re.MULTILINE | re.IGNORECASE):
                return f"{scheme}://stand-in:stand-in@{HOST}/stand-in"
        return "sqlite:////tmp/stand-in.sqlite3"
    return next((url for pattern, url in _URLS if re.search(pattern, name)), f"https://{HOST}")


def _text(name: str) -> str:
    found = next((text for pattern, text in _TEXTS if re.search(pattern, name)), None)
    if found is not None:
        return found
    return _url(name, "") if re.search(r"URL|URI$", name) else "stand-in"
