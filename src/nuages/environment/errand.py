"""Commands that are run in the project's environment on the way, and what they say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from nuages.environment.home import Report, held
from nuages.environment.prepared import Command
from nuages.errors import NuagesError, OutsideError, ProjectError, StartError


def run(asked: Command, hear: Callable[[str], None] = lambda _: None) -> tuple[int, list[str]]:
    """Run a command to its end, and return its status and the lines of both its outputs.

    `hear` gets each line as it comes.
    """
    said: list[str] = []
    with _started(asked) as (running, lines):
        for line in lines:
            said += line.splitlines()
            hear(line)
    return running.returncode, said


def heard(asked: Command, report: Report) -> tuple[int, list[str]]:
    """Run a command of ours that talks in JSON; return its status and what it said as a person reads it.

    Raises the error that it ended with, if it told one.
    """
    said: list[str] = []
    error: NuagesError | None = None
    with _started(asked) as (running, lines):
        for line in lines:
            event = _event(line)
            if event.get("event") in ("progress", "collecting", "warning"):
                report(event["event"], event["text"])
            elif event.get("event") == "error":
                error = _error(event)
            else:
                said += (event.get("text") or line.rstrip("\n")).splitlines()
    if error is not None:
        raise with_last_words(error, said)
    return running.returncode, said


@contextmanager
def _started(asked: Command) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Start a command and yield it and what it says; it does not outlive who listens."""
    with subprocess.Popen(
        asked.argv, cwd=asked.directory, env=dict(asked.environ), stdin=subprocess.DEVNULL, pass_fds=tuple(held),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            yield running, running.stdout
        except BaseException:
            running.kill()
            raise


def _event(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(event: Mapping[str, Any]) -> NuagesError:
    kinds = {kind.exit_code: kind for kind in (ProjectError, StartError, OutsideError)}
    where, why, hint = (event.get(name, "") for name in ("where", "why", "hint"))
    return kinds.get(event["exit"], ProjectError)(event["what"], where=where, why=why, hint=hint)


def with_last_words(error: NuagesError, said: list[str], most: int = 15) -> NuagesError:
    """Return the error with what a project wrote that then ended itself: nothing else tells why."""
    # Once only what the project wrote each time when it was loaded.
    words = [*dict.fromkeys(line for line in said if line.strip())][-most:]
    if not words or not error.why.rpartition("\n")[2].startswith("SystemExit"):
        return error
    why = "\n".join([error.why, "it wrote:", *(f"  {line.rstrip()}" for line in words)])
    hint = "do what it says; a missing variable is the usual reason"
    return type(error)(error.what, where=error.where, why=why, hint=hint)


def failed(what: str, called: str, code: int, said: list[str], hint: str) -> NuagesError:
    """Return the error of a command of the name `called` that ended with a status other than 0."""
    tail = [line for line in said if line.strip()][-25:]
    return ProjectError(
        what,
        where=f"`{called}` ended with status {code}",
        why="\n".join(tail),
        hint=hint,
    )
