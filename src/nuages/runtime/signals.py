"""Signals as bytes that a loop reads: handlers do nothing, so that nothing happens between two lines of ours."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys

# In the order in which they are acted on: an order to stop comes before the news of a worker that the same signal,
# sent to the whole process group, may have ended.
HANDLED = (
    signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU,
    signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
# That come to whole groups, and mean nothing to any process but the supervisor.
GROUPWIDE = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2)
_COUNTED = {signal.SIGTTIN, signal.SIGTTOU}  # each of them means one worker
# These two in the order in which they come: at the fewest and the most workers that there may be it matters.
_PLACES = {number: place for place, number in enumerate(HANDLED)} | {
    signal.SIGTTOU: HANDLED.index(signal.SIGTTIN)
}
_PR_SET_CHILD_SUBREAPER = 36


class Signals:
    """Lets every signal write its number into a socket; see signal.set_wakeup_fd. One at a time, main thread."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, lambda _signal, _frame: None)

    def come(self) -> list[signal.Signals]:
        """Return the signals that have come since the last call, each once but those that count."""
        numbers = b""
        with contextlib.suppress(BlockingIOError):
            numbers = self.reader.recv(4096)
        handled = (signal.Signals(number) for number in numbers if number in _PLACES)
        came = sorted(handled, key=_PLACES.__getitem__)
        return [
            number
            for before, number in zip((None, *came), came, strict=False)
            if number in _COUNTED or number is not before
        ]

    def close(self) -> None:
        """Give every signal its usual effect again."""
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self.reader.close()
        self._writer.close()


def become_subreaper() -> bool:
    """Let orphans of our workers become our children, so that they are reaped; return whether they do.

    See prctl(2); Linux only.
    """
    if sys.platform != "linux":
        return False
    import ctypes  # late: the workers are started before it is needed

    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
