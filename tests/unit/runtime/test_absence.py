"""Which databases nobody names, and the variable that would, as `serve` tells it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nuages.runtime.absence import database_in_memory, unnamed_database, unset_variable

AUTH = ("django.contrib.auth",)
DUMMY = {"default": {"ENGINE": "django.db.backends.dummy"}}
WHAT = "the settings name no database (DATABASES has no ENGINE for 'default'): every page that asks it is answered 500"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make loaded modules of these texts, by name; nothing of them is executed."""
    monkeypatch.chdir(tmp_path)

    def make(**texts: str) -> str:
        for name, text in texts.items():
            module = ModuleType(name)
            module.__file__ = str(tmp_path / f"{name}.py")
            Path(module.__file__).write_text(text)
            monkeypatch.setitem(sys.modules, name, module)
        return next(iter(texts))

    return make


@pytest.mark.parametrize(
    ("databases", "apps", "what"),
    [
        ({}, AUTH, WHAT),
        ({"default": {}}, AUTH, WHAT),
        ({"default": None}, AUTH, WHAT),
        (DUMMY, AUTH, WHAT),
        (DUMMY, ("pages",), ""),
        ({"default": {"ENGINE": "django.db.backends.sqlite3"}}, AUTH, ""),
        ({"default": {}, "users": {"ENGINE": "django.db.backends.postgresql"}}, AUTH, ""),
        ({"default": DUMMY["default"], "users": {}}, AUTH, WHAT),
    ],
)
def test_no_engine_is_told_where_applications_ask_a_database(
    settings: Any, databases: dict[str, Any], apps: tuple[str, ...], what: str
) -> None:
    assert unnamed_database(databases, apps, settings(texts_a="DATABASES = {}"), {}) == what


def test_a_variable_that_is_read_and_not_set_is_named_whatever_is_installed(settings: Any) -> None:
    module = settings(texts_b="import os\nDATABASES = {'default': {'HOST': os.environ.get('DB_HOST')}}\n")
    assert unnamed_database({}, (), module, {}) == f"{WHAT}; DB_HOST, which texts_b.py:2 reads, is not set"
    assert unnamed_database({}, (), module, {"DB_HOST": ""}).endswith(
        "DB_HOST, which texts_b.py:2 reads, is empty"
    )
    assert unnamed_database({}, (), module, {"DB_HOST": "db"}) == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("dj_database_url.config()", "DATABASE_URL"),
        ("dj_database_url.config(env='SHOP_DATABASE', conn_max_age=60)", "SHOP_DATABASE"),
        ("{'default': env.db()}", "DATABASE_URL"),
        ("environ.Env().db_url(var='SHOP_DB_URL', default='')", "SHOP_DB_URL"),
        ("x if 'DB_NAME' in os.environ else os.getenv('DATABASE_URL')", "DATABASE_URL"),
        ("{'default': {'NAME': 'shop', 'HOST': 'db', 'PASSWORD': os.environ.get('PASSWORD')}}", ""),
        ("config('THEME')", ""),
        ("os.environ['DB_URL']", "DB_URL"),
        ("env.str(var='DB_URL')", "DB_URL"),
        ("x; CACHES = {'default': {'OPTIONS': {'DB': 1}}}; LOGGING = {'loggers': {'SQL': {}}}", ""),
        ("options['DB']", ""),
    ],
)
def test_the_variable_that_says_most_is_named(settings: Any, line: str, name: str) -> None:
    found = unset_variable(settings(texts_c=f"DATABASES = {line}"), {})
    assert found == (f"{name}, which texts_c.py:1 reads, is not set" if name else "")


def test_settings_that_are_imported_whole_are_read_too(settings: Any) -> None:
    module = settings(
        texts_d="from texts_e import *\nfrom texts_gone import *\n", texts_e="X = os.environ.get('DB_URL')"
    )
    assert unset_variable(module, {}) == "DB_URL, which texts_e.py:1 reads, is not set"
    assert unset_variable("texts_gone", {}) == ""


@pytest.mark.parametrize(
    ("engine", "name", "apps", "is_told"),
    [
        ("django.db.backends.sqlite3", ":memory:", AUTH, True),
        ("django.db.backends.sqlite3", "file:shop?mode=memory&cache=shared", AUTH, True),
        ("django.db.backends.sqlite3", ":memory:", (), False),
        ("django.db.backends.sqlite3", Path("db.sqlite3"), AUTH, False),
        ("django.db.backends.postgresql", ":memory:", AUTH, False),
    ],
)
def test_a_database_in_memory_is_told_where_pages_ask_it(
    settings: Any, engine: str, name: str, apps: tuple[str, ...], is_told: bool
) -> None:
    module = settings(texts_c='import os\nURL = os.environ.get("DATABASE_URL", "sqlite://:memory:")\n')
    said = database_in_memory({"default": {"ENGINE": engine, "NAME": name}}, apps, module, {})
    assert bool(said) is is_told
    if is_told:
        assert said.endswith("500; DATABASE_URL, which texts_c.py:2 reads, is not set")
