"""Collecting for an image: no network and no database, and whoever asks for them is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.sites import collect, write_site
from tests.process.test_static_files import EXTRA, write_assets

APP = """
from django.apps import AppConfig


class Early(AppConfig):
    name = "early"

    def ready(self):
{body}
"""
CONNECTS = """
        import socket
        socket.create_connection(("127.0.0.1", 6379))
"""
LOOKS_UP = """
        import urllib.request
        urllib.request.urlopen("https://flags.example.invalid/")
"""
QUERIES = """
        from django.contrib.auth.models import User
        User.objects.count()
"""
GETS_OVER = """
        from django.contrib.auth.models import User
        from django.db import OperationalError
        try:
            User.objects.count()
        except OperationalError:
            pass
"""


def site_that(folder: Path, body: str) -> Path:
    project = write_site(folder, settings=EXTRA + 'INSTALLED_APPS.append("early.Early")\n')
    write_assets(project)
    (project / "early").mkdir()
    (project / "early" / "__init__.py").write_text(APP.format(body=body.strip("\n")))
    return project


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        (CONNECTS, 10, "to connect to 127.0.0.1:6379"),
        (LOOKS_UP, 10, "to look up 'flags.example.invalid'"),
        (QUERIES, 10, "to connect to the database '{folder}/pages/db.sqlite3'"),
    ],
    ids=["connects", "looks up", "queries"],
)
def test_who_connects_while_an_image_is_built_is_named(
    tmp_path: Path, body: str, line: int, what: str
) -> None:
    project = site_that(tmp_path, body)
    done = collect(project, "--sealed")
    assert done.returncode == 1
    assert done.stderr[done.stderr.index("error:") :] == (
        f"error: collecting static files tried {what.format(folder=project)}\n"
        f"  early/__init__.py:{line}\n"
        "  an image is built without network and without databases: none of them is there yet\n"
        "\n"
        "hint: do that where a request or a command needs it, not when the code is loaded or files are collected\n"
    )


def test_who_gets_over_it_is_named_and_the_files_are_collected(tmp_path: Path) -> None:
    project = site_that(tmp_path, GETS_OVER)
    done = collect(project, "--sealed")
    assert done.returncode == 0, done.stderr
    assert "early/__init__.py:12 tried to connect to the database" in done.stderr
    assert " static files in " in done.stderr


AWAY = """
from django.core.files.storage import Storage

class Bucket(Storage):
    def exists(self, name):
        import urllib.request
        urllib.request.urlopen("https://bucket.example.invalid/" + name)
"""


@pytest.mark.parametrize("seal", [("--sealed",), ()])
def test_files_that_the_projects_storage_keeps_elsewhere_are_not_uploaded_from_an_image_or_by_up(
    tmp_path: Path, seal: tuple[str, ...]
) -> None:
    # As courtlistener, and every project whose static files django-storages keeps in a bucket.
    project = write_site(
        tmp_path, settings=EXTRA + 'STORAGES = {"staticfiles": {"BACKEND": "away.Bucket"}}\n'
    )
    write_assets(project)
    (project / "away.py").write_text(AWAY)
    done = collect(project, *seal)
    assert done.returncode == 0, done.stderr
    assert (
        "no static files are collected here, for away.Bucket keeps them elsewhere: `collectstatic` uploads them, "
        "in a step before each release (nuages run -- collectstatic)\n" in done.stderr
    )
    assert [path.name for path in (project / "collected").iterdir()] == ["nuages-static.json"]


def test_on_a_machine_of_ones_own_nothing_is_refused(tmp_path: Path) -> None:
    project = site_that(tmp_path, GETS_OVER)
    done = collect(project)
    assert done.returncode == 0
    assert "tried" not in done.stderr
