"""With `--reload`: templates that were changed since the server's start must compile, else the new code is not taken.

Django compiles a template when it is first used; a broken one would answer 500 in place of the page that was there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nuages.errors import Origin, StartError

_MARGIN = 0.02  # seconds; the kernel tells a process's start, and a file's time, in steps of a hundredth


def check(directories: Iterable[str]) -> None:
    """Compile what has changed in the folders of the project; raises StartError for the first that does not."""
    since = _started(os.getppid()) + _MARGIN
    roots = [Path(directory).resolve() for directory in directories]
    for backend, folder in _folders():
        place = folder.resolve()
        if not any(place.is_relative_to(root) for root in roots) or place.is_relative_to(sys.prefix):
            continue
        for file in sorted(place.rglob("*")):
            if file.is_file() and file.stat().st_mtime >= since:
                _compile(backend, file)


def _folders() -> Iterator[tuple[Any, Path]]:
    """Every template backend with each of its folders."""
    from django.template import engines

    for backend in engines.all():
        found = [str(folder) for folder in getattr(backend, "template_dirs", ())]
        todo = list(getattr(getattr(backend, "engine", None), "template_loaders", ()))
        while todo:
            loader = todo.pop()
            todo += getattr(loader, "loaders", ())
            if hasattr(loader, "get_dirs"):
                found += [str(folder) for folder in loader.get_dirs()]
        for folder in dict.fromkeys(found):
            if Path(folder).is_dir():
                yield backend, Path(folder)


def _compile(backend: Any, file: Path) -> None:
    try:
        source = file.read_text()
    except (OSError, UnicodeDecodeError):
        return  # an editor's file that is gone again, or no template
    try:
        if hasattr(backend, "env"):
            backend.env.parse(source, filename=str(file))
        else:
            backend.from_string(source)
    except Exception as error:  # noqa: BLE001 - also what the project's own tags raise
        line = getattr(error, "lineno", None) or getattr(getattr(error, "token", None), "lineno", None)
        raise StartError(
            "a template that was changed cannot be compiled", where=Origin(str(file), line),
            why=f"{type(error).__name__}: {error}", hint="correct it: the server tries again when it is saved",
        ) from None  # fmt: skip


def _started(pid: int) -> float:
    """Return when a process was started, in seconds since 1970; proc_pid_stat(5). 0.0 where it cannot be told."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, IndexError, AttributeError):
        return 0.0
    return booted + int(ticks) / os.sysconf("SC_CLK_TCK")
