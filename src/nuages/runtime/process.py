"""What a process of ours asks of the kernel before it loads or serves: who ends it, what it may open, and a watch."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal
import sys
import time

from nuages.runtime.signals import GROUPWIDE

_PR_SET_PDEATHSIG = 1
_STACK_BEFORE = 0.5  # seconds before its time is over, when a worker that still loads shows where it is


def end_with(supervisor: int) -> None:
    """See that the kernel kills this process when its supervisor dies; prctl(2), PR_SET_PDEATHSIG."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have died before the call above.
    if os.getppid() != supervisor:
        os._exit(1)


def prepare(dump: int) -> None:
    """Make a process that was just started obey as it should; signals were blocked until now.

    `dump` is the descriptor for stacks that the process does not show itself, see `dumps`.
    """
    # Ctrl-C, a terminal that closes and some container inits signal the whole group: the supervisor acts on it. A
    # handler and not SIG_IGN: programs that the project starts would inherit that.
    for number in GROUPWIDE:
        signal.signal(number, lambda _signal, _frame: None)
    os.set_inheritable(dump, False)
    show_stacks_on(dump)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*GROUPWIDE, signal.SIGUSR1})
    _raise_file_limit()


def show_stacks_on(dump: int) -> None:
    """Have SIGUSR1 write the stacks of all threads there, whatever Python is at.

    An endless loop, a lock, a hanging import: faulthandler does it in C.
    """
    faulthandler.register(signal.SIGUSR1, dump)


def watch_start(begun: float, seconds: float, dump: int) -> None:
    """Show where a start hangs, shortly before its time is over.

    `begun` is when the supervisor began to wait, in monotonic seconds: on a machine that is overloaded or pages, this
    process may have taken longer to get here than it shows its stack ahead.
    """
    left = begun + seconds - time.monotonic()
    faulthandler.dump_traceback_later(max(0.01, left - _STACK_BEFORE), file=dump)


def _raise_file_limit() -> None:
    """Let this process open as many files as it may: every connection is one, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # A hard limit of infinity is more than the kernel grants where fs.nr_open is lower.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
