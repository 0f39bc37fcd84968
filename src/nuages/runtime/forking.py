"""Fork a process whose parent is not this one but the next child subreaper above it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket


class Forks:
    """Forks twice as if it were once: what libraries have given to os.register_at_fork is called once in each place.

    The process in between is made by fork(2) alone: hooks that start threads again would start them in it too, and
    the second fork would find them. It says the worker's process number and ends, without a look at Python's locks.
    See the functions of CPython's interface, Python/C API «Operating System Utilities».
    """

    def __init__(self) -> None:
        python = ctypes.pythonapi
        self._before, self._parent, self._child = (
            python.PyOS_BeforeFork, python.PyOS_AfterFork_Parent, python.PyOS_AfterFork_Child,
        )  # fmt: skip
        for call in (self._before, self._parent, self._child):
            call.argtypes, call.restype = [], None
        # PyDLL: with the interpreter's lock held, as os.fork has it.
        libc = ctypes.PyDLL(None, use_errno=True)
        self._fork, self._send, self._exit = libc.fork, libc.send, libc._exit
        self._fork.argtypes = []
        self._send.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]

    def fork(self, control: socket.socket, message: str) -> bool:
        """Return True in the new process, False here; `message` with its number in place of `%d` goes to `control`.

        In the new process its parent is already the subreaper. Raises OSError when there can be no more processes;
        where only the second one was refused, `control` gets the message with -1.
        """
        waits, goes = os.pipe()
        descriptor = control.fileno()
        self._before()
        between = self._fork()
        if between == 0:
            pid = self._fork()
            if pid:
                line = (message % pid).encode()
                self._send(descriptor, line, len(line), socket.MSG_NOSIGNAL)
                self._exit(0)
            self._child()
            os.close(goes)
            os.read(waits, 1)
            os.close(waits)
            return True
        error = ctypes.get_errno()
        self._parent()
        os.close(waits)
        if between > 0:
            with contextlib.suppress(ChildProcessError):  # the project ignores SIGCHLD
                os.waitpid(between, 0)
        # Now the kernel has given the new process its new parent: it sees the end of this pipe.
        os.close(goes)
        if between < 0:
            raise OSError(error, os.strerror(error))
        return False
