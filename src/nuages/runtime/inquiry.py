"""`--ready-database`: one worker of the server asks the default database now and then, and all can read the answer."""

from __future__ import annotations

import threading
import time
from typing import Any

from nuages.runtime.scoreboard import Board

CHECK_SECONDS = 5.0  # between two questions to the database, of all workers together
_TURN = 1.5  # seconds after which another worker takes over from the one that asked last


class Inquiry:
    """Asks from a thread and over a connection of its own, so that no request waits and an answer may take long.

    The worker that asked last goes on asking: the server needs one more connection, not one for each worker.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._asked = 0.0
        self._thread: threading.Thread | None = None
        self._due = threading.Event()

    def look(self) -> None:
        """Ask if it is time and nobody else has; called once a second by the loop, which never waits here."""
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
        while True:
            self._due.wait()
            self._board.note_check(ask())
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
        found.close()
        first = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first}" if first else type(error).__name__
    return ""
