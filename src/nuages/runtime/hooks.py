"""Functions of the project that nuages calls at a fork, by dotted path."""

from __future__ import annotations

import importlib

from nuages.errors import StartError
from nuages.runtime import faults
from nuages.runtime.application import Application


def call(path: str | None, option: str, application: Application) -> None:
    """Call `MODULE:NAME` without arguments; raises StartError when it is not there or fails."""
    if path is None:
        return
    module, _, name = path.partition(":")
    directories = (application.directory, *application.paths)
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not callable(found):
            raise TypeError(f"{path} is a {type(found).__name__}, which cannot be called")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        raise faults.start_error(
            error,
            directories=directories,
            settings=application.settings,
            loading=f"the hook of {option} {path}",
        ) from None
    try:
        found()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the same
        raise StartError(
            f"the hook of {option} {path} has failed",
            where=faults.where(error, directories, path),
            why=faults.describe(error, directories),
            hint="correct the line that the traceback ends with; the project itself is loaded",
        ) from None
