"""What is said when a step of `up` fails: uv's words and those of a migration, made into one thing to do."""

from __future__ import annotations

import pytest

from nuages.environment.failures import Context, explain
from nuages.environment.migrations import advice

_NOWHERE = """  × No solution found when resolving dependencies:
  ╰─▶ Because postgres-copy was not found in the package registry and you require postgres-copy, we can conclude
      that your requirements are unsatisfiable.
"""


def test_a_name_that_nobody_has_is_corrected_where_it_was_written() -> None:
    error = explain(_NOWHERE, Context(where="requirements.txt", python="3.12"))
    assert (error.what, error.hint) == (
        "there is no package postgres-copy",
        "correct the name postgres-copy, or add the index that has it to pip's configuration",
    )


def test_a_name_that_was_guessed_from_an_import_is_not_for_the_user_to_correct() -> None:
    error = explain(_NOWHERE, Context(where="shop/settings.py:4", python="3.12", guessed=True))
    assert (
        error.hint
        == "declare the dependencies in requirements.txt: postgres-copy is guessed by an import's name"
    )


@pytest.mark.parametrize(
    ("last", "hint"),
    [
        (
            "ModuleNotFoundError: No module named 'attrs.converters'",
            "add the package that provides attrs to the project's dependencies and lock, and install them",
        ),
        (
            "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
            'have shop/settings.py read one: SECRET_KEY = os.environ["SECRET_KEY"]; it is generated then, and kept',
        ),
        (
            "SystemCheckError: System check identified some issues:\n\nERRORS:\n?: (files.E001) The setting …",
            "correct what stands below ERRORS",
        ),
        ("django.db.utils.OperationalError: disk I/O error", "run it by hand: nuages run -- migrate"),
    ],
)
def test_a_migration_that_fails_for_a_known_reason_says_what_to_do(last: str, hint: str) -> None:
    said = ["Traceback (most recent call last):", *last.splitlines(), ""]
    assert advice(said, ["shop/settings.py"]) == hint
