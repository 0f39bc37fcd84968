"""A generation's zygote, seen from the supervisor: what it was asked for, and how it ends.

One that has loaded takes orders, and is killed when it is of no use any more or does not answer. One that still loads
takes none: it is asked, by an order and a signal that has it look, to remove what the project has made so far, such as
a temporary folder, for whose end nobody else could be asked.
"""

from __future__ import annotations

import dataclasses
import select
import time
from math import inf

from nuages.runtime.child import CLEANS_UP, Assignment, Child, Process

# Seconds that a zygote may take to fork. Where the worker is to be killed, the zygote is soon held for what hangs.
ANSWERS, ANSWERS_SURELY = 2.0, 10.0
NOT_NEEDED = "it is not needed any more"


class Zygote(Process):
    """A generation's zygote. `waiting` are the workers that it is to make; `loaded` is how long loading took."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment.generation)
        self.assignment = dataclasses.replace(assignment, worker=0, slot=0)
        self.waiting: dict[int, Child] = {}
        self.loaded = 0.0
        self.loaded_at = 0.0

    @property
    def is_loading(self) -> bool:
        """Whether it has not loaded the project, as far as it has told."""
        return not self.loaded_at

    def answers_until(self) -> float:
        """Return when it must have forked the workers that it was asked for, in monotonic seconds."""
        asked = min((worker.asked_at for worker in self.waiting.values() if worker.asked_at), default=inf)
        return asked + (CLEANS_UP if self.told_to_end else ANSWERS_SURELY)

    def wait(self, until: float) -> None:
        """Wait for its end, but not longer than to `until`, in monotonic seconds."""
        ends = select.poll()
        ends.register(self.control, select.POLLRDHUP)
        ends.poll(max(0.0, until - time.monotonic()) * 1000)
