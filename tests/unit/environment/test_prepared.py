"""The command lines and variables that follow from a prepared project."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nuages.environment import upkeep
from nuages.environment.migrations import describe, is_local, migrate
from nuages.environment.prepared import (
    Prepared,
    collect_command,
    environ_of,
    inside,
    is_management_command,
    migrate_command,
    run_command,
    serve_command,
    with_paths,
)
from nuages.environment.virtual import Environment
from nuages.errors import NuagesError, Origin
from nuages.project.model import Assignment, Database, Dependencies, Fact, Manager, Project
from nuages.runtime import manifest


def prepared(
    tmp_path: Path, ahead: dict[str, str] | None = None, manage: str | None = "src/manage.py"
) -> Prepared:
    environment = Environment(
        folder=tmp_path / "env",
        interpreter="3.12.1",
        site_packages=tmp_path / "env/lib/python3.12/site-packages",
        runtime=tmp_path / "runtime",
        installed={},
        ahead=ahead or {},
    )
    project = Project(
        root=tmp_path / "shop",
        directory="src",
        manage=Fact(manage, Origin("src/manage.py")) if manage else None,
        settings=Fact("shop.settings", Origin("src/manage.py", 7)),
        candidates=(),
        wsgi=None,
        asgi=None,
        serving=(),
        python=None,
        dependencies=Dependencies(manager=Manager.REQUIREMENTS, files=(), origin=Origin("requirements.txt")),
        django=None,
    )
    variables = environ_of(environment, tmp_path / "private", {"PATH": "/usr/bin", "PYTHONHOME": "/old"})
    return Prepared(
        project=project, environment=environment, private=tmp_path / "private", variables=variables
    )


@pytest.mark.parametrize(
    "text",
    ["'sslmode' is an invalid keyword argument for this function", 'invalid connection option "timeout"'],
)
def test_options_of_another_engine_name_the_variables_that_choose_the_database(
    tmp_path: Path, text: str
) -> None:
    found = prepared(tmp_path)
    assignment = Assignment(
        name="DATABASES", text="{…}", is_literal=False, origin=Origin("src/shop/settings.py", 9),
        variables=("DATABASE_URL",),
    )  # fmt: skip
    found = replace(found, project=replace(found.project, assignments=(assignment,)))
    failed = {"kind": "TypeError", "text": text, "unreachable": False}
    with pytest.raises(NuagesError) as caught:
        migrate(
            found, {"vendor": "sqlite", "name": "/shop/db.sqlite3", "failed": failed}, lambda *_, **__: None
        )
    assert caught.value.what == "the SQLite database /shop/db.sqlite3 does not take these OPTIONS"
    assert caught.value.hint == "set what DATABASES reads: DATABASE_URL"


def test_a_database_that_does_not_answer_is_the_one_of_the_url_that_was_given(tmp_path: Path) -> None:
    # As hypha: `dj_database_url.config(default=f"postgres:///{APP_NAME}")` reads another variable beside it.
    found = prepared(tmp_path)
    place = Origin("src/shop/settings.py", 9)
    assignment = Assignment(
        name="DATABASES", text="{…}", is_literal=False, origin=place, variables=("SHOP_NAME", "DATABASE_URL")
    )
    databases = (Database(alias="default", engine="", variable="DATABASE_URL", origin=place),)
    project = replace(found.project, assignments=(assignment,), databases=databases)
    failed = {"kind": "OperationalError", "text": "connection refused", "unreachable": True}
    hints = []
    for given in ({}, {"DATABASE_URL": "postgres:///shop"}):
        one = replace(found, project=project, variables={**found.variables, **given})
        with pytest.raises(NuagesError) as caught:
            migrate(one, {"vendor": "postgresql", "name": "shop", "failed": failed}, lambda *_, **__: None)
        hints.append(caught.value.hint.partition(";")[0])
    assert hints == [
        "start it, or set what DATABASES reads: SHOP_NAME, DATABASE_URL",
        "start it, or correct DATABASE_URL, which src/shop/settings.py:9 reads",
    ]


def test_inside_an_image_processes_get_this_interpreter_and_what_it_got(tmp_path: Path) -> None:
    project = prepared(tmp_path).project
    found = inside(project, {"PATH": "/usr/bin", "SECRET_KEY": "given"})
    assert found.variables == {"PATH": f"{sys.prefix}/bin:/usr/bin", "SECRET_KEY": "given"}
    command = run_command(found, ["migrate", "--plan"])
    assert command.argv == (f"{sys.prefix}/bin/python", f"{tmp_path}/shop/src/manage.py", "migrate", "--plan")
    assert not found.private.is_relative_to(sys.prefix)


def test_what_up_looks_for_is_what_collect_writes() -> None:
    assert (upkeep._MANIFEST, upkeep._UNFINISHED) == (manifest.NAME, manifest.UNFINISHED)


def test_processes_get_what_activating_the_environment_would_set(tmp_path: Path) -> None:
    assert prepared(tmp_path).variables == {
        "PATH": f"{tmp_path}/env/bin:/usr/bin",
        "VIRTUAL_ENV": f"{tmp_path}/env",
        "PYTHONPYCACHEPREFIX": f"{tmp_path}/private/bytecode",
    }


def test_folders_that_manage_py_puts_on_sys_path_are_there_for_who_is_started_without_it(
    tmp_path: Path,
) -> None:
    project = replace(prepared(tmp_path).project, paths=("src", "lib"))

    assert with_paths(project, {"A": "1"}) == {
        "A": "1",
        "PYTHONPATH": f"{tmp_path}/shop/src:{tmp_path}/shop/lib",
    }
    assert with_paths(project, {"PYTHONPATH": "/own"})["PYTHONPATH"].endswith("/shop/lib:/own")
    assert with_paths(prepared(tmp_path).project, {"A": "1"}) == {"A": "1"}
    # Where there is no private environment, nobody else does it; in an image they are there already.
    there = inside(project, {}).variables["PYTHONPATH"]
    assert there == f"{tmp_path}/shop/src:{tmp_path}/shop/lib"
    assert inside(project, {"PYTHONPATH": there}).variables["PYTHONPATH"] == there


def test_a_users_own_choice_for_bytecode_is_kept(tmp_path: Path) -> None:
    environment = prepared(tmp_path).environment

    chosen = {"PYTHONPYCACHEPREFIX": "/b", "PYTHONDONTWRITEBYTECODE": "1"}
    assert environ_of(environment, tmp_path, chosen).items() >= chosen.items()


def test_bytecode_is_written_to_the_private_folder_also_where_none_may_clutter_the_source(
    tmp_path: Path,
) -> None:
    found = environ_of(prepared(tmp_path).environment, tmp_path, {"PYTHONDONTWRITEBYTECODE": "1"})

    assert found["PYTHONPYCACHEPREFIX"] == f"{tmp_path}/bytecode"
    assert "PYTHONDONTWRITEBYTECODE" not in found


def test_the_server_runs_in_the_projects_folder_by_the_environments_python(tmp_path: Path) -> None:
    made = serve_command(prepared(tmp_path), ["serve", "--workers", "2"])

    assert made.argv == (f"{tmp_path}/env/bin/python", "-m", "nuages", "serve", "--workers", "2")
    assert made.directory == tmp_path / "shop/src"


def test_what_is_out_of_range_is_overtaken_behind_the_projects_own_folder(tmp_path: Path) -> None:
    made = serve_command(prepared(tmp_path, {"uvicorn": "0.11", "h11": "0.9"}), ["serve"])

    assert made.argv == (
        f"{tmp_path}/env/bin/python",
        "-c",
        f"import sys; sys.path[1:1] = ['{tmp_path}/runtime/h11', '{tmp_path}/runtime/uvicorn']; "
        "from nuages.cli import main; sys.exit(main())",
        "serve",
    )


def test_migrations_are_the_business_of_the_projects_own_manage_py(tmp_path: Path) -> None:
    assert migrate_command(prepared(tmp_path)).argv[1:] == (
        f"{tmp_path}/shop/src/manage.py",
        "migrate",
        "--noinput",
    )
    assert migrate_command(prepared(tmp_path, manage=None)).argv[1:] == (
        "-m",
        "django",
        "migrate",
        "--noinput",
    )


def test_a_package_whose_own_command_stands_for_manage_py_is_run_as_a_module(tmp_path: Path) -> None:
    made = migrate_command(prepared(tmp_path, manage="src/shop/__main__.py"))
    assert made.argv == (f"{tmp_path}/env/bin/python", "-m", "shop", "migrate", "--noinput")


def test_static_files_go_to_the_private_folder_when_the_settings_name_none(tmp_path: Path) -> None:
    made = collect_command(prepared(tmp_path)).argv
    assert made[3:] == ("collect", f"{tmp_path}/shop/src", "--static-root", f"{tmp_path}/private/static")
    # What compresses is behind all else in this process, and in no other.
    assert made[1] == "-c"
    assert f"sys.path.append('{prepared(tmp_path).environment.runtime}/.compressors')" in made[2]


def touched(path: Path, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode)
    path.chmod(mode)
    return path


def test_run_knows_management_commands_of_the_project_and_of_installed_packages(tmp_path: Path) -> None:
    ready = prepared(tmp_path)
    touched(ready.directory / "apps/books/management/commands/import_books.py")
    touched(ready.environment.site_packages / "django/core/management/commands/test.py")

    assert is_management_command("import_books", ready)
    # /usr/bin/test is another thing altogether.
    assert run_command(ready, ["test", "-k", "x"]).argv[1:] == (str(ready.manage), "test", "-k", "x")


def test_run_takes_a_program_of_the_environment_before_one_of_path(tmp_path: Path) -> None:
    ready = prepared(tmp_path)
    program = touched(tmp_path / "env/bin/celery", 0o755)

    assert run_command(ready, ["celery", "worker"]).argv == (str(program), "worker")
    assert run_command(ready, ["./deploy.sh"]).argv == ("./deploy.sh",)
    assert run_command(ready, ["python", "manage.py"]).argv[0] != str(ready.manage)


def test_run_takes_a_script_of_the_project_s_own_as_its_installer_would_write_it(tmp_path: Path) -> None:
    ready = prepared(tmp_path)
    ready = replace(
        ready, project=replace(ready.project, scripts={"ls": "os:path.exists", "shop": "shop.cli:main"})
    )
    code = "import sys; sys.argv[0] = 'shop'; from shop.cli import main; sys.exit(main())"

    assert run_command(ready, ["shop", "-v"]).argv == (str(ready.environment.python), "-c", code, "-v")
    assert run_command(ready, ["ls"]).argv[2].endswith("; from os import path; sys.exit(path.exists())")
    program = touched(tmp_path / "env/bin/shop", 0o755)
    assert run_command(ready, ["shop"]).argv == (str(program),)


@pytest.mark.parametrize("name", ["manage.py", "./manage.py"])
def test_run_takes_manage_py_by_its_name(tmp_path: Path, name: str) -> None:
    assert run_command(prepared(tmp_path), [name, "check"]).argv[1:] == (
        f"{tmp_path}/shop/src/manage.py",
        "check",
    )


@pytest.mark.parametrize(
    ("database", "local"),
    [
        ({"vendor": "sqlite", "name": "/x"}, True),
        ({"vendor": "postgresql", "host": ""}, True),
        ({"vendor": "postgresql", "host": "/run/postgresql"}, True),
        ({"vendor": "postgresql", "host": "127.0.0.5"}, True),
        ({"vendor": "mysql", "host": "localhost"}, True),
        ({"vendor": "postgresql", "host": "::1"}, True),
        ({"vendor": "postgresql", "host": "db.example"}, False),
        ({"vendor": "postgresql", "host": "10.0.0.5"}, False),
    ],
)
def test_local_databases(database: dict[str, Any], local: bool) -> None:
    assert is_local(database) is local


REMOTE = {
    "vendor": "postgresql",
    "name": "shop",
    "host": "db.example",
    "port": "5432",
    "plan": ["auth.0001", "shop.0001"],
}


def refused(tmp_path: Path, database: dict[str, Any]) -> NuagesError:
    with pytest.raises(NuagesError) as caught:
        migrate(prepared(tmp_path), database, lambda *_, **__: None)
    return caught.value


def test_a_database_elsewhere_is_migrated_only_when_asked(tmp_path: Path) -> None:
    error = refused(tmp_path, REMOTE)

    assert error.exit_code == 1
    assert error.render() == (
        "error: 2 migrations are not applied to postgresql 'shop' at db.example:5432\n"
        "  `default` in DATABASES\n"
        "  it is not on this machine, so nuages does not migrate it unasked:\n"
        "    auth.0001\n"
        "    shop.0001\n"
        "\n"
        "hint: --migrate on applies them, --migrate off serves without"
    )


def test_a_database_elsewhere_that_is_up_to_date_needs_no_question(tmp_path: Path) -> None:
    assert migrate(prepared(tmp_path), {**REMOTE, "plan": []}, lambda *_, **__: None)
    assert not migrate(prepared(tmp_path), REMOTE, lambda *_, **__: None, "off")


def test_a_database_that_refuses_or_is_not_there_is_told_apart(tmp_path: Path) -> None:
    failed = {"kind": "OperationalError", "unreachable": True}
    gone = refused(tmp_path, {**REMOTE, "failed": {**failed, "text": "connection refused"}})
    refusing = refused(
        tmp_path, {**REMOTE, "failed": {**failed, "text": 'FATAL:  role "shop" does not exist'}}
    )

    assert gone.what == "postgresql 'shop' at db.example:5432 does not answer"
    assert refusing.what == "postgresql 'shop' at db.example:5432 refuses the connection"
    assert (gone.exit_code, refusing.exit_code) == (4, 4)


def test_a_database_is_described_without_its_password() -> None:
    assert (
        describe({"vendor": "sqlite", "name": "/srv/shop.sqlite3"}) == "the SQLite database /srv/shop.sqlite3"
    )
    assert describe({"vendor": "mysql", "name": "shop", "host": ""}) == "mysql 'shop' at the local socket"
