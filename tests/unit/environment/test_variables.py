"""Which variables a project gets, which are generated, and which are still missing."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.environment.hints import tell_group, tell_python, tell_unset
from nuages.environment.variables import (
    Given,
    fill,
    is_own_secret,
    keep,
    parse_env_file,
    read_env_file,
    read_kept,
)
from nuages.errors import Origin, ProjectError, StartError, UsageError
from nuages.project.model import (
    Assignment,
    Dependencies,
    Distribution,
    Fact,
    Hints,
    ImageVariable,
    Manager,
    Project,
    Switch,
    Variable,
    VariableKind,
)


def variable(name: str, line: int = 1, **facts: Any) -> Variable:
    kind = VariableKind.SECRET if "SECRET" in name or "KEY" in name else VariableKind.TEXT
    given_ = {"kind": kind, "required": True, "reader": "os.environ", **facts}
    return Variable(name=name, origin=Origin("shop/settings.py", line), **given_)


def project(*variables: Variable, secret_key: str = "", debug: Switch | None = None) -> Project:
    assignments = [
        Assignment(name="SECRET_KEY", text=secret_key, origin=Origin("shop/settings.py", 9), is_literal=False)
    ]
    return Project(
        root=Path("/shop"),
        directory=".",
        manage=None,
        settings=Fact("shop.settings", Origin("manage.py", 9)),
        candidates=(),
        wsgi=None,
        asgi=None,
        serving=(),
        python=None,
        dependencies=Dependencies(manager=Manager.REQUIREMENTS, files=(), origin=Origin("requirements.txt")),
        django=None,
        variables=variables,
        assignments=tuple(assignments) if secret_key else (),
        debug=debug,
    )


def filled(
    shop: Project,
    environ: dict[str, str] | None = None,
    env_file: dict[str, str] | None = None,
    kept: dict[str, str] | None = None,
) -> Given:
    return fill(shop, environ or {}, env_file or {}, kept or {}, secret="fresh")


def test_a_missing_secret_key_is_generated_and_named() -> None:
    found = filled(project(variable("DJANGO_SECRET_KEY", 12)))

    assert found.values == {"DJANGO_SECRET_KEY": "fresh", "DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert found.generated == {"DJANGO_SECRET_KEY": "fresh"}
    assert found.lines == (
        "DJANGO_SECRET_KEY was not set: a secret was generated for it (shop/settings.py:12)",
    )


def test_a_secret_of_an_earlier_run_is_taken_again_in_silence() -> None:
    found = filled(project(variable("SECRET_KEY")), kept={"SECRET_KEY": "old", "OTHER": "unused"})

    assert found.values["SECRET_KEY"] == "old"
    assert "OTHER" not in found.values
    assert found.generated == {}
    assert found.lines == ()


def test_a_real_variable_wins_over_the_file_and_over_a_kept_secret() -> None:
    found = filled(
        project(variable("SECRET_KEY")),
        {"SECRET_KEY": "real"},
        {"SECRET_KEY": "file", "A": "1"},
        {"SECRET_KEY": "old"},
    )

    assert found.values == {"A": "1", "DJANGO_SETTINGS_MODULE": "shop.settings"}


def test_the_settings_module_that_the_environment_names_is_never_replaced() -> None:
    assert filled(project(), {"DJANGO_SETTINGS_MODULE": "other"}).values == {}


def test_all_missing_variables_are_told_at_once_with_file_and_line() -> None:
    shop = project(
        variable("SECRET_KEY"),
        variable("DATABASE_URL", 45, kind=VariableKind.URL),
        variable("STRIPE_SECRET_KEY", 7),
    )
    with pytest.raises(ProjectError) as caught:
        filled(shop)

    assert caught.value.render() == (
        "error: 2 variables that the settings need are not set\n"
        "  STRIPE_SECRET_KEY  shop/settings.py:7  (secret)\n"
        "  DATABASE_URL       shop/settings.py:45  (url)\n"
        "  without them the settings cannot be loaded\n"
        "\n"
        "hint: write NAME=value lines to a file and name it: --env-file FILE\n"
        "      or set them: STRIPE_SECRET_KEY=… nuages up"
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (
            "HOST = urlsplit(CACHE).hostname.lower()\nAttributeError: 'NoneType' object has no attribute 'lower'",
            "set REDIS_URL, which shop/settings.py:12 reads without a default; or correct the line",
        ),
        (
            "PORT = int(os.environ.get('REDIS_URL'))\nTypeError: int() argument must be … not 'NoneType'",
            "set REDIS_URL, which shop/settings.py:12 reads without a default; or correct the line",
        ),
        (
            "HOST = HOSTS.get('x').lower()\nAttributeError: 'NoneType' object has no attribute 'lower'",
            "correct the line",
        ),
        ("HOST = CACHE.lower()\nAttributeError: 'str' object has no attribute 'lowr'", "correct the line"),
    ],
)
def test_a_none_that_an_unset_variable_left_is_traced_to_it(line: str, hint: str) -> None:
    shop = project(
        variable("NAME", required=False, default="'CACHE'"),
        variable("REDIS_URL", 12, required=False, kind=VariableKind.URL),
    )
    cache = Assignment(
        name="CACHE",
        text="",
        origin=Origin("shop/settings.py", 12),
        is_literal=False,
        variables=("REDIS_URL",),
    )
    error = StartError("the settings cannot be loaded", why=line, hint="correct the line")
    tell_unset(error, replace(shop, assignments=(cache,)), {})
    assert error.hint == hint
    error = StartError("the settings cannot be loaded", why=line, hint="correct the line")
    tell_unset(error, replace(shop, assignments=(cache,)), {"REDIS_URL": "redis://cache"})
    assert error.hint == "correct the line"


def test_a_module_that_only_a_group_of_development_has_is_not_to_be_added() -> None:
    what = "the project needs the module django_template_check, which is not installed here"
    shop = project(variable("SHOP_ENV", 3, required=False))
    locked = Distribution(name="django-template-check", version="0.4", origin=Origin("uv.lock", 7))
    error = StartError(what, hint="add it")
    tell_group(error, shop)
    assert error.hint == "add it"
    tell_group(error, replace(shop, dependencies=replace(shop.dependencies, distributions=(locked,))))
    assert error.hint == (
        "set SHOP_ENV for production (shop/settings.py:3): django-template-check (uv.lock:7) is in no group that "
        "production installs; or make it a dependency"
    )


@pytest.mark.parametrize(("series", "is_said"), [((3, 13), True), ((3, 14), False)])
def test_syntax_that_this_python_does_not_know_may_be_that_of_the_one_it_was_written_for(
    series: tuple[int, int], is_said: bool
) -> None:
    # As readthedocs.org: `except ModuleNotFoundError, ImportError:` of PEP 758.
    shop = replace(project(), python_used=Fact("==3.14.*", Origin("requirements/deploy.txt", 2)))
    error = StartError(
        "the settings module shop.settings cannot be loaded", hint="correct it",
        why="SyntaxError: multiple exception types must be parenthesized",
    )  # fmt: skip
    tell_python(error, shop, series)
    assert error.hint == (
        "install Python 3.14, as requirements/deploy.txt:2 says (apt, pyenv or `uv python install 3.14`): this is "
        "3.13, which may not know that syntax"
        if is_said
        else "correct it"
    )


def test_a_module_of_development_may_be_missing_behind_an_error_of_the_projects_own() -> None:
    # As saleor, whose webhooks import what its tests have.
    why = "ImportError: Failed to import plugin shop.hooks\n  because of ModuleNotFoundError: No module named 'pytest'"
    locked = Distribution(name="pytest", version="8.4", origin=Origin("uv.lock", 7))
    shop = project()
    shop = replace(shop, dependencies=replace(shop.dependencies, distributions=(locked,)))
    error = StartError("the settings module shop.settings cannot be loaded", why=why, hint="correct the line")
    tell_group(error, shop)
    assert error.hint == (
        "have the settings of production not load it: pytest (uv.lock:7) is in no group that production installs; "
        "or make it a dependency"
    )


@pytest.mark.parametrize("name", ["DEVELOPMENT", "DJANGO_ENV", "IS_PRODUCTION", "APP_MODE", "SHOP_DEV_MODE"])
def test_the_variable_that_tells_development_from_production_is_known_by_its_name(name: str) -> None:
    # As courtlistener, whose settings read DB_SSL_MODE first.
    shop = project(variable("DB_SSL_MODE", 3, required=False), variable(name, 9, required=False))
    locked = Distribution(name="shop-reload", version="0.4", origin=Origin("uv.lock", 7))
    shop = replace(shop, dependencies=replace(shop.dependencies, distributions=(locked,)))
    error = StartError("the project needs the module shop_reload, which is not installed here", hint="add it")
    tell_group(error, shop)
    assert error.hint is not None
    assert error.hint.startswith(f"set {name} for production (shop/settings.py:9): shop-reload (uv.lock:7)")


def test_a_variable_with_a_default_is_not_asked_for() -> None:
    assert filled(project(variable("NAME", required=False, default="'x'"))).generated == {}


@pytest.mark.parametrize("text", ["os.environ.get('KEY')", "env('KEY')", 'config("KEY")'])
def test_what_is_assigned_to_secret_key_is_a_secret_whatever_its_name(text: str) -> None:
    shop = project(variable("KEY", kind=VariableKind.TEXT), secret_key=text)

    assert filled(shop).generated == {"KEY": "fresh"}


def test_a_secret_key_without_a_default_is_needed_though_reading_it_does_not_raise() -> None:
    shop = project(variable("KEY", required=False), secret_key="os.environ.get('KEY')")

    assert filled(shop).generated == {"KEY": "fresh"}


@pytest.mark.parametrize(
    "text", ["os.environ.get('KEY') or get_random_secret_key()", "A if B else os.getenv('KEY')"]
)
def test_a_secret_key_with_another_source_is_left_alone(text: str) -> None:
    shop = project(variable("KEY", required=False), secret_key=text)

    assert filled(shop).generated == {}


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_KEY", "STRIPE_SECRET_KEY", "RECAPTCHA_SECRET_KEY", "EMAIL_HOST_PASSWORD", "SENTRY_KEY"],
)
def test_a_secret_that_somebody_else_issues_is_never_made_up(name: str) -> None:
    assert not is_own_secret(variable(name, kind=VariableKind.SECRET), project())


def test_debug_is_turned_off_by_the_text_that_its_reader_takes() -> None:
    switch = Switch(variable="DJANGO_DEBUG", off="0", origin=Origin("shop/settings.py", 3))

    assert filled(project(debug=switch)).values["DJANGO_DEBUG"] == "0"
    assert "DJANGO_DEBUG" not in filled(project(debug=switch), {"DJANGO_DEBUG": "1"}).values


def test_kept_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = keep(tmp_path, {"SECRET_KEY": "a-b_c"})

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_kept(tmp_path) == {"SECRET_KEY": "a-b_c"}
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.env"]


def test_an_env_file_is_read_as_dotenv_files_are() -> None:
    text = """\ufeff# comment
