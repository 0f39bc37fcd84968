"""Asking the database from a thread: what goes wrong there is an answer, and the next question is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from nuages.runtime import inquiry, schema
from nuages.runtime.inquiry import CHECK_SECONDS, Inquiry, ask, missing
from nuages.runtime.scoreboard import Board, Scoreboard


@pytest.fixture
def board() -> Iterator[Board]:
    whole = Scoreboard(1)
    yield Board(whole.descriptor, 0)
    whole.close()


def _broken(*_: object) -> NoReturn:
    raise ConnectionError("the server has gone away\nand more")


def test_a_connection_that_cannot_even_be_closed_is_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = SimpleNamespace(close_if_unusable_or_obsolete=_broken, close=_broken)
    monkeypatch.setattr("django.db.connection", broken)
    monkeypatch.setattr(schema, "read", _broken)
    assert ask() == "ConnectionError: the server has gone away"
    assert missing() == "ConnectionError: the server has gone away\nand more"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_of_a_question_is_followed_by_one_that_asks_the_next(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = threading.Event()
    answers: Any = iter([KeyError("nobody thought of it"), ""])

    def answer() -> str:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return str(found)

    monkeypatch.setattr(inquiry, "ask", answer)
    monkeypatch.setattr(board, "note_check", lambda _: noted.set())
    asking = Inquiry(board, always=True, migrations=False)
    asking.look()
    for thread in threading.enumerate():
        if thread.name == "nuages-database":
            thread.join(10)
    assert not noted.is_set()
    asking._asked -= CHECK_SECONDS + 10  # as if so much time had gone by
    asking.look()
    assert noted.wait(10)
