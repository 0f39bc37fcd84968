"""Settings of a wrong kind: `serve`, `collect` and `migrate` name the setting and its line, and no frame of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.process.harness import SETTINGS, serving, write_project

LINE = len(SETTINGS.splitlines()) + 1


def _error(project: Path, command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nuages", command, str(project)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (1, 3)
    assert "src/nuages" not in done.stderr
    return done.stderr[done.stderr.index("error: ") :]


@pytest.mark.parametrize(
    "setting",
    # The last one fails where the worker begins: the project is loaded.
    [
        "STATIC_URL = 5",
        "STATIC_URL = 'http://[shop'",
        "MEDIA_ROOT = 'a\\0b'",
        "SECURE_PROXY_SSL_HEADER = [3, 4]",
    ],
)
def test_serve_names_a_setting_of_a_wrong_kind(tmp_path: Path, setting: str) -> None:
    project = write_project(tmp_path, settings=f"{setting}\n")
    with serving(project, "--workers", "1") as server:
        error = server.error()
        assert server.wait() == 3
    head = f"error: {setting.partition(' ')[0]} is of the wrong kind\n  pages/settings.py:{LINE}\n"
    assert error.startswith(head)
    assert "src/nuages" not in error


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("STATICFILES_DIRS = 5", "STATICFILES_DIRS is of the wrong kind"),
        ("STATICFILES_DIRS = [('a',)]", "STATICFILES_DIRS is of the wrong kind"),
        ("STATIC_ROOT = b'/srv/static'", "STATIC_ROOT is of the wrong kind"),
        ("STATIC_ROOT = 'a\\0b'", "STATIC_ROOT is of the wrong kind"),
        (
            "STATICFILES_FINDERS = 3",
            "STATICFILES_FINDERS is of the wrong kind: the static files cannot be collected",
        ),
        # What filling fails on was lost: «STATIC_ROOT is not set, and --fill-settings is off».
        ("STORAGES = {'staticfiles': 3}", "STORAGES is of the wrong kind"),
    ],
)
def test_collect_names_a_setting_of_a_wrong_kind(tmp_path: Path, setting: str, what: str) -> None:
    project = write_project(tmp_path, settings=f"{setting}\n")
    head = f"error: {what}\n  pages/settings.py:{LINE}\n"
    assert _error(project, "collect").startswith(head)


@pytest.mark.parametrize(
    "options", ["'NAME': 3", "'NAME': 'x', 'OPTIONS': 3", "'NAME': 'x', 'CONN_MAX_AGE': 'x'"]
)
def test_migrate_names_the_database_whose_settings_a_driver_does_not_take(
    tmp_path: Path, options: str
) -> None:
    database = f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', {options}}}}}\n"
    lines = _error(write_project(tmp_path, settings=database), "migrate").splitlines()
    assert lines[0] == "error: Django does not accept the database's settings"
    assert lines[1] == f"  `default` in DATABASES, pages/settings.py:{LINE}"
    assert lines[2].startswith("  TypeError: ")
    assert lines[-1] == "hint: correct what DATABASES says of `default`"


def test_migrate_names_a_setting_of_a_wrong_kind(tmp_path: Path) -> None:
    database = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}\n"
    error = _error(write_project(tmp_path, settings=f"CACHES = []\n{database}"), "migrate")
    head = (
        f"error: CACHES is of the wrong kind: the migrations cannot be applied\n  pages/settings.py:{LINE}\n"
    )
    assert error.startswith(head)


@pytest.mark.parametrize(
    ("setting", "head"),
    [
        ("STATICFILES_DIRS = 5", "STATICFILES_DIRS is of the wrong kind"),
        ("CACHES = []", "CACHES is of the wrong kind"),
        ("STATICFILES_FINDERS = ['no.Such']", "the static files cannot be collected"),
    ],
)
def test_what_up_asks_the_project_is_answered_with_the_setting(
    tmp_path: Path, setting: str, head: str
) -> None:
    database = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
    project = write_project(tmp_path, settings=f"{setting}\n{database}")
    application = {"directory": str(project), "settings": "pages.settings", "apps": []}
    request = {"application": application, "static_root": str(tmp_path / "s"), "debug": None, "fills": True}
    (tmp_path / "request").write_text(json.dumps(request))
    probe = [
        sys.executable,
        "-m",
        "nuages.runtime.probe",
        str(tmp_path / "request"),
        str(tmp_path / "answer"),
    ]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    error = json.loads((tmp_path / "answer").read_text())["error"]
    assert error["what"] == head
    assert all(error[part] for part in ("where", "why", "hint"))
