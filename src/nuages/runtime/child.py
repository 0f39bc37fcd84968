"""One worker's process, seen from the supervisor: started by exec or forked, talked to over a socket pair.

Both sides send JSON, one object a line. The supervisor's first line says what to serve (`Assignment`), later ones
are orders: accept, drain, retire, cut. The worker says ready, error, due, report. How it comes to be is `nursery`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from math import inf
from pathlib import Path
from typing import Any

from nuages.errors import NuagesError, OutsideError, ProjectError, StartError, UsageError
from nuages.runtime import memory
from nuages.runtime.signals import GROUPWIDE

CLEANS_UP = 0.5  # seconds for the project's own functions at a process's end, and for what it is at before
_LONGEST_MESSAGE = 1 << 17  # a SOCK_SEQPACKET message has to fit the socket's buffer
_MOST_REQUESTS = 100  # in a message; each takes some 500 bytes at most
_AROUND = 3  # bytes of a line that are not the text's when it is nothing but that: quotes, newline
_PROGRAM = str(Path(__file__).absolute().parents[1] / "beginning" / "__main__.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that a process is told at its start; descriptors are inherited under the same numbers.

    `lent` are those of the sockets that somebody else made and goes on with. Of a zygote `worker` is 0 and `slot` means
    nothing: it learns both with each order to fork.
    """

    worker: int
    generation: int
    supervisor: int
    sys_path: tuple[str, ...]
    application: str
    settings: dict[str, Any]
    sockets: tuple[int, ...]
    lent: tuple[int, ...]
    board: int
    slot: int
    access_log: str
    events_log: str

    def to_line(self, begun: float) -> bytes:
        """Return it as the first line of the control channel, with when the start began (monotonic seconds)."""
        return to_line({**dataclasses.asdict(self), "begun": begun})


