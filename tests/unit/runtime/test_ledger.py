"""Why workers are there, as `nuages status` tells it."""

from __future__ import annotations

from nuages.runtime.ledger import CRASH, Ledger
from nuages.runtime.messages import Due, Event, Exited, Ready, Reload, Start
from nuages.runtime.pool import Limits, Phase, Pool, find, step
from nuages.runtime.scoreboard import Scoreboard


class Books:
    """A ledger that hears of a pool what the crew tells it: who was started, who has crashed."""

    def __init__(self, workers: int) -> None:
        self.ledger = Ledger(Scoreboard(1))
        self.pool, self.now = Pool(limits=Limits(workers=workers)), 0.0
        self.do()
        for number in range(1, workers + 1):
            self.do(Ready(number))

    def do(self, event: Event | None = None) -> None:
        self.now += 60
        if isinstance(event, Exited):
            worker = find(self.pool, event.id)
            if worker and worker.phase is Phase.READY:
                self.ledger.replaced(event.id, f"{CRASH}: it was killed")
        self.pool, actions = step(self.pool, self.now, event)
        for action in actions:
            if isinstance(action, Start):
                self.ledger.began(action.id, self.pool)

    @property
    def reasons(self) -> dict[int, str]:
        return {number: reason.partition(":")[0] for number, reason in self.ledger.reasons.items()}


def test_a_worker_that_takes_the_place_of_one_that_has_crashed_says_so() -> None:
    books = Books(workers=3)
    books.do(Exited(1))
    books.do(Exited(2))
    assert books.reasons == {4: "crash", 5: "crash"}
    books.do(Ready(4))
    books.do(Ready(5))
    books.do(Due(3, "it is 60 s old"))
    assert books.reasons == {4: "crash", 5: "crash", 6: "it is 60 s old"}


def test_a_crash_is_no_reason_for_who_comes_after_its_place_was_taken() -> None:
    books = Books(workers=1)
    books.do(Reload())
    books.do(Exited(1))  # while the new code loads
    books.do(Ready(2))
    books.do(Due(2, "it is 60 s old"))
    assert books.reasons == {2: "new code", 3: "it is 60 s old"}


def test_who_is_started_again_for_one_that_is_due_says_so_too() -> None:
    books = Books(workers=1)
    books.do(Due(1, "it is 60 s old"))
    books.do(Exited(2))  # before it was ready
    assert books.reasons == {3: "it is 60 s old"}
    books.do(Exited(1))
    books.do(Exited(3))
    assert books.reasons == {4: "crash"}


def test_who_follows_one_that_has_crashed_while_new_code_loads_says_so() -> None:
    books = Books(workers=1)
    books.do(Reload(forks=True))
    books.do(Exited(1))
    assert books.reasons == {2: "new code", 3: "crash"}
