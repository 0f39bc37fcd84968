"""What the environment of a process that loads the project has before its Python starts, for agents begin that early.

`opentelemetry-instrument`, `ddtrace-run`, `newrelic-admin` and the operators for Kubernetes put a folder with a
sitecustomize.py on PYTHONPATH. Python imports that before any program is there (site module documentation), and so
before a server can say where the project is.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from nuages.runtime.application import Application


def surroundings(environ: Mapping[str, str], application: Application) -> dict[str, str]:
    """Return the variables for a process that will load the application: this one's, as an agent must find them."""
    module = sys.modules.get("sitecustomize")
    file = getattr(module, "__file__", None) or ""
    return surrounded(environ, application, agent=os.path.dirname(file), first=_first())  # noqa: PTH120


def surrounded(
    environ: Mapping[str, str], application: Application, *, agent: str, first: str
) -> dict[str, str]:
    """Return the variables; `agent` is the folder of the sitecustomize that is loaded here, `first` is PYTHONPATH as
    this process was started with.

    OpenTelemetry's asks for Django's settings, and where it finds none it has Django go on without for good
    (DjangoInstrumentor._instrument: `settings.configure()`). Its older versions (seen in 0.50b0) also take their folder
    off PYTHONPATH for child processes, and ours would be without them.
    """
    found = {**environ}
    if application.settings:
        found["DJANGO_SETTINGS_MODULE"] = application.settings
    if agent and agent in first.split(os.pathsep):
        entries = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        entries[:0] = [] if agent in entries else [agent]
        folders = (application.directory, *application.paths)
        found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*entries, *folders]))
    return found


def _first() -> str:
    """Return PYTHONPATH as it was when this process began; proc_pid_environ(5)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/environ").read_bytes().split(b"\0"):
            name, _, value = line.partition(b"=")
            if name == b"PYTHONPATH":
                return os.fsdecode(value)
        return ""
    return os.environ.get("PYTHONPATH", "")
