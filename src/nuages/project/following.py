"""What follows source, in outline: the operations that its parts need of each other."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from nuages.project.reading import Condition, Reading
from nuages.project.tree import Tree
from nuages.project.values import (
    UNKNOWN,
    Assigned,
    Class,
    Dotted,
    EnvironPath,
    Function,
    Missing,
    Module,
    Scope,
)


class Follower(Reading):
    """The parts below add expressions, calls, imports, functions, classes and statements, in this order."""

    def __init__(self, tree: Tree, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.tree = tree
        self.prefixes: list[str] = []
        self.has_looked = False

    def evaluate(self, node: ast.expr) -> Any:
        """Return the value of an expression; UNKNOWN where it is not told."""
        raise NotImplementedError

    def body(self, statements: list[ast.stmt]) -> None:
        """Follow statements in order."""
        raise NotImplementedError

    def bind(
        self, name: str, value: Any, touched: set[str] | None = None, assigned: Assigned | None = None
    ) -> None:
        """Give a name its value in the current scope."""
        raise NotImplementedError

    def load_near(self, names: tuple[str, ...]) -> None:
        """Take in the variables of a dotenv file near the current module."""
        raise NotImplementedError

    def fails(self) -> None:
        """Note that the program stops here."""
        raise NotImplementedError

    def call_function(self, function: Function, call: ast.Call) -> Any:
        """Return what a function of the project returns for a call."""
        raise NotImplementedError

    def call_outside(self, function: Dotted, call: ast.Call) -> Any:
        """Return what a call of something outside that has an effect here gives; None: nothing special."""
        raise NotImplementedError

    def instantiate(self, kind: Class, call: ast.Call) -> Any:
        """Return what calling a class of the project gives."""
        raise NotImplementedError

    def submodule(self, module: Module, name: str) -> Any:
        """Return a module inside a package, or UNKNOWN."""
        raise NotImplementedError

    def watched(self, node: ast.expr) -> tuple[Any, set[str]]:
        """Return an expression's value and the variables that it depends on."""
        outer, self.touched = self.touched, set()
        try:
            value = self.evaluate(node)
            return value, self.touched
        finally:
            self.touched = outer | self.touched

    def values_of(self, nodes: list[ast.expr]) -> list[Any]:
        """Return the values of positional arguments; a starred one that is not known is one unknown value."""
        values: list[Any] = []
        for node in nodes:
            if not isinstance(node, ast.Starred):
                values.append(self.evaluate(node))
                continue
            several = self.evaluate(node.value)
            values += several if isinstance(several, (list, tuple)) else [UNKNOWN]
        return values

    def keywords_of(self, call: ast.Call) -> dict[str, Any]:
        """Return the values of keyword arguments, those of a known `**` dict included."""
        keywords: dict[str, Any] = {}
        for keyword in call.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update({str(key): item for key, item in value.items()})
        return keywords

    def look_into(self, node: ast.AST) -> Any:
        """Look for reads in the parts of an expression that is not worked out."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
            elif not isinstance(child, (ast.expr_context, ast.operator)):
                self.look_into(child)
        return UNKNOWN

    def under(self, text: str, truth_value: bool | None, nodes: list[ast.expr]) -> list[Any]:
        """Return the values of expressions that are only evaluated under a condition."""
        self.conditions.append(Condition(text, truth_value))
        try:
            return [self.evaluate(node) for node in nodes]
        finally:
            self.conditions.pop()

    def inside(self, scope: Scope, node: ast.expr) -> Any:
        """Return the value of an expression in another scope."""
        outer, self.scope = self.scope, scope
        try:
            return self.evaluate(node)
        finally:
            self.scope = outer

    def apply(self, function: Function, arguments: list[Any]) -> Any:
        """Return what a lambda gives for values; a def is not followed here."""
        if not isinstance(function.node, ast.Lambda):
            return UNKNOWN
        names = [argument.arg for argument in function.node.args.args]
        return self.inside(Scope(function.scope.path, dict(zip(names, arguments, strict=False)), parent=function.scope),
                           function.node.body)  # fmt: skip

    def need_all(self, values: Iterable[Any]) -> None:
        """Note that something fails here when one of these values is an unset variable's None."""
        for value in values:
            if isinstance(value, Missing):
                self.need([value.variable])

    def relative(self, path: Any) -> str | None:
        """Return a path as seen from the root, or None when it lies outside or is no path."""
        if isinstance(path, EnvironPath):
            path = path.path
        if not isinstance(path, (str, PurePosixPath)):
            return None
        text = posixpath.normpath(str(path))
        root = str(self.tree.root)
        if text == root:
            return "."
        return text[len(root) + 1 :] if text.startswith(root + "/") else None

    def exists(self, path: Any, kind: str = "exists") -> Any:
        """Return whether a file or folder is in the project; UNKNOWN for one outside."""
        relative = self.relative(path)
        if relative is None:
            return UNKNOWN
        is_folder, is_file = relative in self.tree.folders, relative in self.tree.files
        return {"is_file": is_file, "isfile": is_file, "is_dir": is_folder, "isdir": is_folder}.get(
            kind, is_file or is_folder
        )
