"""`nuages check --run`: Django's own checks in the project's private environment, beside what reading found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.process.environments import environ, nuages, prepare_home, project

DJANGO = "Django>=5.2,<5.3\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_home(tmp_path_factory.mktemp("home"))


def test_what_django_says_is_told_under_its_own_ids(home: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", DJANGO)
    settings = shop / "shop" / "settings.py"
    settings.write_text(
        settings.read_text().replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = ["shop.example.org"]')
        + 'MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", '
        '"django.contrib.sessions.middleware.SessionMiddleware"]\n'
    )
    answer = nuages("check", str(shop), "--run", "--json", variables=environ(home, None))
    assert answer.code == 0
    found = {each["id"]: each for each in json.loads(answer.out)["findings"]}
    assert found["security.W004"]["severity"] == "warning"
    assert found["security.W004"]["where"] == ["shop/settings.py"]
    # Reading found the cookie, with a line and a fix: Django's word for it is left out.
    assert "N010" in found
    assert "security.W012" not in found


def test_errors_of_django_end_with_1(home: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", DJANGO)
    settings = shop / "shop" / "settings.py"
    settings.write_text(
        settings.read_text().replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = ["shop.example.org"]')
        + 'STATICFILES_DIRS = "assets"\n'
    )
    answer = nuages("check", str(shop), "--run", variables=environ(home, None))
    assert answer.code == 1
    assert answer.out.split("\n\n")[1].splitlines()[:2] == [
        "error staticfiles.E001: The STATICFILES_DIRS setting is not a tuple or list",
        "  shop/settings.py",
    ]


def test_settings_that_do_not_load_are_an_error_with_what_python_said(home: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", DJANGO)
    settings = shop / "shop" / "settings.py"
    settings.write_text(settings.read_text() + "import not_there\n")
    answer = nuages("check", str(shop), "--run", variables=environ(home, None))
    assert answer.code == 3
    assert answer.error.startswith("error: Django's check --deploy does not run\n  shop/settings.py\n")
    assert "No module named 'not_there'" in answer.error
    assert answer.error.endswith("hint: nuages run -- check --deploy shows all of it")