A=1
export B = two words   # comment
C='single $X # kept'
D="line one\\nline two \\"quoted\\""
E=
F="first
second"
G=a#b
"""
    assert parse_env_file(text, ".env") == {
        "A": "1",
        "B": "two words",
        "C": "single $X # kept",
        "D": 'line one\nline two "quoted"',
        "E": "",
        "F": "first\nsecond",
        "G": "a#b",
    }


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("A=1\nnot a line\n", 2, "it is not a NAME=value line"),
        ("A='open\n", 1, "the quote ' is never closed"),
        ('A="a" b\n', 1, "something stands behind the closing quote"),
    ],
)
def test_an_env_file_with_a_wrong_line_is_refused(text: str, line: int, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_env_file(text, ".env")

    assert caught.value.render() == (
        "error: the file of --env-file cannot be read\n"
        f"  .env:{line}\n"
        f"  {why}\n"
        "\n"
        'hint: write NAME=value or NAME="value with spaces", one a line'
    )


def test_an_env_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_env_file(str(tmp_path / "no.env"))

    assert caught.value.why == "No such file or directory"


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)


@given(st.dictionaries(names, st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=20)))
def test_what_is_written_in_single_quotes_is_read_back(values: dict[str, str]) -> None:
    values = {name: text.replace("'", "") for name, text in values.items()}
    text = "".join(f"{name}='{value}'\n" for name, value in values.items())

    assert parse_env_file(text, ".env") == values


def imaged(*variables: Variable, **texts: str) -> Project:
    taken = [
        ImageVariable(name=name, value=text, origin=Origin("Dockerfile", line))
        for line, (name, text) in enumerate(texts.items(), 3)
    ]
    return replace(project(*variables), hints=Hints(variables=tuple(taken), notes=("Dockerfile sets them",)))


def test_what_its_own_image_has_is_set_unless_somebody_else_gives_it() -> None:
    shop = imaged(TZ="UTC", STAGE="live", PLACE="{project}/data", LEVEL="info")
    found = filled(shop, environ={"STAGE": "mine"}, env_file={"LEVEL": "debug"})

    assert found.values == {
        "TZ": "UTC", "PLACE": "/shop/data", "LEVEL": "debug", "DJANGO_SETTINGS_MODULE": "shop.settings",
    }  # fmt: skip
    assert found.lines == ("Dockerfile sets them",)


def test_a_dotenv_file_that_the_settings_load_wins_over_the_image() -> None:
    dotenv = variable("LEVEL", required=False, given=Origin(".env", 1))
    assert "LEVEL" not in filled(imaged(dotenv, LEVEL="info")).values


@pytest.mark.parametrize(
    ("name", "text", "is_set"),
    [
        ("DB_HOST", "db", False),
        ("DB_HOST", "localhost", True),
        ("DB_HOST", "db.example.com", True),
        ("REDIS_URL", "redis://redis:6379/0", False),
        ("REDIS_URL", "redis://shop@redis/0", False),
        ("MEMCACHED", "memcached:11211", False),
        ("KAFKA", "one:9092,two:9092", False),
        ("CACHE_SERVERS", "memcached", False),
        ("MEMCACHED", "127.0.0.1:11211", True),
        ("MEMCACHED", "localhost:11211", True),
        ("RUN_AS_USER", "app:1000", True),
        ("WSGI", "shop.wsgi:application", True),
        ("SITE_URL", "https://example.com/", True),
        ("DATABASE_URL", "sqlite:///db.sqlite3", True),
        ("STAGE", "live", True),
        ("MAGICK_HOME", "/usr", True),
        ("CHROME", "/usr/bin/chromium", False),
    ],
)
def test_names_of_its_network_and_files_that_are_not_here_are_left(
    name: str, text: str, is_set: bool
) -> None:
    found = fill(imaged(**{name: text}), {}, {}, {}, secret="x", is_there=lambda path: path == "/usr")

    assert (name in found.values) is is_set
    assert any(line.startswith(f"{name} is not set to {text}, ") for line in found.lines) is not is_set


def test_host_names_are_the_images_unless_they_are_of_this_machine_too() -> None:
    hosts = variable("ALLOWED_HOSTS", required=False, kind=VariableKind.HOSTS, given=Origin("Dockerfile", 3))
    assert "ALLOWED_HOSTS" not in filled(imaged(hosts, ALLOWED_HOSTS="shop.example.com")).values
    assert "ALLOWED_HOSTS" in filled(imaged(hosts, ALLOWED_HOSTS="shop.example.com,localhost")).values


def test_what_is_left_of_the_image_and_needed_is_missing() -> None:
    host = variable("DB_HOST", 7, given=Origin("Dockerfile", 3))
    with pytest.raises(ProjectError) as caught:
        filled(imaged(host, DB_HOST="db"))
    assert "DB_HOST  shop/settings.py:7  (text)" in caught.value.render()
