"""Carries out the calls that read variables: what they ask for, what it is worth, what it is used for."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from nuages.errors import Origin
from nuages.project import readers, shapes
from nuages.project.environment import Read
from nuages.project.following import Follower
from nuages.project.model import VariableKind
from nuages.project.readers import Request
from nuages.project.shapes import Shape
from nuages.project.values import (
    UNKNOWN,
    Dotted,
    Function,
    Missing,
    Reader,
    is_known,
)


class Requests(Follower):
    """Reads of variables through any library."""

    def request(self, request: Request, node: ast.AST) -> Any:
        """Record what a call reads and return the value under the scanned environment."""
        name = request.name if isinstance(request.name, str) else self.evaluate(request.name)
        cast = self.evaluate(request.cast) if request.cast is not None else None
        default = self.evaluate(request.default) if request.default is not None else UNKNOWN
        if request.value:
            default = request.value[0]
        if not isinstance(name, str) or not name or len(name) > 200:
            return UNKNOWN
        is_constant = isinstance(request.name, (str, ast.Constant))
        name = "".join(self.prefixes) + request.prefix + name
        kind = request.kind or readers.cast_kind(cast)
        default_text = ast.unparse(request.default) if request.default is not None else None
        if default_text is not None and self.calls and not isinstance(request.default, ast.Constant):
            # Inside a helper the default is a parameter's name; its value says more.
            default_text = repr(default) if is_known(default) and not isinstance(default, Missing) else None
        if request.value and is_known(default):
            default_text = repr(default)
        has_default = request.default is not None or bool(request.value)
        outer = self.calls
        if is_constant and self.calls:
            self.calls = []
        try:
            shape = request.shape or (shapes.of_use(cast.name) if isinstance(cast, Dotted) else None)
            self.record(name, request.reader, node, kind=kind, shape=shape, default=short(default_text),
                        has_default=has_default, raises=request.raises)  # fmt: skip
        finally:
            self.calls = outer
        return self._value(request, name, kind, cast, default)

    def of_dynaconf(self, reader: Reader, name: str, node: ast.AST) -> Any:
        """Record the read of an attribute or item of Dynaconf's settings; a file may have it too, which is not read."""
        found = self.request(
            Request(name=name, reader=reader.library, raises=False, prefix=reader.prefix), node
        )
        return UNKNOWN if isinstance(found, Missing) else found

    def _value(self, request: Request, name: str, kind: VariableKind | None, cast: Any, default: Any) -> Any:
        text = self.text_of(name)
        if text is None and request.default is None and not request.value:
            return UNKNOWN if request.raises or request.kind is VariableKind.URL else Missing(name)
        if text is None and default is None:
            return Missing(name)
        if text is None:
            if not request.casts_default or not isinstance(default, str):
                return default
            text = default
        if isinstance(cast, Function):
            return self.apply(cast, [text])
        if kind is VariableKind.URL:
            return UNKNOWN if request.kind is VariableKind.URL else text
        if cast is not None and kind is None and not (isinstance(cast, Dotted) and cast.name == "str"):
            return UNKNOWN
        return readers.parsed(text, kind)

    def _read(self, reader: Reader, method: str, node: ast.Call) -> Any:
        request = readers.by_reader(reader, method, node)
        if request is None:
            effect = self.call_outside(Dotted(f"{reader.library}.{method}"), node)
            return UNKNOWN if effect is None else effect
        if reader.library == readers.DECOUPLE and not self.has_looked:
            # It looks for its own file, from the module that calls it upwards.
            self.has_looked = True
            self.load_near(("settings.ini", ".env"))
        name = request.name if isinstance(request.name, str) else self.evaluate(request.name)
        known = reader.scheme.get(name) if isinstance(name, str) else None
        if known is not None and request.default is None:
            cast, *default = known if isinstance(known, (tuple, list)) and known else (known,)
            kind = request.kind or readers.cast_kind(cast)
            request = dataclasses.replace(request, kind=kind, value=tuple(default[:1]))
        elif "**" in reader.scheme:
            request = dataclasses.replace(request, raises=False)
        return self.request(request, node)

    def _make_reader(self, library: str, node: ast.Call) -> Reader:
        scheme: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                scheme[keyword.arg] = value
            elif isinstance(value, dict):
                scheme.update(value)
            else:
                # What is in it is not known: any variable may have a default.
                scheme["**"] = value
        if library != readers.DJANGO_ENVIRON:
            scheme = {}
        prefix = next((keyword.value.value for keyword in node.keywords
                       if keyword.arg in {"env_prefix", "prefix"} and isinstance(keyword.value, ast.Constant)
                       and isinstance(keyword.value.value, str)), "")  # fmt: skip
        return Reader(library, prefix=prefix, scheme=scheme)

    def _set_default(self, request: Request, value: Any, node: ast.Call) -> None:
        name = self.evaluate(request.name) if isinstance(request.name, ast.expr) else request.name
        if isinstance(name, str) and self.is_live and request.default is not None:
            self.settled.add(name)
            if isinstance(value, str):
                self.given.setdefault(name, (value, Origin(self.scope.path, node.lineno)))

    def _notice_use(self, node: ast.Call, function: Any) -> None:
        """Note what a read is used for: `int(read)`, `read.split(",")`, `strtobool(read)`."""
        if isinstance(function, Dotted) and node.args:
            kind = readers.cast_kind(function)
            if kind is not None and function.name != "bool":
                self._set_kind(node.args[0], kind)
            shape = shapes.of_use(function.name)
            if shape is not None:
                self._set_shape(node.args[0], shape)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            self._set_kind(node.func.value, VariableKind.LIST)

    def _set_kind(self, node: ast.expr, kind: VariableKind) -> None:
        while (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and id(node) not in self.by_node
        ):
            node = node.func.value
        read = self.by_node.get(id(node))
        if read is not None and read.kind is None:
            read.kind = kind

    def _set_shape(self, node: ast.expr, shape: Shape) -> None:
        read = self._read_behind(node)
        if read is not None:
            read.shape = shape if read.shape is None else shapes.nested(shape, read.shape)

    def _read_behind(self, node: ast.expr) -> Read | None:
        """Return the read that an expression makes its value of: `read.encode()`, `b64decode(read).decode()`."""
        while isinstance(node, ast.Call) and id(node) not in self.by_node:
            method = node.func if isinstance(node.func, ast.Attribute) else None
            if method is not None and isinstance(method.value, (ast.Call, ast.Subscript)):
                node = method.value
            elif node.args:
                node = node.args[0]
            else:
                break
        return self.by_node.get(id(node))


def short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 200 else text[:199] + "…"
