"""`nuages check --run`: Django's own checks in the project's private environment, beside what reading found."""

from __future__ import annotations

import json
from pathlib import Path

from tests.process.databases import postgresql
from tests.process.environments import environ, nuages, project

DJANGO = "Django>=5.2,<5.3\n"


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


def test_threads_are_compared_with_what_the_databases_server_grants(home: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", DJANGO + "psycopg[binary]\n")
    settings = shop / "shop" / "settings.py"
    with postgresql(max_connections=20) as database:
        added = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        settings.write_text(settings.read_text() + added)
        line = len(settings.read_text().splitlines())
        given = {"NUAGES_WORKERS": "2", "NUAGES_THREADS": "8"}
        # 20 less 3 for superusers.
        within = nuages("check", str(shop), "--run", variables=environ(home, None) | given)
        assert "N036" not in within.out
        more = nuages(
            "check", str(shop), "--run", variables=environ(home, None) | given | {"NUAGES_THREADS": "9"}
        )
    assert (
        "notice N036: 2 workers of 9 threads may open 18 connections to the database 'default', and its server grants "
        f"17\n  shop/settings.py:{line}\n"
        "  nuages then uses 5 threads in each, with room for one more worker while one is replaced; other programs on "
        "that server are not known to it\n"
        "  fix: serve with --threads 5, or have the server grant 27\n"
    ) in more.out
