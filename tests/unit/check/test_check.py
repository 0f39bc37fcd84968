"""The command `check`: facts and findings as text and JSON, its exit code, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nuages import cli

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
GOOD = """import os

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["shop.example.org"]
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "CONN_MAX_AGE": 60}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "settings.py").write_text(GOOD)
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "requirements.txt").write_text("Django==5.2\n")
    (tmp_path / ".python-version").write_text("3.13\n")
    return tmp_path


def test_a_project_without_errors_is_told_and_ends_with_0(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(project)]) == 0
    first, rest = capsys.readouterr().out.split("\n", 1)
    assert first.split() == ["project", str(project), "."]
    width = first.index(".", first.index(str(project)) + len(str(project)))
    rows = [
        (line[:14].strip(), line[14:width].strip(), line[width:])
        for line in rest.split("\n\n")[0].splitlines()
    ]
    assert rows == [
        ("manage.py", "manage.py", "manage.py"),
        ("settings", "shop.settings", "manage.py:2"),
        ("python", "==3.13.*", ".python-version:1"),
        ("django", "5.2", "requirements.txt:1"),
        ("dependencies", "requirements.txt", "requirements.txt"),
        ("database", "default: postgresql", "shop/settings.py:6"),
        ("variables", "1 read, 1 required", "nuages check --env"),
    ]
    assert rest.split("\n\n", 1)[1] == (
        "notice N007: the settings do not load without SECRET_KEY\n"
        "  shop/settings.py:3\n"
        "  at build time nuages gives stand-ins, at run time you must give them\n"
        "  fix: nuages check --env-template > .env, fill in what is empty, and start with --env-file .env\n"
        "\n"
        "notice N034: kept connections of the database 'default' are not checked\n"
        "  shop/settings.py:6\n"
        "  after a fail-over each thread answers one request with an error; nuages checks them here\n"
        '  fix: DATABASES["default"]["CONN_HEALTH_CHECKS"] = True\n'
        "\n"
        "2 notices\n"
    )


