"""Functions of the project that nuages calls at a fork, by dotted path."""

from __future__ import annotations

import importlib

from nuages.errors import StartError
from nuages.runtime.application import Application
from nuages.runtime.faults import start_error


def call(path: str | None, option: str, application: Application) -> None:
    """Call `MODULE:NAME` without arguments; raises StartError when it is not there or fails."""
    if path is None:
        return
    module, _, name = path.partition(":")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not callable(found):
            raise TypeError(f"{path} is a {type(found).__name__}, which cannot be called")
        found()
    except StartError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project's code raises
        directories = (application.directory, *application.paths)
        raise start_error(
            error,
            directories=directories,
            settings=application.settings,
            loading=f"the hook of {option} {path}",
        ) from None
