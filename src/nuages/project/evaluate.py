"""Works out expressions as far as reading tells, and notices every variable that they read; never runs code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from nuages.project import operations, readers
from nuages.project.calls import Calls
from nuages.project.model import VariableKind
from nuages.project.readers import Request
from nuages.project.reading import Exhausted, Raised
from nuages.project.requests import short
from nuages.project.values import (
    UNKNOWN,
    Class,
    Dotted,
    EnvironPath,
    Function,
    Method,
    Missing,
    Module,
    Reader,
    Scope,
    is_known,
    truth,
)

# What a server process has; a condition on these is about tests or management commands.
_FACTS: dict[str, Any] = {
    "sys.argv": ["nuages", "serve"],
    "sys.platform": "linux",
    "os.name": "posix",
    "os.sep": "/",
    "typing.TYPE_CHECKING": False,
    "True": True,
    "False": False,
    "None": None,
    "__name__": "settings",
}
_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n"})


class Evaluator(Calls):
    """Expressions."""

    def evaluate(self, node: ast.expr) -> Any:
        """Return the value of an expression; UNKNOWN where it is not told. Raises Raised and Exhausted only."""
        self.step()
        handler = _HANDLERS.get(type(node))
        try:
            return handler(self, node) if handler else self.look_into(node)
        except (Raised, Exhausted):
            raise
        except RecursionError:
            raise Exhausted from None
        except Exception:  # noqa: BLE001 - known values under Python's own operators raise what they like
            return UNKNOWN

    def lookup(self, name: str) -> Any:
        """Return what a name means here: the project's own, else a builtin's."""
        scope: Scope | None = self.scope
        while scope is not None:
            if name in scope.names:
                self.touched |= scope.touched.get(name, frozenset())
                return scope.names[name]
            scope = scope.parent
        return _FACTS[name] if name in _FACTS else Dotted(name)

    def _name(self, node: ast.Name) -> Any:
        return self.lookup(node.id)

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.evaluate(node.value)
        if isinstance(owner, Reader) and owner.library == readers.DYNACONF and node.attr.isupper():
            return self.of_dynaconf(owner, node.attr, node)
        return self.attribute_of(owner, node.attr)

    def attribute_of(self, owner: Any, name: str) -> Any:
        """Return an attribute of a value."""
        if isinstance(owner, Missing):
            self.need([owner.variable])
            return UNKNOWN
        if isinstance(owner, Dotted):
            full = owner.attribute(name)
            return _FACTS.get(full.name, full)
        if isinstance(owner, Module):
            if name in owner.scope.names:
                self.touched |= owner.scope.touched.get(name, frozenset())
                return owner.scope.names[name]
            return self.submodule(owner, name)
        if isinstance(owner, Class):
            self.touched |= owner.scope.touched.get(name, frozenset())
            return owner.scope.names.get(name, UNKNOWN)
        if isinstance(owner, Reader) and name == "ENVIRON":
            return Dotted(readers.OS)
        if isinstance(owner, Reader) or operations.has_method(owner, name):
            return Method(owner, name)
        if isinstance(owner, PurePosixPath) and name in {"exists", "is_file", "is_dir", "mkdir"}:
            return Method(owner, name)
        return operations.attribute(owner, name)

    def _subscript(self, node: ast.Subscript) -> Any:
        owner = self.evaluate(node.value)
        if isinstance(owner, Dotted) and owner.name == readers.OS:
            return self._item_of_environment(node)
        key = self.evaluate(node.slice)
        if isinstance(owner, Missing):
            self.need([owner.variable])
            return UNKNOWN
        if isinstance(owner, Reader) and owner.library == readers.DYNACONF and isinstance(key, str):
            return self.of_dynaconf(owner, key.upper(), node)
        if isinstance(owner, (list, tuple, str, dict)) and (is_known(key) or isinstance(key, slice)):
            return owner[key]
        return UNKNOWN

    def _item_of_environment(self, node: ast.Subscript) -> Any:
        return self.request(Request(name=node.slice, reader=readers.OS, raises=True), node)

    def _slice(self, node: ast.Slice) -> Any:
        parts = [self.evaluate(part) if part else None for part in (node.lower, node.upper, node.step)]
        return slice(*parts) if all(part is None or isinstance(part, int) for part in parts) else UNKNOWN

    def _compare(self, node: ast.Compare) -> Any:
        left = self.evaluate(node.left)
        result: Any = True
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(right_node)
            if (
                isinstance(kind, (ast.In, ast.NotIn))
                and isinstance(right, Dotted)
                and right.name == readers.OS
            ):
                return self._in_environment(left, node, isinstance(kind, ast.In))
            texts = (
                [right]
                if isinstance(right, str)
                else list(right)
                if isinstance(right, (list, tuple, set))
                else []
            )
            if texts and all(isinstance(text, str) and text.lower() in _BOOLEANS for text in texts):
                self._set_kind(node.left, VariableKind.BOOL)
            if isinstance(kind, (ast.In, ast.NotIn)) and isinstance(right, Missing):
                self.need([right.variable])
                return UNKNOWN
            one = operations.compare(kind, left, right)
            if truth(one) is not True:
                return one
            left = right
        return result

    def _in_environment(self, name: Any, node: ast.AST, is_in: bool) -> Any:
        if not isinstance(name, str):
            return UNKNOWN
        self.record(name, readers.OS, node)
        self.touched.add(name)
        return (self.text_of(name) is not None) is is_in

    def _boolean(self, node: ast.BoolOp) -> Any:
        is_or = isinstance(node.op, ast.Or)
        value: Any = UNKNOWN
        decided: bool | None = True
        for position, part in enumerate(node.values):
            before = " and ".join(ast.unparse(one) for one in node.values[:position][-1:])
            if position == 0:
                value = self.evaluate(part)
            elif decided is True:
                self._notice_default(node.values[position - 1], part)
                value = self.evaluate(part)
            else:
                self.under(f"not ({before})" if is_or else before, decided, [part])
                continue
            known = truth(value)
            if known is None:
                decided = None
            elif known is is_or:
                decided = False
        return value if decided is not None else UNKNOWN

    def _notice_default(self, read_node: ast.expr, default: ast.expr) -> None:
        # `os.environ.get("X") or "default"`
        read = self.by_node.get(id(read_node))
        if (
            read is not None
            and read.default is None
            and not read.has_default
            and isinstance(default, ast.Constant)
        ):
            read.default = short(ast.unparse(default))

    def _conditional(self, node: ast.IfExp) -> Any:
        value = truth(self.evaluate(node.test))
        text = ast.unparse(node.test)
        opposite = None if value is None else not value
        body = self.under(text, value, [node.body])[0]
        other = self.under(f"not ({text})", opposite, [node.orelse])[0]
        return UNKNOWN if value is None else body if value else other

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            known = truth(value)
            return UNKNOWN if known is None else not known
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        return UNKNOWN

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if not (isinstance(node.op, ast.Mod) and isinstance(left, str)):
            self.need_all((left, right))
        return operations.binary(node.op, left, right)

    def _joined(self, node: ast.JoinedStr) -> Any:
        texts: list[str] = []
        known = True
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.evaluate(inner)
            known = known and is_known(value) and not isinstance(value, (Missing, EnvironPath))
            known = known and not (isinstance(part, ast.FormattedValue) and part.format_spec is not None)
            texts.append(str(value))
        return operations.bounded("".join(texts)) if known else UNKNOWN

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Any:
        items: list[Any] = []
        for element in node.elts:
            if isinstance(element, ast.Starred):
                value = self.evaluate(element.value)
                self.need_all([value])
                items += list(value) if isinstance(value, (list, tuple, set)) else [UNKNOWN]
            else:
                items.append(self.evaluate(element))
        if isinstance(node, ast.Set):
            return set(items) if all(map(is_known, items)) else UNKNOWN
        return operations.bounded(items if isinstance(node, ast.List) else tuple(items))

    def _dictionary(self, node: ast.Dict) -> Any:
        result: dict[Any, Any] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node)
            if key_node is None:
                result.update(value if isinstance(value, dict) else {})
                continue
            key = self.evaluate(key_node)
            if isinstance(key, (str, int)):
                result[key] = value
        return operations.bounded(result)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Any:
        first = node.generators[0]
        items = self.evaluate(first.iter)
        self.need_all([items])
        simple = (
            len(node.generators) == 1
            and isinstance(first.target, ast.Name)
            and not isinstance(node, ast.DictComp)
        )
        if simple and isinstance(items, (list, tuple, str)) and len(items) <= 200:
            return self._each(node, items)
        names = {
            part.id: UNKNOWN
            for one in node.generators
            for part in ast.walk(one.target)
            if isinstance(part, ast.Name)
        }
        outer, self.scope = self.scope, Scope(self.scope.path, names, parent=self.scope)
        rest = [condition for one in node.generators for condition in one.ifs] + [
            one.iter for one in node.generators[1:]
        ]
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        try:
            self.under(f"for … in {ast.unparse(first.iter)}", None, rest + parts)
        finally:
            self.scope = outer
        return UNKNOWN

    def _each(self, node: Any, items: Any) -> Any:
        first = node.generators[0]
        results = []
        for item in items:
            outer, self.scope = self.scope, Scope(self.scope.path, {first.target.id: item}, parent=self.scope)
            try:
                kept = [truth(self.evaluate(condition)) for condition in first.ifs]
                if None in kept:
                    return UNKNOWN
                if all(kept):
                    results.append(self.evaluate(node.elt))
            finally:
                self.scope = outer
        return set(results) if isinstance(node, ast.SetComp) and all(map(is_known, results)) else results

    def _lambda(self, node: ast.Lambda) -> Any:
        return Function(node, self.scope)

    def _named(self, node: ast.NamedExpr) -> Any:
        value, touched = self.watched(node.value)
        if isinstance(node.target, ast.Name):
            self.scope.names[node.target.id] = value
            self.scope.touched[node.target.id] = frozenset(touched)
        return value

    def _constant(self, node: ast.Constant) -> Any:
        return node.value


_HANDLERS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.Subscript: Evaluator._subscript,
    ast.Slice: Evaluator._slice,
    ast.Call: Evaluator._call,
    ast.Compare: Evaluator._compare,
    ast.BoolOp: Evaluator._boolean,
    ast.IfExp: Evaluator._conditional,
    ast.UnaryOp: Evaluator._unary,
    ast.BinOp: Evaluator._binary,
    ast.JoinedStr: Evaluator._joined,
    ast.List: Evaluator._sequence,
    ast.Tuple: Evaluator._sequence,
    ast.Set: Evaluator._sequence,
    ast.Dict: Evaluator._dictionary,
    ast.ListComp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.DictComp: Evaluator._comprehension,
    ast.Lambda: Evaluator._lambda,
    ast.NamedExpr: Evaluator._named,
    ast.Constant: Evaluator._constant,
}
