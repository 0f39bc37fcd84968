"""What is noted while a project is loaded, by calls of it."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from types import FunctionType

import pytest

from nuages.runtime.notes import Notes


@pytest.fixture
def notes() -> Iterator[Notes]:
    found = Notes()
    yield found
    found.close()


def _pipe_from(module: str) -> tuple[int, int]:
    """Open a pipe in a function of a module of that name, and close it."""

    def opened() -> tuple[int, int]:
        return os.pipe()

    names = {"__name__": module, "os": os}
    ends: tuple[int, int] = FunctionType(opened.__code__, names)()
    for end in ends:
        os.close(end)
    return ends


def test_the_first_module_outside_of_the_standard_library_is_noted(notes: Notes) -> None:
    assert {notes.openers[end] for end in _pipe_from("shop.rates")} == {"shop.rates"}
    assert {notes.openers[end] for end in _pipe_from("subprocess")} == {__name__}


def test_an_agent_around_a_call_is_passed_over(notes: Notes) -> None:
    assert {notes.openers[end] for end in _pipe_from("sentry_sdk.integrations.threading")} == {__name__}


def test_what_is_to_be_called_at_the_end_is_noted_and_what_is_not_any_more(notes: Notes) -> None:
    atexit.register(_nothing, 1, two=2)
    try:
        assert notes.endings == [(_nothing, (1,), {"two": 2})]
    finally:
        atexit.unregister(_nothing)
    assert notes.endings == []


def test_everything_is_as_before_when_it_is_closed() -> None:
    before = os.pipe, os.register_at_fork, atexit.register, atexit.unregister, threading.Thread.start
    notes = Notes()
    held = atexit.register  # as `from atexit import register` does
    notes.close()
    assert (
        os.pipe,
        os.register_at_fork,
        atexit.register,
        atexit.unregister,
        threading.Thread.start,
    ) == before
    atexit.unregister(held(_nothing))
    assert notes.endings == []


def _nothing(*_args: int, **_options: int) -> None:
    """Do nothing."""
