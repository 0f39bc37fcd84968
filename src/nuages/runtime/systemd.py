"""What systemd is told of a service with `Type=notify`: ready, reloading, stopping, and that we are alive.

The protocol is that of sd_notify(3): datagrams to the Unix socket that $NOTIFY_SOCKET names.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from enum import Enum
from math import inf

from nuages.runtime.pool import Phase, Pool, Stage

_MICRO = 1_000_000
_AGAIN = 0.25  # seconds until what systemd's queue had no room for is told again


class Condition(Enum):
    """What systemd distinguishes."""

    STARTING = "starting"
    READY = "ready"
    RELOADING = "reloading"
    STOPPING = "stopping"


def condition(state: Pool) -> Condition:
    """Return what a pool is in systemd's words; it reloads until the last worker of the old code is replaced."""
    if state.stage is not Stage.RUNNING:
        return Condition.STOPPING
    if state.proven is None:
        return Condition.STARTING
    old = any(one.phase is Phase.READY and one.generation < state.generation for one in state.workers)
    return Condition.RELOADING if old or state.generation > state.proven else Condition.READY


def words(state: Pool) -> str:
    """Return the one line that `systemctl status` shows."""
    serving = sum(worker.serves for worker in state.workers)
    return f"{condition(state).value}: {serving} of {state.limits.workers} workers serve"


class Notifier:
    """Tells systemd what has changed, and pats its watchdog at half of its time; does nothing without systemd.

    The variables are taken out of `environ`: no process of the project is to speak for the service.
    """

    def __init__(self, environ: MutableMapping[str, str], pid: int) -> None:
        path = environ.pop("NOTIFY_SOCKET", "")
        micros, watched = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(pid))
        self._pid = pid
        # An abstract socket's name begins with a zero byte; unix(7).
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket: socket.socket | None = None
        if path.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        is_watched = self._socket is not None and micros.isdigit() and int(micros) and watched == str(pid)
        self._interval = int(micros) / _MICRO / 2 if is_watched else inf
        self._pat_at = 0.0 if is_watched else inf
        self._again_at = inf
        self._last, self._words = Condition.STARTING, ""

    def next_deadline(self) -> float:
        """Return when systemd is to hear of us again, in monotonic seconds."""
        return self._pat_at if self._again_at == inf else self._again_at

    def expect_reload(self) -> None:
        """Let a reload be told again, for it may be systemd that has asked for it; see sd_notify(3), RELOADING=1."""
        if self._last is Condition.RELOADING:
            self._last = Condition.READY

    def tell(self, state: Pool, now: float) -> None:
        """Send what is news; `now` is in monotonic seconds."""
        if self._socket is None:
            return
        lines = []
        told, self._again_at = (self._pat_at, self._last, self._words), inf
        if now >= self._pat_at:
            self._pat_at = now + self._interval
            lines.append("WATCHDOG=1")
        if (found := condition(state)) is not self._last:
            lines += self._news(found, now)
            self._last = found
        if (text := words(state)) != self._words:
            self._words = text
            lines.append(f"STATUS={text}")
        if lines:
            try:
                self._socket.sendto("\n".join(lines).encode(), self._address)
            except BlockingIOError:
                # Nobody waits for systemd, but without READY it would end the service.
                self._pat_at, self._last, self._words = told
                self._again_at = now + _AGAIN
            except OSError:
                pass  # it has gone

    def _news(self, found: Condition, now: float) -> list[str]:
        match found:
            case Condition.READY:
                return ["READY=1", f"MAINPID={self._pid}"]
            case Condition.RELOADING:  # with Type=notify-reload systemd has sent SIGHUP before this moment
                return ["RELOADING=1", f"MONOTONIC_USEC={int(now * _MICRO)}"]
            case _:
                return ["STOPPING=1"]

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


def from_environment(environ: MutableMapping[str, str]) -> Notifier:
    """Return who tells systemd what happens to this process."""
    return Notifier(environ, os.getpid())
