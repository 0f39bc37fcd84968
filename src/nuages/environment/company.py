"""The server and the processes beside it, run together: `up --all`.

Each process beside the server is a session of its own, so that Ctrl-C reaches only this one, which stops them as each
wants it; when this one is killed, the kernel sends them the same signals. The loop waits for signals alone; handlers do
nothing, `set_wakeup_fd` tells which came.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from nuages.environment.home import Report
from nuages.environment.prepared import Command, Prepared, program
from nuages.errors import ProjectError
from nuages.project import schedule
from nuages.project.model import SCRATCH, Process, ProcessRole

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_LONG_SECONDS = 60.0
"""What has run for so long is started again at once when it ends."""
_MOST_PAUSE_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


def command_of(prepared: Prepared, process: Process, extra: Mapping[str, str]) -> Command:
    """Return the command line of a process in the private environment. Raises ProjectError where it has no program.

    `extra` are variables for it beside the project's own, which win. What it keeps for itself goes to the private
    folder.
    """
    scratch = prepared.private / "processes"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {**extra, **prepared.variables}
    project = prepared.project
    folder = str(project.root / project.directory)  # `project.paths` are there already
    variables["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [variables.get("PYTHONPATH")])])
    name, *rest = process.command
    words = program(prepared, name)
    if not words:
        raise ProjectError(
            f"the process {process.name!r} cannot be run: there is no {name}", where=process.origin,
            why=f"looked for in {prepared.environment.folder / 'bin'} and on PATH",
            hint=f"add what brings {name} to the dependencies, or leave it out:\n"
            f"[tool.nuages.processes]\n{process.name} = false",
        )  # fmt: skip
    moved = [str(scratch) + word[len(SCRATCH) :] if word.startswith(f"{SCRATCH}/") else word for word in rest]
    return Command(argv=(*words, *moved), environ=variables, directory=project.root / process.directory)


def pause_after(ran_seconds: float, failures: int) -> float:
    """Return how long to wait before a process that ended is started again: at once after a long life, then longer."""
    if ran_seconds >= _LONG_SECONDS:
        return 0.0
    return float(min(2 ** min(failures, 10), _MOST_PAUSE_SECONDS))


@dataclass(kw_only=True)
class _Member:
    """A process beside the server, and what became of it."""

    process: Process
    command: Command
    child: subprocess.Popen[str] | None = None
    started: float = 0.0
    failures: int = 0
    due: float | None = 0.0
    """When it is to be started, by the monotonic clock; None: not while it runs, or never again."""
    times: schedule.Schedule | None = None

    @property
    def grace_seconds(self) -> float:
        return self.process.grace_seconds


@dataclass(kw_only=True)
class Company:
    """The server's command and those of the processes beside it."""

    server: Command
    members: Sequence[tuple[Process, Command]]
    report: Report
    clock: Callable[[], float] = time.monotonic
    _members: list[_Member] = field(default_factory=list)
    _woken: int = -1

    def run(self) -> int:
        """Run all until the server ends or a signal ends it; return the server's exit code."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        old = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            self._woken = read
            return self._run()
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(read)
            os.close(write)

    def _run(self) -> int:
        server = subprocess.Popen(
            self.server.argv, cwd=self.server.directory, env=dict(self.server.environ), start_new_session=True,
            preexec_fn=_ends_with_us(signal.SIGTERM),
        )  # fmt: skip
        self._members = [self._member(process, command) for process, command in self.members]
        while server.poll() is None:
            for each in self._members:
                self._look_after(each)
            for number in self._wait():
                if number in {signal.SIGTERM, signal.SIGINT}:
                    return self._stop(server, number)
                if number == signal.SIGHUP:
                    server.send_signal(signal.SIGHUP)
                    self._renew()
        self.report("company", f"the server ended with {server.returncode}: the others are stopped")
        self._stop_members()
        return _status(server.returncode)

    def _member(self, process: Process, command: Command) -> _Member:
        times = schedule.parse(process.schedule) if process.role is ProcessRole.SCHEDULED else None
        member = _Member(process=process, command=command, times=times)
        if times is not None:
            member.due = self._next(times)
        return member

    def _next(self, times: schedule.Schedule) -> float | None:
        now = datetime.now(timezone.utc)
        due = times.after(now)
        return None if due is None else self.clock() + (due - now).total_seconds()

    def _wait(self) -> list[int]:
        """Wait for a signal, or until a member is due; return the signals that came."""
        dues = [each.due for each in self._members if each.due is not None]
        timeout = max(0.0, min(dues) - self.clock()) if dues else None
        select.select([self._woken], [], [], timeout)
        try:
            return list(os.read(self._woken, 4096))
        except BlockingIOError:
            return []

    def _look_after(self, member: _Member) -> None:
        """Start a member that is due; note one that has ended."""
        name = member.process.name
        if member.child is not None and member.child.poll() is not None:
            code, ran = member.child.returncode, self.clock() - member.started
            member.child = None
            if member.times is None:
                member.failures = 0 if ran >= _LONG_SECONDS else member.failures + 1
                pause = pause_after(ran, member.failures - 1)
                member.due = self.clock() + pause
                again = f", again in {pause:.0f} s" if pause else ", again now"
                self.report(
                    "company", f"{name} ended with {code} after {ran:.0f} s{again}", process=name, code=code
                )
            else:
                self.report("company", f"{name} ended with {code} after {ran:.0f} s", process=name, code=code)
        if member.due is None or self.clock() < member.due:
            return
        member.due = self._next(member.times) if member.times else None
        if member.child is not None:
            self.report("company", f"{name} is still running: this time is left out", process=name)
            return
        member.started = self.clock()
        try:
            member.child = _start(member.process, member.command)
        except OSError as error:
            # Its program has gone, or there is no memory: the server and the others go on.
            member.failures += 1
            pause = pause_after(0.0, member.failures - 1)
            if member.times is None:
                member.due = self.clock() + pause
            self.report("company", f"{name} cannot be started: {error.strerror or error}", process=name)
            return
        self.report(
            "company", f"{name} started, process {member.child.pid}", process=name, pid=member.child.pid
        )

    def _renew(self) -> None:
        """Stop the members that always run; they are started again, with the new code.

        Those that wait after a failure are started at once: the new code may be what mends them.
        """
        for each in self._members:
            if each.times is not None:
                continue
            if each.child is not None:
                each.started = self.clock() - _LONG_SECONDS
                _signal(each.child, each.process.stop_signal)
            else:
                each.failures, each.due = 0, self.clock()

    def _stop(self, server: subprocess.Popen[bytes], number: int) -> int:
        server.send_signal(number)
        self._stop_members(server, number)
        return _status(server.wait())

    def _stop_members(self, server: subprocess.Popen[bytes] | None = None, number: int = 0) -> None:
        """Stop the members warmly, each within its own grace; a second signal ends all at once."""
        begun = self.clock()
        for each in self._members:
            each.due = None
        running = [each for each in self._members if each.child is not None and each.child.poll() is None]
        for each in running:
            assert each.child is not None
            _signal(each.child, each.process.stop_signal)
            each.due = begun + each.grace_seconds
        while running or (server is not None and server.poll() is None):
            for each in list(running):
                child = each.child
                assert child is not None
                if child.poll() is not None:
                    running.remove(each)
                elif each.due is not None and self.clock() >= each.due:
                    self.report(
                        "company",
                        f"{each.process.name} did not end within {each.grace_seconds:.0f} s: killed",
                    )
                    _signal(child, "SIGKILL")
                    each.due = None
            if not running and (server is None or server.poll() is not None):
                return
            if any(each in {signal.SIGTERM, signal.SIGINT} for each in self._wait()):
                if server is not None:
                    server.send_signal(number)
                for each in running:
                    assert each.child is not None
                    _signal(each.child, "SIGKILL")


def _ends_with_us(number: int) -> Callable[[], None] | None:
    """Return what a child does before its exec, so that the kernel sends it a signal when we die (prctl(2))."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)

    return ask


