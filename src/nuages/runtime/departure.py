"""How a worker's process ends, and what it leaves alone then because it was not the one that began it."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from nuages.runtime.log import Log
    from nuages.runtime.notes import Ending

_WAITS_IN_SILENCE = 1.0  # seconds for the project's threads to end
LAST_EVENTS = 0.3  # seconds for a worker's last events to be read
_GIVES_UP = 0.5  # seconds for the project's own functions where it could not be loaded
# Functions of the standard library that remove files; the last is what tempfile knows one of them as.
_REMOVERS = frozenset({"rmtree", "unlink", "rmdir", "removedirs", "_rmtree"})


def leave(log: Log, *, is_forked: bool) -> NoReturn:
    """End as Python does, threads and what is registered with atexit, but for taking everything apart.

    That would write to all that was loaded, and so copy what this process shares with the others: each worker that goes
    would take the memory of one that loaded the project itself. multiprocessing ends its processes like this too.
    Who shares nothing (not `is_forked`) removes the files as well that go when they are taken apart.
    """
    code = 0
    teller = threading.Timer(_WAITS_IN_SILENCE, _tell_threads, (log,))
    teller.daemon = True
    with contextlib.suppress(RuntimeError):  # a limit of threads
        teller.start()
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        teller.cancel()
        atexit._run_exitfuncs()
        if not is_forked:
            _close_named_files()
    except BaseException as error:  # noqa: BLE001 - the project's own functions
        log.event("error", "exit", "".join(traceback.format_exception(error)).rstrip())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    log.close(LAST_EVENTS)
    os._exit(code)


def _tell_threads(log: Log) -> None:
    """Say which of the project's threads are waited for; who is killed in the end is so because of them."""
    waits = [
        one.name
        for one in threading.enumerate()
        if not one.daemon and one is not threading.main_thread() and not one.name.startswith("nuages-")
    ]
    if waits:
        log.event("info", "exit", f"the process waits for its threads: {', '.join(waits)}")


def on_sigterm(step: Callable[[], None]) -> None:
    """Take a step when SIGTERM comes, in the midst of whatever Python is at.

    A process that the project has forked is ended by it, as it would be without us: multiprocessing waits for that.
    """
    own = os.getpid()

    def take(_signal: int, _frame: object) -> None:
        if os.getpid() == own:
            step()
        else:
            _end_by_sigterm()

    signal.signal(signal.SIGTERM, take)


def break_off() -> None:
    """End as SIGTERM ends a process, but remove what a project has made before that was not loaded to its end."""
    give_up()
    _end_by_sigterm()


def end_forked_by_sigterm() -> None:
    """Have SIGTERM end what the project forks from now on, as it would without us: multiprocessing waits for that.

    The loop's handler does nothing there but to write into what the loop reads, which would take the signal for its
    own.
    """

    def reset() -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    os.register_at_fork(after_in_child=reset)


def _end_by_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def give_up() -> None:
    """Remove what a project has made that was not loaded to its end; who hangs in that is ended by the kernel."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)  # it is at it
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _GIVES_UP)
    with contextlib.suppress(BaseException):  # what is wrong has been told
        atexit._run_exitfuncs()
        _close_named_files()
    signal.setitimer(signal.ITIMER_REAL, 0)


def _close_named_files() -> None:
    """Close what tempfile.NamedTemporaryFile has opened: that removes it."""
    kind = getattr(sys.modules.get("tempfile"), "_TemporaryFileWrapper", None)
    gc.unfreeze()  # else they are not among the objects
    for one in gc.get_objects() if kind else ():
        if type(one) is kind:
            with contextlib.suppress(Exception):
                one.close()


def disown(endings: Iterable[Ending]) -> None:
    """Leave alone at this process's end what a forked worker has in common with the others.

    That is what weakref.finalize would end with a process, as a `tempfile.TemporaryDirectory` of a module, and those of
    `endings`, which were given to atexit before the fork, that remove files. The others run in every worker: they send
    and write what is still in its memory.
    """
    registry: Any = getattr(weakref.finalize, "_registry", {})
    for one in list(registry):
        one.atexit = False
    for function, _, _ in endings:
        if removes_files(function):
            with contextlib.suppress(Exception):  # it compares with all that are registered
                atexit.unregister(function)


def owns(endings: Iterable[Ending]) -> bool:
    """Return whether files are removed by what `disown` leaves alone: whoever has made them must do it then."""
    registry: Any = getattr(weakref.finalize, "_registry", {})
    finalizers = [found.func for found in list(registry.values()) if found.atexit]
    return any(map(removes_files, (*(function for function, _, _ in endings), *finalizers)))


def settle(endings: Sequence[Ending], log: Log) -> None:
    """Do what `disown` keeps from the workers, in the process that has loaded the project and when they have gone."""
    finalize: Any = weakref.finalize
    calls = [functools.partial(function, *args, **options) for function, args, options in endings]
    for call in (*filter(removes_files, reversed(calls)), finalize._exitfunc):
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - the project's own functions
            log.event("error", "exit", "".join(traceback.format_exception(error)).rstrip())


def removes_files(function: Any) -> bool:
    """Return whether a function, or what it calls by name, removes files, and not just those of one process."""
    while type(function) is functools.partial:
        function = function.func
    try:
        names = {function.__name__, *getattr(getattr(function, "__code__", None), "co_names", ())}
    except Exception:  # noqa: BLE001 - an object of the project's that can be called
        return False
    is_remover = not names.isdisjoint(_REMOVERS) or function is os.remove or {"os", "remove"} <= names
    return is_remover and "getpid" not in names
