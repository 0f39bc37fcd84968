"""Stand-ins have the shape that the variable's reader takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.errors import Origin
from nuages.image import trial
from nuages.image.stand_ins import HOST, stand_in
from nuages.project import settings_source
from nuages.project.model import Shape, Variable, VariableKind
from nuages.project.tree import Tree


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


def _read(source: str, folder: Path) -> tuple[Variable, ...]:
    (folder / "settings.py").write_text(source)
    return settings_source.read(Tree(folder), "settings.py", (".",), {}).variables


LOADED = (
    "json.loads(os.environ['X'])", "float(os.environ['X'])", "decimal.Decimal(os.environ['X'])",
    "ast.literal_eval(os.environ['X'])", "Fernet(os.environ['X'])", "Fernet(os.environ['X'].encode())",
    "base64.b64decode(os.environ['X'])", "json.loads(base64.b64decode(os.environ['X']).decode())",
    "json.loads(base64.b64decode(os.environ['X'].encode('ascii')))", "bytes.fromhex(os.environ['X'])",
    "datetime.date.fromisoformat(os.environ['X'])", "datetime.datetime.fromisoformat(os.environ['X'])",
    "uuid.UUID(os.environ['X'])", "ipaddress.ip_network(os.environ['X'])", "int(os.environ['X'])",
    "[part.strip() for part in os.environ['X'].split(',')]", "pathlib.Path(os.environ['X']).name",
    "serialization.load_pem_private_key(os.environ['X'].encode(), password=None)",
    "serialization.load_pem_public_key(os.environ['X'].encode())",
    "serialization.load_pem_private_key(os.environ['OIDC_RSA_PRIVATE_KEY'].encode(), password=None)",
    "serialization.load_pem_public_key(os.environ['JWT_PUBLIC_KEY'].encode())",
    "Fernet(os.environ['FIELD_ENCRYPTION_KEY'])",
    "json.loads(os.environ['JWKS'])['keys']", "json.loads(base64.b64decode(os.environ['JWKS_BASE64']))['keys']",
    "zoneinfo.ZoneInfo(os.environ['TIME_ZONE'])", "logging.Logger('a').setLevel(os.environ['DJANGO_LOG_LEVEL'])",
    "importlib.import_module(os.environ['DB_ENGINE'])", "import_string(os.environ['EMAIL_BACKEND'])",
)  # fmt: skip
IMPORTS = """\
import ast, base64, datetime, decimal, importlib, ipaddress, json, logging, os, pathlib, uuid, zoneinfo
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from django.utils.module_loading import import_string
"""


@pytest.mark.parametrize("expression", LOADED)
def test_what_the_settings_make_of_a_stand_in_does_not_fail(
    expression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"{IMPORTS}FOUND = {expression}\n"
    (variable,) = _read(source, tmp_path)
    assert variable.required
    monkeypatch.setenv(variable.name, stand_in(variable, ""))
    exec(compile(source, "settings.py", "exec"), {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import environ\nX = environ.Env().json('X')", "{}"),
        ("import environ\nX = environ.Env().dict('X')", "stand-in=stand-in"),
        ("import environ\nX = environ.Env().float('X')", "1"),
        ("import environ\nX = environ.Env().cache_url('X')", "locmemcache://"),
        ("from environs import env\nX = env.timedelta('X')", "1"),
        ("from environs import env\nX = env.date('X')", "2000-01-01"),
        ("from environs import env\nX = env.log_level('X')", "INFO"),
        ("from decouple import config\nimport json\nX = config('X', cast=json.loads)", "{}"),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: list[str]", '["stand-in"]'),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    x: dict[str, int]", "{}"),
        (
            "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    allowed_hosts: list[str]",
            '["localhost"]',
        ),
        ("import os, sentry_sdk\nsentry_sdk.init(dsn=os.environ['SENTRY_DSN_PROD'])", f"https://{'0' * 32}@{HOST}/1"),
        ("import os\nSTATIC_URL = os.environ['STATIC_URL']", "/static/"),
        ("import os\nMEDIA_URL = os.environ['APP_MEDIA_URL']", "/media/"),
        ("import os\nADMIN_URL = os.environ['ADMIN_URL']", "admin/"),
    ],
)  # fmt: skip
def test_libraries_and_names_tell_the_shape(source: str, expected: str, tmp_path: Path) -> None:
    (variable,) = _read(source, tmp_path)
    assert stand_in(variable, "") == expected


def test_a_default_that_is_a_key_tells_that_a_key_is_read(tmp_path: Path) -> None:
    source = (
        "import os\nKEY = os.environ.get('SIGNER', '''-----BEGIN RSA PRIVATE KEY-----\nMII''')\n"
        "PUBLIC = os.environ.get('SIGNER_PUB', '-----BEGIN PUBLIC KEY-----')\n"
    )
    found = _read(source, tmp_path)
    assert [each.shape for each in found] == [Shape.PRIVATE_KEY, Shape.PUBLIC_KEY]


def test_the_trial_of_an_image_gives_the_same_values_as_its_build() -> None:
    variables = [
        Variable(name=name, kind=kind, shape=shape, required=True, reader="os.environ", origin=Origin("s.py", 1))
        for name, kind, shape in (
            ("SECRET_KEY", VariableKind.SECRET, None), ("RSA_PRIVATE_KEY", VariableKind.SECRET, Shape.PRIVATE_KEY),
            ("RATES", VariableKind.TEXT, Shape.JSON),
        )
    ]  # fmt: skip
    label = trial.label(variables)
    assert label == "SECRET_KEY=secret RSA_PRIVATE_KEY=secret:private-key RATES=text:json"
    given = trial.environ({"config": {"Labels": {trial.LABEL: label}}}, ())
    assert given == {each.name: stand_in(each, "") for each in variables}
