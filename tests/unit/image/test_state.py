"""What a project writes beside its code, and where that lies in the volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.image import state
from nuages.project.model import Project
from nuages.project.scan import scan

SETTINGS = """\
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
INSTALLED_APPS = []
ROOT_URLCONF = "shop.urls"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "{name}"}}}}
"""


def project(folder: Path, name: str) -> Project:
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "settings.py").write_text(SETTINGS.format(name=name))
    (folder / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
    )
    return scan(folder, environ={})


@pytest.mark.parametrize(
    ("name", "folders"), [("data/db.sqlite3", ("data",)), ("db.sqlite3", ()), ("shop/db.sqlite3", ())]
)
def test_the_folder_of_an_sqlite_file_is_named_unless_it_holds_settings(
    tmp_path: Path, name: str, folders: tuple[str, ...]
) -> None:
    assert state.folders(project(tmp_path / "work", name)) == folders


def test_the_file_alone_lies_in_the_volume_where_its_folder_holds_more(tmp_path: Path) -> None:
    found = state.state(project(tmp_path / "work", "data/db.sqlite3"))
    assert {path: stated.value for path, stated in found.items()} == {
        "/app/data/db.sqlite3": "/data/db.sqlite3"
    }


def test_the_whole_folder_lies_there_where_it_holds_nothing_of_the_project(tmp_path: Path) -> None:
    made = project(tmp_path / "work", "data/db.sqlite3")
    found = state.state(made, {"data"})
    assert {path: (stated.value, stated.origin) for path, stated in found.items()} == {
        "/app/data/": ("/data/data", "shop/settings.py:5")
    }
    assert state.written(made, {"data"}) == ("data",)
