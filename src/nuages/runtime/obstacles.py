"""What a loaded project has that does not survive a fork: threads, connections, event loops; and whose they are.

`obstacle` is pure; `read_state` looks at this process.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

# Libraries whose threads come to life again in a forked process, and how. `hook`: they ask for it by
# os.register_at_fork, which is seen when they do; `pid`: they compare process numbers before they rely on the thread.
#
# sentry_sdk 2.75: `_thread_for_pid` in worker.py, monitor.py, sessions.py, _batcher.py; `pid` in profiler/.
# elasticapm 6.26: base.py, Client.start_threads; transport/base.py.
# opentelemetry.sdk 1.45: _shared_internal (batch processors), metrics/_internal/export (periodic reader).
# posthog 7.91: client.py, Client._register_fork_handler; older ones have no such hook.
SURVIVORS = {
    "sentry_sdk": "pid",
    "elasticapm": "pid",
    "opentelemetry": "hook",
    "posthog": "hook",
}
# Libraries that do not use a connection which another process has opened, or have none that counts.
# redis 3.2 and newer: connection.py, ConnectionPool._checkpid; valkey is its fork.
# twisted: importing daphne, as Channels projects do, makes its reactor and with it an event loop. A reactor has
# connections only while it runs, and then in a thread, which is seen; the main thread is ours.
LEAVING = frozenset({"redis", "valkey", "twisted"})
_ENDING_SECONDS = 0.1
# What is asked which descriptor it has. An epoll object itself is unknown to the collector.
_HOLDERS: tuple[Any, ...] = (socket.socket, selectors.DefaultSelector)
_MODULE_OF_TYPE: Any = vars(type)["__module__"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread: its name, and the module of what it runs, empty for one that Python did not start."""

    name: str
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Something open that two processes cannot share: what it is, and the module that holds it, if that is known."""

    what: str
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a process has. `hooked` are the top-level packages that have called os.register_at_fork."""

    threads: tuple[Thread, ...] = ()
    descriptors: tuple[Descriptor, ...] = ()
    hooked: frozenset[str] = frozenset()


def obstacle(state: State) -> str:
    """Return why a process in that state must not be forked, or nothing."""
    reasons = [_of_thread(thread) for thread in state.threads if not survives(thread, state.hooked)]
    reasons += [_of_descriptor(one) for one in state.descriptors if _top(one.module) not in LEAVING]
    return "; ".join(dict.fromkeys(reasons))


def survives(thread: Thread, hooked: Iterable[str]) -> bool:
    """Return whether a thread's library sees to it that it runs again after a fork."""
    package = _top(thread.module)
    return SURVIVORS.get(package) == "pid" or (SURVIVORS.get(package) == "hook" and package in hooked)


def _of_thread(thread: Thread) -> str:
    of = f"of {thread.module}" if thread.module else "that a library outside of Python has started"
    return f"the thread {thread.name!r} {of} would not survive a fork"


def _of_descriptor(one: Descriptor) -> str:
    of = f" of {one.module}" if one.module else ""
    return f"{one.what}{of} would be shared by all workers"


def _top(module: str) -> str:
    return module.partition(".")[0]


class Hooks:
    """Notes which packages call os.register_at_fork from now on."""

    def __init__(self) -> None:
        self.packages: set[str] = set()
        self._original: Callable[..., None] = os.register_at_fork
        os.register_at_fork = self._register  # type: ignore[assignment]

    def _register(self, **hooks: Callable[[], object]) -> None:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        self.packages.add(_top(caller))
        self._original(**hooks)

    def close(self) -> None:
        """Take no more notes."""
        os.register_at_fork = self._original


def read_state(known: set[int], hooked: frozenset[str]) -> State:
    """Return what this process has; `known` are the descriptors that it had before the project was loaded.

    A thread that is just ending (one of `faulthandler` always is, see process.watch_start) is waited for, shortly.
    """
    until = time.monotonic() + _ENDING_SECONDS
    threads = tuple(_threads())
    while time.monotonic() < until and not all(survives(thread, hooked) for thread in threads):
        time.sleep(0.002)
        threads = tuple(_threads())
    descriptors = tuple(_descriptors(known))
    if descriptors:
        gc.collect()  # the collector is off, and a connection may be in something that nobody has any more
        descriptors = tuple(_descriptors(known))
    return State(threads=threads, descriptors=descriptors, hooked=hooked)


