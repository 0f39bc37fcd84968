"""`nuages up` and `nuages run` from nothing to a served page, with the real Django."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.process.environments import DEADLINE, MANAGE, SETTINGS, environ, nuages, project, start
from tests.process.harness import wait_until

DJANGO = "Django>=4.2,<5.3\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("projects") / "shop", DJANGO)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Site:
    """A running `nuages up`: what it said until it was ready, and where it listens."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        assert process.stderr is not None
        for line in process.stderr:
            if not line.startswith("{"):
                continue
            self.events.append(json.loads(line))
            if self.events[-1]["event"] in {"ready", "error"}:
                break

    def until(self, name: str) -> list[dict[str, Any]]:
        """Return what it says next, to the next event of this name: nothing but events."""
        assert self.process.stderr is not None
        found: list[dict[str, Any]] = []
        while not found or found[-1]["event"] != name:
            found.append(json.loads(next(self.process.stderr)))
        return found

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def get(self, path: str) -> tuple[int, str]:
        (address,) = self.named("listening")[0]["addresses"]
        with urllib.request.urlopen(address + path, timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()


@contextlib.contextmanager
def up(
    shop: Path, *arguments: str, variables: dict[str, str], wrapper: tuple[str, ...] = ()
) -> Iterator[Site]:
    told = ("up", str(shop), "--bind", "127.0.0.1:0", "--workers", "1", "--json", *arguments)
    process = start(*told, variables=variables, wrapper=wrapper)
    try:
        yield Site(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=DEADLINE)


def test_up_installs_migrates_collects_and_serves_and_writes_nothing_into_the_source(
    home: Path, shop: Path
) -> None:
    before = tree(shop)
    with up(shop, variables=environ(home, None)) as site:
        assert site.named("error") == []
        assert site.get("/") == (200, "the shop")
        assert site.get("/static/shop.css") == (200, "body { color: black }\n")
    after = tree(shop)

    told = [event["event"] for event in site.events]
    assert [name for name in told if name in {"unlocked", "install", "collect", "folder", "migrate", "serve"}] == [
        "unlocked", "install", "collect", "folder", "migrate", "serve",
    ]  # fmt: skip
    assert site.named("unlocked")[0]["text"] == (
        "unlocked: requirements.txt does not fix every release; the newest that fit are installed"
    )
    assert after.pop("data/shop.sqlite3")
    assert after == before
    # The compressors are at hand for collecting, and in nobody's sight otherwise.
    assert list(home.rglob(".compressors/brotli.py"))
    assert not list(home.rglob("site-packages/brotli.py"))
    assert site.process.returncode == 0


def test_a_second_up_has_nothing_left_to_do(home: Path, shop: Path) -> None:
    with up(shop, variables=environ(home, None)) as site:
        pass
    with up(shop, variables=environ(home, None)) as site:
        assert site.get("/") == (200, "the shop")

    assert (
        next(event["event"] for event in site.events if event["event"] not in {"settings", "note"}) == "serve"
    )


def test_a_database_that_was_removed_is_migrated_again(home: Path, shop: Path) -> None:
    with up(shop, variables=environ(home, None)):
        pass
    (shop / "data" / "shop.sqlite3").unlink()
    with up(shop, variables=environ(home, None)) as site:
        assert site.get("/") == (200, "the shop")

    (asked,) = site.named("migrate")
    number = len(asked["plan"])
    assert [event["text"] for event in site.named("progress")] == [
        f"{done} of {number} migrations" for done in range(1, number + 1)
    ]
    assert site.named("collect") == []


def test_a_changed_static_file_is_collected_again(home: Path, shop: Path) -> None:
    with up(shop, variables=environ(home, None)):
        pass
    (shop / "assets" / "shop.css").write_text("body { color: darkblue }\n")
    with up(shop, variables=environ(home, None)) as site:
        assert site.get("/static/shop.css") == (200, "body { color: darkblue }\n")

    assert len(site.named("collect")) == 1
    assert site.named("migrate") == []


def test_what_an_older_nuages_collected_is_collected_again(home: Path, shop: Path) -> None:
    with up(shop, variables=environ(home, None)):
        pass
    (manifest,) = home.rglob("nuages-static.json")
    was = manifest.read_text()
    manifest.write_text(was.replace('"version": ', '"version": 0', 1))
    with up(shop, variables=environ(home, None)) as site:
        assert site.get("/static/shop.css")[0] == 200

    first, *_ = site.named("collect")
    assert first["text"] == f"what lies in {manifest.parent} was collected by another nuages, or is not whole"
    assert manifest.read_text().partition("\n")[0] == was.partition("\n")[0]


READ_ONLY = 'mount --bind "$SHOP" "$SHOP" && mount -o remount,ro,bind "$SHOP" && exec "$@"'
HASHED = """
DATABASES["default"]["NAME"] = os.environ["DATABASE"]
STATIC_ROOT = BASE_DIR / "collected"
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
"""
SHEET = """\
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse(static("shop.css")))]
"""


def test_a_static_root_that_cannot_be_written_gives_way_to_a_folder_of_ours(
    home: Path, tmp_path: Path
) -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own, which only root may make")
    folder = project(
        tmp_path / "shop", DJANGO, **{"shop/urls.py": SHEET, "shop/settings.py": SETTINGS + HASHED}
    )
    variables = environ(home, None, SHOP=str(folder), DATABASE=str(tmp_path / "shop.sqlite3"))
    for collections in (2, 0):
        with up(
            folder, variables=variables, wrapper=("unshare", "--mount", "sh", "-c", READ_ONLY, "sh")
        ) as site:
            assert site.named("error") == []
            _, sheet = site.get("/")
            assert re.fullmatch(r"/static/shop\.\w{12}\.css", sheet)
            assert site.get(sheet) == (200, "body { color: black }\n")
        assert len(site.named("collect")) == collections


def test_static_files_are_collected_where_static_root_names_a_folder(home: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", DJANGO)
    (folder / "nuages.toml").write_text('static-root = "out"\n')
    with up(folder, variables=environ(home, None)) as site:
        assert site.get("/static/shop.css") == (200, "body { color: black }\n")
    assert (folder / "out" / "nuages-static.json").is_file()


def test_a_static_file_that_changes_under_reload_is_collected_and_served(home: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", DJANGO)
    (folder / "nuages.toml").write_text('static-root = "out"\n')  # where it is watched, too
    with up(folder, "--reload", variables=environ(home, None)) as site:
        assert site.get("/static/shop.css") == (200, "body { color: black }\n")
        (folder / "assets" / "shop.css").write_text("body { color: darkblue }\n")
        wait_until(lambda: site.get("/static/shop.css")[1] == "body { color: darkblue }\n", "the new one")
        told = [event["event"] for event in site.until("worker-retires")]
        assert told.index("changed") < told.index("collect") < told.index("signal")


def test_local_uploads_are_served_and_no_folder_is_made_for_them(home: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", DJANGO)
    settings = folder / "shop" / "settings.py"
    more = f'\nMEDIA_URL = "media/"\nMEDIA_ROOT = {str(folder / "uploads")!r}\n'
    settings.write_text(settings.read_text() + more)
    with up(folder, variables=environ(home, None)) as site:
        (line,) = site.named("media")
        assert line["text"] == f"uploads in {folder}/uploads are served at /media/"
        assert not (folder / "uploads").exists()
        (folder / "uploads").mkdir()
        (folder / "uploads" / "a.txt").write_text("kept")
        assert site.get("/media/a.txt") == (200, "kept")


def test_code_in_a_folder_that_manage_py_puts_on_sys_path_is_collected_migrated_and_served(
    home: Path, tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop", DJANGO)
    (shop / "manage.py").write_text(
        MANAGE.replace("import os, sys\n", "import os, sys\nsys.path.append('src')\n")
    )
    (shop / "src").mkdir()
    for name in ("shop", "assets"):
        (shop / name).rename(shop / "src" / name)
    with up(shop, variables=environ(home, None)) as site:
        assert site.named("error") == []
        assert site.get("/") == (200, "the shop")
        assert site.get("/static/shop.css") == (200, "body { color: black }\n")


def test_run_carries_out_management_commands_in_the_same_environment(home: Path, shop: Path) -> None:
    variables = environ(home, None, DJANGO_SUPERUSER_PASSWORD="x")
    with up(shop, variables=environ(home, None)):
        pass
    made = nuages("run", str(shop), "--", "createsuperuser", "--noinput", "--username=ann", "--email=a@shop.example",
                  variables=variables)  # fmt: skip
    assert made.code == 0, made.err
    assert made.out == "Superuser created successfully.\n"

    asked = "from django.contrib.auth.models import User; print(User.objects.get().username)"
    shown = nuages("run", str(shop), "--", "manage.py", "shell", "-v0", "-c", asked, variables=variables)
    assert shown.out == "ann\n"


def test_run_ends_with_the_status_of_what_it_ran(home: Path, shop: Path) -> None:
    assert (
        nuages(
            "run", str(shop), "--", "python", "-c", "raise SystemExit(7)", variables=environ(home, None)
        ).code
        == 7
    )
    unknown = nuages("run", str(shop), "--", "createsuperuse", variables=environ(home, None))
    assert unknown.code == 1
    assert "Unknown command: 'createsuperuse'. Did you mean createsuperuser?" in unknown.err


def test_settings_that_do_not_load_end_up_with_the_users_own_traceback(home: Path, tmp_path: Path) -> None:
    broken = project(tmp_path / "shop", DJANGO, **{"shop/settings.py": "SECRET_KEY = 'x'\n1 / 0\n"})
    answer = nuages("up", str(broken), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 3
    assert answer.error == (
        "error: the settings module shop.settings cannot be loaded\n"
        "  shop/settings.py:2\n"
        "  Traceback (most recent call last):\n"
        f'    File "{broken}/shop/settings.py", line 2, in <module>\n'
        "      1 / 0\n"
        + ("" if "~" not in answer.error else "      ~~^~~\n")
        + "  ZeroDivisionError: division by zero\n"
        "\n"
        "hint: correct the line that the traceback ends with; `python manage.py check` shows the same"
    )


def test_settings_that_cannot_be_loaded_twice_are_told_by_what_they_said_first(
    home: Path, tmp_path: Path
) -> None:
    settings = "import builtins, sys\nif hasattr(builtins, 'seen'):\n    1 / 0\nbuiltins.seen = True\n"
    settings += "sys.exit('no key')\n"
    broken = project(tmp_path / "shop", DJANGO, **{"shop/settings.py": settings})
    answer = nuages("up", str(broken), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 3
    assert answer.error.startswith(
        "error: the project ended itself while the settings module shop.settings was loaded\n  shop/settings.py:5\n"
    )
    assert "SystemExit: no key" in answer.error


def test_settings_that_end_the_project_are_told_with_what_they_wrote(home: Path, tmp_path: Path) -> None:
    settings = "import sys\nprint('\\nnever run this as root', file=sys.stderr)\nraise SystemExit(2)\n"
    broken = project(tmp_path / "shop", DJANGO, **{"shop/settings.py": settings})
    answer = nuages("up", str(broken), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 3
    assert answer.error.endswith(
        "  SystemExit: 2\n  it wrote:\n    never run this as root\n\n"
        "hint: do what it says; a missing variable is the usual reason"
    )


def test_missing_variables_are_told_all_at_once_before_anything_is_installed(
    home: Path, tmp_path: Path
) -> None:
    settings = "import os\nSECRET_KEY = 'x'\nA = os.environ['PAYMENT_URL']\nB = os.environ['MAIL_HOST']\n"
    shop = project(tmp_path / "shop", DJANGO, **{"shop/settings.py": settings})
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 1
    assert answer.err.rstrip() == (
        "error: 2 variables that the settings need are not set\n"
        "  PAYMENT_URL  shop/settings.py:3  (url)\n"
        "  MAIL_HOST    shop/settings.py:4  (text)\n"
        "  without them the settings cannot be loaded\n"
        "\n"
        "hint: write NAME=value lines to a file and name it: --env-file FILE\n"
        "      or set them: PAYMENT_URL=… nuages up"
    )


def test_a_console_script_of_the_project_s_own_runs(home: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", DJANGO, **{
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n[project.scripts]\nshop-hello = "shop.cli:main"\n',
        "shop/cli.py": "import sys\ndef main():\n    print(sys.argv)\n    return 7\n",
    })  # fmt: skip
    answer = nuages("run", str(shop), "--", "shop-hello", "--twice", variables=environ(home, None))

    assert (answer.code, answer.out) == (7, "['shop-hello', '--twice']\n"), answer.err


def test_an_env_file_gives_variables_to_the_project(home: Path, tmp_path: Path) -> None:
    settings = "import os\nSECRET_KEY = 'x'\nA = os.environ['PAYMENT_URL']\n"
    shop = project(tmp_path / "shop", DJANGO, **{"shop/settings.py": settings})
    (tmp_path / "shop.env").write_text("PAYMENT_URL='https://pay.example'\n")
    code = "import os; print(os.environ['PAYMENT_URL'])"
    answer = nuages("run", str(shop), "--env-file", str(tmp_path / "shop.env"), "--", "python", "-c", code,
                    variables=environ(home, None))  # fmt: skip

    assert answer.code == 0, answer.err
    assert answer.out == "https://pay.example\n"


def test_a_database_server_that_is_not_there_is_named(home: Path, tmp_path: Path) -> None:
    settings = (
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.contenttypes']\nROOT_URLCONF = 'shop.urls'\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'shop', 'HOST': '127.0.0.1',"
        " 'PORT': '9'}}\n"
    )
    shop = project(tmp_path / "shop", DJANGO + "psycopg[binary]\n", **{"shop/settings.py": settings})
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 4
    lines = answer.error.splitlines()
    assert lines[:2] == [
        "error: postgresql 'shop' at 127.0.0.1:9 does not answer",
        "  `default` in DATABASES",
    ]
    assert "Connection refused" in answer.error
    assert lines[-2:] == [
        "hint: start it, or correct it at shop/settings.py:4; --migrate off goes on without it",
        "      with its host read from a variable, `nuages manifests compose` writes a file that runs the project with "
        "its database",
    ]


def test_a_database_that_variables_are_to_name_is_named_by_these(home: Path, tmp_path: Path) -> None:
    settings = (
        "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.contenttypes']\nROOT_URLCONF = 'shop.urls'\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.getenv('SHOP_NAME'),"
        " 'HOST': os.getenv('SHOP_HOST'), 'USER': os.getenv('SHOP_USER'), 'PORT': 9}}\n"
    )
    shop = project(tmp_path / "shop", DJANGO + "psycopg[binary]\n", **{"shop/settings.py": settings})
    variables = {**environ(home, None), "SHOP_HOST": "127.0.0.1"}
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables=variables)
    lines = answer.error.splitlines()
    assert lines[0] == "error: postgresql without a name at 127.0.0.1:9 does not answer"
    assert lines[-2:] == [
        "hint: start it, or set what DATABASES reads: SHOP_NAME, SHOP_USER; --migrate off goes on without it",
        "      `nuages manifests compose` writes a file that runs the project with its database",
    ]

    # libpq takes the port from a variable of its own.
    file = shop / "shop/settings.py"
    file.write_text(file.read_text().replace(", 'PORT': 9", ""))
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables={**variables, "PGPORT": "9"})
    assert answer.error.startswith("error: postgresql without a name at 127.0.0.1:9 does not answer\n")


def test_an_env_file_may_name_the_settings_module(home: Path, tmp_path: Path) -> None:
    other = "from shop.settings import *\nSHOP_NAME = 'the other'\n"
    shop = project(tmp_path / "shop", DJANGO, **{"shop/other.py": other})
    (tmp_path / "shop.env").write_text("DJANGO_SETTINGS_MODULE=shop.other\n")
    code = "from django.conf import settings; print(settings.SHOP_NAME)"
    answer = nuages("run", str(shop), "--env-file", str(tmp_path / "shop.env"), "--", "python", "-c", code,
                    variables=environ(home, None))  # fmt: skip

    assert answer.code == 0, answer.err
    assert answer.out == "the other\n"


def test_an_app_without_migrations_and_a_front_end_that_nobody_built_are_named(
    home: Path, tmp_path: Path
) -> None:
    settings = SETTINGS + "INSTALLED_APPS = ['orders', 'people']\n"
    migration = "from django.db import migrations\nclass Migration(migrations.Migration):\n"
    migration += "    dependencies = [('people', '__first__')]\n"
    files = {
        "shop/settings.py": settings,
        "people/models.py": "from django.db import models\nclass Person(models.Model):\n    pass\n",
        "orders/migrations/0001_initial.py": migration,
    }
    scripts = json.dumps({"scripts": {"build": "vite build"}}, indent=2)
    shop = project(tmp_path / "shop", DJANGO, **files, **{"package.json": scripts, "bun.lock": "{}"})
    for package in ("people", "people/migrations", "orders", "orders/migrations"):
        (shop / package).mkdir(exist_ok=True)
        (shop / package / "__init__.py").touch()
    answer = nuages("up", str(shop), "--bind", "127.0.0.1:0", variables=environ(home, None))

    assert answer.code == 1, answer.err
    assert (
        "· the front end is not built by up, and no node_modules is there: if its files are missing, "
        "`bun install && bun run build` makes them (package.json:3)\n"
    ) in answer.err
    assert answer.error.endswith(
        "cannot be planned\n"
        "  `default` in DATABASES\n"
        "  ValueError: Dependency on app with no migrations: people\n"
        "\n"
        "hint: nuages run -- makemigrations people, and commit what it wrote"
    )


def test_a_project_that_loads_for_collectstatic_and_migrate_alone_before_the_first_time_comes_up(
    home: Path, tmp_path: Path
) -> None:
    models = """\
import sys
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import connection, models

class Shelf(models.Model):
    class Meta:
        db_table = "shelf"

try:
    ICON = staticfiles_storage.url("shop.css")
except ValueError:
    if "collectstatic" not in sys.argv:
        raise
"""
    apps = """\
import sys
from django.apps import AppConfig

class Shelves(AppConfig):
    name = "shelves"
    def ready(self):
        from shelves.models import Shelf
        if "migrate" not in sys.argv and "collectstatic" not in sys.argv:
            Shelf.objects.count()
"""
    first = (
        "from django.db import migrations, models\n\n"
        "class Migration(migrations.Migration):\n    operations = [migrations.CreateModel('Shelf', options="
        "{'db_table': 'shelf'}, fields=[('id', models.AutoField(primary_key=True))])]\n"
    )
    settings = SETTINGS + (
        "\nINSTALLED_APPS = [*INSTALLED_APPS, 'shelves']\nSTATIC_ROOT = BASE_DIR / 'collected'\n"
        "STORAGES = {'staticfiles': {'BACKEND': 'django.contrib.staticfiles.storage.ManifestStaticFilesStorage'},\n"
        "            'default': {'BACKEND': 'django.core.files.storage.FileSystemStorage'}}\n"
    )
    shop = project(tmp_path / "shop", DJANGO, **{
        "shop/settings.py": settings, "shelves/models.py": models, "shelves/apps.py": apps,
        "shelves/migrations/0001_first.py": first,
    })  # fmt: skip
    for folder in ("shelves", "shelves/migrations"):
        (shop / folder / "__init__.py").touch()
    with up(shop, variables=environ(home, None)) as site:
        assert site.named("error") == []
        assert site.get("/") == (200, "the shop")
