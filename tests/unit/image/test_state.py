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


@pytest.mark.parametrize("folder", ["", "site/"])
def test_the_default_of_a_variable_that_holds_the_database_s_address_is_a_file_where_django_runs(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / folder
    project(place, "db.sqlite3")
    (place / "shop" / "settings.py").write_text(
        'import environ\nenv = environ.Env(DATABASE_URL=(str, "sqlite:///shop.sqlite3"))\n'
        'ROOT_URLCONF = "shop.urls"\nDATABASES = {"default": env.db()}\n'
    )
    found = state.state(scan(tmp_path, environ={}))
    assert {path: stated.value for path, stated in found.items()} == {
        f"/app/{folder}shop.sqlite3": "/data/shop.sqlite3"
    }


def test_a_file_that_a_branch_behind_it_may_replace_lies_in_the_volume(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    with (tmp_path / "shop" / "settings.py").open("a") as settings:
        settings.write(
            "import configparser, os\nif os.path.isfile(os.environ.get('SHOP_INI', '')):\n"
            "    options = configparser.ConfigParser()\n    if 'database' in options:\n"
            "        DATABASES = {'default': {key: value for key, value in options.items('database')}}\n"
        )
    found = state.state(scan(tmp_path, environ={}))
    assert {path: stated.value for path, stated in found.items()} == {"/app/db.sqlite3": "/data/db.sqlite3"}


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


def test_folders_that_the_settings_make_are_in_the_volume_or_in_the_image(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    project(folder, "db.sqlite3")
    settings = folder / "shop" / "settings.py"
    settings.write_text(
        settings.read_text().replace("DATABASES", "OTHERS")
        + """
import os
STATIC_ROOT = BASE_DIR / "collected"
os.makedirs(STATIC_ROOT / "inner", exist_ok=True)
LOGS = BASE_DIR / "logs"
LOGS.mkdir(exist_ok=True)
(LOGS / "old").mkdir(exist_ok=True)
os.makedirs("spool/in", exist_ok=True)
os.makedirs("/var/lib/shop/cache", exist_ok=True)
if not os.path.exists("/var/lib/shop"):
    os.mkdir("/var/lib/shop")
os.makedirs("/data/exports", exist_ok=True)
os.makedirs("/tmp/shop", exist_ok=True)
os.makedirs(BASE_DIR / "shop", exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "assets", ("theme", BASE_DIR / "theme")]
TEMPLATES = [{"DIRS": [BASE_DIR / "pages"]}]
for each in (BASE_DIR / "assets", BASE_DIR / "theme" / "new", BASE_DIR / "pages"):
    each.mkdir(exist_ok=True)
if os.path.exists(BASE_DIR / "manage.py"):
    pass
else:
    os.makedirs("/never")
"""
    )
    made = scan(folder, environ={})
    assert state.folders(made) == ("assets", "logs", "logs/old", "pages", "spool/in", "theme/new")
    # Where Django only looks for files, an empty folder is enough.
    assert [each.value for each in state.made(made, state.folders(made))] == [
        "/app/assets", "/app/pages", "/app/theme/new",
    ]  # fmt: skip
    found = {path: stated.value for path, stated in state.state(made, state.folders(made)).items()}
    assert found == {
        "/app/logs/": "/data/logs",
        "/app/spool/in/": "/data/in",
        "/var/lib/shop/": "/data/shop",
        "/data/exports/": "/data/exports",
    }
    assert state.written(made, state.folders(made)) == ("logs", "spool/in")
    # What holds files of the project is in the image, where making it again does no harm.
    assert "/app/logs/" not in state.state(made, {"spool/in"})


def test_uploads_beside_the_media_lie_in_the_volume_too(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(
            "MEDIA_ROOT = BASE_DIR / 'media'\n"
            "STORAGES = {'default': {'BACKEND': 'a', 'OPTIONS': {'location': BASE_DIR / 'media'}},\n"
            "            'private': {'BACKEND': 'a', 'OPTIONS': {'location': BASE_DIR / 'vault'}},\n"
            "            'remote': {'BACKEND': 'a', 'OPTIONS': {'bucket_name': 'b'}},\n"
            "            'staticfiles': {'BACKEND': 'a', 'OPTIONS': {'location': BASE_DIR / 'collected'}}}\n"
            "SENDFILE_ROOT = STORAGES['private']['OPTIONS']['location']\n"
            "FILE_UPLOAD_TEMP_DIR = '/tmp/uploads'\n"
            "PRIVATE_STORAGE_ROOT = BASE_DIR / 'shop'\n"
            "DBBACKUP_STORAGE_OPTIONS = {'location': 'backup'}\n"
        )
    found = state.state(scan(tmp_path, environ={}))
    assert {path: stated.value for path, stated in found.items()} == {
        "/app/db.sqlite3": "/data/db.sqlite3",
        "/app/media/": "/data/media",
        "/app/vault/": "/data/vault",
        "/app/backup/": "/data/backup",
    }
