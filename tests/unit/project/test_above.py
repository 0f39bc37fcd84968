"""A project whose dependencies are declared above the folder that was named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.project.above import declaring
from nuages.project.model import Manager
from nuages.project.scan import scan

from .conftest import MANAGE, SETTINGS, WSGI

Write = Callable[[dict[str, str]], Path]


def _shop(folder: str) -> dict[str, str]:
    return {
        f"{folder}/manage.py": MANAGE.format(settings="shop.settings"),
        f"{folder}/shop/__init__.py": "",
        f"{folder}/shop/settings.py": SETTINGS,
        f"{folder}/shop/wsgi.py": WSGI.format(settings="shop.settings"),
    }


@pytest.mark.parametrize(
    "file", ["requirements.txt", "requirements/production/web.txt", "requirements-prod.txt"]
)
def test_requirements_above_are_found(write: Write, file: str) -> None:
    root = write({**_shop("src"), file: "Django==5.2.1\n"})
    assert declaring(root / "src", root) == root


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("uv.lock", 'version = 1\n[[package]]\nname = "django"\nversion = "5.2.1"\n'),
        ("pyproject.toml", '[project]\nname = "shop"\nversion = "1"\ndependencies = ["Django"]\n'),
        ("Pipfile", '[packages]\ndjango = "*"\n'),
    ],
)
def test_locks_and_declarations_above_are_found(write: Write, file: str, text: str) -> None:
    root = write({**_shop("src"), file: text})
    assert declaring(root / "src", root) == root


def test_a_folder_that_declares_something_itself_is_taken_as_it_is(write: Write) -> None:
    root = write({**_shop("src"), "src/requirements.txt": "wagtail", "requirements.txt": "Django"})
    assert declaring(root / "src", root) is None


def test_nothing_is_looked_for_above_the_repository(write: Write) -> None:
    root = write({**_shop("site/src"), "requirements.txt": "Django", "site/pyproject.toml": "[tool.ruff]\n"})
    assert declaring(root / "site/src", root / "site") is None


def test_a_folder_that_lists_only_tools_is_passed_over(write: Write) -> None:
    root = write({**_shop("a/b/c"), "a/b/requirements.txt": "black", "a/requirements.txt": "Django"})
    assert declaring(root / "a/b/c", root) == root / "a"
    (root / "a/requirements.txt").unlink()
    assert declaring(root / "a/b/c", root) is None


def test_a_folder_without_a_project_is_left_to_whoever_reads_it(write: Write) -> None:
    root = write({"docs/index.md": "", "requirements.txt": "Django"})
    assert declaring(root / "docs", root) is None


def test_the_project_that_was_named_is_read_from_above_and_the_origin_is_said(write: Write) -> None:
    root = write({**_shop("sites/src"), "requirements.txt": "Django==5.2.1\n"})
    project = scan(root, within="sites/src")
    assert project.dependencies.manager is Manager.REQUIREMENTS
    assert project.notes[0] == (
        "the project folder is ../.., for it has requirements.txt; sites/src declares no dependencies"
    )


@pytest.mark.parametrize("folder", ["one", "deep/down/two", "examples/three"])
def test_another_project_of_the_repository_is_never_taken_for_the_named_one(
    write: Write, folder: str
) -> None:
    every = {**_shop("one"), **_shop("other"), **_shop("deep/down/two"), **_shop("examples/three")}
    root = write({**every, "requirements.txt": "Django==5.2.1\n"})
    project = scan(root, within=folder)
    assert project.directory == folder
    assert project.manage is not None
    assert project.manage.value == f"{folder}/manage.py"
    assert project.settings is not None
    assert str(project.settings.origin).startswith(folder)
    assert [point.path for point in project.serving] == ["shop.wsgi:application"]


def test_of_one_file_projects_the_named_one_is_taken_too(write: Write) -> None:
    text = "from django.conf import settings\nsettings.configure()\napplication = 1\n"
    root = write({"a/app.py": text, "b/c/app.py": text, "requirements.txt": "Django"})
    assert scan(root, within="b/c").directory == "b/c"
