"""Files below a folder, opened so that nothing outside of it can be reached, whatever happens to links meanwhile.

Every folder on the way is opened by itself, without following links (openat(2), O_NOFOLLOW). Links are read and
followed here, inside the folder only; one that leads out is as good as nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

MOST_LINKS = 40  # as Linux has it (path_resolution(7))
_ROOT = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER = _ROOT | os.O_NOFOLLOW
# A pipe or a device must not be waited for, and is refused when it is open.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What link(s) and things that are no folders are answered with: macOS and Linux differ.
_ON_THE_WAY = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}


def names_of(path: str, *, hidden: bool = False) -> tuple[str, ...] | None:
    """Return the names that a decoded relative URL path is made of; None for what can name no file of ours.

    That is: empty names, `.` and `..`, NUL and backslashes, and, unless `hidden` files are served, what begins with
    a dot.
    """
    if "\0" in path or "\\" in path:
        return None
    names = tuple(path.split("/"))
    if any(not name or name in (".", "..") or (name[0] == "." and not hidden) for name in names):
        return None
    return names


def open_beneath(root: str, names: Iterable[str], *, hidden: bool = False) -> tuple[int, os.stat_result]:
    """Open the regular file of these names below `root`; return its descriptor and its facts.

    Raises FileNotFoundError for what is not there, is no regular file, is hidden or lies outside, and OSError for
    what cannot be opened.
    """
    base = os.open(root, _ROOT)
    here, todo, links = base, [*names][::-1], 0
    done: list[str] = []
    try:
        while todo:
            name = todo.pop()
            if name[0] == "." and name != ".." and not hidden:
                raise _missing(name)
            if name == "..":
                # Only links have it; what is `done` holds none, so its parent is the name before it.
                if not done:
                    raise _missing(name)
                todo += done[:-1][::-1]
                here, done = _back(here, base), []
                continue
            try:
                descriptor = os.open(name, _FOLDER if todo else _FILE, dir_fd=here)
            except OSError as error:
                if error.errno not in _ON_THE_WAY:
                    raise
                links += 1
                if links > MOST_LINKS:
                    raise _missing(name) from None
                todo += [*done, *_target(root, here, name, done)][::-1]
                here, done = _back(here, base), []
                continue
            if not todo:
                return _regular(descriptor)
            _close(here, base)
            here = descriptor
            done.append(name)
        raise _missing(root)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ENXIO):
            raise _missing(root) from None
        raise
    finally:
        _close(here, base)
        os.close(base)


def _target(root: str, folder: int, name: str, done: list[str]) -> list[str]:
    """Return the names that a link stands for, counted from the folder it lies in; raise FileNotFoundError for none."""
    try:
        target = os.readlink(name, dir_fd=folder)
    except OSError:
        raise _missing(name) from None
    if target.startswith("/"):
        inside = next(
            (one for one in (root, os.path.realpath(root)) if target.startswith(one.rstrip("/") + "/")), ""
        )
        if not inside:
            raise _missing(name)
        target = "../" * len(done) + target[len(inside.rstrip("/")) :]
    return [part for part in target.split("/") if part not in ("", ".")]


def _regular(descriptor: int) -> tuple[int, os.stat_result]:
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise _missing("")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, facts


def _back(here: int, base: int) -> int:
    _close(here, base)
    return base


def _close(here: int, base: int) -> None:
    if here != base:
        os.close(here)


def _missing(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
