"""What is said when a step of `up` fails: uv's words and those of a migration, made into one thing to do."""

from __future__ import annotations

import pytest

from nuages.environment.failures import Context, addressed, explain
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
        (
            "OSError: libvoikko.so.1: cannot open shared object file: No such file or directory\n"
            "Exception ignored in: <function Voikko.__del__>\nAttributeError: 'Voikko' object has no attribute 'lib'",
            "install the Debian package that has libvoikko.so.1, libvoikko1 by its name: apt-get install libvoikko1",
        ),
        ("django.db.utils.OperationalError: disk I/O error", "run it by hand: nuages run -- migrate"),
    ],
)
def test_a_migration_that_fails_for_a_known_reason_says_what_to_do(last: str, hint: str) -> None:
    said = ["Traceback (most recent call last):", *last.splitlines(), ""]
    assert advice(said, ["shop/settings.py"]) == hint


_UNREACHED = """error: Request failed after 3 retries in 4.8s
  cause: Failed to fetch: https://code.example/shop/archive/40ff.zip
  cause: error sending request for url (https://code.example/shop/archive/40ff.zip)
  cause: dns error
"""


def test_an_address_of_a_requirement_that_is_looked_into_is_not_the_index() -> None:
    lines = (
        "django==5.2\n-i https://packages.example/simple\nshop @ https://code.example/shop/archive/40ff.zip\n"
    )
    context = Context(
        where="requirements.txt", python="3.12", addressed=tuple(addressed(lines, "requirements/base.txt"))
    )
    error = explain(_UNREACHED, context)
    assert error.what == "shop cannot be fetched from the address that it is required from"
    assert error.where == "requirements/base.txt:3"
    error = explain(_UNREACHED.replace("code.example", "packages.example"), context)
    assert error.what == "the package index cannot be reached"


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("shop[all] @ git+https://code.example/shop.git@1.0#subdirectory=back", True),
        ("-e git+https://code.example/shop.git#egg=shop", True),
        ('source = { git = "https://code.example/shop.git?rev=1#ab" }', True),
        ("https://code.example/shop.zip", True),
        ("# see https://code.example/@shop", False),
        ("--index-url https://user@packages.example/simple", False),
        ('    { url = "https://packages.example/shop-1.0.whl", hash = "sha256:aa" },', False),
    ],
)
def test_lines_that_name_an_address_are_found_with_their_place(line: str, is_one: bool) -> None:
    assert list(addressed(f"django\n{line}\n", "requirements.txt")) == (
        [(line, "requirements.txt:2")] if is_one else []
    )


def test_a_repository_is_told_where_the_file_that_names_it_does() -> None:
    said = "error: Failed to download and build `shop @ git+https://code.example/shop.git@1.0#subdirectory=back`\n"
    said += "  cause: Git operation failed\n"
    lines = "# the plug-ins\nshop @ git+https://code.example/shop.git@1.0#subdirectory=back\n"
    context = Context(
        where="requirements.txt", python="3.12", addressed=tuple(addressed(lines, "contrib.txt"))
    )
    assert explain(said, context).where == "contrib.txt:2"
