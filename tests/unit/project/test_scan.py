from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nuages.errors import NuagesError, Origin, ProjectError
from nuages.project.document import to_json
from nuages.project.scan import examine, scan
from nuages.project.tree import Tree

from .conftest import ASGI, MANAGE, SETTINGS, WSGI

Shop = Callable[..., Path]
Write = Callable[[dict[str, str]], Path]


def test_an_ordinary_project_is_found_whole(shop: Shop) -> None:
    project = scan(shop())
    assert project.directory == "."
    assert project.manage is not None
    assert project.manage.value == "manage.py"
    assert project.settings is not None
    assert (project.settings.value, project.settings.origin) == ("shop.settings", Origin("shop/asgi.py", 3))
    assert [point.path for point in project.serving] == ["shop.asgi:application"]
    assert project.wsgi is not None
    assert project.wsgi.is_standard
    assert project.django is not None
    assert (project.django.value, str(project.django.origin)) == ("5.2.1", "requirements.txt:1")
    assert project.notes == ()
    assert project.problems == ()


def test_a_scan_is_data_that_json_can_hold_and_is_the_same_twice(shop: Shop) -> None:
    root = shop(
        {"shop/settings.py": SETTINGS + "A = {1, 2}\nB = b'x'\nC = 1e999\nD = ...\nE = {1: (2, 3)}\n"}
    )
    assert to_json(scan(root)) == to_json(scan(root))


@pytest.mark.parametrize("folder", ["src", "backend", "apps/api"])
def test_a_project_in_a_folder_below_is_found(folder: str, write: Write) -> None:
    root = write(
        {
            f"{folder}/manage.py": MANAGE.format(settings="shop.settings"),
            f"{folder}/shop/settings.py": SETTINGS,
            f"{folder}/shop/wsgi.py": WSGI.format(settings="shop.settings"),
            "requirements.txt": "Django",
        }
    )
    project = scan(root)
    assert project.directory == folder
    assert project.settings is not None
    assert project.settings.value == "shop.settings"
    assert [point.module for point in project.serving] == ["shop.wsgi"]


def test_packages_in_src_beside_manage_are_found_and_src_is_put_on_the_path(write: Write) -> None:
    root = write(
        {
            "manage.py": MANAGE.format(settings="shop.settings"),
            "src/shop/settings.py": SETTINGS,
            "src/shop/wsgi.py": WSGI.format(settings="shop.settings"),
        }
    )
    project = scan(root)
    assert project.paths == ("src",)
    assert [point.module for point in project.serving] == ["shop.wsgi"]


REUSABLE = {
    "pyproject.toml": "[project]\nname = 'django-wiki'\ndependencies = ['Django>=5.2']\n",
    "src/wiki/__init__.py": "",
    "src/wiki/defaults.py": "ROOT_URLCONF = 'wiki.urls'\n",
    "example/manage.py": MANAGE.format(settings="demo.settings"),
    "example/demo/__init__.py": "",
    "example/demo/settings.py": SETTINGS.replace("[]", "['demo', 'wiki.apps.WikiConfig']"),
    "example/demo/wsgi.py": WSGI.format(settings="demo.settings"),
}


def test_an_example_project_finds_the_application_in_whose_folder_it_lies(write: Write) -> None:
    project = scan(write(REUSABLE))
    assert project.paths == ("src",)
    assert "wiki lies in src, which is put on sys.path" in project.notes


def test_settings_may_be_the_application_s_own_with_a_line_more(write: Write) -> None:
    settings = "from wiki.defaults import *\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['wiki']\n"
    flat = {path.replace("src/", ""): text for path, text in REUSABLE.items()}
    project = scan(write({**flat, "example/demo/settings.py": settings}))
    assert project.paths == (".",)
    assert "wiki/defaults.py" in project.settings_files


def test_an_extra_of_the_example_s_name_is_installed_with_it(write: Write) -> None:
    more = "optional-dependencies = {example = ['sentry-sdk'], other = ['boto3'], src = ['black']}\n"
    found = scan(write({**REUSABLE, "pyproject.toml": REUSABLE["pyproject.toml"] + more})).dependencies
    assert found.extras == ("example",)
    assert found.requirements == ("Django>=5.2", "sentry-sdk")


@pytest.mark.parametrize("line", ["-e ..", "--editable=../", "..[postgres]"])
def test_an_application_that_the_example_s_requirements_install_needs_no_path(
    write: Write, line: str
) -> None:
    project = scan(write({**REUSABLE, "example/requirements.txt": f"Django==5.2\n{line}\n"}))
    assert project.paths == ()


def test_an_application_beside_the_project_s_own_needs_no_path(write: Write) -> None:
    assert scan(write({**REUSABLE, "example/wiki/__init__.py": ""})).paths == ()


