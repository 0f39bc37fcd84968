"""One worker's process, seen from the supervisor: started by exec, talked to over a socket pair.

Both sides send JSON, one object a line. The supervisor's first line says what to serve (`Assignment`), later ones
are orders: drain, retire, cut. The worker says ready, error, due, report.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.errors import NuagesError, OutsideError, ProjectError, StartError, UsageError

_LONGEST_MESSAGE = 1 << 17  # a SOCK_SEQPACKET message has to fit the socket's buffer
_PROGRAM = str(Path(__file__).absolute().with_name("__main__.py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a worker process is told at its start; descriptors are inherited under the same numbers."""

    worker: int
    generation: int
    supervisor: int
    sys_path: tuple[str, ...]
    application: str
    settings: dict[str, Any]
    sockets: tuple[int, ...]
    board: int
    slot: int
    access_log: str
    events_log: str

    def to_line(self) -> bytes:
        """Return it as the first line of the control channel."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"


class Child:
    """A running worker process, its end of the control channel and what is known of it."""

    def __init__(self, assignment: Assignment, environ: dict[str, str]) -> None:
        self.id = assignment.worker
        self.slot = assignment.slot
        self.generation = assignment.generation
        self.started = time.monotonic()
        self.ready_after = 0.0
        self.error: NuagesError | None = None
        self.told_to_end = ""
        self.lost_told = False
        self.status: int | None = None
        self._received = b""
        self.control, theirs = socket.socketpair(socket.AF_UNIX, _control_type())
        self.control.setblocking(False)
        theirs.set_inheritable(True)
        self.send_bytes(assignment.to_line())
        argv = [sys.executable, *interpreter_flags(), _PROGRAM, f"worker-{self.id}", str(theirs.fileno())]
        try:
            # Blocked until the worker has handlers for them. Ctrl-C reaches the whole foreground process group, and
            # only the supervisor is to act on it.
            blocked = [signal.SIGINT, signal.SIGUSR1]
            self.pid = os.posix_spawn(sys.executable, argv, environ, setsigmask=blocked)
        except OSError:
            self.control.close()
            raise
        finally:
            theirs.close()

    def order(self, order: str, **fields: Any) -> None:
        """Tell the worker to do something; a worker that is gone has its exit reported by the kernel anyway."""
        self.send_bytes(json.dumps({"order": order, **fields}).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send without ever waiting."""
        with contextlib.suppress(OSError):
            self.control.send(data)

    def messages(self) -> list[dict[str, Any]] | None:
        """Return what the worker has said since the last call; None when its end of the channel is closed."""
        closed = False
        while not closed:
            try:
                data = self.control.recv(_LONGEST_MESSAGE)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            closed = not data
            self._received += data
        *lines, self._received = self._received.split(b"\n")
        if closed and not lines:
            return None
        return [json.loads(line) for line in lines]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; the process is ours and not reaped yet, so its number cannot be another's."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ending(self) -> str:
        """Say how the process ended, for a person."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        if code >= 0:
            return f"exited with status {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        # Nobody but the kernel's OOM killer sends SIGKILL unasked, and it says so only in the kernel's log.
        perhaps = ": perhaps out of memory" if name == "SIGKILL" and not self.told_to_end else ""
        return f"was killed by {name}{perhaps}"


def error_fields(error: NuagesError) -> dict[str, Any]:
    """Return an error as it travels over the control channel, cut to what a message can hold."""
    return {
        "what": error.what[:2000], "where": error.where[:4000], "why": error.why[-32000:], "hint": error.hint[:2000],
        "exit": error.exit_code,
    }  # fmt: skip


def error_from(fields: dict[str, Any]) -> NuagesError:
    """Return the error that `error_fields` described."""
    kinds: dict[int, type[NuagesError]] = {1: ProjectError, 2: UsageError, 3: StartError, 4: OutsideError}
    kind = kinds.get(fields["exit"], StartError)
    return kind(fields["what"], where=fields["where"], why=fields["why"], hint=fields["hint"])


def interpreter_flags() -> list[str]:
    """Return the options this interpreter was started with, so that a worker behaves as the supervisor would."""
    letters = {
        "dont_write_bytecode": "B", "no_site": "S", "verbose": "v", "bytes_warning": "b", "quiet": "q",
        "optimize": "O", "debug": "d",
    }  # fmt: skip
    flags = [
        "-" + letter * int(getattr(sys.flags, name))
        for name, letter in letters.items()
        if getattr(sys.flags, name)
    ]
    if sys.flags.isolated:
        flags.append("-I")
    else:
        flags += ["-s"] if sys.flags.no_user_site else []
        flags += ["-E"] if sys.flags.ignore_environment else []
        flags += ["-P"] if getattr(sys.flags, "safe_path", False) else []
    for option, value in sys._xoptions.items():
        flags += ["-X", option if value is True else f"{option}={value}"]
    for warning in sys.warnoptions:
        flags += ["-W", warning]
    return flags


def _control_type() -> socket.SocketKind:
    """SOCK_SEQPACKET, which keeps messages whole; macOS has it not for Unix sockets, and lines do there."""
    return socket.SOCK_STREAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
