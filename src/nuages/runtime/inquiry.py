"""`--ready-database` and `--ready-migrations`: one worker asks the default database, and all can read the answer."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from nuages.runtime.scoreboard import Board

CHECK_SECONDS = 5.0  # between two questions to the database, of all workers together
NOT_MIGRATED = "not migrated yet"
_TURN = 1.5  # seconds after which another worker takes over from the one that asked last


class Inquiry:
    """Asks from a thread and over a connection of its own, so that no request waits and an answer may take long.

    The worker that asked last goes on asking: the server needs one more connection, not one for each worker.
    """

    def __init__(self, board: Board, *, always: bool, migrations: bool) -> None:
        """`always`: goes on asking; else only until no migration is missing."""
        self._board = board
        self._always, self._migrations = always, migrations
        self._asked = 0.0
        self._thread: threading.Thread | None = None
        self._due = threading.Event()

    def look(self) -> None:
        """Ask if it is time and nobody else has; called once a second by the loop, which never waits here."""
        if not self._always and not self._migrations:
            return
        now = time.monotonic()
        newest = self._board.newest_check()
        patience = (
            CHECK_SECONDS if self._asked and newest and newest.at >= self._asked else CHECK_SECONDS + _TURN
        )
        if now - self._asked < CHECK_SECONDS or (newest and now - newest.at < patience):
            return
        if self._due.is_set():
            return  # the last question is not answered yet
        self._asked = now
        self._due.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="nuages-database", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._due.wait()
                why = ask() or (missing() if self._migrations else "")
                self._migrations = self._migrations and bool(why)
                self._board.note_check(why)
                self._due.clear()
        finally:  # what nobody thought of has ended this thread: the next question gets another
            self._thread = None
            self._due.clear()


def ask() -> str:
    """Ask the default database for nothing; return why it does not answer, empty where it does."""
    from django.db import connection

    found: Any = connection
    try:
        found.close_if_unusable_or_obsolete()
        with found.cursor() as cursor:
            cursor.execute(f"SELECT 1{found.features.bare_select_suffix}")
            cursor.fetchone()
    except Exception as error:  # noqa: BLE001 - whatever the driver raises
        _close(found)
        first = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first}" if first else type(error).__name__
    return ""


def missing() -> str:
    """Return which migrations of the code the default database lacks, empty where it has them all."""
    from django.db import connection

    from nuages.runtime import schema

    try:
        names = schema.read(connection).missing
    except Exception as error:  # noqa: BLE001 - whatever the driver raises
        _close(connection)
        return f"{type(error).__name__}: {error}"
    more = (
        f" and {len(names) - 1} more" if len(names) > 1 else ""
    )  # the scoreboard takes some hundred characters
    return f"{NOT_MIGRATED}: {names[0]}{more}" if names else ""


def _close(connection: Any) -> None:
    """Close a connection that is broken, which some drivers and proxies cannot even do without an error."""
    with contextlib.suppress(Exception):
        connection.close()
