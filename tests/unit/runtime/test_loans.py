"""The threads that async requests borrow, where the system grants no more of them."""

from __future__ import annotations

import pytest

from nuages.runtime.loans import LentThread, Reserve


def test_where_no_more_threads_can_start_requests_wait_for_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reserve = Reserve()
    monkeypatch.setattr(LentThread, "start", lambda _: None)
    with reserve.lock:
        thread = reserve.take()
        assert thread is not None
        monkeypatch.setattr(LentThread, "start", _refused)
        assert reserve.take() is None
        assert reserve.threads == {thread}
        reserve.give_back(thread)
        assert reserve.take() is thread


def test_where_there_is_none_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LentThread, "start", _refused)
    reserve = Reserve()
    with reserve.lock, pytest.raises(RuntimeError):
        reserve.take()
    assert not reserve.threads


def _refused(_thread: LentThread) -> None:
    raise RuntimeError("can't start new thread")
