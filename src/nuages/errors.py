"""The few kinds of error a user can meet, each with its exit code and the fields a message must have.

An error says what could not be done, where the cause came from, why, and one thing to do. Only `cli` prints
them; every other module raises.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fact or a value came from: a file and line, a variable, a flag or a default.

    `place` is what a person would look for: a path relative to the project, `NUAGES_WORKERS`, `--workers`, `default`.
    """

    place: str
    line: int | None = None

    def __str__(self) -> str:
        return self.place if self.line is None else f"{self.place}:{self.line}"


class NuagesError(Exception):
    """What could not be done, where it came from, why, and one thing to do about it.

    `what` is one line in the user's words, without a full stop. `where` names a file and line, a variable or a
    flag; several are lines. `why` quotes the fact that was found. `hint` is one command or one line to paste.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | Origin = "", why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.why = why
        self.hint = hint

    def render(self) -> str:
        """Return the whole message as it is printed, without colour and without a final newline."""
        lines = [f"error: {self.what}"]
        lines += [
            f"  {line}" if line else "" for part in (self.where, self.why) for line in part.splitlines()
        ]
        if self.hint:
            first, *rest = self.hint.splitlines()
            lines += ["", f"hint: {first}", *(f"      {line}" if line else "" for line in rest)]
        return "\n".join(lines)


class ProjectError(NuagesError):
    """The project or its settings are wrong."""

    exit_code = 1


class UsageError(NuagesError):
    """The command line, a NUAGES_* variable or the [tool.nuages] table is wrong."""

    exit_code = 2


class StartError(NuagesError):
    """The application failed to start; starting it again without a change will not help."""

    exit_code = 3


class OutsideError(NuagesError):
    """A tool or service outside failed (network, registry, engine, disk); trying again may help."""

    exit_code = 4


def without_extra(command: str, missing: str) -> UsageError:
    """Return the error of a command that needs a package of the extra «build» which is not installed here."""
    return UsageError(
        f"nuages is installed without what `nuages {command}` takes",
        where=f"looked for in {sys.prefix}",
        why=f"{missing} is not there: it comes with the extra «build», which no image needs",
        hint="pip install 'nuages[build]'",
    )
