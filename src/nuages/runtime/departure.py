"""How a worker's process ends."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from nuages.runtime.log import Log


def leave(log: Log) -> NoReturn:
    """End as Python does, threads and what is registered with atexit, but for taking everything apart.

    That would write to all that was loaded, and so copy what this process shares with the others: each worker that goes
    would take the memory of one that loaded the project itself. multiprocessing ends its processes like this too.
    """
    code = 0
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException as error:  # noqa: BLE001 - the project's own functions
        log.event("error", "exit", "".join(traceback.format_exception(error)).rstrip())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    log.flush()
    os._exit(code)