def _start(process: Process, command: Command) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        command.argv, cwd=command.directory, env={"PYTHONUNBUFFERED": "1", **command.environ}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        preexec_fn=_ends_with_us(signal.Signals[process.stop_signal]),
    )  # fmt: skip
    assert child.stdout is not None
    threading.Thread(target=_pass_on, args=(process.name, child.stdout), daemon=True).start()
    return child


def _pass_on(name: str, lines: IO[str]) -> None:
    """Write what a process says to our stderr, its name before each line."""
    with lines:
        for line in lines:
            with suppress(OSError):  # nobody reads it any more; the process must not wait for us
                sys.stderr.write(f"{name} | {line}" if line.endswith("\n") else f"{name} | {line}\n")
                sys.stderr.flush()


def _signal(child: subprocess.Popen[str], name: str) -> None:
    """Signal a process: alone, for it knows its children; a shell's whole session, and every one at the end."""
    number = signal.Signals[name]
    try:
        if number == signal.SIGKILL or Path(str(child.args[0])).name == "sh":  # type: ignore[index]
            os.killpg(child.pid, number)
        else:
            child.send_signal(number)
    except ProcessLookupError:
        pass


def _status(code: int) -> int:
    """Return an exit code as a shell tells it: 128 and the signal's number for one that was killed."""
    return code if code >= 0 else 128 - code
