"""A call in a process of its own, so that what it loads and makes does not stay in this one."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import TypeVar

from nuages.errors import NuagesError

T = TypeVar("T")


def apart(call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise the NuagesError that it raises.

    Both are pickled. The call is made here where there is no process for it, or where that one brought nothing. This
    process must have one thread only.
    """
    if sys.platform != "linux":
        return call()
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return call()
    if pid == 0:
        _answer(call, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status:
        return call()
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _answer(call: Callable[[], object], writer: int) -> None:
    """Write what a call brings, and end this process; with status 1 where it is nothing that can be told."""
    status = 1
    try:
        try:
            answer: tuple[object, NuagesError | None] = (call(), None)
        except NuagesError as error:
            answer = (None, error)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
        status = 0
    finally:
        os._exit(status)
