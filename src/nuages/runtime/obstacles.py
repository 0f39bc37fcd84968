"""What a loaded project has that does not survive a fork, and how it is said: pure; `belongings` looks what it has."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread: its name, and the module of what it runs, empty for one that Python did not start.

    `starter` is the module outside of the standard library that has started it, if that was seen.
    """

    name: str
    module: str = ""
    starter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Something open that two processes cannot share: what it is, and the module that holds it, if that is known."""

    what: str
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child process, by its number and its name."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a process has. `hooked` are the top-level packages that have called os.register_at_fork."""

    threads: tuple[Thread, ...] = ()
    descriptors: tuple[Descriptor, ...] = ()
    programs: tuple[Program, ...] = ()
    hooked: frozenset[str] = frozenset()


def obstacle(state: State) -> str:
    """Return why a process in that state must not be forked, or nothing."""
    reasons = [_of_thread(thread) for thread in state.threads if not survives(thread, state.hooked)]
    reasons += [_of_descriptor(one) for one in state.descriptors if top(one.module) not in LEAVING]
    reasons += [
        f"the child process {one.pid} ({one.name}) would be shared by all workers" for one in state.programs
    ]
    return "; ".join(dict.fromkeys(reasons))


def survives(thread: Thread, hooked: Iterable[str]) -> bool:
    """Return whether a thread's library sees to it that it runs again after a fork."""
    package = top(thread.module)
    return SURVIVORS.get(package) == "pid" or (SURVIVORS.get(package) == "hook" and package in hooked)


def _of_thread(thread: Thread) -> str:
    # Whose a timer or a pool's thread is, its starter tells: what they run is the standard library's.
    is_foreign = top(thread.module) in sys.stdlib_module_names
    module = (is_foreign and thread.starter) or thread.module
    of = f"of {module}" if module else "that a library outside of Python has started"
    return f"the thread {thread.name!r} {of} would not survive a fork"


def _of_descriptor(one: Descriptor) -> str:
    of = f" of {one.module}" if one.module else ""
    return f"{one.what}{of} would be shared by all workers"


def top(module: str) -> str:
    """Return a module's top-level package."""
    return module.partition(".")[0]