def test_one_settings_file_of_two_names_is_a_matter_of_sys_path(write: Write) -> None:
    root = write(
        {
            "manage.py": MANAGE.format(settings="shop.settings"),
            "src/shop/__init__.py": "",
            "src/shop/settings.py": SETTINGS.replace("[]", "['shop']"),
            "src/shop/wsgi.py": WSGI.format(settings="src.shop.settings"),
        }
    )
    project = scan(root)
    assert project.paths == ("src",)
    assert not project.problems


def test_the_project_s_folder_is_put_on_the_path_where_manage_py_is_a_link_to_elsewhere(write: Write) -> None:
    root = write(
        {
            "shop/__init__.py": "",
            "shop/app/__init__.py": "",
            "shop/app/manage.py": MANAGE.format(settings="shop.app.settings"),
            "shop/app/settings.py": SETTINGS,
            "shop/app/wsgi.py": WSGI.format(settings="shop.app.settings"),
        }
    )
    (root / "manage.py").symlink_to("shop/app/manage.py")
    project = scan(root)
    assert project.directory == "."
    assert project.paths == (".",)


@pytest.mark.parametrize(
    "other",
    [
        "tests/manage.py", "docs/manage.py", "examples/one/manage.py", "node_modules/x/manage.py",
        ".venv/lib/django/conf/project_template/manage.py", "{{cookiecutter.slug}}/manage.py", "deep/er/manage.py",
    ],
)  # fmt: skip
def test_another_manage_py_that_is_not_the_project_s_does_not_matter(other: str, shop: Shop) -> None:
    project = scan(shop({other: MANAGE.format(settings="other.settings")}))
    assert project.manage is not None
    assert project.manage.value == "manage.py"


def test_of_two_on_one_level_the_one_beside_dependency_files_is_the_project(write: Write) -> None:
    root = write(
        {
            "one/manage.py": MANAGE.format(settings="a.settings"), "one/a/settings.py": SETTINGS,
            "two/manage.py": MANAGE.format(settings="b.settings"), "two/b/settings.py": SETTINGS,
            "two/requirements.txt": "Django",
        }
    )  # fmt: skip
    project = scan(root)
    assert project.directory == "two"
    assert project.notes[0] == "the project is two/manage.py; not one/manage.py"


def error(root: Path, **options: object) -> str:
    with pytest.raises(NuagesError) as caught:
        scan(root, **options)  # type: ignore[arg-type]
    return caught.value.render().replace(str(root), "ROOT")


def test_no_project_is_an_error(write: Write) -> None:
    assert error(write({"readme.txt": "hello"})) == (
        "error: no Django project here\n"
        "  ROOT\n"
        "  there is no Python file below it\n"
        "\n"
        "hint: give the folder that manage.py lies in, as PROJECT"
    )
    assert error(write({"hello.py": "print(1)"})) == (
        "error: no Django project here\n"
        "  ROOT\n"
        "  no manage.py, no wsgi.py or asgi.py that names DJANGO_SETTINGS_MODULE and no settings.configure() in the "
        "1 Python files below it\n"
        "\n"
        "hint: give the folder that manage.py lies in, as PROJECT"
    )


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    assert error(tmp_path / "nowhere") == (
        "error: ROOT does not exist\n"
        "  ROOT\n"
        "  a project is the folder that manage.py lies in, or one above it\n"
        "\n"
        "hint: give the project's folder, as PROJECT"
    )


def test_several_projects_are_an_error_that_lists_them(write: Write) -> None:
    root = write({f"{name}/manage.py": MANAGE.format(settings=f"{name}.settings") for name in ("one", "two")})
    assert error(root) == (
        "error: there are 2 Django projects here, and nothing says which one is meant\n"
        "  one/manage.py\n"
        "  two/manage.py\n"
        "  ROOT holds them side by side\n"
        "\n"
        "hint: give one of these folders, as PROJECT: ROOT/one"
    )


PACKAGE = {
    "shop/settings.py": None,
    "shop/settings/__init__.py": "",
    "shop/settings/base.py": SETTINGS,
    "shop/settings/dev.py": "from .base import *\nDEBUG = True\n",
    "shop/settings/production.py": "from .base import *\nDEBUG = False\n",
}


def test_settings_that_are_imported_by_name_are_settings_with_their_origin_and_variables(shop: Shop) -> None:
    base = (
        SETTINGS + 'import os\nDEBUG = os.environ.get("DEBUG") == "1"\n'
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}}\n'
    )
    production = (
        "from .base import DATABASES, DEBUG, INSTALLED_APPS, ROOT_URLCONF\n"
        'DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"\n'
    )
    files = {**PACKAGE, "shop/settings/base.py": base, "shop/settings/production.py": production}
    project = scan(shop(files, settings="shop.settings.production"))
    assert [(one.alias, one.engine) for one in project.databases] == [
        ("default", "django.db.backends.postgresql")
    ]
    debug = next(one for one in project.assignments if one.name == "DEBUG")
    assert (str(debug.origin), debug.variables) == ("shop/settings/base.py:5", ("DEBUG",))
    assert project.debug is not None


