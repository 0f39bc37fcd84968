"""A call in a process of its own, so that what it loads and makes does not stay in this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def apart(call: Callable[[], str]) -> str:
    """Return what `call` returns.

    Where there is no process for it, or where that one fails, it is called here, and may raise here what it raises. Nor
    is there one where this process has another thread, as of a monitoring agent that ddtrace-run has begun: a lock that
    it holds would be held in the other process for ever (fork(2)).
    """
    if sys.platform != "linux" or len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        return call()
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as answer, os.fdopen(writer, "w", encoding="utf-8") as told:
        try:
            pid = os.fork()
        except OSError:
            return call()
        if pid == 0:
            status = 1
            try:
                told.write(call())
                told.flush()
                status = 0
            finally:
                os._exit(status)  # nothing of it is printed: it will be called again
        told.close()
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    return call() if status else text
