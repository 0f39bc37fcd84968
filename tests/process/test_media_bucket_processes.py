"""Uploads of programs beside the server: management commands and queue workers put them into the bucket too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.environments import environ, nuages, project
from tests.process.store import ENVIRON, Store, storing

KEEP = """
import sys
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("name")

    def handle(self, name, **options):
        print(default_storage.save(name, ContentFile(b"kept")), default_storage.__class__.__name__)
"""
SCRIPT = """
import os
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()
from django.core.management import call_command
call_command("keep", "by-script.txt")
"""
PYPROJECT = """
[tool.nuages]
media = "s3://uploads/shop?endpoint_url={endpoint}"

[tool.nuages.processes]
keeper = "python manage.py keep by-process.txt"
script = "python script.py"
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with storing() as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    requirements = "Django>=5.2,<5.3\ndjango-storages[s3]\n"
    folder = project(tmp_path_factory.mktemp("projects") / "shop", requirements)
    commands = folder / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "keep.py").write_text(KEEP)
    (folder / "script.py").write_text(SCRIPT)
    settings = folder / "shop" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = ["shop", '))
    (folder / "pyproject.toml").write_text(PYPROJECT.format(endpoint=store.endpoint))
    store.bucket("uploads")
    return folder


def test_every_program_of_the_project_keeps_uploads_where_the_server_does(
    home: Path, shop: Path, store: Store
) -> None:
    variables = environ(home, None, **ENVIRON)
    for name, arguments in (
        ("by-command.txt", ["--", "keep", "by-command.txt"]),
        ("by-process.txt", ["keeper"]),
        ("by-script.txt", ["script"]),
    ):
        answer = nuages("run", *arguments, variables=variables, cwd=shop)
        assert (answer.code, answer.out) == (0, f"{name} S3Storage\n"), answer.err
        said = [line for line in answer.err.splitlines() if line.startswith("nuages: ")]
        assert len(said) == 1, answer.err
        assert said[0].startswith(
            'nuages: settings: STORAGES["default"] = storages.backends.s3.S3Storage with '
        )
        assert said[0].endswith("(uploads go to s3://uploads/shop)")
    assert {key: one["Body"] for key, one in store.objects("uploads").items()} == {
        f"shop/by-{who}.txt": b"kept" for who in ("command", "process", "script")
    }


def test_what_the_settings_are_not_to_be_filled_with_stays_away(home: Path, shop: Path) -> None:
    variables = environ(home, None, **ENVIRON, NUAGES_FILL_SETTINGS="off")
    answer = nuages("run", "--", "keep", "here.txt", variables=variables, cwd=shop)
    assert (answer.code, answer.out) == (0, "here.txt FileSystemStorage\n"), answer.err
    assert "nuages: " not in answer.err


def test_a_storage_that_the_project_chose_stays(home: Path, shop: Path) -> None:
    settings = shop / "shop" / "settings.py"
    before = settings.read_text()
    chosen = "django.core.files.storage.InMemoryStorage"
    static = "django.contrib.staticfiles.storage.StaticFilesStorage"
    storages = {"default": {"BACKEND": chosen}, "staticfiles": {"BACKEND": static}}
    settings.write_text(f"{before}\nSTORAGES = {storages!r}\n")
    try:
        answer = nuages("run", "--", "keep", "there.txt", variables=environ(home, None, **ENVIRON), cwd=shop)
    finally:
        settings.write_text(before)
    assert (answer.code, answer.out) == (0, "there.txt InMemoryStorage\n"), answer.err
    assert (
        f"nuages: warning: uploads do not go to s3://uploads/shop: the project has chosen a storage, {chosen}"
        in answer.err
    )
