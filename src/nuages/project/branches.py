"""Statements that decide what runs: conditions, loops, `try`, `raise`, `with`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nuages.project.importing import NotFound, Returned, Skipped
from nuages.project.reading import Condition, Raised
from nuages.project.settings_classes import SettingsClasses
from nuages.project.tree import Tree
from nuages.project.values import (
    UNKNOWN,
    Assigned,
    Dotted,
    Missing,
    Scope,
    same,
    truth,
)

MAX_LOOP = 60


class Branches(SettingsClasses):
    """What certainly runs changes the scope; what may run changes a copy; what does not run is only looked at."""

    def __init__(self, tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__(tree, bases, environ)
        self.deciding: list[list[str]] = []
        """By condition that holds: the variables it asks of which none is given."""
        self.debug_tests: list[tuple[ast.expr, frozenset[str]]] = []
        """The conditions under which DEBUG is set, and the variables that they ask."""

    def store(self, target: ast.expr, value: Any, touched: set[str], node: ast.expr | None) -> None:
        """Give a target of an assignment its value."""
        raise NotImplementedError

    def perhaps(self, text: str, statements: list[ast.stmt], truth_value: bool | None = None) -> Scope:
        """Follow statements that may not run, in a copy of the scope, and return the copy."""
        # A branch that does not run leaves nothing behind; only its reads are wanted.
        dead = truth_value is False
        copy = Scope(self.scope.path, parent=self.scope) if dead or not statements else self.scope.copy()
        outer, self.scope = self.scope, copy
        self.conditions.append(Condition(text, truth_value))
        try:
            self.body(statements)
        except (Returned, NotFound, Raised, Skipped):
            pass
        finally:
            self.conditions.pop()
            self.scope = outer
        return copy

    def _if(self, statement: ast.If) -> None:
        value, touched = self.watched(statement.test)
        known = truth(value)
        text = _condition(statement.test)
        opposite = f"not ({text})" if " " in text else f"not {text}"
        before = self.scope.assigned.get("DEBUG")
        if known is None:
            yes = self.perhaps(text, statement.body)
            no = self.perhaps(opposite, statement.orelse) if statement.orelse else self.scope
            self._merge(yes, no)
            self._decide(statement.test, touched, before, yes, no)
            return
        chosen, other = (statement.body, statement.orelse) if known else (statement.orelse, statement.body)
        passed = self.perhaps(opposite if known else text, other, truth_value=False)
        if "SECRET_KEY" in passed.names and "SECRET_KEY" not in self.scope.names:
            asked = [
                one for one in passed.touched.get("SECRET_KEY", ()) if one in touched and self.is_empty(one)
            ]
            if len(asked) == 1:
                # The very variable decides that it is taken from: without it there is no key.
                place = passed.assigned.get("SECRET_KEY")
                self.bind("SECRET_KEY", Missing(asked[0]), set(asked), place)
        self.conditions.append(Condition(text if known else opposite, True))
        unset = [name for name in touched if not self.text_of(name)]
        outer, self.deciding = self.deciding, [*self.deciding, unset]
        try:
            self.body(chosen)
        finally:
            self.deciding = outer
            self.conditions.pop()
            self._decide(statement.test, touched, before, passed)

    def _decide(self, test: ast.expr, touched: set[str], before: Assigned | None, *branches: Scope) -> None:
        """Note that variables decide what DEBUG is, where one branch or the other sets it."""
        for scope in (self.scope, *branches):
            if touched and scope.assigned.get("DEBUG", before) is not before:
                more = scope.touched.get("DEBUG", frozenset()) | touched
                self.scope.touched["DEBUG"] = self.scope.touched.get("DEBUG", frozenset()) | more
                self.debug_tests.append((test, frozenset(touched)))

    def _merge(self, yes: Scope, no: Scope) -> None:
        merged = no.copy()
        for name in dict.fromkeys([*no.names, *yes.names]):
            left, right = yes.names.get(name, UNKNOWN), no.names.get(name, UNKNOWN)
            merged.names[name] = left if same(left, right) else _both(left, right)
            merged.touched[name] = yes.touched.get(name, frozenset()) | no.touched.get(name, frozenset())
        for name, place in yes.assigned.items():
            merged.assigned.setdefault(name, place)
        self.scope.take(merged)

    def _raise(self, statement: ast.Raise) -> None:
        if statement.exc is not None and isinstance(statement.exc, ast.Call):
            for argument in statement.exc.args:
                self.evaluate(argument)
        self.fails()

    def fails(self) -> None:
        """Note that the program stops here: what decided that it does must be set. Raises Returned in a function."""
        if not self.is_live:
            return
        for variable in self.handling[-1:]:
            self.require(variable)
        wanted = self._wanted()
        # One of several would do; which one, reading does not tell.
        if len(wanted) == 1:
            self.require(wanted[0])
        if self.scope.parent is not None:
            raise Returned(UNKNOWN)

    def _wanted(self) -> list[str]:
        """Return the variables of which one, if it were given, would let the program go on.

        In `if not DEBUG and HOST == "example.com"` that is the host's: nobody is to be told to serve with DEBUG on.
        """
        debug = self.scope.touched.get("DEBUG", frozenset())
        others = [
            [name for name in level if name not in debug and "DEBUG" not in name]
            for level in self.deciding[::-1]
        ]
        empty = [[name for name in level if self.is_empty(name)] for level in others]
        return next((level for level in (*empty, *others) if level), [])

    def _assert(self, statement: ast.Assert) -> None:
        value, touched = self.watched(statement.test)
        if truth(value) is False:
            unset = [name for name in touched if self.is_empty(name)]
            self.need(unset[:1] if len(unset) == 1 else [])

    def _try(self, statement: ast.Try) -> None:
        caught = frozenset(name for handler in statement.handlers for name in _names(handler.type))
        failed: str | None = None
        self.catching.append(caught)
        try:
            rest = self._protected(statement.body)
            if rest is None:
                self.body(statement.orelse)
        finally:
            self.catching.pop()
        if rest is not None:
            failed, remaining = rest
            self.perhaps("the rest of the try", remaining)
            self._handle(statement, failed)
        else:
            for handler in statement.handlers:
                self.perhaps(
                    f"except {ast.unparse(handler.type) if handler.type else ''}".strip(), handler.body, False
                )
        self.body(statement.finalbody)

    def _protected(self, statements: list[ast.stmt]) -> tuple[str, list[ast.stmt]] | None:
        for position, one in enumerate(statements):
            try:
                self.body([one])
            except Raised as raised:
                return raised.variable, statements[position + 1 :]
            except NotFound:
                return "", statements[position + 1 :]
        return None

    def _handle(self, statement: ast.Try, failed: str) -> None:
        wanted = (
            {"ImportError", "ModuleNotFoundError", "Exception", "BaseException", ""} if not failed else None
        )
        for handler in statement.handlers:
            names = set(_names(handler.type))
            if wanted is not None and not names & wanted:
                continue
            if wanted is None and names <= {"ImportError", "ModuleNotFoundError"}:
                continue
            if failed:
                self.handling.append(failed)
            try:
                self.body(handler.body)
            finally:
                if failed:
                    self.handling.pop()
            return

    def _continue(self, _statement: ast.Continue) -> None:
        raise Skipped(ends_loop=False)

    def _break(self, _statement: ast.Break) -> None:
        raise Skipped(ends_loop=True)

    def _for(self, statement: ast.For) -> None:
        items, touched = self.watched(statement.iter)
        if isinstance(items, Missing):
            self.need([items.variable])
        if isinstance(items, dict):
            items = list(items)
        if isinstance(items, (list, tuple)) and len(items) <= MAX_LOOP:
            for item in items:
                self.store(statement.target, item, touched, None)
                try:
                    self.body(statement.body)
                except Skipped as skipped:
                    if skipped.ends_loop:
                        break
        else:
            names = [part.id for part in ast.walk(statement.target) if isinstance(part, ast.Name)]
            for name in names:
                self.bind(name, UNKNOWN)
            after = self.perhaps(f"for … in {ast.unparse(statement.iter)[:80]}", statement.body)
            self._merge(after, self.scope)
        self.body(statement.orelse)

    def _while(self, statement: ast.While) -> None:
        self.evaluate(statement.test)
        after = self.perhaps(f"while {ast.unparse(statement.test)[:80]}", statement.body)
        self._merge(after, self.scope)

    def _with(self, statement: ast.With) -> None:
        prefixes = list(self.prefixes)
        suppressed: list[str] = []
        for item in statement.items:
            expression = item.context_expr
            if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
                argument = self.evaluate(expression.args[0]) if expression.args else None
                if expression.func.attr == "prefixed" and isinstance(argument, str):
                    self.prefixes.append(argument)
            if isinstance(expression, ast.Call) and ast.unparse(expression.func).endswith("suppress"):
                suppressed += [name for argument in expression.args for name in _names(argument)]
            value = self.evaluate(expression)
            if isinstance(item.optional_vars, ast.Name):
                self.bind(item.optional_vars.id, UNKNOWN if not isinstance(value, Dotted) else value)
        try:
            if suppressed:
                self.catching.append(frozenset(suppressed))
                self._protected(statement.body)
            else:
                self.body(statement.body)
        finally:
            if suppressed:
                self.catching.pop()
            self.prefixes = prefixes


def _both(left: Any, right: Any) -> Any:
    """Return what is known when one of two values holds: the longer list for lists of which one begins the other."""
    if isinstance(left, list) and isinstance(right, list):
        return [*right, UNKNOWN] if len(right) >= len(left) else [*left, UNKNOWN]
    return UNKNOWN


def _condition(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 160 else text[:159] + "…"


def _names(node: ast.expr | None) -> list[str]:
    if node is None:
        return [""]
    if isinstance(node, ast.Tuple):
        return [name for element in node.elts for name in _names(element)]
    return [node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "?"]
