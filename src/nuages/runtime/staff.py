"""The threads that somebody keeps for work to come: which of them are idle, and which of these are cold.

The most recently used ones stay warm, with their database connections; an idle thread ends after a while.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

IDLE_SECONDS = 30.0  # an idle thread ends after this
COLD_SECONDS = 1.0  # an idle thread that is not among the warm ones gives its connections back after this
WARM = 8  # the most recently used threads that keep their connections while idle

Worker = TypeVar("Worker", bound=threading.Thread)


class Staff(Generic[Worker]):
    """All `threads`, and the idle ones among them, the most recently used last."""

    def __init__(self, lock: threading.Lock | threading.RLock, idle_seconds: float) -> None:
        self.lock = lock
        self.idle_seconds = idle_seconds
        self.threads: set[Worker] = set()
        self._idle: list[Worker] = []

    def is_cold(self, worker: Worker) -> bool:
        """Return whether a thread is idle and not among the most recently used."""
        with self.lock:
            return worker in self._idle and worker not in self._idle[-WARM:]

    def retire(self, worker: Worker) -> bool:
        """Take an idle thread out; False when it is at work, or has just been given some."""
        with self.lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self.threads.discard(worker)
            return True

    def dismiss_idle(self) -> list[Worker]:
        """Take all idle threads out and return them, to be told; none stays idle for long from now on."""
        with self.lock:
            self.idle_seconds = 0.0
            idle, self._idle = self._idle, []
            self.threads.difference_update(idle)
            return idle
