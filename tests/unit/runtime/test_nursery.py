"""Workers whose number comes late, or from themselves."""

from __future__ import annotations

import selectors
import signal
from typing import Any

import pytest

from nuages.runtime.child import Child
from nuages.runtime.nursery import Nursery


@pytest.mark.parametrize("doomed", [False, True])
def test_a_worker_that_tells_its_number_itself_is_killed_if_it_was_to_be(
    monkeypatch: pytest.MonkeyPatch, doomed: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Child, "signal", lambda worker, number: sent.append((worker.pid, number)))
    say: Any = None
    with selectors.DefaultSelector() as selector:
        nursery = Nursery(
            {},
            selector,
            say,
            preload="off",
            failed=lambda _: None,
            adopts=lambda: True,
            is_short=lambda: False,
        )
        worker = Child(1, 0, 0)
        worker.doomed = doomed
        nursery.born(worker, 4711)
        nursery.born(worker, 4712)  # its zygote says it too, later
    worker.close()
    assert worker.pid == 4711
    assert sent == ([(4711, signal.SIGKILL)] if doomed else [])
