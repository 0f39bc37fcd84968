"""django-configurations: the settings are the attributes of one class, which the variable or the project names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.commands import located
from nuages.environment.variables import fill
from nuages.errors import ProjectError
from nuages.image.options import ImageOptions
from nuages.image.plan import Install, Runtime, Stated
from nuages.image.planner import Findings, plan
from nuages.project.scan import examine, scan
from nuages.runtime.application import Application
from nuages.runtime.site import prepare_path

from .conftest import MANAGE, WSGI

Write = Callable[[dict[str, str]], Path]

SETTINGS = """\
from configurations import Configuration, values


class Base(Configuration):
    SECRET_KEY = values.SecretValue()
    DEBUG = values.BooleanValue(False)
    INSTALLED_APPS = ["django.contrib.staticfiles"]
    ROOT_URLCONF = "shop.urls"
    DATABASES = values.DatabaseURLValue("sqlite:////data/db.sqlite3")


class Dev(Base):
    DEBUG = True
"""
PRODUCTION = """

class Production(Base):
    INSTALLED_APPS = [*Base.INSTALLED_APPS, "shop"]
    DATABASES = values.DatabaseURLValue("postgres://shop@db/shop")
"""
FINDINGS = Findings(
    python=Stated(value="3.13", origin="default"),
    install=Install(origin="x", requirements="", closed=True, hashed=True),
    runtime=Runtime(wheel="x", sha256="", requirements=""),
)
DEFAULT = 'os.environ.setdefault("DJANGO_CONFIGURATION", "{}")\n'


def files(settings: str, default: str = "") -> dict[str, str]:
    wsgi = WSGI.format(settings="shop.settings").replace("django.core", "configurations")
    return {
        "manage.py": MANAGE.format(settings="shop.settings"),
        "shop/settings.py": settings,
        "shop/wsgi.py": wsgi.replace(
            "application =", f"{DEFAULT.format(default) if default else ''}application ="
        ),
        "requirements.txt": "Django==5.2.1\ndjango-configurations[database]",
    }


def test_the_settings_are_those_of_the_class_that_the_entry_module_names(write: Write) -> None:
    found = scan(write(files(SETTINGS, "Base")), environ={})
    assert found.configuration is not None
    assert (found.configuration.value, str(found.configuration.origin)) == ("Base", "shop/wsgi.py:4")
    assert found.apps == ("django.contrib.staticfiles",)
    assert [(one.alias, one.engine, one.variable) for one in found.databases] == [
        ("default", "django.db.backends.sqlite3", "DATABASE_URL")
    ]
    assert found.debug is not None
    assert (found.debug.variable, found.debug.off) == ("DJANGO_DEBUG", None)
    assert found.notes == ()


def test_a_production_class_is_taken_where_a_development_one_is_named_and_that_is_said(write: Write) -> None:
    found = scan(write(files(SETTINGS + PRODUCTION, "Dev")), environ={})
    assert found.configuration is not None
    assert str(found.configuration.origin) == "shop/settings.py:16"
    assert found.apps == ("django.contrib.staticfiles", "shop")
    assert [one.engine for one in found.databases] == ["django.db.backends.postgresql"]
    assert found.notes[0] == (
        "settings are those of the class Production (shop/settings.py:16): shop/wsgi.py:4 names Dev; "
        "DJANGO_CONFIGURATION takes another"
    )
    made = plan(found, FINDINGS, ImageOptions())
    assert made.environ["DJANGO_CONFIGURATION"].value == "Production"
    values = fill(found, {"DJANGO_SECRET_KEY": "x"}, {}, {}, secret="").values
    assert values["DJANGO_CONFIGURATION"] == "Production"
    assert located(found).configuration == "Production", (
        "for serve, collect and migrate in anybody's own image"
    )


@pytest.mark.parametrize(("given", "served"), [(None, "Production"), ("Dev", "Dev")])
def test_the_class_is_told_to_the_project_unless_somebody_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, served: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("DJANGO_CONFIGURATION", given or "")
    if given is None:
        monkeypatch.delenv("DJANGO_CONFIGURATION")
    prepare_path(Application(directory=str(tmp_path), configuration="Production"))
    assert os.environ["DJANGO_CONFIGURATION"] == served


def test_the_variable_decides(write: Write) -> None:
    given = {"DJANGO_CONFIGURATION": "Dev", "DJANGO_SECRET_KEY": "x"}
    found = scan(write(files(SETTINGS + PRODUCTION, "Production")), environ=given)
    debug = next(one for one in found.assignments if one.name == "DEBUG")
    assert (debug.value, str(debug.origin)) == (True, "shop/settings.py:13")
    assert "DJANGO_CONFIGURATION" not in fill(found, given, {}, {}, secret="").values


def test_the_class_of_the_projects_own_image_is_served(write: Write) -> None:
    dockerfile = {"Dockerfile": "FROM python:3.13\nWORKDIR /srv\nCOPY . .\nENV DJANGO_CONFIGURATION=Base\n"}
    found = scan(write({**files(SETTINGS + PRODUCTION, "Dev"), **dockerfile}), environ={})
    assert found.apps == ("django.contrib.staticfiles",)
    assert plan(found, FINDINGS, ImageOptions()).environ["DJANGO_CONFIGURATION"].value == "Base"


@pytest.mark.parametrize(
    ("settings", "default", "required"),
    [
        (SETTINGS, "", True),
        (SETTINGS, "Dev", False),
        (SETTINGS + PRODUCTION, "", False),
        (SETTINGS.partition("\n\nclass Dev")[0], "", False),
    ],
)
def test_the_variable_is_required_where_nothing_tells_the_class(
    write: Write, settings: str, default: str, required: bool
) -> None:
    found = examine(write(files(settings, default)), environ={})
    variable = next(one for one in found.variables if one.name == "DJANGO_CONFIGURATION")
    assert variable.required is required
    assert (found.configuration is None) is required


def test_classes_of_which_nothing_says_which_one_is_served_are_an_error(write: Write) -> None:
    with pytest.raises(ProjectError) as caught:
        scan(write(files(f"{SETTINGS}\n\nclass Staging(Base):\n    pass\n")), environ={})
    assert caught.value.render() == (
        "error: the settings have 2 classes, and nothing says which one is meant\n"
        "  Dev (shop/settings.py:12)\n"
        "  Staging (shop/settings.py:16)\n"
        "  neither the variable DJANGO_CONFIGURATION nor an entry module names one\n"
        "\n"
        "hint: set DJANGO_CONFIGURATION=Staging, or have wsgi.py and asgi.py set it before they import configurations"
    )
