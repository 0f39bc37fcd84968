"""A front-end build that was not made is named before pages lack its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.sites import collect, write_site
from tests.process.test_static_files import EXTRA, STRICT

SETTINGS = """
STATICFILES_DIRS = [("made", BASE.parent / "front" / "dist")]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE.parent / "templates"]}]
"""
PAGE = "{% load static %}\n<script src=\"{% static 'made/app.js' %}\"></script>\n"


def write_project(folder: Path, settings: str = "") -> Path:
    project = write_site(folder, settings=EXTRA + SETTINGS + settings)
    for name, text in {
        "templates/page.html": PAGE,
        "front/package.json": '{"scripts": {"build:docs": "true", "build": "vite build", "dev": "vite"}}',
        "front/pnpm-lock.yaml": "",
    }.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    return project


def test_where_pages_would_fail_for_it_it_is_an_error_with_its_command(tmp_path: Path) -> None:
    project = write_project(tmp_path, STRICT)
    done = collect(project)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the front end is not built: nobody has the static file made/app.js\n"
        f"  {project}/templates/page.html:2: <script src=\"{{% static 'made/app.js' %}}\"></script>\n"
        f"  STATICFILES_DIRS names {project}/front/dist, which is missing or empty; {project}/front/package.json has "
        "the script build, which may make it\n"
        "\n"
        f"hint: (cd {project}/front && pnpm install && pnpm run build)\n"
    )
    assert not (project / "collected").exists()
    (project / "front" / "dist").mkdir()
    (project / "front" / "dist" / "app.js").write_text("made")
    done = collect(project)
    assert done.returncode == 0, done.stderr
    assert (project / "collected" / "made" / "app.js").exists()


def test_where_they_only_lack_a_file_it_is_a_warning(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    done = collect(project)
    assert done.returncode == 0
    assert "warning: the front end is not built: nobody has the static file made/app.js\n" in done.stderr
    assert f"  (cd {project}/front && pnpm install && pnpm run build)\n" in done.stderr


@pytest.mark.parametrize("without", ["front/package.json", "templates/page.html"])
def test_a_missing_folder_that_no_build_makes_or_no_page_wants_is_nobody_s_fault(
    tmp_path: Path, without: str
) -> None:
    project = write_project(tmp_path, STRICT)
    (project / without).unlink()
    done = collect(project)
    assert done.returncode == 0, done.stderr
    assert "front end" not in done.stderr


def test_the_command_is_that_of_production_where_the_package_lies_in_the_project_s_folder(
    tmp_path: Path,
) -> None:
    project = write_project(tmp_path, 'STATICFILES_DIRS = [("made", BASE.parent / "dist")]\n')
    (project / "front" / "package.json").unlink()
    (project / "package.json").write_text('{"scripts": {"build": "webpack", "build:prod": "webpack -p"}}')
    done = collect(project)
    assert f"{project}/package.json has the script build:prod, which may make it\n" in done.stderr
    assert f"\n  (cd {project} && npm install && npm run build:prod)\n" in done.stderr


STORAGE = """
import os
import subprocess

from django.contrib.staticfiles.storage import StaticFilesStorage


class CompressorError(Exception):
    pass


class Compressing(StaticFilesStorage):
    def post_process(self, paths, **options):
        done = subprocess.run(os.environ["COMMAND"].split(), capture_output=True, text=True)
        if done.returncode:
            raise CompressorError(done.stderr)
        return ()
"""


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("node_modules/.bin/terser --compress", "node_modules/.bin/terser"),
        ("/usr/bin/env no-terser-here", "no-terser-here"),
        ("sh -c no-terser-here", "no-terser-here"),
    ],
)
def test_a_program_that_collecting_runs_and_that_is_not_there_is_named(
    tmp_path: Path, command: str, program: str
) -> None:
    storages = '{"BACKEND": "pages.compressing.Compressing"}'
    project = write_site(tmp_path, settings=f'{EXTRA}\nSTORAGES = {{"staticfiles": {storages}}}\n')
    (project / "pages" / "compressing.py").write_text(STORAGE)
    done = collect(project, COMMAND=command)
    assert done.returncode == 1
    block = done.stderr[done.stderr.index("error:") :].splitlines()
    assert block[:2] == [
        f"error: collecting the static files runs a program that is not here: {program}",
        "  manage.py collectstatic",
    ]
    assert program in block[2]
    assert block[-1] == (
        "hint: install it; an image has the programs of a package.json beside manage.py that has its lock"
    )


FINDER = """
from pathlib import Path
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import get_files
from django.core.files.storage import FileSystemStorage

class Finder(BaseFinder):
    def find(self, path, *args, **options):
        return []

    def list(self, ignore):
        storage = FileSystemStorage(location=Path(__file__).parent.parent / "node_modules")
        return [(path, storage) for path in get_files(storage)]
"""


@pytest.mark.parametrize(("lock", "manager"), [("package-lock.json", "npm"), ("yarn.lock", "yarn")])
@pytest.mark.parametrize("is_folder", [True, False])
def test_what_lies_in_node_modules_is_made_by_the_projects_own_manager(
    tmp_path: Path, lock: str, manager: str, *, is_folder: bool
) -> None:
    # As shynet, whose finder looks into node_modules, and pontoon, whose storage runs terser.
    more = 'STATICFILES_FINDERS = ["pages.finding.Finder"]\n'
    if not is_folder:
        more = 'STORAGES = {"staticfiles": {"BACKEND": "pages.compressing.Compressing"}}\n'
    project = write_site(tmp_path, settings=f"{EXTRA}\n{more}")
    (project / "pages" / "compressing.py").write_text(STORAGE)
    (project / "pages" / "finding.py").write_text(FINDER)
    (project / "package.json").write_text('{"dependencies": {"terser": "5"}}')
    (project / lock).touch()
    done = collect(project, COMMAND=f"{project}/node_modules/.bin/terser --compress")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"hint: (cd {project} && {manager} install)"