def test_a_production_module_beside_a_development_one_is_taken_and_said(shop: Shop) -> None:
    project = scan(shop(PACKAGE, settings="shop.settings.dev"))
    assert project.settings is not None
    assert project.settings.value == "shop.settings.production"
    assert project.notes[0] == (
        "settings are shop.settings.production: shop/asgi.py:3 names shop.settings.dev, a development module, and "
        "shop/settings/production.py stands beside it; --settings shop.settings.dev takes the other"
    )
    assert [candidate.module for candidate in project.candidates if candidate.is_development] == [
        "shop.settings.dev"
    ]


def test_several_production_modules_beside_a_development_one_are_an_error(shop: Shop) -> None:
    root = shop(
        {**PACKAGE, "shop/settings/live.py": "from .base import *\nA = 1\n"}, settings="shop.settings.dev"
    )
    assert error(root) == (
        "error: there are 2 settings modules, and nothing says which one is meant\n"
        "  shop.settings.live (shop/settings/live.py)\n"
        "  shop.settings.production (shop/settings/production.py)\n"
        "  shop/asgi.py:3 names shop.settings.dev, a development module\n"
        "\n"
        "hint: --settings shop.settings.live"
    )
    assert scan(root, settings="shop.settings.live").settings is not None


def test_a_development_module_alone_is_taken_and_said(shop: Shop) -> None:
    files = {**PACKAGE, "shop/settings/production.py": None}
    project = scan(shop(files, settings="shop.settings.dev"))
    assert project.notes[0] == (
        "settings are shop.settings.dev (shop/asgi.py:3), a development module by its name: "
        "no production one stands beside it"
    )


def test_beside_a_development_module_those_that_turn_debug_off_are_named(shop: Shop) -> None:
    hosted = "from shop.settings.base import *\nDEBUG = TEMPLATE_DEBUG = False\n"
    files = {**PACKAGE, "shop/settings/production.py": None, "shop/settings/cloudhost.py": hosted}
    project = scan(shop({**files, "shop/settings/pipeline.py": "A = 1\n"}, settings="shop.settings.dev"))
    assert project.notes[0].endswith(
        "no production one stands beside it; shop.settings.cloudhost turns DEBUG off, and --settings takes another"
    )


def test_a_module_that_is_not_for_development_is_taken_and_the_production_one_named(shop: Shop) -> None:
    project = scan(shop(PACKAGE, settings="shop.settings.base"))
    assert project.notes[0] == (
        "settings are shop.settings.base (shop/asgi.py:3); "
        "--settings shop.settings.production takes the production module beside it"
    )


def test_the_option_comes_before_the_environment_before_the_entry_module_before_manage(shop: Shop) -> None:
    files = {**PACKAGE, "manage.py": MANAGE.format(settings="shop.settings.dev")}
    root = shop(files, settings="shop.settings.production")
    (root / "manage.py").write_text(MANAGE.format(settings="shop.settings.dev"))
    environ = {"DJANGO_SETTINGS_MODULE": "shop.settings.dev"}
    for options, module, origin in (
        ({"settings": "shop.settings.base", "environ": environ}, "shop.settings.base", "--settings"),
        ({"environ": environ}, "shop.settings.dev", "$DJANGO_SETTINGS_MODULE"),
        ({}, "shop.settings.production", "shop/asgi.py:3"),
    ):
        project = scan(root, **options)  # type: ignore[arg-type]
        assert project.settings is not None
        assert (project.settings.value, str(project.settings.origin)) == (module, origin)
    assert "not shop.settings.dev (manage.py:4)" in scan(root).notes[0]


def test_a_named_module_that_does_not_exist_is_a_finding_and_the_next_is_taken(shop: Shop) -> None:
    files = {"shop/wsgi.py": WSGI.format(settings="old.settings"), "shop/asgi.py": None}
    project = scan(shop(files))
    assert project.settings is not None
    assert str(project.settings.origin) == "manage.py:3"
    (problem,) = project.problems
    assert problem.as_error().render() == (
        "error: shop/wsgi.py names the settings module old.settings, which does not exist\n"
        "  shop/wsgi.py:3\n"
        "  the settings are taken from manage.py:3 instead\n"
        "\n"
        "hint: write shop.settings in shop/wsgi.py:3"
    )


BARE = "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"


def test_where_nothing_names_the_settings_the_only_module_is_taken(shop: Shop) -> None:
    project = scan(shop({"manage.py": BARE, "shop/wsgi.py": None, "shop/asgi.py": None}))
    assert project.notes[0] == (
        "settings are shop.settings (shop/settings.py): the one settings module there is; "
        "neither asgi.py, wsgi.py nor manage.py names one"
    )


def test_where_nothing_names_the_settings_a_deployment_file_decides(shop: Shop) -> None:
    files = {**PACKAGE, "shop/settings/live.py": "from .base import *\nA = 1\n", "manage.py": BARE,
             "shop/wsgi.py": None, "shop/asgi.py": None,
             "Dockerfile": "ENV DJANGO_SETTINGS_MODULE=shop.settings.live\n"}  # fmt: skip
    project = scan(shop(files))
    assert project.settings is not None
    assert (project.settings.value, str(project.settings.origin)) == ("shop.settings.live", "Dockerfile:1")


