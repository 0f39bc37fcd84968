"""Projects that cannot be served: what is said, from the first line that is the user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.process.harness import WSGI, serving, write_project


def refused(project: Path, *arguments: str, status: int = 3, **keywords: str) -> str:
    with serving(project, "--workers", "1", *arguments, **keywords) as server:  # type: ignore[arg-type]
        assert server.wait() == status, server.said
        lines = server.error().replace(str(project), "PROJECT").splitlines()
    # Newer Pythons underline the place with carets.
    return "\n".join(line for line in lines if not line.strip() or set(line.strip()) - set("^~"))


def test_settings_that_fail(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="def port():\n    return int('many')\n\n\nPORT = port()\n")
    assert refused(project) == (
        "error: the settings module pages.settings cannot be loaded\n"
        "  pages/settings.py:9\n"
        "  Traceback (most recent call last):\n"
        '    File "PROJECT/pages/settings.py", line 12, in <module>\n'
        "      PORT = port()\n"
        '    File "PROJECT/pages/settings.py", line 9, in port\n'
        "      return int('many')\n"
        "  ValueError: invalid literal for int() with base 10: 'many'\n"
        "\n"
        "hint: correct the line that the traceback ends with; `python manage.py check` shows the same"
    )


def test_a_missing_settings_module(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    said = refused(project, settings="pages.production")
    assert said == (
        "error: there is no settings module pages.production\n"
        "  pages/wsgi.py:6\n"
        "  ModuleNotFoundError: No module named 'pages.production'\n"
        "\n"
        "hint: name the right one with --settings MODULE, or set DJANGO_SETTINGS_MODULE"
    )


def test_a_place_that_may_not_be_written(tmp_path: Path) -> None:
    """The log file of LOGGING, and a root file system that is read-only; made up, since root may write anywhere."""
    log = (
        "import errno, os\ntry:\n    raise OSError(errno.EROFS, os.strerror(errno.EROFS), '/srv/shop.log')\n"
        "except OSError as error:\n    raise ValueError(\"Unable to configure handler 'file'\") from error\n"
    )
    said = refused(write_project(tmp_path, settings=log))
    assert said.startswith(
        "error: the settings module pages.settings cannot be loaded: /srv/shop.log may not be opened\n"
        "  pages/settings.py:12\n"
    )
    assert said.endswith(
        f"hint: give user {os.geteuid()} that place: a volume in a container, chown elsewhere; "
        "or have the settings name one below /tmp"
    )


def test_a_missing_package(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="import environ_that_is_not_there\n")
    assert refused(project) == (
        "error: the project needs the module environ_that_is_not_there, which is not installed here\n"
        "  pages/settings.py:8\n"
        "  Traceback (most recent call last):\n"
        '    File "PROJECT/pages/settings.py", line 8, in <module>\n'
        "      import environ_that_is_not_there\n"
        "  ModuleNotFoundError: No module named 'environ_that_is_not_there'\n"
        "\n"
        "hint: add the package that provides environ_that_is_not_there to the project's dependencies and lock, "
        "and install them"
    )


def test_a_submodule_that_was_not_cloned(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="INSTALLED_APPS += ['house_style.django']\n")
    (project / "house_style").mkdir()
    said = refused(project)
    assert said.startswith("error: the folder house_style is empty in the project\n")
    assert said.endswith(
        "hint: fill it: `git submodule update --init`, if it is a submodule that was not cloned too"
    )


def test_a_syntax_error(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path, settings="A = (\n"))
    assert said.startswith(
        "error: the settings module pages.settings cannot be loaded\n  pages/settings.py:8\n"
    )
    assert "SyntaxError: '(' was never closed" in said
    assert "Traceback" not in said


def test_settings_that_django_does_not_accept(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path, settings="INSTALLED_APPS *= 2\n"))
    assert said.startswith("error: Django does not accept the settings\n")
    assert "ImproperlyConfigured: Application labels aren't unique, duplicates: contenttypes" in said


@pytest.mark.parametrize(
    ("engine", "packages", "package"),
    [
        ("mysql", ("MySQLdb",), "mysqlclient"),
        ("postgresql", ("psycopg", "psycopg2"), "psycopg[binary]"),
    ],
)
def test_a_database_whose_driver_is_not_installed(
    tmp_path: Path, engine: str, packages: tuple[str, ...], package: str
) -> None:
    absent = f"import sys\nsys.modules.update(dict.fromkeys({packages}))\nINSTALLED_APPS += ['django.contrib.auth']\n"
    database = f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.{engine}', 'NAME': 'shop'}}}}\n"
    said = refused(write_project(tmp_path, settings=absent + database))
    assert said.startswith("error: the database's driver is not installed here\n")
    assert "Error loading " in said
    assert said.endswith(f"hint: add {package} to the project's dependencies and lock, and install them")


def test_an_entry_module_that_fails(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path, wsgi=WSGI + "\nraise RuntimeError('no licence')\n"))
    assert said.startswith("error: the entry module pages.wsgi cannot be loaded\n  pages/wsgi.py:8\n")
    assert "RuntimeError: no licence" in said


def test_an_entry_module_without_its_attribute(tmp_path: Path) -> None:
    assert refused(write_project(tmp_path), app="pages.wsgi:app") == (
        "error: pages.wsgi has no app\n"
        "  --app pages.wsgi:app\n"
        "  PROJECT/pages/wsgi.py was imported, but nothing in it has this name\n"
        "\n"
        "hint: name it with --app pages.wsgi:NAME; startproject calls it application"
    )


def test_an_entry_module_that_is_not_there(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path), app="pages.asgi:application")
    assert said.startswith("error: there is no module pages.asgi\n")


@pytest.mark.parametrize(
    ("urls", "why"),
    [
        ("from pages import nothing\n", "ImportError: cannot import name 'nothing' from 'pages'"),
        # Which is no attribute that a resolver lacks: it was «ready», and every page a 500.
        ("QUEUE = None\nQUEUE.split('/')\n", "AttributeError: 'NoneType' object has no attribute 'split'"),
    ],
)
def test_urls_that_fail(tmp_path: Path, urls: str, why: str) -> None:
    said = refused(write_project(tmp_path, urls=urls))
    assert said.startswith("error: the project's URLs and middleware cannot be loaded\n  pages/urls.py:")
    assert why in said


def test_middleware_that_is_not_there(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path, settings='MIDDLEWARE = ["pages.middleware.Gone"]\n'))
    assert "No module named 'pages.middleware'" in said
    assert said.startswith("error: ")


def test_settings_that_end_the_process(tmp_path: Path) -> None:
    said = refused(write_project(tmp_path, settings='import sys\nsys.exit("set the licence key")\n'))
    assert said.startswith("error: the project ended itself while")
    assert "SystemExit: set the licence key" in said


def test_debug_is_refused_with_its_line_and_may_be_overridden(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="DEBUG = True  # for now\n")
    assert refused(project, status=1) == (
        "error: DEBUG is on\n"
        "  pages/settings.py:8: DEBUG = True  # for now\n"
        "  with DEBUG on, errors show settings and source to every visitor, and memory grows with every query\n"
        "\n"
        "hint: set DEBUG = False in production settings; --debug off overrides it for this run, --debug on allows it"
    )
    for choice in ("off", "on"):
        with serving(project, "--workers", "1", "--debug", choice) as server:
            assert server.get("/") == "hello"


@pytest.mark.parametrize("choice", ["on", "off"])
def test_what_is_filled_in_is_said_and_can_be_turned_off(tmp_path: Path, choice: str) -> None:
    database = '{"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}'
    view = (
        "def age(request):\n    from django.conf import settings\n"
        "    return HttpResponse(str(settings.DATABASES['default'].get('CONN_MAX_AGE')))\n\n\n"
        "urlpatterns.append(path('age/', age))\n"
    )
    project = write_project(tmp_path, settings=f"DATABASES = {database}\n", urls=view)
    with serving(project, "--workers", "1", "--fill-settings", choice) as server:
        assert server.get("/age/") == ("60" if choice == "on" else "0")
        server.stop()  # what a worker said has arrived when the server has ended
        assert ("CONN_MAX_AGE = 60" in server.said) is (choice == "on")


def test_every_missing_variable_is_named_at_once(tmp_path: Path) -> None:
    settings = "import os\nFIRST = os.environ['SHOP_FIRST']\nSECOND = os.environ['SHOP_SECOND']\n"
    assert refused(write_project(tmp_path, settings=settings)) == (
        "error: 2 variables that the settings need are not set\n"
        "  SHOP_FIRST   pages/settings.py:9  (text)\n"
        "  SHOP_SECOND  pages/settings.py:10  (text)\n"
        "  without them the settings cannot be loaded\n"
        "\n"
        "hint: set them in its environment: SHOP_FIRST=… SHOP_SECOND=… nuages serve"
    )


def test_a_none_that_an_unset_variable_left_is_traced_to_it(tmp_path: Path) -> None:
    settings = (
        "import os\nfrom urllib.parse import urlsplit\nCACHE = os.environ.get('SHOP_CACHE')\n"
        "HOST = urlsplit(CACHE).hostname.lower()\n"
    )
    assert refused(write_project(tmp_path, settings=settings)).endswith(
        "hint: set SHOP_CACHE, which pages/settings.py:10 reads without a default; or correct the line that the "
        "traceback ends with; `python manage.py check` shows the same"
    )