def open_descriptors() -> set[int]:
    """Return the numbers of this process's open descriptors."""
    found = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    return {number for number in found if _is_open(number)}  # that of the folder itself was among them


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _threads() -> Iterator[Thread]:
    """Every thread but this one: those that Python knows, and by proc_pid_task(5) the others."""
    known = {thread.native_id: thread for thread in threading.enumerate()}
    for task in sorted(Path("/proc/self/task").iterdir(), key=lambda path: int(path.name)):
        number = int(task.name)
        if number == threading.get_native_id():
            continue
        thread = known.get(number)
        if thread is not None:
            yield Thread(name=thread.name, module=_module_of(thread))
            continue
        try:
            name = (task / "comm").read_text().strip()
        except OSError:
            continue  # it has ended in the meantime
        yield Thread(name=name)


def _module_of(thread: threading.Thread) -> str:
    """The module of what a thread runs: its target's, else that of its class."""
    with contextlib.suppress(Exception):  # whatever the project's objects do when they are asked
        found: Any = getattr(thread, "_target", None) or getattr(thread, "function", None)
        while found is not None and not hasattr(found, "__module__"):
            found = getattr(found, "func", None)  # functools.partial
        module = getattr(found, "__module__", None)
        if module and type(module) is str:
            return module
    return _module_of_type(type(thread))


def _descriptors(known: set[int]) -> Iterator[Descriptor]:
    for number in sorted(open_descriptors() - known):
        try:
            link = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except OSError:
            continue  # that of the folder itself
        if link.startswith("anon_inode:[eventpoll]"):
            yield Descriptor(what="an event loop", module=_owner(number))
        elif link.startswith("socket:"):
            peer = _peer(number)
            if peer:
                yield Descriptor(what=f"a connection to {peer}", module=_owner(number))


def _peer(descriptor: int) -> str:
    """The other end of a connected stream, else nothing: datagrams mix with nobody's."""
    sock = socket.socket(fileno=os.dup(descriptor))
    with sock:
        if sock.type != socket.SOCK_STREAM:
            return ""
        try:
            peer = sock.getpeername()
        except OSError:
            return ""
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else str(peer) or "this process itself"


def _owner(descriptor: int) -> str:
    """The module that `_search` finds; whose it is helps who reads it, and is worth no start."""
    try:
        return _search(descriptor)
    except Exception:  # noqa: BLE001 - of objects of all kinds
        return ""


def _search(descriptor: int) -> str:
    """The module of the first object outside of the standard library that holds the descriptor's object.

    No object of the project is asked anything, and so none is made before its time: `isinstance` would read
    `__class__`, for which Django's lazy objects become what they stand for.
    """
    found = [one for one in gc.get_objects() if _holds(one, descriptor)]
    seen = {id(one) for one in found}
    for _ in range(4):
        for one in found:
            module = _module_of_type(type(one))
            if _top(module) not in sys.stdlib_module_names and module != "builtins":
                return module
        holders = [
            one
            for one in gc.get_referrers(*found)
            if id(one) not in seen and not issubclass(type(one), ModuleType) and one is not found
        ]
        found = holders[:200]
        seen |= {id(one) for one in found}
        if not found:
            break
    return ""


def _module_of_type(kind: type) -> str:
    """A type's module, "builtins" where it has made something else of that; a metaclass is not asked."""
    module = _MODULE_OF_TYPE.__get__(kind)
    return module if type(module) is str else "builtins"


def _holds(found: Any, descriptor: int) -> bool:
    kind = type(found)
    try:
        for holder in _HOLDERS:
            if issubclass(kind, holder):
                return bool(holder.fileno(found) == descriptor)
    except Exception:  # noqa: BLE001 - closed, or not made whole
        return False
    return False