def test_several_errors_are_told_together(shop: Shop) -> None:
    files = {**PACKAGE, "shop/settings/live.py": "from .base import *\nA = 1\n", "pyproject.toml": "a = \n"}
    text = error(shop(files, settings="shop.settings.dev"))
    assert text.count("error: ") == 2
    assert "pyproject.toml is not valid TOML" in text


CUSTOM = "import sentry_sdk\nsentry_sdk.init()\n"


@pytest.mark.parametrize(
    ("wsgi", "asgi", "served"),
    [
        ("", "", ["shop.asgi:application"]),
        (CUSTOM, "", ["shop.wsgi:application"]),
        ("", CUSTOM, ["shop.asgi:application"]),
        (CUSTOM, CUSTOM, ["shop.wsgi:application", "shop.asgi:application"]),
        (None, "", ["shop.asgi:application"]),
        ("", None, ["shop.wsgi:application"]),
    ],
)
def test_the_entry_module_that_is_not_standard_is_served(
    wsgi: str | None, asgi: str | None, served: list[str], shop: Shop
) -> None:
    files = {
        "shop/wsgi.py": None if wsgi is None else wsgi + WSGI.format(settings="shop.settings"),
        "shop/asgi.py": None if asgi is None else asgi + ASGI.format(settings="shop.settings"),
    }
    assert [point.path for point in scan(shop(files)).serving] == served


@pytest.mark.parametrize(
    ("extra", "is_standard"),
    [
        ("", True),
        ("import sys\n", True),
        ("from pathlib import Path\n", True),
        ("app = application\n", True),
        ("application = WhiteNoise(application)\n", False),
        ("import newrelic.agent\n", False),
        ("os.environ['A'] = 'b'\n", False),
        ("print(1)\n", False),
        ("f'{1}' if 1 else: syntax\n", False),
    ],
)
def test_only_what_startproject_writes_is_standard(extra: str, is_standard: bool, shop: Shop) -> None:
    project = examine(
        shop({"shop/wsgi.py": WSGI.format(settings="shop.settings") + extra, "shop/asgi.py": None})
    )
    assert project.wsgi is not None
    assert project.wsgi.is_standard is is_standard
    assert project.wsgi.wraps_django


def test_the_settings_say_which_of_two_wsgi_modules_is_meant(shop: Shop) -> None:
    files = {
        "shop/settings.py": SETTINGS + 'WSGI_APPLICATION = "shop.deploy.wsgi.app"\n',
        "shop/asgi.py": None,
        "shop/deploy/wsgi.py": WSGI.format(settings="shop.settings").replace("application =", "app ="),
    }
    assert [point.path for point in scan(shop(files)).serving] == ["shop.deploy.wsgi:app"]


def test_the_app_option_decides(shop: Shop) -> None:
    project = scan(shop(), apps=("shop.wsgi:application",))
    assert [(point.kind, point.path) for point in project.serving] == [("wsgi", "shop.wsgi:application")]


def test_a_project_that_is_called_like_a_test_folder_is_found_whole(write: Write) -> None:
    files = {
        "manage.py": MANAGE.format(settings="demo.settings"),
        "demo/settings.py": SETTINGS,
        "demo/wsgi.py": WSGI.format(settings="demo.settings"),
    }
    assert [point.module for point in scan(write(files)).serving] == ["demo.wsgi"]