class Process:
    """A process of ours and our end of its control channel. `pid` is 0 while it does not exist.

    `dump` is where `dumps` reads what faulthandler writes about it. `owns` tells that it removes files at its end,
    which it must come to by `ends_by`.
    """

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.pid = 0
        self.started = time.monotonic()
        self.error: NuagesError | None = None
        self.status: int | None = None
        self.told_to_end = ""
        self.owns = False
        self.ends_by = inf
        self._received = b""
        self.control, self._theirs = socket.socketpair(socket.AF_UNIX, _control_type())
        self.control.setblocking(False)
        reads, writes = os.pipe()
        os.set_blocking(reads, False)
        self.dump, self._dumped = FileIO(reads), FileIO(writes, "wb")

    @property
    def is_loading(self) -> bool:
        """Whether it loads the project, and nobody else has what that makes."""
        return False

    def execute(self, name: str, assignment: Assignment, environ: Mapping[str, str]) -> None:
        """Start it as a program of its own, with a word for its command line; raises OSError."""
        self.send_bytes(assignment.to_line(self.started))
        theirs = self._far_ends()
        for descriptor in theirs:
            os.set_inheritable(descriptor, True)
        argv = [sys.executable, *interpreter_flags(), _PROGRAM, name, *map(str, theirs)]
        try:
            # Blocked until the process has handlers for them (`process.prepare`); the last two for good: sent to the
            # whole group they would stop it, and with a handler reading a terminal would be tried for ever.
            blocked = [*GROUPWIDE, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU]
            self.pid = os.posix_spawn(sys.executable, argv, {**environ}, setsigmask=blocked)
            memory.let_go_first(self.pid)
        except OSError:
            self.close()
            raise
        self._let_go()

    def close(self) -> None:
        """Close the channel; a process that waits at its other end ends."""
        self.control.close()
        self.dump.close()
        self._let_go()

    def _far_ends(self) -> list[int]:
        return [self._theirs.fileno(), self._dumped.fileno()]

    def _let_go(self) -> None:
        self._theirs.close()
        self._dumped.close()

    def order(self, order: str, **fields: Any) -> None:
        """Tell the process to do something; of one that is gone the kernel reports the exit anyway."""
        self.send_bytes(to_line({"order": order, **fields}))

    def hand_over(self, other: Process, order: str, **fields: Any) -> None:
        """Give an order together with the far ends of another process's channel, which are then only there."""
        line = to_line({"order": order, **fields})
        with contextlib.suppress(OSError):
            socket.send_fds(self.control, [line], other._far_ends())
        other._let_go()

    def send_bytes(self, data: bytes) -> None:
        """Send without ever waiting."""
        with contextlib.suppress(OSError):
            self.control.send(data)

    def messages(self) -> list[dict[str, Any]] | None:
        """Return what the process has said since the last call; None when its end of the channel is closed."""
        closed = False
        while not closed:
            try:
                data, _, flags, _ = self.control.recvmsg(_LONGEST_MESSAGE)
            except BlockingIOError:
                break
            except OSError:
                data, flags = b"", 0
            closed = not data
            self._received += data
            if flags & socket.MSG_TRUNC:
                self._received += b"\n"  # the end of this message is lost, and the next is a line of its own
        *lines, self._received = self._received.split(b"\n")
        if closed and not lines:
            return None
        return [message for line in lines if (message := _message(line))]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; the process is ours and not reaped yet, so its number cannot be another's."""
        if not self.pid:  # to kill(2) it would mean our whole process group
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.ends_by = inf
        self.signal(signal.SIGKILL)

    def end(self, *, at_once: bool) -> None:
        """Kill it; one that loads the project may clean up, by `ends_by`, unless it is to end `at_once`."""
        if at_once or not self.is_loading:
            self.kill()
            return
        self.ends_by = time.monotonic() + CLEANS_UP
        self.order("end")
        self.signal(signal.SIGTERM)

    def ending(self) -> str:
        """Say how the process ended, for a person."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        if code >= 0:
            return f"exited with status {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        # Nobody but the kernel's OOM killer sends SIGKILL unasked, and it says so only in the kernel's log.
        perhaps = ": perhaps out of memory" if name == "SIGKILL" and not self.told_to_end else ""
        return f"was killed by {name}{perhaps}"


class Child(Process):
    """A worker's process and what is known of it.

    `asked_at` is when its zygote was told to fork it; `doomed`: it is to be killed as soon as it is there.
    """

    def __init__(self, worker: int, slot: int, generation: int) -> None:
        super().__init__(generation)
        self.id = worker
        self.slot = slot
        self.ready_after = 0.0
        self.lost_told = self.unbegun_told = False
        self.asked_at = 0.0
        self.doomed = False

    def execute(self, name: str, assignment: Assignment, environ: Mapping[str, str]) -> None:
        """Start it as one that loads the project itself; raises OSError."""
        self.owns = True
        super().execute(name, assignment, environ)

    @property
    def is_loading(self) -> bool:
        """Whether it loads the project itself, and has not been ready."""
        return self.owns and not self.ready_after


def to_line(message: Any) -> bytes:
    """Return a message as it travels over the control channel; lone surrogates too, which json.loads reads again."""
    return json.dumps(message, default=str, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _message(line: bytes) -> dict[str, Any] | None:
    """Return the message of a line; None where it is none: what a worker says wrong must not end the server."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def in_parts(requests: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Return requests as they travel, so many in a message: their paths and identities are as on the scoreboard."""
    requests = iter(requests)
    while some := list(itertools.islice(requests, _MOST_REQUESTS)):
        yield some


def error_fields(error: NuagesError) -> dict[str, Any]:
    """Return an error as it travels over the control channel, cut to what a message can hold."""
    return {
        "what": _beginning(error.what, 2000), "where": _beginning(error.where, 4000),
        "why": _beginning(error.why[::-1], 32_000)[::-1], "hint": _beginning(error.hint, 2000),
        "exit": error.exit_code,
    }  # fmt: skip


def _beginning(text: str, most: int) -> str:
    """Return as much of a text's beginning as takes at most so many bytes in a message."""
    left = most
    for place, char in enumerate(text[:most]):
        left -= len(to_line(char)) - _AROUND
        if left < 0:
            return text[:place]
    return text[:most]


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
