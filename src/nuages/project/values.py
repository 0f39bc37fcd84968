"""What an expression can be worth when it is only read: known Python values, things from outside, or unknown."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unknown:
    """A value that reading does not tell."""

    _only: Unknown | None = None

    def __new__(cls) -> Unknown:  # noqa: PYI034 - there is one
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Missing:
    """None, because the variable is not set and its read has no default."""

    variable: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Dotted:
    """Something from outside the project, by its full name: `os.environ`, `environ.Env`, `bool`."""

    name: str

    def attribute(self, name: str) -> Dotted:
        """Return what its attribute is called."""
        return Dotted(f"{self.name}.{name}")


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a module, a function call or a class body, and the variables that each depends on."""

    path: str
    names: dict[str, Any] = field(default_factory=dict)
    touched: dict[str, frozenset[str]] = field(default_factory=dict)
    assigned: dict[str, Assigned] = field(default_factory=dict)
    parent: Scope | None = None

    def copy(self) -> Scope:
        """Return a scope that can be changed without changing this one, lists and dicts included."""
        names = {name: copied(value) for name, value in self.names.items()}
        return Scope(self.path, names, dict(self.touched), dict(self.assigned), self.parent)

    def take(self, other: Scope) -> None:
        """Become what `other` is."""
        self.names, self.touched, self.assigned = other.names, other.touched, other.assigned


@dataclass(frozen=True, slots=True)
class Assigned:
    """Where a name was last assigned, and the expression; None where it was not one expression."""

    path: str
    line: int
    node: ast.expr | None
    is_augmented: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function or lambda of the project, and the module scope it sees."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the project; its attributes are those of its body."""

    name: str
    scope: Scope
    bases: tuple[Any, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the project."""

    scope: Scope
    name: str


@dataclass(frozen=True, slots=True)
class Reader:
    """An object that reads the environment when it is called: django-environ's Env, decouple's config …"""

    library: str
    prefix: str = ""
    scheme: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """An attribute of a known value, to be called."""

    owner: Any
    name: str


@dataclass(frozen=True, slots=True)
class EnvironPath:
    """django-environ's Path: it is called to join and subtracted from to go up."""

    path: PurePosixPath


PLAIN = (bool, int, float, str, bytes, type(None), PurePosixPath)


def copied(value: Any) -> Any:
    """Return a copy of a list, dict or set, with the lists and dicts inside; other values as they are."""
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, set):
        return set(value)
    return value


def is_known(value: Any) -> bool:
    """Return whether a value is plain data all through, without an unknown part."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_known(item) for item in value)
    if isinstance(value, dict):
        return all(is_known(key) and is_known(item) for key, item in value.items())
    return isinstance(value, (*PLAIN, Missing, EnvironPath))


def truth(value: Any) -> bool | None:
    """Return whether a value is true, or None when that is not known."""
    if isinstance(value, (Unknown, Method)):
        return None
    if isinstance(value, Dotted):
        return None
    if isinstance(value, (Function, Class, Module, Reader, EnvironPath)):
        return True
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - any object's own __bool__
        return None


def same(left: Any, right: Any) -> bool:
    """Return whether two values are the same for all that is known."""
    if left is right:
        return True
    try:
        return type(left) is type(right) and bool(left == right)
    except Exception:  # noqa: BLE001 - comparisons of arbitrary parts
        return False