SINGLE = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
import os
settings.configure(ROOT_URLCONF=__name__, SECRET_KEY=os.environ["KEY"])
urlpatterns = []
application = get_wsgi_application()
"""


def test_a_project_of_one_file_is_found(write: Write) -> None:
    project = scan(write({"hello.py": SINGLE, "hello2.py": SINGLE, "requirements.txt": "Django"}))
    assert project.settings is None
    assert [point.path for point in project.serving] == ["hello:application"]
    assert project.notes == ("the project is the one file hello.py; not hello2.py",)
    assert [variable.name for variable in project.variables if variable.required] == ["KEY"]
    asked = scan(project.root, apps=("hello2:application",))
    assert [point.path for point in asked.serving] == ["hello2:application"]


def test_several_one_file_projects_are_an_error(write: Write) -> None:
    assert error(write({"one.py": SINGLE, "two.py": SINGLE})) == (
        "error: there are 2 Django projects here, and nothing says which one is meant\n"
        "  one.py\n"
        "  two.py\n"
        "  ROOT holds them side by side\n"
        "\n"
        "hint: name the application: --app one:application"
    )


def test_a_console_script_stands_for_manage_py(write: Write) -> None:
    files = {
        "src/shop/__init__.py": "",
        "src/shop/__main__.py": MANAGE.format(settings="shop.settings"),
        "src/shop/settings.py": SETTINGS,
        "src/shop/wsgi.py": WSGI.format(settings="shop.settings"),
    }
    project = scan(write(files))
    assert project.directory == "src"
    assert project.notes[0] == "no manage.py: src/shop/__main__.py stands for it"


def test_a_settings_module_that_is_chosen_by_a_variable_is_followed(shop: Shop) -> None:
    wsgi = """
        import os
        environment = "dev" if os.environ.get("DEBUG") else "production"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"shop.settings.{environment}")
        from django.core.wsgi import get_wsgi_application
        application = get_wsgi_application()
        """
    project = scan(shop({**PACKAGE, "shop/wsgi.py": wsgi, "shop/asgi.py": None}))
    assert project.settings is not None
    assert project.settings.value == "shop.settings.production"


DOCKERFILE = """
    FROM python:3.13-slim AS base
    RUN apt-get update && apt-get install -y ghostscript
    FROM base AS production
    RUN apt-get install -y poppler-utils
    EXPOSE 8001
    FROM production AS dev
    RUN apt-get install -y ffmpeg
    EXPOSE 8002
    """
PROXY = """
    FROM python:3.13-alpine AS collected
    RUN apk add jpegoptim
    FROM registry.example/library/nginx:1.29-alpine@sha256:0 AS release
    EXPOSE 8080
    """


def _hinted(root: Path) -> tuple[int | None, list[str]]:
    hints = scan(root).hints
    return hints.port.value if hints.port else None, [each.value for each in hints.packages]


def test_a_stage_for_development_behind_the_one_for_production_tells_nothing(shop: Shop) -> None:
    assert _hinted(shop({"Dockerfile": DOCKERFILE})) == (8001, ["ghostscript", "poppler-utils"])


def test_python_modules_of_alpine_and_what_every_image_has_are_no_packages_of_debian(shop: Shop) -> None:
    file = "FROM python:3.12-alpine\nRUN apk add py-cryptography py3-pillow zlib ghostscript\n"
    assert _hinted(shop({"Dockerfile": file})) == (None, ["ghostscript"])


def test_a_package_in_quotes_and_one_of_an_older_release_are_read(shop: Shop) -> None:
    file = "FROM python:3.12-alpine\nRUN apk add 'graphviz=~12' \"ghostscript>10\"\n"
    assert _hinted(shop({"Dockerfile": file})) == (None, ["graphviz", "ghostscript"])
    file = "FROM python:3.12-bookworm\nRUN apt-get install -y libgeos3.11.1\n"
    assert _hinted(shop({"Dockerfile": file})) == (None, ["libgeos-c1t64"])


def test_where_every_stage_is_for_development_the_last_one_tells(shop: Shop) -> None:
    assert _hinted(shop({"Dockerfile": "FROM python:3.13 AS dev\nEXPOSE 8003\n"})) == (8003, [])


def test_the_dockerfile_of_a_proxy_tells_nothing_of_the_application(shop: Shop) -> None:
    assert _hinted(shop({"Dockerfile": PROXY})) == (None, [])
    root = shop({"Dockerfile.web": PROXY, "Dockerfile.application": DOCKERFILE})
    (root / "Dockerfile").unlink()
    assert _hinted(root)[0] == 8001


def test_dockerfiles_are_found_in_a_folder_for_them(shop: Shop) -> None:
    for path in ("docker/Dockerfile", "docker/app.Dockerfile", "compose/production/django/Dockerfile"):
        root = shop({
            path: DOCKERFILE, "docker/web/Dockerfile": "FROM node:24\nEXPOSE 9\n",
            "docker/Dockerfile.dev": "FROM python\nEXPOSE 1\n", "front/Dockerfile": "FROM python\nEXPOSE 2\n",
        })  # fmt: skip
        assert _hinted(root) == (8001, ["ghostscript", "poppler-utils"]), path
        (root / path).unlink()
    assert _hinted(root) == (None, [])


def test_a_dockerfile_in_a_folder_of_its_own_name_must_say_that_it_is_the_projects(shop: Shop) -> None:
    tool = "FROM python:3.13\nCOPY tool.py .\nEXPOSE 4\n"
    root = shop(
        {"infra/shop/Dockerfile": f"{DOCKERFILE}CMD python manage.py\n", "infra/tool/Dockerfile": tool}
    )
    assert _hinted(root)[0] == 8001
    (root / "infra/test-server").mkdir()
    (root / "infra/test-server/Dockerfile").write_text(f"{tool}CMD python manage.py\n")
    assert _hinted(root)[0] == 8001
    # Of two nobody knows which one is served.
    (root / "infra/tool/Dockerfile").write_text(f"{tool}CMD python manage.py\n")
    assert _hinted(root) == (None, [])


def test_of_several_dockerfiles_in_one_folder_that_for_production_tells(shop: Shop) -> None:
    root = shop({"docker/Dockerfile": "FROM python\nEXPOSE 1\n", "docker/prod.Dockerfile": DOCKERFILE})
    assert _hinted(root)[0] == 8001


def test_packages_are_told_by_variables_and_by_their_names_in_older_releases(shop: Shop) -> None:
    text = """
        ARG TOOLS=ffmpeg
        FROM python:3.13-slim-bullseye
        ARG UNSET
        ENV RUN="$TOOLS libgdk-pixbuf2.0-0" MORE='a b'
        RUN apt-get install -y $RUN ${FONTS:-fonts-noto-core} $UNSET libffi7
        """
    assert _hinted(shop({"Dockerfile": text}))[1] == ["ffmpeg", "libgdk-pixbuf-2.0-0", "fonts-noto-core"]


def test_of_two_dockerfiles_that_of_debian_tells(shop: Shop) -> None:
    alpine = "FROM python:3.13-alpine\nRUN apk add bind-tools\n"
    assert _hinted(shop({"Dockerfile.alpine": alpine, "Dockerfile.on-debian": DOCKERFILE}))[0] == 8001


def test_apps_are_known_that_are_added_to_a_list_of_somebody_elses(shop: Shop) -> None:
    settings = """
        from somebody import INSTALLED_APPS, MORE, EXTRA

        INSTALLED_APPS = INSTALLED_APPS + ["django.contrib.gis", *MORE, *("a", "b")] + list(("c",)) + EXTRA
        """
    assert scan(shop({"shop/settings.py": settings})).apps == ("django.contrib.gis", "a", "b", "c")


def test_python_2_is_read_as_far_as_it_goes(shop: Shop) -> None:
    settings = 'import os\nSECRET_KEY = os.environ["KEY"]\nprint "hello"\nINSTALLED_APPS = ["a"]\n'
    project = examine(shop({"shop/settings.py": settings}))
    assert [variable.name for variable in project.variables] == ["KEY"]
    assert [one.name for one in project.assignments] == ["SECRET_KEY", "INSTALLED_APPS"]
    (problem,) = project.problems
    assert (problem.what, problem.where) == (
        "shop/settings.py is not valid Python: the settings cannot be loaded",
        "shop/settings.py:3",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1\2",
        b"\xff\xfe\x00",
        b"# coding: latin-1\nX = '\xe9'\n",
        b"# coding: nonsense\nX = 1\n",
        b"X = '\xe9'\n",
        b"X = (",
    ],
)
def test_files_that_are_no_ordinary_text_do_no_harm(data: bytes, shop: Shop) -> None:
    root = shop()
    for name in (
        "shop/settings.py",
        "shop/wsgi.py",
        "manage.py",
        "requirements.txt",
        "uv.lock",
        "pyproject.toml",
        ".python-version",
    ):
        before = (root / name).read_bytes() if (root / name).exists() else None
        (root / name).write_bytes(data)
        with contextlib.suppress(ProjectError):
            examine(root)
        if before is None:
            (root / name).unlink()
        else:
            (root / name).write_bytes(before)


def test_linked_folders_unreadable_files_and_pipes_do_no_harm(shop: Shop) -> None:
    root = shop()
    (root / "shop" / "loop").symlink_to(root)
    (root / "dangling.py").symlink_to(root / "nowhere")
    os.mkfifo(root / "uv.lock")
    os.mkfifo(root / "shop" / "local_settings.py")
    assert scan(root).django is not None


def test_a_tree_that_is_too_large_is_read_near_its_root(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nuages.project.tree.MAX_ENTRIES", 30)
    root = shop({f"data/deep/{number}.txt": "" for number in range(100)})
    assert scan(root).settings is not None


def test_a_settings_package_that_is_empty_is_a_finding(shop: Shop) -> None:
    files = {**PACKAGE, "manage.py": MANAGE.format(settings="shop.settings.base")}
    project = scan(shop(files, settings="shop.settings"))
    assert project.settings is not None
    assert project.settings.value == "shop.settings.base"
    assert {problem.what for problem in project.problems} == {
        "shop/asgi.py names the settings module shop.settings, which is empty"
    }


def test_a_command_of_the_image_s_build_does_not_name_the_settings(shop: Shop) -> None:
    docker = "RUN DJANGO_SETTINGS_MODULE=shop.settings.base python manage.py collectstatic\n"
    files = {**PACKAGE, "shop/settings/production.py": None, "Dockerfile": docker}
    project = scan(shop(files, settings="shop.settings.dev"))
    assert project.settings is not None
    assert project.settings.value == "shop.settings.dev"


def test_files_that_were_collected_are_not_walked_through(tmp_path: Path) -> None:
    for path in ("manage.py", "collected/nuages-static.json", "collected/a.css", "collected/app/manage.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    assert list(Tree(tmp_path).files) == ["manage.py", "collected/a.css", "collected/nuages-static.json"]


def test_the_project_s_own_console_scripts_are_known(shop: Shop) -> None:
    text = """
    [project]
    name = "shop"
    version = "1"
    [project.scripts]
    shop = "shop.cli:main"
    shop-admin = "shop.admin : Site.run [tls]"
    wrong = "import os; os.abort()"
    [tool.poetry.scripts]
    old = "shop.old:main"
    shop = "shop.old:main"
    file = { reference = "run.sh", type = "file" }
    """
    assert scan(shop({"pyproject.toml": text})).scripts == {
        "old": "shop.old:main", "shop": "shop.cli:main", "shop-admin": "shop.admin:Site.run",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["shop/tasks.py", "shop/tasks/__init__.py", "shop/tasks/nightly.py"])
def test_a_schedule_that_is_made_among_the_tasks_needs_a_clock(shop: Shop, path: str) -> None:
    files = {
        "requirements.txt": "django==5.2.1\ncelery==5.4.0\n",
        "shop/celery.py": "from celery import Celery\napp = Celery('shop', namespace='django.conf')\n",
        path: "def setup(sender, **others):\n    sender.add_periodic_task(60, clean.s())\n",
    }
    found = {each.name: each.origin for each in scan(shop(files)).processes}
    assert list(found) == ["worker", "beat"]
    assert found["beat"] == Origin(path, 2)


def test_a_celery_app_that_a_function_makes_is_found(shop: Shop) -> None:
    # As readthedocs.org: `app = create_application()`, configured where it is made.
    files = {
        "requirements.txt": "django==5.2.1\ncelery==5.4.0\n",
        "shop/worker.py": (
            "from celery import Celery\n"
            "def create():\n    made = Celery('shop')\n    made.config_from_object('django.conf:settings')\n"
            "    return made\n"
            "app = create()\n"
        ),
    }
    found = scan(shop(files)).processes
    assert [(each.name, each.command[2], each.origin) for each in found] == [
        ("worker", "shop.worker:app", Origin("shop/worker.py", 6))
    ]


@pytest.mark.parametrize(
    ("line", "base", "chosen"),
    [
        ("pip3 install --pre -r requirements/mysql.txt -r requirements/postgres.txt", "base", ["mysql", "postgres"]),
        ("pip install -r /tmp/postgres.txt && rm -r /tmp", "base", ["postgres"]),
        ("uv pip install --system --requirement=requirements/postgres.txt", "base", ["postgres"]),
        # A file that includes the other says it all; one for development, and what is not there, say nothing.
        ("pip install -r requirements/base.txt -r requirements/mysql.txt", "base", ["mysql"]),
        ("pip install -r requirements/mysql.txt -r requirements/test.txt", "base", ["base"]),
        ("pip install -r requirements/${KIND}.txt", "base", ["base"]),
        ("apt-get install -r requirements/mysql.txt", "base", ["base"]),
        # What is named for production is not given up for less.
        ("pip install -r requirements/mysql.txt", "production", ["production"]),
    ],
)  # fmt: skip
def test_the_requirements_that_the_dockerfile_installs_are_installed(
    shop: Shop, line: str, base: str, chosen: list[str]
) -> None:
    including = {
        f"requirements/{name}.txt": f"-r {base}.txt\n{name}==1\n" for name in ("mysql", "postgres", "test")
    }
    root = shop({
        "requirements.txt": None, f"requirements/{base}.txt": "django==5.2.1\n", **including,
        "Dockerfile": f"FROM python:3.13\nRUN {line}\n",
    })  # fmt: skip
    project = scan(root)
    assert list(project.dependencies.files) == [f"requirements/{name}.txt" for name in chosen]
    said = "requirements are taken from requirements/mysql.txt and requirements/postgres.txt, as Dockerfile:2 does"
    assert (said in " ".join(project.notes)) == (len(chosen) == 2)


def test_the_settings_of_the_project_s_own_image_come_before_a_guess(shop: Shop) -> None:
    files = {**PACKAGE, "shop/settings/docker.py": "from .base import *\nA = 1\n",
             "shop/settings/production.py": "from .base import *\nA = 1\n"}  # fmt: skip
    docker = "FROM python\nENV A=1 DJANGO_SETTINGS_MODULE=shop.settings.{}\n"
    for name, chosen in (
        ("docker", "docker"),
        ("base", "production"),
        ("dev", "production"),
        ("none", "production"),
    ):
        root = shop({**files, "Dockerfile": docker.format(name)}, settings="shop.settings.dev")
        settings = scan(root).settings
        assert settings is not None
        assert settings.value == f"shop.settings.{chosen}", name


def test_the_production_settings_of_the_project_s_own_image_come_before_what_asgi_py_falls_back_to(
    shop: Shop,
) -> None:
    production = {"shop/settings/production.py": "from .base import *\nA = 1\n"}
    docker = "FROM python\nENV DJANGO_SETTINGS_MODULE=shop.settings.{}\n"
    for name, chosen in (("production", "production"), ("other", "docker"), ("none", "docker")):
        files = {**PACKAGE, **production, "shop/settings/docker.py": "from .base import *\nA = 1\n",
                 "shop/settings/other.py": "from .base import *\nA = 1\n"}  # fmt: skip
        root = shop({**files, "Dockerfile": docker.format(name)}, settings="shop.settings.docker")
        project = scan(root)
        assert project.settings is not None
        assert project.settings.value == f"shop.settings.{chosen}", name
        said = "settings are shop.settings.production (Dockerfile:2), as in its own image, not shop.settings.docker"
        assert (said in " ".join(project.notes)) == (chosen == "production")


def test_the_settings_of_the_project_s_own_image_come_before_those_that_others_are_made_from(
    shop: Shop,
) -> None:
    docker = "FROM python\nENV DJANGO_SETTINGS_MODULE=shop.settings.{}\n"
    for name, chosen in (("docker", "docker"), ("dev", "base"), ("base", "base"), ("none", "base")):
        files = {**PACKAGE, "shop/settings/docker.py": "from .base import *\nA = 1\n"}
        root = shop({**files, "Dockerfile": docker.format(name)}, settings="shop.settings.base")
        settings = scan(root).settings
        assert settings is not None
        assert settings.value == f"shop.settings.{chosen}", name


def test_of_several_settings_the_likeliest_is_proposed(shop: Shop) -> None:
    files = {**PACKAGE, "manage.py": BARE, "shop/wsgi.py": None, "shop/asgi.py": None}
    for name in ("heroku_production", "production"):
        files[f"shop/settings/{name}.py"] = "from .base import *\nA = 1\n"
    assert "hint: --settings shop.settings.production" in error(shop(files))


COMPOSE = """
services:
  web:
    command: bash -c "python manage.py wait_for_db && python manage.py runserver"
  setup:
    command: >
      bash -c "manage.py migrate
      && manage.py load_samples"
  listen:
    {command}
    environment: ["A=manage.py other"]
