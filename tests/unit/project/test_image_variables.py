"""Which ENV of the project's own Dockerfile is taken, which is left, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.environment.variables import fill
from nuages.project.image_variables import why_left
from nuages.project.model import Project
from nuages.project.scan import examine

Shop = Callable[..., Path]
IMAGE = "FROM python:3.13\nWORKDIR /srv/app\nCOPY . .\n"
READS = """
import os
SECRET_KEY = "x"
INSTALLED_APPS = []
ROOT_URLCONF = "shop.urls"
DEBUG = os.environ.get("STAGE", "dev") != "live"
MEDIA_ROOT = os.environ.get("MEDIA", "media")
CURRENCY = os.environ["CURRENCY"]
"""


def found(root: Path, environ: dict[str, str] | None = None) -> Project:
    return examine(root, environ=environ or {})


def taken(project: Project) -> dict[str, str]:
    return {each.name: each.value for each in project.hints.taken}


def left(project: Project) -> dict[str, str]:
    return {each.name: each.left for each in project.hints.variables if each.left}


def test_the_image_that_runs_counts_and_the_stages_it_is_made_from(shop: Shop) -> None:
    text = """
    ARG STAGE=live
    FROM python:3.13 AS base
    ENV DJANGO_CONFIGURATION=Production TZ="Europe/Berlin"
    FROM node:24 AS front
    ENV NODE_ENV=production
    FROM base AS final
    ARG STAGE
    ENV STAGE=$STAGE \\
        # why
        TZ=UTC
    FROM final AS dev
    ENV STAGE=dev
    """
    project = found(shop({"Dockerfile": text}))

    assert taken(project) == {"DJANGO_CONFIGURATION": "Production", "TZ": "UTC", "STAGE": "live"}
    assert {each.name: str(each.origin) for each in project.hints.taken} == {
        "DJANGO_CONFIGURATION": "Dockerfile:3", "TZ": "Dockerfile:8", "STAGE": "Dockerfile:8",
    }  # fmt: skip


def test_secrets_and_what_only_a_build_tells_are_left_without_their_values(shop: Shop) -> None:
    env = "ARG SHA\nENV RELEASE=$SHA DJANGO_SECRET_KEY=dummy DB_PASSWORD= CACHE=redis://:hush@cache/1 CURRENCY=EUR\n"
    project = found(shop({"Dockerfile": IMAGE + env}))

    assert taken(project) == {"CURRENCY": "EUR"}
    assert set(left(project)) == {"RELEASE", "DJANGO_SECRET_KEY", "DB_PASSWORD", "CACHE"}
    assert {each.value for each in project.hints.variables if each.left} == {""}
    assert project.hints.notes == (
        "Dockerfile sets CURRENCY: so it is here",
        "Dockerfile sets RELEASE: left out, for only a build of it tells the value",
        "Dockerfile sets DJANGO_SECRET_KEY, DB_PASSWORD, CACHE: left out, for secrets are given where it runs, and "
        "stand in no image",
    )


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "PIP_NO_CACHE_DIR",
        "POETRY_HOME",
        "UV_LINK_MODE",
        "VIRTUAL_ENV",
        "LANG",
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "DEBIAN_FRONTEND",
        "HOME",
        "http_proxy",
        "PORT",
        "WEB_CONCURRENCY",
        "GUNICORN_CMD_ARGS",
        "NUAGES_BIND",
        "DJANGO_SETTINGS_MODULE",
        "FORWARDED_ALLOW_IPS",
        "AWS_SECRET_ACCESS_KEY",
    ],
)  # fmt: skip
def test_what_nuages_sets_itself_is_left(name: str) -> None:
    assert why_left(name)


@pytest.mark.parametrize(
    "name",
    [
        "TZ",
        "DJANGO_ENV",
        "APP_HOME",
        "MAGICK_HOME",
        "MALLOC_ARENA_MAX",
        "NODE_ENV",
        "UVULA",
        "PORTAL",
        "HOMEPAGE",
        "LANGUAGE_CODE",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(name: str) -> None:
    assert why_left(name) == ""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("/srv/app", "{project}"),
        ("/srv/app/", "{project}/"),
        ("/srv/app/shop/settings.py", "{project}/shop/settings.py"),
        ("/srv/app/shop:/usr/share/x", "{project}/shop:/usr/share/x"),
        ("sqlite:////srv/app/shop", "sqlite:///{project}/shop"),
        ("/usr", "/usr"),
        ("/usr/bin/chromium", "/usr/bin/chromium"),
        ("/tmp/cache", "/tmp/cache"),
        ("shop/data", "shop/data"),
        ("https://example.com/srv/app", "https://example.com/srv/app"),
        ("/srv/app/.cache", None),  # no file, and nothing tells who writes it
        ("/ms-playwright", None),
        ("/srv/application", None),
        ("/usr/src/other", None),
        ("/usr/lib/libgdal.so.34", None),
        ("sqlite:////data/db.sqlite3", None),
        ("--config=/srv/app/shop", None),
        ("{project}", None),
    ],
)
def test_a_path_is_one_of_the_project_or_of_debian_or_left(shop: Shop, value: str, read: str | None) -> None:
    project = found(shop({"Dockerfile": f"{IMAGE}ENV PLACE={value}\n"}))
    assert taken(project) == ({} if read is None else {"PLACE": read})


def test_a_path_of_a_url_is_no_file(shop: Shop) -> None:
    project = found(
        shop({"Dockerfile": f"{IMAGE}ENV STATIC_URL=/static/ ADMIN_URL=/srv/app/ SCRIPT_NAME=/shop\n"})
    )
    assert taken(project) == {"STATIC_URL": "/static/", "ADMIN_URL": "/srv/app/", "SCRIPT_NAME": "/shop"}


@pytest.mark.parametrize(
    ("image", "value", "read"),
    [
        ("ENV H=/home/app/web\nWORKDIR $H\nCOPY --chown=a:a ./shop .", "$H/settings.py", "{project}/shop/settings.py"),
        ("COPY shop /code/shop\nWORKDIR /code\nCOPY manage.py .", "/code/manage.py", "{project}/manage.py"),
        ("COPY --from=build /app /app\nWORKDIR /app", "/app/shop", "{project}/shop"),
        ("COPY . /code/\nWORKDIR /code/shop", "/code", "{project}"),
        ("ADD . /code\nCOPY shop /code/elsewhere", "/code/elsewhere/wsgi.py", "{project}/shop/wsgi.py"),
        ("COPY . .", "/shop", None),
        ("COPY ./* /code/", "/code/shop", "{project}/shop"),
        ("COPY requirements.txt /tmp/\nWORKDIR /code\nCOPY . .", "/tmp/shop", "/tmp/shop"),
        ("WORKDIR /code\nCOPY . .\nFROM python:3.13\nCOPY --from=0 /code /srv", "/srv/shop", "{project}/shop"),
    ],
)  # fmt: skip
def test_the_project_lies_where_its_folders_are_copied_to(
    shop: Shop, image: str, value: str, read: str | None
) -> None:
    project = found(shop({"Dockerfile": f"FROM python:3.13\n{image}\nENV PLACE={value}\n"}))
    assert taken(project).get("PLACE") == read


def test_a_dockerfile_beside_the_code_is_built_in_its_folder(write: Callable[..., Path], shop: Shop) -> None:
    root = shop()
    for path in ("manage.py", "shop", "requirements.txt"):
        (root / "back").mkdir(exist_ok=True)
        (root / path).rename(root / "back" / path)
    write({"back/Dockerfile": IMAGE + "ENV PLACE=/srv/app/shop\n"})
    assert taken(found(root)) == {"PLACE": "{project}/back/shop"}


def test_the_settings_are_read_with_what_is_taken(shop: Shop) -> None:
    env = "ENV STAGE=live CURRENCY=EUR MEDIA=/srv/app/uploads\n"
    root = shop({"Dockerfile": IMAGE + env, "shop/settings.py": READS})
    project = found(root)
    known = {each.name: each.value for each in project.assignments}

    assert (known["DEBUG"], known["CURRENCY"], known["MEDIA_ROOT"]) == (False, "EUR", "uploads")
    assert taken(project) == {"STAGE": "live", "CURRENCY": "EUR", "MEDIA": "{project}/uploads"}
    currency = next(each for each in project.variables if each.name == "CURRENCY")
    assert (currency.required, str(currency.given), currency.is_missing) == (True, "Dockerfile:4", False)


def test_the_operators_environment_wins(shop: Shop) -> None:
    root = shop({"Dockerfile": f"{IMAGE}ENV STAGE=live CURRENCY=EUR\n", "shop/settings.py": READS})
    project = found(root, {"CURRENCY": "CHF"})

    assert next(each.value for each in project.assignments if each.name == "CURRENCY") == "CHF"
    assert taken(project) == {"STAGE": "live", "CURRENCY": "EUR"}, "the image is the same wherever it is made"


@pytest.mark.parametrize("environ", [{}, {"STAGE": "live"}])
def test_what_turns_debug_on_is_left(shop: Shop, environ: dict[str, str]) -> None:
    root = shop({"Dockerfile": f"{IMAGE}ENV STAGE=dev CURRENCY=EUR\n", "shop/settings.py": READS})
    project = found(root, environ)

    assert taken(project) == {"CURRENCY": "EUR"}
    assert left(project) == {"STAGE": "it turns DEBUG on, or may do so"}
    assert next(each.value for each in project.assignments if each.name == "DEBUG") is False


@pytest.mark.parametrize(("value", "is_taken"), [("0", True), ("False", True), ("1", False), ("yes", False)])
def test_where_reading_does_not_tell_the_word_does(shop: Shop, value: str, is_taken: bool) -> None:
    settings = READS.replace('os.environ.get("STAGE", "dev") != "live"', 'elsewhere(os.environ.get("STAGE"))')
    root = shop({"Dockerfile": f"{IMAGE}ENV STAGE={value} CURRENCY=EUR\n", "shop/settings.py": settings})
    assert ("STAGE" in taken(found(root))) is is_taken


def test_a_dotenv_file_of_this_machine_wins(shop: Shop) -> None:
    settings = f"from dotenv import load_dotenv\nload_dotenv()\n{READS.lstrip()}"
    root = shop({
        "Dockerfile": f"{IMAGE}ENV STAGE=live CURRENCY=EUR\n", "shop/settings.py": settings, ".env": "CURRENCY=CHF\n",
    })  # fmt: skip
    project = found(root)
    currency = next(each for each in project.variables if each.name == "CURRENCY")

    assert next(each.value for each in project.assignments if each.name == "CURRENCY") == "CHF"
    assert str(currency.given) == ".env:1"
    assert taken(project)["CURRENCY"] == "EUR", "no image has a .env file"


def test_what_the_settings_give_themselves_where_nobody_does_does_not_win(shop: Shop) -> None:
    settings = f"import os\nos.environ.setdefault('CURRENCY', 'USD')\n{READS.lstrip()}"
    root = shop({"Dockerfile": f"{IMAGE}ENV CURRENCY=EUR\n", "shop/settings.py": settings})
    project = found(root)

    assert next(each.value for each in project.assignments if each.name == "CURRENCY") == "EUR"
    assert fill(project, {}, {}, {}, secret="").values["CURRENCY"] == "EUR"


def test_folders_of_the_project_on_its_python_path_are_on_ours(shop: Shop) -> None:
    env = "ENV PYTHONPATH=/srv/app:/srv/app/apps:/opt/x:$PYTHONPATH\n"
    project = found(shop({"Dockerfile": IMAGE + env, "apps/cart/models.py": ""}))
    assert project.paths == ("apps",)


def test_the_settings_module_is_chosen_with_what_the_image_has(shop: Shop) -> None:
    manage = (
        "import os\nif os.environ.get('WHICH') == 'live':\n"
        "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.live')\n"
        "else:\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    )
    files = {"shop/live.py": "from shop.settings import *\n", "manage.py": manage, "shop/asgi.py": None,
             "shop/wsgi.py": f"{manage}from django.core.wsgi import get_wsgi_application as g\napplication = g()\n",
             "Dockerfile": IMAGE}  # fmt: skip
    chosen = []
    for env in ("", "ENV WHICH=live\n"):
        project = found(shop({**files, "Dockerfile": IMAGE + env}))
        chosen.append(project.settings.value if project.settings else None)
    assert chosen == ["shop.settings", "shop.live"]


def test_a_dockerfile_of_nuages_is_not_the_projects_own(shop: Shop) -> None:
    text = f"# shop: the production image, written by nuages from the project's own files.\n{IMAGE}ENV A=1\n"
    assert found(shop({"Dockerfile": text})).hints.variables == ()
