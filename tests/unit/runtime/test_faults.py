"""What a project's own exceptions are told as."""

from __future__ import annotations

import pytest

from nuages.runtime.faults import start_error


@pytest.mark.parametrize(
    "said",
    [
        "Set the PAYMENT_KEY environment variable",  # django-environ
        'Environment variable "PAYMENT_KEY" not set',  # environs
        "PAYMENT_KEY not found. Declare it as envvar or define a default value.",  # python-decouple
    ],
)
def test_a_variable_that_a_library_misses_is_named(said: str) -> None:
    error = start_error(ValueError(said), directories=(), settings=None, loading="the entry module shop.wsgi")
    assert error.what == "the variable PAYMENT_KEY is not set"
    assert error.hint == "set PAYMENT_KEY in the environment"
    assert said in error.why


def test_what_a_library_says_of_a_variable_that_is_set_is_not_taken_for_that() -> None:
    said = 'Environment variable "PAYMENT_KEY" invalid: Not a valid integer.'
    error = start_error(ValueError(said), directories=(), settings=None, loading="the entry module shop.wsgi")
    assert error.what == "the entry module shop.wsgi cannot be loaded"