def test_errors_end_with_1_and_json_has_every_field(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "shop" / "settings.py").write_text(GOOD + "DEBUG = True\n")
    assert cli.main(["check", str(project), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["project"]["settings"] == {"value": "shop.settings", "origin": "manage.py:2"}
    assert answer["findings"][0] == {
        "id": "N001",
        "severity": "error",
        "what": "DEBUG is on in production",
        "where": ["shop/settings.py:7"],
        "why": "there stands: DEBUG = True\nevery error page shows settings, source and local variables",
        "fix": 'DEBUG = os.environ.get("DEBUG") == "1"',
    }


def test_what_is_ignored_is_left_out_and_does_not_count(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "shop" / "settings.py").write_text(GOOD + "DEBUG = True\n")
    arguments = ["--ignore", "N001", "--ignore", "N007", "--ignore", "N034"]
    assert cli.main(["check", str(project), *arguments]) == 0
    assert capsys.readouterr().out.endswith("\n\nnothing to mend\n")


def test_an_id_that_there_is_not_is_wrong_usage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(project), "--ignore", "N999"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no finding N999\n"
        "  given by --ignore\n"
        "  they go from N001 to N089\n"
        "\n"
        "hint: docs/findings.md lists them\n"
    )


@pytest.mark.parametrize(("name", "value"), [("python", "9.9"), ("home", "/nowhere")])
def test_what_only_counts_when_the_project_is_run_is_not_ignored(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert cli.main(["check", str(project), f"--{name}", value]) == 2
    assert capsys.readouterr().err == (
        f"error: --{name} does nothing without --run\n"
        "  given on the command line\n"
        "  check only reads; with --run Django's checks run in a private environment\n"
        "\n"
        f"hint: nuages check --run --{name} {value}, or leave it out\n"
    )
    monkeypatch.setenv(f"NUAGES_{name.upper()}", value)  # for all commands
    assert cli.main(["check", str(project)]) == 0


def test_the_same_project_is_told_in_the_same_words_twice(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for _ in range(2):
        cli.main(["check", str(project), "--json"])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_check_writes_nothing_into_the_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(str(path) for path in project.rglob("*"))
    cli.main(["check", str(project)])
    capsys.readouterr()
    assert sorted(str(path) for path in project.rglob("*")) == before


def test_a_secret_key_that_is_only_set_from_a_variable_that_is_given_is_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = 'SECRET_KEY = os.environ["SECRET_KEY"]'
    (project / "shop" / "settings.py").write_text(
        GOOD.replace(whole, f'if "SECRET_KEY" in os.environ:\n    {whole}')
    )
    assert cli.main(["check", str(project)]) == 0
    out = capsys.readouterr().out
    assert "notice N007: the settings do not load without SECRET_KEY\n  shop/settings.py:3\n" in out
    assert "N009" not in out


@pytest.mark.parametrize("error", ["KeyError", "Exception"])
def test_a_secret_key_that_is_read_in_a_try_which_raises_again_is_not_said_to_be_set_nowhere(
    project: Path, capsys: pytest.CaptureFixture[str], error: str
) -> None:
    whole = 'SECRET_KEY = os.environ["SECRET_KEY"]'
    again = f"try:\n    {whole}\nexcept {error}:\n    raise RuntimeError('SECRET_KEY is not set') from None"
    (project / "shop" / "settings.py").write_text(GOOD.replace(whole, again))
    assert cli.main(["check", str(project)]) == 0
    out = capsys.readouterr().out
    assert "notice N007: the settings do not load without SECRET_KEY\n" in out
    assert "N009" not in out


def test_settings_whose_only_secret_key_may_be_in_a_file_that_is_not_here_are_told_so(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What `wagtail start` writes: the key is in dev.py, and production.py imports local.py, which git ignores.
    whole = 'SECRET_KEY = os.environ["SECRET_KEY"]'
    local = "try:\n    from .local import *\nexcept ImportError:\n    pass\n"
    (project / "shop" / "settings.py").write_text(GOOD.replace(whole, "") + local)
    assert cli.main(["check", str(project)]) == 1
    out = capsys.readouterr().out
    assert "error N009: SECRET_KEY is not set: Django does not start\n" in out
    assert "loads says otherwise: it is not among these files\n" in out
    (project / "shop" / "settings.py").write_text(GOOD.replace(whole, "from company.settings import *"))
    assert cli.main(["check", str(project)]) == 0
    assert "N009" not in capsys.readouterr().out


_COMPILED = "# This file is autogenerated by pip-compile\nDjango==5.2\nipdb==0.13.13\n"


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        (
            {"requirements/production.txt": "Django==5.2\nipdb==0.13.13\n"},
            "move it to requirements/dev.txt, with `-r production.txt` as its first line",
        ),
        (
            {"requirements.txt": _COMPILED, "requirements.in": "Django\nipdb\n"},
            "move it to requirements-dev.in, with `-r requirements.in` as its first line, and compile both",
        ),
        (
            {"requirements.txt": _COMPILED},
            "move it to the development dependencies of what requirements.txt is made from, and make it again",
        ),
        (
            {
                "setup.py": "from setuptools import setup\nsetup(install_requires=['Django==5.2', 'ipdb==0.13.13'])\n"
            },
            "move it to an extra called dev: extras_require in setup.py",
        ),
    ],
)
def test_development_tools_go_where_they_are_not_installed_in_production(
    project: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], fix: str
) -> None:
    (project / "requirements.txt").unlink()
    for name, text in files.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    assert cli.main(["check", str(project)]) == 0
    assert f"fix: {fix}\n" in capsys.readouterr().out


def test_the_secret_of_another_service_does_not_stand_for_a_secret_key_that_nothing_sets(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = 'SECRET_KEY = os.environ["SECRET_KEY"]'
    (project / "shop" / "settings.py").write_text(
        GOOD.replace(whole, 'STRIPE_SECRET_KEY = os.environ["STRIPE_SECRET_KEY"]')
    )
    assert cli.main(["check", str(project)]) == 1
    assert "error N009: SECRET_KEY is not set: Django does not start\n" in capsys.readouterr().out


def test_the_variable_that_chooses_a_file_in_which_debug_is_off_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(
        f"{GOOD}from split_settings.tools import include\ninclude(f\"{{os.environ.get('STAGE', 'dev')}}.py\")\n"
    )
    (project / "shop" / "dev.py").write_text("DEBUG = True\n")
    (project / "shop" / "live.py").write_text("DEBUG = False\n")
    cli.main(["check", str(project)])
    assert (
        "warning N002: DEBUG is on unless STAGE turns it off\n"
        "  shop/settings.py:8\n"
        "  who forgets STAGE shows everybody settings and source\n"
        "  fix: set STAGE=live wherever it runs\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hosts", "is_found"),
    [
        ("", True),
        ("ALLOWED_HOSTS = []\n", True),
        ("if DEBUG:\n    ALLOWED_HOSTS = ['*']\n", True),
        ("ALLOWED_HOSTS = []\nif DEBUG:\n    ALLOWED_HOSTS += ['localhost']\n", True),
        ("if hosts := os.environ.get('ALLOWED_HOSTS'):\n    ALLOWED_HOSTS = hosts.split(',')\n", False),
        (
            "ALLOWED_HOSTS = []\nhost = os.environ.get('NAME')\nif host:\n    ALLOWED_HOSTS.append(host)\n",
            False,
        ),
        (
            "ALLOWED_HOSTS = []\nif 'NAMES' in os.environ:\n    ALLOWED_HOSTS += os.environ['NAMES'].split(',')\n",
            False,
        ),
    ],
)
def test_hosts_that_come_where_a_variable_names_them_are_not_said_to_be_missing(
    project: Path, capsys: pytest.CaptureFixture[str], hosts: str, is_found: bool
) -> None:
    settings = GOOD.replace('ALLOWED_HOSTS = ["shop.example.org"]\n', f"DEBUG = False\n{hosts}")
    (project / "shop" / "settings.py").write_text(settings)
    cli.main(["check", str(project)])
    assert ("N003" in capsys.readouterr().out) == is_found


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("from framework.conf.base import *\n", True),
        ("from framework.conf.base import *\nMEDIA_ROOT = '/srv/media'\n", False),
        ("from framework.conf import something\n", False),
        ("from django.conf.global_settings import *\n", False),
        ("from signal import *\n", False),
        ("from shop.base import *\n", False),
        ("from .base import *\n", False),
    ],
)
def test_settings_of_an_installed_package_are_said_not_to_be_read(
    project: Path, capsys: pytest.CaptureFixture[str], line: str, is_found: bool
) -> None:
    (project / "shop" / "base.py").write_text("A = 1\n")
    (project / "shop" / "settings.py").write_text(line + GOOD)
    cli.main(["check", str(project)])
    assert ("N066" in capsys.readouterr().out) == is_found
