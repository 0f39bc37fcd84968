"""Commands that are run in the project's environment on the way, and what they say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

from nuages.environment.home import Report, held
from nuages.environment.prepared import Command
from nuages.errors import NuagesError, OutsideError, ProjectError


def run(asked: Command) -> tuple[int, list[str]]:
    """Run a command to its end, and return its status and the lines of both its outputs."""
    told = subprocess.run(
        asked.argv, cwd=asked.directory, env=dict(asked.environ), stdin=subprocess.DEVNULL, pass_fds=tuple(held),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    return told.returncode, told.stdout.splitlines()


def heard(asked: Command, report: Report) -> tuple[int, list[str]]:
    """Run a command of ours that talks in JSON; return its status and what it said as a person reads it."""
    said = []
    with subprocess.Popen(
        asked.argv, cwd=asked.directory, env=dict(asked.environ), stdin=subprocess.DEVNULL, pass_fds=tuple(held),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            for line in running.stdout:
                event = _event(line)
                if event.get("event") == "progress":
                    report("progress", event["text"])
                else:
                    said += _text(line, event).splitlines()
        except BaseException:
            running.kill()
            raise
    return running.returncode, said


def _event(line: str) -> Mapping[str, str]:
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(line: str, event: Mapping[str, str]) -> str:
    if event.get("event") != "error":
        return event.get("text") or line.rstrip("\n")
    where, why, hint = (event.get(name, "") for name in ("where", "why", "hint"))
    return NuagesError(event["what"], where=where, why=why, hint=hint).render()


def failed(what: str, called: str, code: int, said: list[str]) -> NuagesError:
    """Return the error of a command of the name `called` that ended with a status other than 0."""
    # Our own command prints a whole error block already: it is quoted as it is.
    tail = [line for line in said if line.strip()][-25:]
    kind = OutsideError if called.startswith("nuages ") and code == OutsideError.exit_code else ProjectError
    return kind(
        what,
        where=f"`{called}` ended with status {code}",
        why="\n".join(tail),
        hint=f"run it by hand: nuages run -- {called.removeprefix('manage.py ')}",
    )
