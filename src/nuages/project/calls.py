"""Calls of values that are known, of functions from outside and of readers."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import Any

from nuages.errors import Origin
from nuages.project import operations, readers
from nuages.project.requests import Requests
from nuages.project.values import (
    UNKNOWN,
    Class,
    Dotted,
    EnvironPath,
    Function,
    Method,
    Module,
    Reader,
)

# Functions that fail for None.
_NEEDY = frozenset(
    {"int", "float", "len", "list", "tuple", "set", "sorted", "json.loads", "ast.literal_eval", "pathlib.Path", "iter",
     "distutils.util.strtobool", "strtobool", "os.path.join", "os.path.abspath", "os.path.dirname", "base64.b64decode",
     "environ.Path", "datetime.timedelta"}
)  # fmt: skip


_TYPES = {each.__name__: each for each in (bool, int, float, str, bytes, list, tuple, dict, set)}


class Calls(Requests):
    """Calls; those of the project's own functions are followed elsewhere."""

    def _call(self, node: ast.Call) -> Any:
        function = self.evaluate(node.func)
        value = self._called(function, node)
        self._notice_use(node, function)
        return value

    def _called(self, function: Any, node: ast.Call) -> Any:
        if isinstance(function, Function):
            return self.call_function(function, node)
        if isinstance(function, Class):
            return self.instantiate(function, node)
        if isinstance(function, Reader):
            return self._read(function, "__call__", node)
        if isinstance(function, Method):
            return self._method(function, node)
        if isinstance(function, EnvironPath):
            values = self.values_of(node.args)
            return str(operations.call_method(function, "path", values, {}).path)
        if isinstance(function, Dotted):
            return self._outside(function, node)
        return self.look_into(node)

    def _method(self, method: Method, node: ast.Call) -> Any:
        if isinstance(method.owner, Reader):
            return self._read(method.owner, method.name, node)
        arguments, keywords = self.values_of(node.args), self.keywords_of(node)
        self.need_all(value for value in arguments if method.name in {"joinpath", "join", "extend"})
        if method.name in {"exists", "is_file", "is_dir"}:
            return self.exists(method.owner, method.name)
        if method.name == "mkdir":
            return self._make_folder(method.owner, node)
        if (
            self.is_dead
            and not isinstance(method.owner, (str, PurePosixPath))
            and method.name not in {"get", "copy"}
        ):
            return UNKNOWN
        return operations.call_method(method.owner, method.name, arguments, keywords)

    def _outside(self, function: Dotted, node: ast.Call) -> Any:
        if function.name in readers.READY:
            return self._read(Reader(readers.READY[function.name]), "__call__", node)
        owner, _, method = function.name.rpartition(".")
        if owner in readers.READY:
            return self._read(Reader(readers.READY[owner]), method, node)
        request = readers.by_dotted(function, node)
        if request is not None:
            value = self.request(request, node)
            if method == "setdefault":
                self._set_default(request, value, node)
            return value
        if function.name in readers.MAKERS:
            return self._make_reader(readers.MAKERS[function.name], node)
        if function.name in {"os.makedirs", "os.mkdir"}:
            return self._make_folder(next(iter(self.values_of(node.args)), None), node)
        effect = self.call_outside(function, node)
        if effect is not None:
            return effect
        return self._known_function(function, node)

    def _known_function(self, function: Dotted, node: ast.Call) -> Any:
        arguments, keywords = self.values_of(node.args), self.keywords_of(node)
        name = function.name
        if name in _NEEDY:
            self.need_all(arguments[:3])
        if name in {"pathlib.Path", "pathlib.PurePath", "Path"}:
            texts = [str(one) for one in arguments if isinstance(one, (str, PurePosixPath))]
            return PurePosixPath(*texts) if len(texts) == len(arguments) else UNKNOWN
        if name == "environ.Path":
            return EnvironPath(PurePosixPath(str(arguments[0])))
        if name.startswith("os.path."):
            last = name.rpartition(".")[2]
            if last in {"exists", "isfile", "isdir"}:
                return self.exists(arguments[0], last)
            return operations.text_path(last, arguments)
        if name in {"os.environ.copy", "dict"} and (
            name == "os.environ.copy" or arguments[:1] == [Dotted(readers.OS)]
        ):
            return Dotted(readers.OS)
        if name == "dict" and keywords and len(keywords) == len(node.keywords):
            start = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
            return {**start, **keywords}
        if name in {"getattr", "hasattr"} and len(arguments) >= 2:
            return self._getattr(name, arguments)
        if name == "isinstance" and len(arguments) == 2:
            return _is_instance(*arguments)
        if name == "platform.system":
            return "Linux"
        if name in {"decouple.Csv", "starlette.datastructures.CommaSeparatedStrings"}:
            return Dotted(name)
        if "." not in name:
            return operations.builtin(name, arguments)
        if name in {"distutils.util.strtobool", "setuptools._distutils.util.strtobool"} and isinstance(
            arguments[0], str
        ):
            return int(arguments[0].lower() in {"y", "yes", "t", "true", "on", "1"})
        return UNKNOWN

    def _make_folder(self, path: Any, node: ast.Call) -> Any:
        if isinstance(path, (str, PurePosixPath)) and not self.is_dead:
            self.made.setdefault(str(path), Origin(self.scope.path, node.lineno))
        return UNKNOWN

    def _getattr(self, name: str, arguments: list[Any]) -> Any:
        owner, attribute = arguments[0], arguments[1]
        if isinstance(owner, Module) and isinstance(attribute, str):
            if attribute in owner.scope.names:
                return owner.scope.names[attribute] if name == "getattr" else True
            return False if name == "hasattr" else arguments[2] if len(arguments) > 2 else UNKNOWN
        return UNKNOWN


def _is_instance(value: Any, kinds: Any) -> Any:
    """Return whether plain data is of a builtin type, or one of several: `isinstance(value, (bool, str))`."""
    every = kinds if isinstance(kinds, tuple) else (kinds,)
    types = [_TYPES.get(kind.name) if isinstance(kind, Dotted) else None for kind in every]
    known = tuple(each for each in types if each is not None)
    if not isinstance(value, tuple(_TYPES.values())) and value is not None:
        return UNKNOWN
    return True if isinstance(value, known) else False if len(known) == len(every) else UNKNOWN
