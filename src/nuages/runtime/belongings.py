"""What this process has that it cannot share with a fork of itself; `obstacles` says what of it counts."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import socket
import stat
import sys
import threading
import time
from abc import ABCMeta
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from nuages.runtime import owners
from nuages.runtime.notes import Notes
from nuages.runtime.obstacles import Descriptor, Program, State, Thread, survives, top

_ENDING_SECONDS = 0.1
_PLACELESS = ("/proc/", "/sys/", "/dev/", "/memfd:")


def read_state(known: set[int], notes: Notes) -> State:
    """Return what this process has; `known` are the descriptors that it was started with.

    What is just ending is waited for, shortly: a thread (one of `faulthandler` always is, see process.watch_start), or
    a program that nobody has waited for.
    """
    until = time.monotonic() + _ENDING_SECONDS
    while True:
        threads, programs = tuple(_threads(notes)), tuple(_programs())
        hooked = frozenset({*notes.hooked, *(top(one.module) for one in threads if hooks_forks(one.module))})
        is_quiet = not programs and all(survives(thread, hooked) for thread in threads)
        if is_quiet or time.monotonic() > until:
            break
        time.sleep(0.002)
    descriptors = tuple(_descriptors(known, notes))
    if descriptors:
        gc.collect()  # the collector is off, and a connection may be in something that nobody has any more
        descriptors = tuple(_descriptors(known, notes))
    return State(threads=threads, descriptors=descriptors, programs=programs, hooked=hooked)


def hooks_forks(module: str) -> bool:
    """Return whether a module's functions call os.register_at_fork.

    What an agent's sitecustomize has started did so before anybody could note it.
    """
    names = list(getattr(sys.modules.get(module), "__dict__", {}).values())
    kinds = [one for one in names if type(one) in {type, ABCMeta} and one.__module__ == module]
    members = [one for kind in kinds for one in list(vars(kind).values())]
    functions = [one for one in (*names, *members) if type(one) is FunctionType]
    return any("register_at_fork" in function.__code__.co_names for function in functions)


def given_descriptors() -> set[int]:
    """Return the numbers of the descriptors that this process was started with, of those that are open.

    What Python opens itself is closed in programs that it starts (PEP 446), so an agent's connection is not among them.
    """
    found = set()
    for number in open_descriptors():
        with contextlib.suppress(OSError):  # a thread of an agent's has closed it
            if os.get_inheritable(number):
                found.add(number)
    return found


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


def _threads(notes: Notes) -> Iterator[Thread]:
    """Every thread but this one: those that Python knows, and by proc_pid_task(5) the others."""
    known = {thread.native_id: thread for thread in threading.enumerate()}
    for number in sorted(_tasks() - {threading.get_native_id()}):
        thread = known.get(number)
        if thread is not None:
            yield Thread(name=thread.name, module=_module_of(thread), starter=notes.starters.get(number, ""))
            continue
        try:
            name = Path(f"/proc/self/task/{number}/comm").read_text().strip()
        except OSError:
            continue  # it has ended in the meantime
        yield Thread(name=name)


def _tasks() -> set[int]:
    """The numbers of this process's threads.

    The kernel ends the list at a thread that ends while it is read, and those behind it are missing (next_tid in
    fs/proc/base.c). The next list has no such thread any more: two that are the same are whole.
    """
    until = time.monotonic() + _ENDING_SECONDS
    last: set[int] = set()
    while True:
        found = {int(entry.name) for entry in Path("/proc/self/task").iterdir()}
        if found == last or time.monotonic() > until:
            return found
        last = found


def _module_of(thread: threading.Thread) -> str:
    """The module of what a thread runs: its target's, else that of its class."""
    with contextlib.suppress(Exception):  # whatever the project's objects do when they are asked
        found: Any = getattr(thread, "_target", None) or getattr(thread, "function", None)
        while found is not None and not hasattr(found, "__module__"):
            found = getattr(found, "func", None)  # functools.partial
        module = getattr(found, "__module__", None)
        if module and type(module) is str:
            return module
    return owners.of_type(type(thread))


def _programs() -> Iterator[Program]:
    """The child processes that have not ended; by proc_pid_stat(5)."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return  # most projects have none, and need not look at all processes
    tracker = _of_tracker("_pid")
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended in the meantime
        before, _, after = text.rpartition(")")
        number, _, name = before.partition(" (")
        state, parent = after.split()[:2]
        if int(parent) == os.getpid() and state not in {"Z", "X"} and int(number) != tracker:
            yield Program(pid=int(number), name=name)


def _of_tracker(name: str) -> int | None:
    """An attribute of multiprocessing's resource tracker: a program that the processes of a family share, by a pipe."""
    module = sys.modules.get("multiprocessing.resource_tracker")
    found = getattr(getattr(module, "_resource_tracker", None), name, None)
    return found if isinstance(found, int) else None


def _descriptors(known: set[int], notes: Notes) -> Iterator[Descriptor]:
    for number in sorted(open_descriptors() - known - {_of_tracker("_fd")}):
        with contextlib.suppress(OSError):  # that of the folder itself, or a thread has closed it
            found = _descriptor(number, notes)
            if found is not None:
                yield found


def _descriptor(number: int, notes: Notes) -> Descriptor | None:
    """Return what a descriptor is, if two processes cannot share it."""
    link = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
    if link.startswith("pipe:"):
        return Descriptor(what="a pipe", module=notes.openers.get(number, ""))
    if link.startswith("anon_inode:[eventpoll]"):
        what = "an event loop"
    elif link.startswith("socket:") and (peer := _peer(number)):
        what = f"a connection to {peer}"
    elif link.startswith("/") and _has_a_place(number, link):
        what = f"the open file {link}"
    else:
        return None
    return Descriptor(what=what, module=owners.module_of(number))


def _has_a_place(descriptor: int, link: str) -> bool:
    """Whether a descriptor is a file's that is read where it was last read: a fork reads on there too.

    What is appended or only written to, as logs are, may be shared. mmap has a descriptor of its own for each file, and
    libraries that map one may keep theirs: nobody reads by those.
    """
    if link.startswith(_PLACELESS) or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    if flags & os.O_ACCMODE == os.O_WRONLY or flags & (os.O_APPEND | os.O_PATH):
        return False
    return not _is_mapped(link) or owners.has_file(descriptor)


def _is_mapped(path: str) -> bool:
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return any(line.endswith(f" {path}") for line in maps.splitlines())


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
