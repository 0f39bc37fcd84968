"""What faulthandler writes in pieces is said whole."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from math import inf

import pytest

from nuages.runtime.child import Process
from nuages.runtime.dumps import Dumps


class Gathered:
    """A process, what gathers its stacks, and what was said."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.selector = selector
        self.said: list[str] = []
        self.process = Process(0)
        self.dumps = Dumps(selector, lambda _, text: self.said.append(text))
        self.dumps.listen(self.process)

    def write(self, text: str) -> None:
        """Write as faulthandler does, in the process's place."""
        self.process._dumped.write(text.encode())
        self.act()

    def act(self) -> None:
        """Act on what can be read, as the supervisor's loop does."""
        for key, _ in self.selector.select(0):
            key.data()


@pytest.fixture
def gathered() -> Iterator[Gathered]:
    with selectors.DefaultSelector() as selector:
        made = Gathered(selector)
        yield made
        made.process.close()


def test_pieces_become_one_text_when_no_more_come(gathered: Gathered) -> None:
    for piece in ("Current thread:\n", "  File ", "é in nap\n"):
        gathered.write(piece)
        gathered.dumps.expire(time.monotonic())
    assert gathered.said == []
    gathered.dumps.expire(gathered.dumps.next_deadline())
    assert gathered.said == ["Current thread:\n  File é in nap"]
    assert gathered.dumps.next_deadline() == inf
    gathered.write("another")
    gathered.dumps.expire(gathered.dumps.next_deadline())
    assert gathered.said[1:] == ["another"]


def test_what_a_process_wrote_before_it_ended_is_said_at_its_end(gathered: Gathered) -> None:
    gathered.write("one ")
    gathered.process._dumped.write(b"two")
    gathered.dumps.forget(gathered.process)
    gathered.dumps.forget(gathered.process)
    assert gathered.said == ["one two"]
    assert not gathered.selector.get_map()


def test_a_pipe_whose_other_end_is_closed_is_looked_at_no_more(gathered: Gathered) -> None:
    gathered.write("last words")
    gathered.process._let_go()
    gathered.act()
    assert not gathered.selector.get_map()
    gathered.dumps.forget(gathered.process)
    assert gathered.said == ["last words"]


def test_a_process_that_ended_in_the_same_round_is_read_no_more(gathered: Gathered) -> None:
    gathered.process._dumped.write(b"stacks")
    ready = gathered.selector.select(0)
    gathered.dumps.forget(gathered.process)
    gathered.process.close()
    for key, _ in ready:
        key.data()
    assert gathered.said == ["stacks"]
