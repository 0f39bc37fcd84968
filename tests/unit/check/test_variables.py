"""The variables of the settings as a table and as an env file, whole; the file is one that --env-file reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages import cli
from nuages.environment.variables import parse_env_file

SETTINGS = """
import environ
import os

env = environ.Env()
SECRET_KEY = env("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("HOSTS", default=["shop.example.org", "example.org"])
DATABASES = {"default": env.db("DATABASE_URL")}
THREADS = int(os.environ.get("THREADS", "4"))
PLACE = os.environ.get("PLACE", os.path.join("a", "b"))
TOKEN = os.environ.get("MAIL_TOKEN", "x" * 3)
if not DEBUG:
    SENTRY = os.environ.get("SENTRY_DSN")
ROOT_URLCONF = "shop.urls"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "settings.py").write_text(SETTINGS)
    (tmp_path / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
    )
    (tmp_path / "requirements.txt").write_text("Django==5.2\n")
    return tmp_path


def test_the_table_names_kind_need_default_and_place(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(project), "--env"]) == 0
    assert capsys.readouterr().out == (
        "VARIABLE      KIND     NEEDED             DEFAULT                       READ AT              BY\n"
        "SECRET_KEY    secret   required                                         shop/settings.py:6   django-environ\n"
        "DATABASE_URL  url      required                                         shop/settings.py:9   django-environ\n"
        "DEBUG         bool                        False                         shop/settings.py:7   django-environ\n"
        "HOSTS         hosts                       shop.example.org,example.org  shop/settings.py:8   django-environ\n"
        "THREADS       integer                     4                             shop/settings.py:10  os.environ\n"
        "PLACE         text                        os.path.join('a', 'b')        shop/settings.py:11  os.environ\n"
        "MAIL_TOKEN    secret                                                    shop/settings.py:12  os.environ\n"
        "SENTRY_DSN    secret   read if not DEBUG                                shop/settings.py:14  os.environ\n"
    )


def test_a_default_is_one_that_the_settings_can_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(settings.read_text() + "SHOWN = bool(int(os.getenv('SHOWN', False)))\n")
    cli.main(["check", str(project), "--env-template"])
    assert "#SHOWN=0\n" in capsys.readouterr().out


def test_the_template_can_be_filled_in_and_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(project), "--env-template"]) == 0
    text = capsys.readouterr().out
    assert text == (
        "# What shop.settings reads from the environment. Keep it out of the repository and of the image.\n"
        "\n"
        "# Required\n"
        "# secret, shop/settings.py:6\n"
        "SECRET_KEY=\n"
        "# URL, shop/settings.py:9\n"
        "DATABASE_URL=\n"
        "\n"
        "# Optional, with the defaults\n"
        "# True or False, shop/settings.py:7\n"
        "#DEBUG=False\n"
        "# host names with commas between them, shop/settings.py:8\n"
        "#HOSTS=shop.example.org,example.org\n"
        "# number, shop/settings.py:10\n"
        "#THREADS=4\n"
        "# text, shop/settings.py:11, default: os.path.join('a', 'b')\n"
        "#PLACE=\n"
        "# secret, shop/settings.py:12\n"
        "#MAIL_TOKEN=\n"
        "# secret, shop/settings.py:14, if not DEBUG\n"
        "#SENTRY_DSN=\n"
    )
    assert parse_env_file(text, "template") == {"SECRET_KEY": "", "DATABASE_URL": ""}
    filled = text.replace("#DEBUG", "DEBUG").replace("#HOSTS", "HOSTS")
    assert parse_env_file(filled, "template")["HOSTS"] == "shop.example.org,example.org"


def test_one_host_name_is_not_asked_for_with_commas(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = project / "shop" / "settings.py"
    settings.write_text(SETTINGS + 'DOMAIN = env("SHOP_DOMAIN")\n')
    assert cli.main(["check", str(project), "--env-template"]) == 0
    assert "# host name, shop/settings.py:16\nSHOP_DOMAIN=\n" in capsys.readouterr().out
