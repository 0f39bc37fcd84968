"""Which migrations a database misses, and which a newer release applied."""

from __future__ import annotations

from nuages.runtime.schema import Schema


def schema(code: dict[str, set[str]], *applied: str) -> Schema:
    rows = tuple((label, name) for label, _, name in (row.partition(".") for row in applied))
    return Schema(code={label: frozenset(names) for label, names in code.items()}, applied=rows)


def test_migrations_that_are_not_applied_are_missing() -> None:
    found = schema({"shop": {"0001", "0002"}, "cart": {"0001"}}, "shop.0001")

    assert found.missing == ("cart.0001", "shop.0002")
    assert found.ahead == ()


def test_a_row_after_the_last_known_one_was_applied_by_newer_code() -> None:
    found = schema({"shop": {"0001"}, "cart": {"0001"}}, "shop.0001", "cart.0001", "shop.0002")

    assert found.ahead == ("shop.0002",)


def test_rows_of_migrations_that_were_squashed_and_removed_are_not_ahead() -> None:
    found = schema(
        {"shop": {"0001_squashed_0002", "0003"}},
        "shop.0001",
        "shop.0002",
        "shop.0001_squashed_0002",
        "shop.0003",
    )

    assert found.ahead == ()
    assert found.missing == ()


def test_rows_of_applications_that_are_gone_say_nothing() -> None:
    assert schema({"shop": {"0001"}}, "shop.0001", "old.0001").ahead == ()


def test_unknown_rows_of_an_application_without_a_known_one_are_ahead() -> None:
    assert schema({"shop": {"0001_new"}}, "shop.0001_initial").ahead == ("shop.0001_initial",)
