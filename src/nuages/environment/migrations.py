"""Migrations under `up`: applied to a database on this machine, asked for anywhere else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nuages import sonames
from nuages.environment.errand import failed, run
from nuages.environment.home import Report
from nuages.environment.prepared import Prepared, manage_command, migrate_command
from nuages.errors import NuagesError, OutsideError, ProjectError


def migrate(
    prepared: Prepared,
    database: Mapping[str, Any],
    report: Report,
    when: str = "auto",
    fault: Callable[[], NuagesError | None] = lambda: None,
) -> bool:
    """Apply the migrations of the default database, as the probe saw it; return whether none is left over.

    `when` is `--migrate`: `auto` applies them on this machine only. `fault` is asked where the command fails before it
    applies anything: what of the project it cannot load, told better than by its traceback. Raises OutsideError where
    the database does not answer, ProjectError where it is elsewhere and nobody asked, or where the migrations fail.
    """
    if not database or when == "off":
        return not database
    if database.get("made"):
        report("folder", f"made {database['made']}, where the settings keep the SQLite database")
    if database.get("vendor") == "sqlite" and database.get("name") == ":memory:":
        return True  # what one process writes there no other one sees; the server says what that means
    place = describe(database)
    if "failed" in database:
        raise _no_plan(place, database["failed"], prepared)
    plan, tables = database["plan"], database.get("cache_tables", [])
    if not plan and not tables:
        return True
    if not is_local(database) and when != "on":
        lacks = f"{_count(plan)} not applied to {place}" if plan else f"{place} lacks {_named(tables)}"
        raise ProjectError(
            lacks,
            where="`default` in DATABASES",
            why="\n".join(
                [
                    "it is not on this machine, so nuages does not migrate it unasked:",
                    *_listed([*plan, *tables]),
                ]
            ),
            hint="--migrate on applies them, --migrate off serves without",
        )
    if tables:
        report("migrate", f"making {_named(tables)} in {place}", plan=[])
        code, said = run(manage_command(prepared, ["createcachetable", *tables]))
        if code:
            hint = "run it by hand: nuages run -- createcachetable"
            raise failed("the cache's table cannot be made", "manage.py createcachetable", code, said, hint)
    if not plan:
        return True
    report("migrate", f"applying {len(plan)} migration{'' if len(plan) == 1 else 's'} to {place}", plan=plan)
    done = 0

    def hear(line: str) -> None:
        nonlocal done
        if line.lstrip().startswith("Applying "):
            done += 1
            report("progress", f"{done} of {len(plan)} migrations")

    code, said = run(migrate_command(prepared), hear)
    if code:
        if not done and (found := fault()) is not None:
            raise found
        raise failed(
            "the migrations cannot be applied",
            "manage.py migrate",
            code,
            said,
            advice(said, prepared.project.settings_files),
        )
    return True


def advice(said: Sequence[str], settings_files: Sequence[str]) -> str:
    """Return what to do about a `migrate` that failed: told by its last line, where that is enough."""
    text = "\n".join(said)
    last = next((line for line in reversed(said) if line.strip()), "")
    library, package = sonames.absent(text)
    if library:
        return (
            f"install the Debian package that has {library}, {package} by its name: apt-get install {package}"
        )
    module = re.search(r"No module named '([\w-]+)", last)
    if module:
        return f"add the package that provides {module[1]} to the project's dependencies and lock, and install them"
    if "The SECRET_KEY setting must not be empty" in last:
        place = settings_files[0] if settings_files else "the settings"
        return f'have {place} read one: SECRET_KEY = os.environ["SECRET_KEY"]; it is generated then, and kept'
    if re.search(r"^(django\.core\.management\.base\.)?SystemCheckError: ", text, re.MULTILINE):
        return "correct what stands below ERRORS"
    return "run it by hand: nuages run -- migrate"


def is_local(database: Mapping[str, Any]) -> bool:
    """Return whether a database is an SQLite file or a server on this machine: a socket or a loopback address."""
    if database.get("vendor") == "sqlite":
        return True
    host = str(database.get("host", ""))
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _count(plan: list[str]) -> str:
    return f"{len(plan)} migration{' is' if len(plan) == 1 else 's are'}"


def _named(tables: Sequence[str]) -> str:
    return f"the cache's table{'' if len(tables) == 1 else 's'} {', '.join(tables)}"


def _listed(plan: list[str], most: int = 20) -> list[str]:
    rows = [f"  {name}" for name in plan[:most]]
    return rows if len(plan) <= most else [*rows, f"  … and {len(plan) - most} more"]


def describe(database: Mapping[str, Any]) -> str:
    """Return the database in words, without user and password: `postgresql at db.example:5432`."""
    name = str(database.get("name", ""))
    if database.get("vendor") == "sqlite":
        return f"the SQLite database {name}"
    host = str(database.get("host", "")) or "the local socket"
    port = f":{database['port']}" if database.get("port") else ""
    named = repr(name) if name else "without a name"
    return f"{database.get('vendor', 'the database')} {named} at {host}{port}"


def _correction(prepared: Prepared) -> tuple[str, bool]:
    """Return what names the database and may be wrong, and whether variables do."""
    for database in prepared.project.databases:
        if database.alias == "default" and database.is_literal:
            return f"correct it at {database.origin}", False
        if database.alias == "default" and database.variable in prepared.variables:
            return f"correct {database.variable}, which {database.origin} reads", True
    read = (each.variables for each in prepared.project.assignments if each.name == "DATABASES")
    unset = [name for names in read for name in names if name not in prepared.variables]
    if unset:
        return f"set what DATABASES reads: {', '.join(unset[:6])}", True
    return "correct the variables that name it and its user", True


def _no_plan(place: str, failed: Mapping[str, Any], prepared: Prepared) -> NuagesError:
    text = str(failed["text"]).strip()
    if failed["unreachable"]:
        refuses = re.search(r"FATAL|denied|authentication|does not exist|Unknown database", text)
        correct, by_variables = _correction(prepared)
        hint = f"{'' if refuses else 'start it, or '}{correct}; --migrate off goes on without it"
        if not refuses:
            hint += "\n" if by_variables else "\nwith its host read from a variable, "
            hint += "`nuages manifests compose` writes a file that runs the project with its database"
        return OutsideError(
            f"{place} refuses the connection" if refuses else f"{place} does not answer",
            where="`default` in DATABASES", why=f"{failed['kind']}: {text}", hint=hint,
        )  # fmt: skip
    if re.search(r"invalid (keyword argument|dsn|connection option)|unexpected keyword argument", text):
        # OPTIONS of one engine handed to another: the one that is taken where a variable is unset.
        return ProjectError(
            f"{place} does not take these OPTIONS",
            where="`default` in DATABASES", why=f"{failed['kind']}: {text}", hint=_correction(prepared)[0],
        )  # fmt: skip
    without = re.fullmatch(r"Dependency on app with no migrations: (\w+)", text)
    make = f"nuages run -- makemigrations {without[1]}, and commit what it wrote" if without else ""
    return ProjectError(
        f"the migrations of {place} cannot be planned",
        where="`default` in DATABASES",
        why=f"{failed['kind']}: {text}",
        hint=make or "look closer with: nuages run -- showmigrations",
    )
