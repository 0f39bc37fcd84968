"""The shape of an error, and the exit code of each kind."""

from __future__ import annotations

import pytest

from nuages.errors import NuagesError, Origin, OutsideError, ProjectError, StartError, UsageError


def test_an_error_says_what_where_why_and_one_thing_to_do() -> None:
    error = ProjectError(
        "the settings need a variable",
        where=Origin("shop/settings.py", 9),
        why="SECRET_KEY is read without a default\nand nobody set it",
        hint="export SECRET_KEY=…",
    )
    assert error.render() == (
        "error: the settings need a variable\n"
        "  shop/settings.py:9\n"
        "  SECRET_KEY is read without a default\n"
        "  and nobody set it\n"
        "\n"
        "hint: export SECRET_KEY=…"
    )


@pytest.mark.parametrize(
    ("kind", "code"), [(ProjectError, 1), (UsageError, 2), (StartError, 3), (OutsideError, 4)]
)
def test_each_kind_has_its_exit_code(kind: type[NuagesError], code: int) -> None:
    assert kind("x").exit_code == code
