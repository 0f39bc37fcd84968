"""`nuages migrate`: the project's migrations, applied once however many processes start it at the same time."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nuages.errors import NuagesError, OutsideError, ProjectError, UsageError
from nuages.runtime import cachetables, culprits, faults, mutex, schema
from nuages.runtime.application import Application
from nuages.runtime.bucket import bucket_of
from nuages.runtime.django import Bringer, Report, import_django
from nuages.runtime.filling import Wish
from nuages.runtime.migrate_options import MigrateOptions
from nuages.runtime.settings import Settings
from nuages.runtime.site import bring_up_alone, prepare_path
from nuages.runtime.sources import assignment

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds between two attempts to reach a database
_APPLYING = re.compile(r"Applying (\S+)\.\.\.")


def migrate(application: Application, settings: Settings, options: MigrateOptions, report: Report) -> None:
    """Apply the migrations of each database of `options`, one process at a time; the others find nothing to do.

    Raises StartError for settings that do not load, UsageError for an unknown database, OutsideError for one that does
    not answer or that somebody else migrates too long, ProjectError for migrations that cannot be applied.
    """
    directories = prepare_path(application)
    version = import_django(directories)
    wish = Wish(
        who="migrate", static_root=settings.static_root or "staticfiles", debug=settings.debug,
        bucket=bucket_of(settings.media),
    )  # fmt: skip
    bringer = Bringer(version=version, wish=wish, fills=settings.fill_settings, report=report)
    with bringer.watching():
        bring_up_alone(bringer, application, directories)
    with culprits.blamed():
        for alias in options.database:
            _Migration(_connection(alias), options, directories, report).run()


def _connection(alias: str) -> Any:
    from django.db import connections

    if alias not in connections.settings:
        known = ", ".join(sorted(connections.settings))
        raise UsageError(
            f"there is no database {alias!r}", where="given by --database",
            why=f"DATABASES has {known}", hint="--database default",
        )  # fmt: skip
    return connections[alias]


@dataclass(frozen=True, slots=True)
class _Migration:
    """The migration of one database."""

    connection: Any
    options: MigrateOptions
    directories: tuple[str, ...]
    report: Report

    def run(self) -> None:
        """Wait for the database and for the lock, then apply what is missing."""
        self._reach()
        said = _Lines(self.report)
        with (
            mutex.held(self.connection, self.options.lock_wait, self.report),
            _blaming(self.connection, self.directories, said),
        ):
            self._refuse_downgrade()
            plan = self._plan()
            where = describe(self.connection)
            if self.options.dry_run or plan:
                does = "would apply" if self.options.dry_run else "applying"
                names = "".join(f"\n  {name}" for name in plan)
                self.report("plan", f"{does} {_count(len(plan))} to {where}{names}")
            # Before the migrations, for one of them may read or empty a cache.
            if tables := cachetables.missing(self.connection):
                does = "would make" if self.options.dry_run else "making"
                self.report("cache", f"{does} {cachetables.describe(tables)} in {where}")
                if not self.options.dry_run:
                    cachetables.make(self.connection, tables)
            if not self.options.dry_run:
                # Without a plan too: what follows migrations (content types, permissions) may not have been reached.
                self._apply(said)
                self.report("migrated", f"{where} {'has' if plan else 'had'} every migration")

    def _reach(self) -> None:
        """Wait until the database answers."""
        from django.core.exceptions import ImproperlyConfigured
        from django.db import Error

        deadline = time.monotonic() + self.options.database_wait
        pause, told = _FIRST_PAUSE, ""
        while True:
            try:
                self.connection.ensure_connection()
                return
            except (ImproperlyConfigured, TypeError, ValueError, AttributeError, LookupError) as error:
                # Drivers refuse what they do not know by errors of Python's own.
                kind = "" if isinstance(error, ImproperlyConfigured) else f"{type(error).__name__}: "
                raise ProjectError(
                    "Django does not accept the database's settings", where=self._setting(), why=f"{kind}{error}",
                    hint=f"correct what DATABASES says of `{self.connection.alias}`",
                ) from None  # fmt: skip
            except Error as error:
                why, said = error, str(error).strip()
            if self.connection.vendor == "sqlite" or time.monotonic() + pause > deadline:
                raise self._unreachable(why) from None
            if said != told:
                self.report("wait", f"{describe(self.connection)} {_does_what(said)}: {said}")
                told = said
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _unreachable(self, error: Exception) -> NuagesError:
        place = describe(self.connection)
        if self.connection.vendor == "sqlite":
            return OutsideError(
                f"{place} cannot be opened", where=self._setting(), why=str(error),
                hint="make its folder, writable for the user that nuages runs as",
            )  # fmt: skip
        return OutsideError(
            f"{place} {_does_what(str(error))}", where=self._setting(),
            why=f"{str(error).strip()}\ntried for {self.options.database_wait:g} s",
            hint="start it, or correct the variables that name it and its user; --database-wait DURATION waits longer",
        )  # fmt: skip

    def _setting(self) -> str:
        return _setting(self.connection.alias)

    def _refuse_downgrade(self) -> None:
        ahead = schema.read(self.connection).ahead
        if not ahead:
            return
        what = f"the code is older than the schema of {describe(self.connection)}"
        why = "a newer release applied what this code does not have:" + "".join(
            f"\n  {name}" for name in ahead
        )
        if self.options.no_downgrade:
            raise ProjectError(
                what, where=self._setting(), why=why,
                hint="deploy the newer release, or unapply these with its code: migrate APP MIGRATION",
            )  # fmt: skip
        self.report("warning", f"{what}: {why}")

    def _plan(self) -> tuple[str, ...]:
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(self.connection)
        steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
        return tuple(f"{migration.app_label}.{migration.name}" for migration, _ in steps)

    def _apply(self, said: _Lines) -> None:
        from django.core.management import call_command

        alias = self.connection.alias
        call_command("migrate", database=alias, interactive=False, verbosity=1, no_color=True, stdout=said)


@contextmanager
def _blaming(connection: Any, directories: tuple[str, ...], said: _Lines) -> Iterator[None]:
    """Turn whatever the project's migrations raise into an error that names the migration."""
    from django.core.management import CommandError

    try:
        yield
    except NuagesError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the project's code raises
        module = os.environ.get("DJANGO_SETTINGS_MODULE")
        wrong = culprits.error_of(error, module, what="the migrations cannot be applied")
        if wrong is not None:
            raise wrong from None
        why = str(error) if isinstance(error, CommandError) else faults.describe(error, directories)
        what = "the migrations cannot be applied"
        if said.applying:
            what = f"the migration {said.applying} cannot be applied"
            if connection.features.can_rollback_ddl:
                kept = "was undone"
            else:
                kept = f"may be half done: {connection.vendor} does not undo changes of tables"
            why = f"{why}\n{said.applying} {kept}; those before it stay applied"
        raise ProjectError(
            what, where=faults.where(error, directories, _setting(connection.alias)), why=why,
            hint="correct it and run `nuages migrate` again",
        ) from None  # fmt: skip