"""


@pytest.mark.parametrize(
    "command",
    [
        "command: ./manage.py listen --follow",
        'command: ["python", "manage.py", "listen"]',
        "command: |\n      python manage.py wait_for_db\n      exec python manage.py listen",
        "command:\n      - ./manage.py\n      - listen",
    ],
)
def test_a_command_that_only_the_compose_file_keeps_running_is_told(shop: Shop, command: str) -> None:
    names = ("wait_for_db", "load_samples", "listen", "other")
    own = {f"shop/management/commands/{name}.py": "" for name in names}
    root = shop({"docker/docker-compose.yml": COMPOSE.format(command=command), **own})
    notes = [note for note in scan(root).notes if "manage.py" in note]
    assert notes == [
        "docker/docker-compose.yml:9 runs manage.py listen, and no process here does: "
        '[tool.nuages.processes] listen = "python manage.py listen" adds it'
    ]
    (root / "nuages.toml").write_text('[processes]\nlisten = "python manage.py listen"\n')
    assert not [note for note in scan(root).notes if "manage.py" in note]


def test_of_the_variables_behind_an_object_of_options_only_a_databases_url_decides_on_the_database(
    shop: Shop,
) -> None:
    options = (
        "import os\n"
        'OPTIONS = {"url": os.environ.get("SITE_URL"), "db": os.environ.get("DB_NAME"), "x": os.environ.get("X_URL")}\n'
        "def get(name):\n    return OPTIONS[name] or load(name)\n"
    )
    used = SETTINGS + (
        'from shop.options import OPTIONS, get\nNAME = get("db")\n'
        'DATABASES = {"default": {"ENGINE": f"django.db.backends.{OPTIONS}", "NAME": NAME}}\n'
    )
    project = scan(shop({**PACKAGE, "shop/options.py": options, "shop/settings/production.py": used}))
    assert [(one.alias, one.variable) for one in project.databases] == [("default", "")]


def test_a_database_that_a_file_of_options_may_replace_is_the_one_that_stands_there(shop: Shop) -> None:
    settings = SETTINGS + (
        "import configparser, os\n"
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB", "db")}}\n'
        'if any(os.path.isfile(one) for one in ["/etc/shop.ini", os.environ.get("SHOP_INI", "")]):\n'
        "    options = configparser.ConfigParser()\n"
        '    if "database" in options:\n'
        '        DATABASES = {"default": {key.upper(): value for key, value in options.items("database")}}\n'
    )
    project = scan(shop({**PACKAGE, "shop/settings/production.py": settings}))
    assert [(one.alias, one.engine, one.is_literal) for one in project.databases] == [
        ("default", "django.db.backends.sqlite3", False)
    ]


def test_the_worker_that_is_found_listens_to_the_queues_that_tasks_are_routed_to(shop: Shop) -> None:
    files = {
        "requirements.txt": "django==5.2.1\ncelery==5.4.0\n",
        "shop/celery.py": "from celery import Celery\napp = Celery('shop', namespace='django.conf')\n",
        "shop/tasks.py": "@shared_task(queue='mail')\ndef send():\n    pass\n",
    }
    (worker,) = scan(shop(files)).processes
    assert worker.command[-2:] == ("--queues", "celery,mail")
