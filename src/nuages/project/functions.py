"""Calls of the project's own functions: their bodies are followed with the arguments that are known."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nuages.errors import Origin
from nuages.project.effects import Effects
from nuages.project.importing import MAX_DEPTH, Returned, Skipped
from nuages.project.tree import Tree
from nuages.project.values import (
    UNKNOWN,
    Function,
    Scope,
)


class Functions(Effects):
    """Functions and lambdas."""

    def __init__(self, tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__(tree, bases, environ)
        self.running: list[ast.AST] = []

    def call_function(self, function: Function, call: ast.Call) -> Any:
        """Return what a function of the project returns for a call, following its body."""
        return self.enter(function, self.values_of(call.args), self.keywords_of(call), call)

    def enter(
        self, function: Function, values: list[Any], keywords: Mapping[str, Any], call: ast.Call | None
    ) -> Any:
        """Follow a function's body with known arguments."""
        if self.depth > MAX_DEPTH or function.node in self.running:
            # A function that calls itself may take exponentially long.
            return UNKNOWN
        scope = Scope(function.scope.path, self._arguments(function, values, keywords), parent=function.scope)
        if isinstance(function.node, ast.Lambda):
            return self.inside(scope, function.node.body)
        outer = self.scope
        count = len(self.reads)
        if call is not None:
            self.calls.append(Origin(self.scope.path, call.lineno))
        self.depth += 1
        self.scope = scope
        self.running.append(function.node)
        try:
            self.body(function.node.body)
            value: Any = None
        except Returned as returned:
            value = returned.value
        except Skipped:
            value = UNKNOWN
        finally:
            self.running.pop()
            self.depth -= 1
            self.scope = outer
            if call is not None:
                self.calls.pop()
        if call is not None:
            self._default_of_call(call, count)
        is_generator = isinstance(function.node, ast.AsyncFunctionDef)
        return UNKNOWN if is_generator else value

    def _default_of_call(self, call: ast.Call, count: int) -> None:
        # A helper's own source does not say the default; its call does.
        new = self.reads[count:]
        if len(new) != 1 or new[0].default is not None:
            return
        node = next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
        node = node or (call.args[1] if len(call.args) > 1 else None)
        if (
            isinstance(node, ast.Constant)
            and node.value is not None
            and not isinstance(node.value, type(...))
        ):
            new[0].default = ast.unparse(node)[:200]

    def _arguments(
        self, function: Function, values: list[Any], keywords: Mapping[str, Any]
    ) -> dict[str, Any]:
        arguments = function.node.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        bound: dict[str, Any] = dict.fromkeys(
            [*names, *(argument.arg for argument in arguments.kwonlyargs)], UNKNOWN
        )
        outer, self.scope = self.scope, function.scope
        try:
            for name, default in zip(reversed(names), reversed(arguments.defaults), strict=False):
                bound[name] = self.evaluate(default)
            for argument, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
                if keyword_default is not None:
                    bound[argument.arg] = self.evaluate(keyword_default)
        finally:
            self.scope = outer
        if arguments.vararg:
            bound[arguments.vararg.arg] = tuple(values[len(names) :])
        if arguments.kwarg:
            bound[arguments.kwarg.arg] = {
                name: value for name, value in keywords.items() if name not in bound
            }
        bound.update(zip(names, values, strict=False))
        bound.update({name: value for name, value in keywords.items() if name in bound})
        return bound
