"""Pools of Django's own that have fewer connections than a worker has threads."""

from __future__ import annotations

from typing import Any

import pytest

from nuages.runtime.pools import scarce


def test_a_pool_that_is_smaller_than_the_threads_are_many_is_told_with_what_follows() -> None:
    assert list(scarce({"default": {"OPTIONS": {"pool": True}}}, 64)) == [
        "the pool of DATABASES['default'] has 4 connections in each worker, and a worker has up to 64 threads: views "
        "beyond that wait up to 30 s for one and then fail (PoolTimeout); "
        '"max_size": 64 in OPTIONS["pool"], or --threads 4'
    ]


@pytest.mark.parametrize(
    ("pool", "size", "seconds"),
    [
        ({"min_size": 2}, 2, 30),
        ({"min_size": 2, "max_size": 10, "timeout": 5}, 10, 5),
        ({"timeout": 2.5}, 4, 2.5),
    ],
)
def test_what_psycopgs_pool_takes_by_default_is_known(pool: Any, size: int, seconds: float) -> None:
    (line,) = scarce({"default": {"OPTIONS": {"pool": pool}}}, 16)
    assert f" has {size} connections " in line
    assert f" up to {seconds:g} s " in line


@pytest.mark.parametrize(
    "database",
    [
        {},
        {"OPTIONS": None},
        {"OPTIONS": {"pool": False}},
        {"OPTIONS": {"pool": {"max_size": 16}}},
        {"OPTIONS": {"pool": {"max_size": "many"}}},
        {"OPTIONS": {"pool": {"min_size": 0}}},
        {"ENGINE": "django.db.backends.oracle", "OPTIONS": {"pool": {"min": 1, "max": 20}}},
    ],
)
def test_nothing_is_told_where_there_is_no_pool_or_enough_of_it(database: Any) -> None:
    assert list(scarce({"default": database}, 16)) == []
