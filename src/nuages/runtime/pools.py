"""Django's own pools of PostgreSQL's connections (`OPTIONS["pool"]`, Django 5.1) beside the threads that share them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LEAST = 4  # connections; psycopg_pool's min_size, and its max_size where there is none
_PATIENCE = 30.0  # seconds; psycopg_pool's timeout


def scarce(databases: Mapping[str, Any], threads: int) -> Iterator[str]:
    """Yield a line for each database whose pool has fewer connections than a worker may have threads.

    The rest of them wait for one, and what waits too long gets psycopg_pool.PoolTimeout: a page is answered 500 that
    would only be late where it waits for a thread.
    """
    for alias, database in databases.items():
        options = database.get("OPTIONS")
        pool = options.get("pool") if isinstance(options, Mapping) else None
        is_oracle = "oracle" in str(database.get("ENGINE"))  # whose pool has other options, and waits
        if not pool or is_oracle:
            continue
        given = pool if isinstance(pool, Mapping) else {}
        size = given.get("max_size") or given.get("min_size", _LEAST)
        patience = given.get("timeout", _PATIENCE)
        if isinstance(size, int) and isinstance(patience, (int, float)) and 0 < size < threads:
            yield (
                f"the pool of DATABASES[{alias!r}] has {size} connections in each worker, and a worker has up to "
                f"{threads} threads: views beyond that wait up to {patience:g} s for one and then fail (PoolTimeout); "
                f'"max_size": {threads} in OPTIONS["pool"], or --threads {size}'
            )
