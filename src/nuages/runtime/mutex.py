"""One at a time: a lock in the database that is migrated, which ends with the process that holds it.

It is taken on a connection of its own. Who waits holds nothing: behind a pool such as PgBouncer's, waiting transactions
would keep the one that migrates from getting a connection at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from nuages.errors import OutsideError
from nuages.runtime.django import Report

_KEY = int.from_bytes(hashlib.sha256(b"nuages migrate").digest()[:8], "big", signed=True)
"""Advisory locks are counted per database (PostgreSQL, 13.3.5): one key serves all."""

_EVERY = 0.25  # seconds between two attempts
_UNBOUNDED = (
    "statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout",
)  # fmt: skip
"""What would end a transaction that only waits; `transaction_timeout` is there from PostgreSQL 17 on."""


@contextmanager
def held(connection: Any, wait: float, report: Report) -> Iterator[None]:
    """Hold the lock of a Django connection's database while the block runs; wait for it at most `wait` seconds.

    Databases that have none (Oracle, those of other vendors, SQLite in memory) are said and not locked. Raises
    OutsideError where somebody else holds it all the time.
    """
    attempts = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}.get(connection.vendor)
    if attempts is None:
        report("lock", f"{connection.vendor} has no lock that nuages knows: let only one migrate at a time")
        yield
        return
    with attempts(connection) as attempt:
        _acquire(attempt, wait, report)
        yield


def _acquire(attempt: Callable[[], bool], wait: float, report: Report) -> None:
    from django.db import OperationalError

    deadline = time.monotonic() + wait
    told = ""
    while True:
        try:
            if attempt():
                return
            why = "somebody else migrates this database"
        except OperationalError as error:
            why = f"no second connection for the lock: {str(error).strip()}"
        if why != told:
            report("lock", f"{why}: waiting, at most {wait:g} s")
            told = why
        if time.monotonic() >= deadline:
            raise OutsideError(
                "the lock for migrations was never free", where=f"waited for {wait:g} s", why=why,
                hint="look for a migration that hangs; --lock-wait DURATION waits longer",
            )  # fmt: skip
        time.sleep(_EVERY)


@contextmanager
def _postgresql(connection: Any) -> Iterator[Callable[[], bool]]:
    """An advisory lock of an open transaction: one of a session does nothing behind a pool of transactions.

    The transaction reads committed rows whatever the project chose: one that keeps a snapshot would hold up
    CREATE INDEX CONCURRENTLY for ever.
    """
    with closing(_another(connection)) as own:
        own.settings_dict["OPTIONS"].pop("pool", None)

        def attempt() -> bool:
            own.close_if_unusable_or_obsolete()
            own.set_autocommit(False)
            with own.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                cursor.execute(
                    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY(%s)",
                    [list(_UNBOUNDED)],
                )
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_KEY])
                taken = bool(cursor.fetchone()[0])
            if not taken:
                own.rollback()
                own.set_autocommit(True)
            return taken

        yield attempt


@contextmanager
def _mysql(connection: Any) -> Iterator[Callable[[], bool]]:
    """GET_LOCK on a session of its own; its names are the server's, so the database's stands in it."""
    name = "nuages migrate " + hashlib.sha256(str(connection.settings_dict["NAME"]).encode()).hexdigest()[:32]
    with closing(_another(connection)) as own:

        def attempt() -> bool:
            own.close_if_unusable_or_obsolete()
            with own.cursor() as cursor:
                # A session that says nothing for longer than this is closed, and its lock with it.
                cursor.execute("SET SESSION wait_timeout = 604800")
                cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
                return bool(cursor.fetchone()[0])

        yield attempt


@contextmanager
def _sqlite(connection: Any) -> Iterator[Callable[[], bool]]:
    """A lock on a file beside the database: closing the database's own file would drop SQLite's locks on it.

    («How To Corrupt An SQLite Database File», section 2.2.)
    """
    if connection.is_in_memory_db():
        yield lambda: True
        return
    # Beside the file itself, as SQLite's own journal: in an image the name is a link into the volume.
    path = f"{os.path.realpath(connection.settings_dict['NAME'])}.migrating"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutsideError(
            "the lock for migrations cannot be made", where=path, why=error.strerror or str(error),
            hint="make the database's folder writable for the user that nuages runs as: SQLite writes there too",
        ) from None  # fmt: skip

    def attempt() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        yield attempt
    finally:
        os.close(descriptor)  # the file stays: who opened it before it went would lock another one


def _another(connection: Any) -> Any:
    """Return a further connection to the same database.

    Under the same alias: what hears of a new connection asks `connections` for it by that name (django.contrib.postgres
    looks up its types so).
    """
    return connection.copy()
