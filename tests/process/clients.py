"""Clients that go on asking while things happen to a server: `benchmarks.steady` in a process of its own.

Half of the requests come over fresh connections, half over kept ones. What failed is told by how it failed, so that a
test can say which failures there may be; none, mostly.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.steady import Tally
from tests.process.harness import DEADLINE, Lines

ROOT = Path(__file__).resolve().parents[2]


class Clients:
    """A load that goes on until `end`; use it as `with asking(address) as clients`."""

    def __init__(self, address: str, *options: str) -> None:
        command = [sys.executable, "-m", "benchmarks.steady", address, *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lines = Lines(self._process.stdout)
        self.tally = Tally()

    @property
    def answered(self) -> int:
        """How many good answers there were, as far as it has been told."""
        return int((self._lines.objects() or [{"answered": 0}])[-1]["answered"])

    def more(self, number: int, *, within: float = DEADLINE) -> None:
        """Wait for so many good answers more."""
        wanted = self.answered + number
        self._lines.wait(lambda: self.answered >= wanted, f"{number} answers more", within)

    def end(self, *, within: float = DEADLINE) -> Tally:
        """End the load, or wait until its time is over; return what came of it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(within)
        self._lines.join()
        self.tally = Tally(**self._lines.objects()[-1])
        return self.tally

    def kill(self) -> None:
        """End the process, whatever it has told."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._lines.join()


@contextlib.contextmanager
def asking(address: str, *options: str) -> Iterator[Clients]:
    """Ask until the block is left; `options` are those of `python -m benchmarks.steady`."""
    clients = Clients(address, *options)
    try:
        yield clients
        clients.end(within=120)
    finally:
        clients.kill()
