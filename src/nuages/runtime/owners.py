"""Whose an open descriptor of this process is: the module of the object that holds it."""

from __future__ import annotations

import gc
import io
import selectors
import socket
import sys
from types import ModuleType
from typing import Any

from nuages.runtime.obstacles import top

# What is asked which descriptor it has. An epoll object itself is unknown to the collector.
_HOLDERS: tuple[Any, ...] = (socket.socket, selectors.DefaultSelector, io.FileIO)
_ROUNDS = 6  # from a file to what reads it, its dict, an archive, its dict, a module
_NOBODY = frozenset(
    {"builtins", "django.conf"}
)  # the object of all settings has what the settings module made
_MODULE_OF_TYPE: Any = vars(type)["__module__"]


def module_of(descriptor: int) -> str:
    """The module that `_search` finds; whose it is helps who reads it, and is worth no start."""
    try:
        return _search(descriptor)
    except Exception:  # noqa: BLE001 - of objects of all kinds
        return ""


def _search(descriptor: int) -> str:
    """The module of the first object outside of the standard library that holds the descriptor's object.

    Else that of the first module that has it as a global name: a library that is given a loop answers for it.
    No object of the project is asked anything, and so none is made before its time: `isinstance` would read
    `__class__`, for which Django's lazy objects become what they stand for.
    """
    found = [one for one in gc.get_objects() if _holds(one, descriptor)]
    seen = {id(one) for one in found}
    named = ""
    for _ in range(_ROUNDS):
        for one in found:
            is_module = _is_of_module(one)
            module = _name(one) if is_module else of_type(type(one))
            if top(module) in sys.stdlib_module_names or module in _NOBODY:
                continue
            if not is_module:
                return module
            named = named or module
        # A module's dict is held by each of its functions, and they by whoever has imported one.
        found = [one for one in found if not _is_of_module(one)]
        holders = [
            one
            for one in gc.get_referrers(*found)
            if id(one) not in seen and not issubclass(type(one), ModuleType) and one is not found
        ]
        found = holders[:200]
        seen |= {id(one) for one in found}
        if not found:
            break
    return named


def has_file(descriptor: int) -> bool:
    """Return whether an open file of Python's own has a descriptor."""
    return any(issubclass(type(one), io.FileIO) and _holds(one, descriptor) for one in gc.get_objects())


def _is_of_module(one: Any) -> bool:
    return type(one) is dict and "__spec__" in one and "__name__" in one


def _name(names: dict[str, Any]) -> str:
    name = names["__name__"]
    return name if type(name) is str else "builtins"


def of_type(kind: type) -> str:
    """A type's module, "builtins" where it has made something else of that; a metaclass is not asked."""
    module = _MODULE_OF_TYPE.__get__(kind)
    return module if type(module) is str else "builtins"


def _holds(found: Any, descriptor: int) -> bool:
    kind = type(found)
    try:
        for holder in _HOLDERS:
            if issubclass(kind, holder):
                return bool(holder.fileno(found) == descriptor)
    except Exception:  # noqa: BLE001 - closed, or not made whole
        return False
    return False
