"""The database connections of the threads that run Django: known, mended between requests, closed at the end."""

from __future__ import annotations

import functools
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nuages.runtime.streams import may_connect

# What the current thread has: `exchange`, the one it answers (set by sync.py around each call), `base`, the context
# of which its requests get copies, and `connections`, those to databases that were opened in it.
active = threading.local()
# The connections of all threads, and how many references each driver's own had when it was opened: a cursor has one.
_opened: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()


def watch_connections(mend: Callable[[], None], opened: Callable[[Any], None]) -> None:
    """Have Django tell which connections each thread opens: asking it after each request costs more.

    `opened` is called with each new one, in its thread.

    `mend` is called in the request's thread when it is finished, before Django drops the connections whose state it
    does not trust without a word.
    """
    from django.core.signals import request_finished
    from django.db import close_old_connections
    from django.db.backends.signals import connection_created

    own = id(close_old_connections)

    def finished(**_: Any) -> None:
        # A test client takes Django's receiver away while its request ends: inside a view, perhaps in a transaction
        # of the view's. The view's own request is mended when its thread is free, whoever took it away.
        if any(receiver[0][0] == own for receiver in request_finished.receivers):
            mend()

    def created(connection: Any, **_: Any) -> None:
        note_connection(connection)
        opened(connection)

    connection_created.connect(created, weak=False, dispatch_uid="nuages")
    is_connected = request_finished.disconnect(close_old_connections)
    request_finished.connect(finished, weak=False, dispatch_uid="nuages")
    if is_connected:  # receivers are called in the order in which they were connected
        request_finished.connect(close_old_connections)


def note_connection(connection: Any) -> None:
    """Remember a connection that Django opened in this thread."""
    known = getattr(active, "connections", ())
    if not any(one is connection for one in known):
        active.connections = (*known, connection)
    _opened[connection] = sys.getrefcount(connection.connection)


def count_open() -> int:
    """Return how many database connections this process has open, those in Django's pools included."""
    wrappers: list[Any] = []
    with suppress(RuntimeError):  # a thread opens one at this very moment: then it is not counted yet
        wrappers = list(_opened)
    # psycopg's pools belong to all threads; Django keeps them in the class, by alias.
    pooled = {id(pools): pools for one in wrappers if (pools := getattr(one, "_connection_pools", None))}
    aliases = {alias for pools in pooled.values() for alias in pools}
    count = sum(one.connection is not None for one in wrappers if one.alias not in aliases)
    for pools in pooled.values():
        count += sum(int(one.get_stats().get("pool_size", 0)) for one in list(pools.values()))
    return count


def close_connections() -> None:
    """Close the calling thread's database connections."""
    from django.db import connections

    connections.close_all()


def hold_server() -> bool:
    """Return whether the calling thread has connections open to a server; files grant as many as are asked for."""
    return any(
        one.connection is not None and one.vendor != "sqlite" for one in getattr(active, "connections", ())
    )


def release_unused() -> bool:
    """Close the calling thread's connections to servers that nothing is open on: no transaction, no cursor.

    Returns whether all are closed. Who goes on with one gets it opened again by Django.
    """
    for one in getattr(active, "connections", ()):
        if one.connection is not None and one.vendor != "sqlite" and not _is_used(one):
            one.close()
    return not hold_server()


def _is_used(connection: Any) -> bool:
    return (
        connection.in_atomic_block
        or not connection.autocommit
        or sys.getrefcount(connection.connection) > _opened.get(connection, 0)
    )


def wait_to_connect() -> None:
    """Have threads that stream wait for their turn before they connect to a server (`streams.may_connect`)."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.utils import OperationalError

    connect = BaseDatabaseWrapper.connect

    @functools.wraps(connect)
    def connect_(self: Any) -> Any:
        if self.vendor != "sqlite" and not may_connect():
            raise OperationalError(
                f"no connection to {self.alias!r} was free for this stream: others keep theirs, in a transaction or "
                "with a cursor that is not read to its end"
            )
        return connect(self)

    BaseDatabaseWrapper.connect = connect_


def are_settled() -> bool:
    """Return whether Django would leave the calling thread's connections as they are at the end of a request.

    It closes those that are too old, in error or not in the mode that the settings say (BaseDatabaseWrapper's
    `close_if_unusable_or_obsolete`).
    """
    return all(
        one.connection is None
        or not (
            one.errors_occurred
            or one.in_atomic_block
            or one.needs_rollback
            or one.autocommit != one.settings_dict["AUTOCOMMIT"]
            or (one.close_at is not None and time.monotonic() >= one.close_at)
        )
        for one in getattr(active, "connections", ())
    )


def left_open() -> tuple[Any, ...]:
    """Return the calling thread's connections that are inside a transaction."""
    return tuple(
        connection
        for connection in getattr(active, "connections", ())
        if (connection.in_atomic_block or connection.needs_rollback or not connection.autocommit)
        and _is_astray(connection)
    )


def _is_astray(connection: Any) -> bool:
    # AUTOCOMMIT False in the settings: the project wants it so.
    return connection.connection is not None and bool(
        connection.in_atomic_block
        or connection.needs_rollback
        or connection.settings_dict.get("AUTOCOMMIT", True)
    )


def mend_connections(say: Callable[[str], None]) -> None:
    """Close a connection that a request left inside a transaction, so that the next one does not continue it."""
    for connection in getattr(active, "connections", ()):
        if connection.in_atomic_block or connection.needs_rollback or not connection.autocommit:
            break
    else:
        return
    for connection in left_open():
        say(f"a view left the connection {connection.alias!r} inside a transaction; it was closed")
        connection.in_atomic_block = False
        connection.needs_rollback = False
        connection.savepoint_ids = []
        connection.run_on_commit = []
        # Closed once already, inside the transaction, Django keeps the closed connection until the block is left.
        connection.closed_in_transaction = False
        connection.close()
