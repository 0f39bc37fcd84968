"""How many connections a database server grants, asked on the first one: no more threads than that run Django.

Each thread keeps a connection of its own, those that are lent to async requests too, so both kinds together are bounded
by the worker's share of what the server has. One share is left for a worker that is started while another is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nuages.runtime.loans import Reserve
from nuages.runtime.scoreboard import Board
from nuages.runtime.threads import Pool

KEPT_SHARE = 8  # one of so many connections is async requests' own, where a project has async views
# Threads of each kind before a server could be asked, for each of a burst would connect; while requests wait for more,
# twice as many with each look: they may need no database.
FIRST_THREADS = 2

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
    if not _can_tell(connection):
        return None
    with suppress(Exception):  # a proxy in front of it may not know the question
        cursor = connection.connection.cursor()
        try:
            cursor.execute(_QUESTIONS[connection.vendor])
            return min((int(limit) for limit in cursor.fetchone() if int(limit) >= 0), default=None)
        finally:
            cursor.close()
    return None


def _can_tell(connection: Any) -> bool:
    settings = connection.settings_dict
    return (
        connection.vendor in _QUESTIONS
        and bool(settings.get("AUTOCOMMIT", True))
        and not settings.get("OPTIONS", {}).get("pool")
    )


def will_be_told() -> bool:
    """Return whether the settings name a database whose server tells, once there is a connection."""
    from django.db import connections

    with suppress(Exception):  # settings that name none, or what cannot be loaded: who uses it hears of it
        return any(_can_tell(connections[alias]) for alias in connections)
    return False


def share(limit: int, workers: int) -> int:
    """Return how many of a server's connections one worker may have, another one being started; at least one."""
    return max(1, limit // (max(1, workers) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How a worker's threads share out its connections: both kinds together have no more than `most`.

    Sync views have all but the `kept` of async requests, and async requests what sync views have not taken.
    """

    most: int
    kept: int

    def sync(self, lent: int) -> int:
        """Return how many threads sync views may have while so many are lent to async requests; at least one."""
        return max(1, self.most - max(self.kept, lent))

    def lent(self, sync: int) -> int:
        """Return how many threads may be lent while sync views have so many: they may have at least one."""
        return max(self.kept, self.most - max(1, sync))


class Allowance:
    """Bounds a worker's pool, and the reserve of async requests where there is one.

    `opened` is called in any thread, `apply` every second or so. `is_known` where there is nothing to ask a server.
    """

    def __init__(
        self,
        pool: Pool,
        reserve: Reserve | None,
        board: Board,
        workers: int | None,
        say: Callable[[str], None],
        *,
        is_known: bool = False,
    ) -> None:
        self._pool, self._reserve, self._board = pool, reserve, board
        self._workers, self._say = workers or 1, say
        self._wished = pool.most
        self._asked: set[str] = set()
        self._limit: tuple[int, str] | None = None
        self._split: Split | None = None
        self._first = self._wished if is_known else min(self._wished, FIRST_THREADS)
        if reserve is not None:
            reserve.room, reserve.grown = self._room, self._bound_pool
        self._bound_pool()

    def opened(self, connection: Any) -> None:
        """Ask the server of a new connection, the first time."""
        if connection.alias in self._asked:
            return
        self._asked.add(connection.alias)
        limit = granted(connection)
        if limit is not None and (self._limit is None or limit < self._limit[0]):
            self._limit = limit, connection.alias
        if _can_tell(connection):
            self._first = self._wished
        self.apply()

    def apply(self) -> None:
        """Bound the threads by the share of so many workers as there are now."""
        reserve = self._reserve
        if self._pool.queued or (reserve is not None and reserve.waiting):
            self._first = min(self._wished, 2 * self._first)
        if self._limit is not None:
            self._share_out(*self._limit)
        else:
            self._bound_pool()
        if reserve is not None:
            reserve.serve_waiting()

    def _share_out(self, limit: int, alias: str) -> None:
        workers = max(self._workers, self._board.accepting)
        most = min(self._wished, share(limit, workers))
        if self._reserve is not None:
            most = share(limit, workers)  # of both kinds together
        kept = max(1, most // KEPT_SHARE) if self._reserve is not None else 0
        split = Split(most=most, kept=kept)
        if split != self._split:
            self._split = split
            if split.sync(0) < self._wished:
                each = "its worker" if workers == 1 else f"each of {workers} workers"
                self._say(
                    f"the server of the database {alias!r} grants {limit} connections: at most {most} threads "
                    f"of {self._wished} in {each}, with room for one more worker while one is replaced"
                )
        self._bound_pool()

    def _bound_pool(self) -> None:
        """Leave to sync views what is not lent; few threads until it is known what the first connection costs."""
        most = self._first
        if self._split is not None:
            lent = len(self._reserve.threads) if self._reserve is not None else 0
            most = min(self._wished, self._split.sync(lent))
        if most != self._pool.most:
            self._pool.bound(most)

    def _room(self) -> int:
        """Return how many threads may be lent now."""
        if self._split is not None:
            return min(self._wished, self._split.lent(self._pool.connecting))
        return self._first