class _Lines(io.TextIOBase):
    """Reports what Django's command writes, line by line; `applying` is the migration that it is at."""

    def __init__(self, report: Report) -> None:
        self._report, self._buffer = report, ""
        self.applying = ""

    def write(self, text: str) -> int:
        """Take text; whole lines are passed on."""
        self._buffer += text
        if found := _APPLYING.findall(self._buffer):
            self.applying = found[-1]
        *lines, self._buffer = self._buffer.split("\n")
        for line in lines:
            if line.strip().startswith("Applying"):
                self._report("apply", line.strip())
        return len(text)


def _setting(alias: str) -> str:
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    found = assignment(module, "DATABASES") if module else None
    return f"`{alias}` in DATABASES" + (f", {found[0]}" if found else "")


def _count(number: int) -> str:
    return f"{number} migration{'' if number == 1 else 's'}"


def _does_what(said: str) -> str:
    refuses = re.search(r"FATAL|denied|authentication|does not exist|Unknown database", said)
    return "refuses the connection" if refuses else "does not answer"


def host_of(connection: Any) -> str:
    """Return where a Django connection's server is, empty for the local socket."""
    return _place(connection, "HOST", "PGHOSTADDR", "PGHOST")


def port_of(connection: Any) -> str:
    """Return the port of a Django connection's server where it is known."""
    return _place(connection, "PORT", "PGPORT")


def _place(connection: Any, key: str, *variables: str) -> str:
    """What the settings say, else for PostgreSQL what libpq takes from the environment (libpq, section 32.15)."""
    of_libpq = map(os.environ.get, variables) if connection.vendor == "postgresql" else ()
    return str(connection.settings_dict.get(key) or next(filter(None, of_libpq), ""))


def describe(connection: Any) -> str:
    """Return a Django connection's database in words, without user and password."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"the SQLite database {settings['NAME']}"
    port = f":{known}" if (known := port_of(connection)) else ""
    name = repr(settings["NAME"]) if settings["NAME"] else "without a name"
    return f"{connection.vendor} {name} at {host_of(connection) or 'the local socket'}{port}"
