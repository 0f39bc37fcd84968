"""Stand-ins have the shape that the variable's reader takes."""

from __future__ import annotations

import pytest

from nuages.errors import Origin
from nuages.image.stand_ins import HOST, stand_in
from nuages.project.model import Variable, VariableKind


def _variable(name: str, kind: VariableKind) -> Variable:
    return Variable(name=name, kind=kind, required=True, reader="os.environ", origin=Origin("settings.py", 1))


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("DATABASE_URL", VariableKind.URL, f"postgres://stand-in:stand-in@{HOST}/stand-in"),
        ("REDIS_URL", VariableKind.URL, f"redis://{HOST}:6379/0"),
        ("SENTRY_DSN", VariableKind.URL, f"https://{'0' * 32}@{HOST}/1"),
        ("FEATURE", VariableKind.BOOL, "False"),
        ("WORKERS", VariableKind.INTEGER, "1"),
        ("ALLOWED_HOSTS", VariableKind.HOSTS, "localhost"),
        ("DB_PORT", VariableKind.TEXT, "5432"),
        ("DB_HOST", VariableKind.TEXT, HOST),
    ],
)
def test_a_stand_in_has_the_right_shape(name: str, kind: VariableKind, expected: str) -> None:
    assert stand_in(_variable(name, kind), "django==5.2\npsycopg[binary]==3.2\n") == expected


def test_a_secret_is_long_enough_for_django_and_says_what_it_is() -> None:
    value = stand_in(_variable("SECRET_KEY", VariableKind.SECRET), "")
    assert len(value) >= 50
    assert "only-the-build" in value


def test_without_a_server_database_among_the_requirements_the_url_names_sqlite() -> None:
    assert stand_in(_variable("DATABASE_URL", VariableKind.URL), "django\n").startswith("sqlite:")
