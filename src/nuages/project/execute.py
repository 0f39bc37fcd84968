"""Follows the statements of source by reading, as a program that serves would run them."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.project import operations, readers
from nuages.project.branches import Branches
from nuages.project.importing import NotFound, Returned, Skipped
from nuages.project.reading import Exhausted, Raised
from nuages.project.tree import Tree
from nuages.project.values import (
    UNKNOWN,
    Assigned,
    Class,
    Dotted,
    Function,
    Missing,
    Module,
    Reader,
    Scope,
    copied,
    truth,
)


class Executor(Branches):
    """Statements."""

    def __init__(self, tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__(tree, bases, environ)
        self.guessed_debug = False

    def body(self, statements: list[ast.stmt]) -> None:
        """Follow statements in order."""
        for statement in statements:
            self.step()
            handler = _HANDLERS.get(type(statement))
            if handler is not None:
                handler(self, statement)
            else:
                self._other(statement)

    def _other(self, statement: ast.stmt) -> None:
        """Look into a statement that is not followed, such as `match`."""
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                self.evaluate(child)
        bodies = [getattr(statement, "body", [])] + [case.body for case in getattr(statement, "cases", [])]
        for inner in bodies:
            if isinstance(inner, list):
                self.perhaps(type(statement).__name__.lower(), inner)

    def bind(
        self, name: str, value: Any, touched: set[str] | None = None, assigned: Assigned | None = None
    ) -> None:
        """Give a name its value in the current scope."""
        self.scope.names[name] = value
        self.scope.touched[name] = frozenset(touched or ())
        if assigned is not None:
            self.scope.assigned[name] = assigned

    def _expression(self, statement: ast.Expr) -> None:
        self.evaluate(statement.value)

    def _assign(self, statement: ast.Assign) -> None:
        value, touched = self.watched(statement.value)
        for target in statement.targets:
            self.store(target, value, touched, statement.value)

    def _annotated(self, statement: ast.AnnAssign) -> None:
        if statement.value is not None:
            value, touched = self.watched(statement.value)
            self.store(statement.target, value, touched, statement.value)

    def store(self, target: ast.expr, value: Any, touched: set[str], node: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            if target.id == "DEBUG" and truth(value) is None:
                # What is served is served with DEBUG off.
                value = False
                self.guessed_debug = True
            self.bind(target.id, value, touched, Assigned(self.scope.path, target.lineno, node))
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = (
                list(value) if isinstance(value, (list, tuple)) and len(value) == len(target.elts) else None
            )
            parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) and values else None
            for position, element in enumerate(target.elts):
                inner = element.value if isinstance(element, ast.Starred) else element
                part = parts[position] if parts and len(parts) == len(target.elts) else None
                self.store(inner, values[position] if values else UNKNOWN, touched, part)
        elif isinstance(target, ast.Subscript):
            self._store_item(target, value, touched)
        elif isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            if isinstance(owner, (Module, Class)) and not self.is_dead:
                owner.scope.names[target.attr] = value
            # django-environ's `env.prefix = "SHOP_"`: all names that are read from here on begin so.
            if isinstance(owner, Reader) and (target.attr, type(value)) == ("prefix", str):
                self.store(target.value, dataclasses.replace(owner, prefix=value), touched, node)

    def _store_item(self, target: ast.Subscript, value: Any, touched: set[str]) -> None:
        owner = self.evaluate(target.value)
        key = self.evaluate(target.slice)
        if isinstance(owner, Dotted) and owner.name == readers.OS:
            if isinstance(key, str) and self.is_live:
                self.settled.add(key)
                if isinstance(value, str):
                    self.given.setdefault(key, (value, Origin(self.scope.path, target.lineno)))
            return
        if self.is_dead:
            return
        is_place = isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner)
        if is_place or (isinstance(owner, dict) and isinstance(key, (str, int))):
            owner[key] = copied(operations.bounded(value))
        self._mutated(target.value, touched)

    def _mutated(self, node: ast.expr, touched: set[str]) -> None:
        while isinstance(node, (ast.Subscript, ast.Attribute)):
            node = node.value
        if isinstance(node, ast.Name) and node.id in self.scope.assigned:
            before = self.scope.assigned[node.id]
            self.scope.assigned[node.id] = Assigned(before.path, before.line, before.node, is_augmented=True)
            self.scope.touched[node.id] = self.scope.touched.get(node.id, frozenset()) | touched

    def _augmented(self, statement: ast.AugAssign) -> None:
        value, touched = self.watched(statement.value)
        target = statement.target
        if not isinstance(target, ast.Name):
            self.evaluate(target)
            self._mutated(target, touched)
            return
        before = self.lookup(target.id)
        touched = touched | set(self.scope.touched.get(target.id, frozenset()))
        if isinstance(before, list) and isinstance(value, (list, tuple)):
            result: Any = before + list(value)
        elif isinstance(before, list):
            result = [*before, UNKNOWN]
        else:
            result = self.operate(statement.op, before, value)
        known = self.scope.assigned.get(target.id)
        place = Assigned(known.path, known.line, known.node, is_augmented=True) if known else Assigned(
            self.scope.path, target.lineno, None, is_augmented=True)  # fmt: skip
        self.bind(target.id, result, touched, place)

    def operate(self, kind: ast.operator, left: Any, right: Any) -> Any:
        """Return what an operator makes of two values, UNKNOWN where it fails."""
        for value in (left, right):
            if isinstance(value, Missing):
                self.need([value.variable])
        try:
            return operations.binary(kind, left, right)
        except Exception:  # noqa: BLE001 - Python's own operators on the project's values
            return UNKNOWN

    def _function(self, statement: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        # A decorator may make anything of it; functools' wrappers leave it callable as it is.
        kept = all("cache" in ast.unparse(decorator) for decorator in statement.decorator_list)
        # Defaults are worked out where the function is defined, called or not.
        for default in (*statement.args.defaults, *statement.args.kw_defaults, *statement.decorator_list):
            if default is not None:
                self.evaluate(default)
        self.bind(statement.name, Function(statement, self.scope) if kept else UNKNOWN)

    def _class(self, statement: ast.ClassDef) -> None:
        bases = tuple(self.evaluate(base) for base in statement.bases)
        scope = Scope(self.scope.path, parent=self.scope)
        for base in reversed(bases):
            if isinstance(base, Class):
                scope.names.update({name: copied(value) for name, value in base.scope.names.items()})
        made = Class(statement.name, scope, bases, statement.lineno)
        outer, self.scope = self.scope, scope
        try:
            self.class_body(made, statement)
        finally:
            self.scope = outer
        self.bind(statement.name, made)

    def _return(self, statement: ast.Return) -> None:
        raise Returned(self.evaluate(statement.value) if statement.value is not None else None)

    def _delete(self, statement: ast.Delete) -> None:
        for target in statement.targets:
            if isinstance(target, ast.Name):
                self.scope.names.pop(target.id, None)

    def _nothing(self, _statement: ast.stmt) -> None:
        """`pass`, `break`, `global` …"""


_HANDLERS: dict[type[ast.stmt], Callable[[Any, Any], None]] = {
    ast.Expr: Executor._expression,
    ast.Assign: Executor._assign,
    ast.AnnAssign: Executor._annotated,
    ast.AugAssign: Executor._augmented,
    ast.If: Executor._if,
    ast.Raise: Executor._raise,
    ast.Assert: Executor._assert,
    ast.Try: Executor._try,
    ast.For: Executor._for,
    ast.While: Executor._while,
    ast.With: Executor._with,
    ast.FunctionDef: Executor._function,
    ast.AsyncFunctionDef: Executor._function,
    ast.ClassDef: Executor._class,
    ast.Return: Executor._return,
    ast.Delete: Executor._delete,
    ast.Import: Executor._import,
    ast.ImportFrom: Executor._import_from,
    ast.Pass: Executor._nothing,
    ast.Break: Executor._break,
    ast.Continue: Executor._continue,
    ast.Global: Executor._nothing,
    ast.Nonlocal: Executor._nothing,
}


def follow(executor: Executor, path: str) -> Scope:
    """Return a module's scope, as far as the step limit lets it be followed."""
    try:
        return executor.module(path)
    except (Exhausted, RecursionError, Raised, NotFound, Returned, Skipped):
        return executor.scopes.get(path, Scope(path))
