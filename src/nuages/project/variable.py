"""Environment variables: those that the settings read, and those that the project's own image has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nuages.errors import Origin
from nuages.project.shapes import Shape

HERE = "{project}"
"""Stands in values for the project's folder: elsewhere in its own image, in ours, and on this machine."""


class VariableKind(str, Enum):
    """What a variable holds, as far as its name and its reader tell."""

    SECRET = "secret"
    URL = "url"
    BOOL = "bool"
    INTEGER = "integer"
    HOSTS = "hosts"
    LIST = "list"
    PATH = "path"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable that the settings read.

    `default` is the source text of the default, None where there is none or it is not a literal. `required`: the
    read raises when the variable is missing, under the environment that was scanned with and with DEBUG off. `reader`
    is how it is read: `os.environ`, `django-environ` … `condition` is the source of the `if` around the read, when
    there is one: `not DEBUG`; a read under a condition that cannot be decided by reading is not required. `given`: a
    file of the project that the settings load and that has the variable (`.env:3`). `shape`: what its text is parsed
    as, where the kind does not tell.
    """

    name: str
    kind: VariableKind
    required: bool
    reader: str
    origin: Origin
    default: str | None = None
    condition: str | None = None
    given: Origin | None = None
    shape: Shape | None = None

    @property
    def is_missing(self) -> bool:
        """Whether somebody has to give it: no file of the project does."""
        return self.required and self.given is None

    @property
    def is_defaulted(self) -> bool:
        """Whether the project's own code gives it where nobody else does: `os.environ.setdefault`."""
        return self.given is not None and self.given.place.endswith(".py")

    @property
    def is_one_host(self) -> bool:
        """Whether it holds one host name and no list of them: a DOMAIN gets into addresses as it is."""
        return self.kind is VariableKind.HOSTS and self.name.upper().endswith(("DOMAIN", "HOSTNAME"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The environment variable that decides DEBUG, and the text that turns it off (None: leave it unset)."""

    variable: str
    off: str | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageVariable:
    """A variable that the project's own image has. `left` says why it is not taken over; `value` is empty then.

    `is_usual`: what is left is left of every project. `is_made`: it names a place in the project that is no file of it.
    """

    name: str
    value: str
    origin: Origin
    left: str = ""
    is_usual: bool = False
    is_made: bool = False

    def text(self, root: str) -> str:
        """Return its value where the project's folder is `root`."""
        return self.value.replace(HERE, root)
