"""What `nuages migrate` is told, apart from what migrates: every command reads it, and the supervisor stays small."""

from __future__ import annotations

from dataclasses import dataclass

from nuages.kinds import duration, flag, text
from nuages.options import declare

MIGRATIONS = "Migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateOptions:
    """What `migrate` migrates, and how long it waits. Durations are seconds."""

    database: tuple[str, ...] = declare(
        text("ALIAS"), default=("default",), repeatable=True, group=MIGRATIONS,
        help="the database to migrate, by its name in DATABASES; repeatable",
    )  # fmt: skip
    database_wait: float = declare(
        duration, default=60.0, default_text="60s", group=MIGRATIONS,
        help="how long to wait for a database that does not answer yet",
    )  # fmt: skip
    lock_wait: float = declare(
        duration, default=600.0, default_text="10m", group=MIGRATIONS,
        help="how long to wait for somebody else who migrates the same database",
    )  # fmt: skip
    no_downgrade: bool = declare(
        flag, default=False, default_text="", group=MIGRATIONS,
        help="refuse to run code that is older than the database's schema; without it this is a warning",
    )  # fmt: skip
    dry_run: bool = declare(
        flag, default=False, default_text="", group=MIGRATIONS,
        help="print what would be applied, and apply nothing",
    )  # fmt: skip
