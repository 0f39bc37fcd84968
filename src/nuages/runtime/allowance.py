"""How many connections a database server grants, asked on the first one: no more threads than that run sync Django.

Each thread keeps a connection of its own, so a worker's threads are bounded by its share of what the server has. One
share is left for the worker that is started while another is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nuages.runtime.scoreboard import Board
from nuages.runtime.threads import Pool

# What the server, the role and the database have left for those who are not superusers; below 0: no limit.
_QUESTIONS = {
    "postgresql": (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true)::int, 0), rolconnlimit, datconnlimit"
        " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
    ),
    "mysql": "SELECT @@max_connections, @@max_user_connections - (@@max_user_connections = 0), -1",
}


def granted(connection: Any) -> int | None:
    """Return how many connections the server of an open Django connection grants; None where it does not tell.

    It is asked below Django, whose query log and counts belong to the project. In a transaction that Django has not
    begun, or behind a pool of Django's, nothing is asked.
    """
    question = _QUESTIONS.get(connection.vendor)
    settings = connection.settings_dict
    if question is None or not settings.get("AUTOCOMMIT", True) or settings.get("OPTIONS", {}).get("pool"):
        return None
    with suppress(Exception):  # a proxy in front of it may not know the question
        cursor = connection.connection.cursor()
        try:
            cursor.execute(question)
            return min((int(limit) for limit in cursor.fetchone() if int(limit) >= 0), default=None)
        finally:
            cursor.close()
    return None


def share(limit: int, workers: int) -> int:
    """Return how many of a server's connections one worker may have, another one being started; at least one."""
    return max(1, limit // (max(1, workers) + 1))


class Allowance:
    """Bounds a worker's pool. `opened` is called in any thread, `apply` as often as one likes."""

    def __init__(self, pool: Pool, board: Board, workers: int | None, say: Callable[[str], None]) -> None:
        self._pool, self._board, self._workers, self._say = pool, board, workers or 1, say
        self._wished = pool.most
        self._asked: set[str] = set()
        self._limit: tuple[int, str] | None = None

    def opened(self, connection: Any) -> None:
        """Ask the server of a new connection, the first time."""
        if connection.alias in self._asked:
            return
        self._asked.add(connection.alias)
        limit = granted(connection)
        if limit is not None and (self._limit is None or limit < self._limit[0]):
            self._limit = limit, connection.alias
            self.apply()

    def apply(self) -> None:
        """Bound the threads by the share of so many workers as there are now."""
        if self._limit is None:
            return
        limit, alias = self._limit
        workers = max(self._workers, self._board.accepting)
        most = min(self._wished, share(limit, workers))
        if most == self._pool.most:
            return
        self._pool.bound(most)
        self._say(
            f"the server of the database {alias!r} grants {limit} connections: at most {most} threads "
            f"of {self._wished} in each of {workers} workers, with room for one more worker while one is replaced"
        )
