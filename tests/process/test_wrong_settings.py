"""Settings of a wrong kind: `serve`, `collect` and `migrate` name the setting and its line, and no frame of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.process.harness import SETTINGS, serving, write_project

LINE = len(SETTINGS.splitlines()) + 1
FRAMES = "django.middleware.clickjacking.XFrameOptionsMiddleware"
ADMIN = "INSTALLED_APPS += ['django.contrib.' + name for name in ('admin', 'auth', 'messages')]\n"


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
        "ROOT_URLCONF = None",
        # It served these, and answered 500 to every page, or to those with a template.
        "ALLOWED_HOSTS = [5]",
        f"TEMPLATES = {{'BACKEND': 'django.template.backends.django.DjangoTemplates'}}\n{ADMIN}",
        f"X_FRAME_OPTIONS = None\nMIDDLEWARE = ['{FRAMES}']",
        f"AUTHENTICATION_BACKENDS = 'django.contrib.auth.backends.ModelBackend'\n{ADMIN}",
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
        ("ROOT_URLCONF = 'no.such'", "the project needs the module no, which is not installed here"),
        (
            "TEMPLATES = [{'BACKEND': 'no.Engine'}]",
            "the project needs the module no, which is not installed here",
        ),
        ("TEMPLATES = [{'APP_DIRS': True}]", "Django does not accept the settings"),
        (
            "SESSION_SERIALIZER = 'django.core.signing.NoSuch'",
            "what the project's middleware needs cannot be loaded",
        ),
        ("SECRET_KEY = ''", "SECRET_KEY is empty"),
        # It started, and whoever logged in got a 500.
        (
            "AUTHENTICATION_BACKENDS = ['no.such.Backend']",
            "the project needs the module no, which is not installed here",
        ),
        (
            "AUTHENTICATION_BACKENDS = ['django.contrib.auth.backends.ModelBackend', 'django.contrib.auth.Such']",
            "the authentication backends cannot be loaded",
        ),
    ],
)
def test_serve_names_a_setting_that_every_page_would_fail_on(tmp_path: Path, setting: str, what: str) -> None:
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    project = write_project(tmp_path, settings=f"{setting}\nMIDDLEWARE = {middleware}\n{ADMIN}")
    with serving(project, "--workers", "1") as server:
        error = server.error()
        assert server.wait() == 3
    assert error.startswith(f"error: {what}\n  pages/settings.py:{LINE}\n")
    assert "src/nuages" not in error


def test_serve_names_the_line_of_a_tag_library_that_no_template_engine_loads(tmp_path: Path) -> None:
    project = write_project(
        tmp_path,
        settings="INSTALLED_APPS += ['pages']\n"
        f"TEMPLATES = [{{'BACKEND': 'django.template.backends.django.DjangoTemplates'}}]\n{ADMIN}",
    )
    tags = project / "pages" / "templatetags"
    tags.mkdir()
    (tags / "__init__.py").touch()
    (tags / "prices.py").write_text("\nimport no_such_package\n")
    with serving(project, "--workers", "1") as server:
        error = server.error()
        assert server.wait() == 3
    head = "error: the project needs the module no_such_package, which is not installed here\n"
    assert error.startswith(f"{head}  pages/templatetags/prices.py:2\n")


def test_serve_warns_of_template_engines_that_an_api_without_the_admin_may_never_use(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="TEMPLATES = [{'BACKEND': 'no.Engine'}]\n")
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        said = "\n".join(event["text"] for event in server.found("warning"))
        assert "views with a template fail: the project needs the module no" in said
        assert f"pages/settings.py:{LINE}" in said
        assert server.get("/") == "hello"


def test_serve_warns_of_authentication_backends_where_nobody_may_ever_log_in(tmp_path: Path) -> None:
    apps = "INSTALLED_APPS += ['django.contrib.auth']\n"
    project = write_project(tmp_path, settings=f"AUTHENTICATION_BACKENDS = ['no.such.Backend']\n{apps}")
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        said = "\n".join(event["text"] for event in server.found("warning"))
        assert "nobody can log in: the project needs the module no" in said
        assert f"pages/settings.py:{LINE}" in said
        assert server.get("/") == "hello"


@pytest.mark.parametrize(
    "setting",
    [
        "ALLOWED_HOSTS = [None, '', '*']",
        "SECRET_KEY = ''",
        # Nobody reads them in this project.
        "X_FRAME_OPTIONS = None",
        "AUTHENTICATION_BACKENDS = ['no.such.Backend']",
    ],
)
def test_serve_takes_what_no_page_fails_on(tmp_path: Path, setting: str) -> None:
    with serving(write_project(tmp_path, settings=f"{setting}\n"), "--workers", "1") as server:
        server.wait_for("ready")
        assert server.get("/") == "hello"


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
        ("STATICFILES_FINDERS = ['no.Such']", "the static files cannot be collected"),
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
    error = _asked(tmp_path, setting)["error"]
    assert error["what"] == head
    assert all(error[part] for part in ("where", "why", "hint"))


@pytest.mark.parametrize(
    ("setting", "head"),
    [
        ("ROOT_URLCONF = 3", "ROOT_URLCONF is of the wrong kind"),
        ("ROOT_URLCONF = 'no.such'", "the project needs the module no, which is not installed here"),
        ("SILENCED_SYSTEM_CHECKS = []", ""),
    ],
)
def test_what_migrate_fails_on_before_it_begins_is_told_by_its_setting(
    tmp_path: Path, setting: str, head: str
) -> None:
    assert "error" not in _asked(tmp_path, setting)
    answer = _asked(tmp_path, setting, checks=True)
    error = answer.get("error", {"what": "", "where": ""})
    assert (error["what"], error["where"]) == (head, f"pages/settings.py:{LINE}" if head else "")


def _asked(folder: Path, setting: str, **more: bool) -> dict[str, Any]:
    """Return what a project with a setting answers to what `up` asks it."""
    database = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
    project = write_project(folder, settings=f"{setting}\n{database}")
    application = {"directory": str(project), "settings": "pages.settings", "apps": []}
    request = {
        "application": application, "static_root": str(folder / "s"), "debug": None, "fills": True, "word": "serve",
        "parent": os.getpid(), "patience": 60.0,
    }  # fmt: skip
    asked, answered, stack = folder / "request", folder / "answer", folder / "stack"
    asked.write_text(json.dumps({**request, **more}))
    probe = [sys.executable, "-m", "nuages.runtime.probe", str(asked), str(answered), str(stack)]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(answered.read_text())
    return answer
