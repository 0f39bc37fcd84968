"""The tables of caches that live in the database: no migration makes them (Django, «Creating the cache table»)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def missing(connection: Any) -> tuple[str, ...]:
    """Return the tables that the settings' caches keep in this database and that it has not.

    Only what the settings say is read: to make a cache could need a server that does not run yet.
    """
    from django.core.cache.backends.db import BaseDatabaseCache
    from django.db import router

    wanted = [
        table
        for table in dict.fromkeys(_named())
        if router.allow_migrate_model(connection.alias, BaseDatabaseCache(table, {}).cache_model_class)
    ]
    if not wanted:
        return ()
    there = set(connection.introspection.table_names())
    return tuple(table for table in wanted if table not in there)


def make(connection: Any, tables: tuple[str, ...]) -> None:
    """Make these tables as `manage.py createcachetable` does."""
    from django.core.management import call_command

    call_command("createcachetable", *tables, database=connection.alias, verbosity=0)


def describe(tables: tuple[str, ...]) -> str:
    """Return the tables in words."""
    return f"the cache's table{'' if len(tables) == 1 else 's'} {', '.join(tables)}"


def _named() -> Iterator[str]:
    from django.conf import settings
    from django.core.cache.backends.db import BaseDatabaseCache
    from django.utils.module_loading import import_string

    for row in settings.CACHES.values():
        try:
            kind = import_string(str(row.get("BACKEND", "")))
        except ImportError:
            continue
        if isinstance(kind, type) and issubclass(kind, BaseDatabaseCache) and row.get("LOCATION"):
            yield str(row["LOCATION"])
