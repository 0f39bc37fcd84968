"""What of the project's migrations a database has: read by name, without importing a single migration."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The migrations that the code has, by application, and those that the database says it has, in their order."""

    code: Mapping[str, frozenset[str]]
    applied: tuple[tuple[str, str], ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """`shop.0002_price` for each migration of the code that is not applied."""
        done = set(self.applied)
        return tuple(
            f"{label}.{name}"
            for label, names in sorted(self.code.items())
            for name in sorted(names)
            if (label, name) not in done
        )

    @property
    def ahead(self) -> tuple[str, ...]:
        """The migrations that a newer code applied: unknown here, and after every known one of their application.

        Rows of migrations that were squashed and removed stay in the table, but come before those that replaced
        them. Those of applications that are not installed any more say nothing.
        """
        last: dict[str, int] = {}
        for position, (label, name) in enumerate(self.applied):
            if name in self.code.get(label, ()):
                last[label] = position
        return tuple(
            f"{label}.{name}"
            for position, (label, name) in enumerate(self.applied)
            if label in self.code and name not in self.code[label] and position > last.get(label, -1)
        )


def read(connection: Any) -> Schema:
    """Return the schema of a Django connection's database. Raises what the database raises."""
    return Schema(code=_in_code(), applied=tuple(_in_database(connection)))


def _in_code() -> dict[str, frozenset[str]]:
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    found = {}
    for config in apps.get_app_configs():
        module, explicit = MigrationLoader.migrations_module(config.label)
        if module is None:
            continue
        try:
            package = importlib.import_module(module)
        except ModuleNotFoundError:
            if explicit:
                raise
            continue
        path = getattr(package, "__path__", None)
        if path is not None:
            # Modules whose names begin so are none (MigrationLoader.load_disk).
            names = (name for _, name, is_package in pkgutil.iter_modules(path) if not is_package)
            found[config.label] = frozenset(name for name in names if name[0] not in "_~")
    return found


def _in_database(connection: Any) -> list[tuple[str, str]]:
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(connection)
    if not recorder.has_table():
        return []
    return list(recorder.migration_qs.order_by("id").values_list("app", "name"))
