"""Why static files cannot be collected, from what Django's collectstatic raised and wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from nuages.errors import ProjectError
from nuages.node import build_command, manager_of
from nuages.runtime import culprits

_FAILED = re.compile(r"Post-processing '(.+)' failed!")
_MISSING = re.compile(r"The file '?(.+?)'? could not be found")

_NOT_FOUND = re.compile(
    r"\benv: [‘'\"]?([^\s‘’'\"]+)[’'\"]?: No such file|\bsh: (?:line )?\d+: (\S+): (?:command )?not found"
)
"""What GNU's env(1), dash and bash say of a program that is not there."""


def collect_error(
    error: BaseException, said: str, find: Callable[[str], str | None], command: str = "collectstatic"
) -> ProjectError:
    """Return the error for a management command that failed; `said` is what it wrote to stderr.

    `find` gives the path of a static file by its name, to name the line that refers to what is missing.
    """
    text = str(error)
    processed = _FAILED.search(said)
    missing = _MISSING.search(text)
    if processed and missing:
        sheet, wanted = processed[1], missing[1]
        return ProjectError(
            f"{sheet} refers to a static file that does not exist: {wanted}",
            where=reference_line(find(sheet), wanted) or sheet,
            why="the project's storage gives every file a hashed name and rewrites the references to it",
            hint=f"add {wanted}, or remove the reference; where a front-end build makes it, run that build first",
        )
    if processed and isinstance(error, UnicodeDecodeError):
        return ProjectError(
            f"{processed[1]} is not UTF-8", where=find(processed[1]) or processed[1], why=text,
            hint="save the file as UTF-8, which Django's storage needs to rewrite references in it",
        )  # fmt: skip
    if "Max post-process passes exceeded" in text:
        return ProjectError(
            "static files refer to each other in a circle", where=processed[1] if processed else "collectstatic",
            why=text, hint="break the circle of @import or import lines",
        )  # fmt: skip
    if program := _absent_program(error, text):
        return ProjectError(
            f"collecting the static files runs a program that is not here: {program}",
            where=f"manage.py {command}", why=text,
            hint=_install(program)
            or "install it; an image has the programs of a package.json beside manage.py that has its lock",
        )  # fmt: skip
    if isinstance(error, FileNotFoundError) and error.filename:
        return ProjectError(
            "a folder of static files does not exist", where=str(error.filename), why=text,
            hint=_install(str(error.filename))
            or "make the folder, or take it out of STATICFILES_DIRS; a front-end build may have to make it",
        )  # fmt: skip
    setting = ""
    if isinstance(error, ImportError) or type(error).__name__ == "ImproperlyConfigured":
        setting = culprits.place(error, os.environ.get("DJANGO_SETTINGS_MODULE"))
    return ProjectError(
        "the static files cannot be collected", where=setting or f"manage.py {command}",
        why=f"{type(error).__name__}: {text}".strip() + (f"\n{said.strip()}" if said.strip() else ""),
        hint=f"correct what the message names; `python manage.py {command}` shows the same",
    )  # fmt: skip


def _install(path: str) -> str:
    """Return the command that makes the node_modules that a path lies in; "" for a path elsewhere."""
    folder, found, _ = f"{path}/".partition("/node_modules/")
    package = Path(folder, "package.json")
    if not found or not package.is_file() or Path(folder, "node_modules").exists():
        return ""
    manager, _ = manager_of({}, [one.name for one in package.parent.iterdir()])
    return build_command(folder, manager, ())


def _absent_program(error: BaseException, text: str) -> str:
    """Return the program that could not be started, or that env(1) or a shell did not find; "" for other errors."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if (
        isinstance(error, FileNotFoundError)
        and last
        and last.tb_frame.f_globals.get("__name__") == "subprocess"
    ):
        return str(error.filename)
    match = _NOT_FOUND.search(text)
    return (match[1] or match[2]) if match else ""


def find_static(name: str) -> str | None:
    """Return the path of a static file as Django's finders find it; None where they fail too."""
    from django.contrib.staticfiles import finders

    try:
        found = finders.find(name)
    except Exception:  # noqa: BLE001 - only to tell more in an error that is under way
        return None
    return str(found) if found else None


def reference_line(path: str | None, wanted: str) -> str:
    """Return `file:line` of the first line that names the file `wanted`, by its last part; else nothing."""
    if path is None:
        return ""
    name = wanted.rsplit("/", 1)[-1]
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return path
    for number, line in enumerate(lines, 1):
        position = line.find(name)
        if position >= 0:
            return f"{path}:{number}: {line[max(0, position - 60) : position + 60].strip()}"
    return path
