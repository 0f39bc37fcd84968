"""Works out expressions as far as reading tells, and notices every variable that they read; never runs code."""

from __future__ import annotations

import ast
import dataclasses
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from nuages.errors import Origin
from nuages.project import operations, readers
from nuages.project.model import VariableKind
from nuages.project.readers import Request
from nuages.project.reading import Condition, Exhausted, Raised, Reading
from nuages.project.tree import Tree
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
    "sys.argv": ["nuages"],
    "sys.platform": "linux",
    "os.name": "posix",
    "os.sep": "/",
    "typing.TYPE_CHECKING": False,
    "True": True,
    "False": False,
    "None": None,
    "__name__": "settings",
}
# Functions that fail for None.
_NEEDY = frozenset(
    {"int", "float", "len", "list", "tuple", "set", "sorted", "json.loads", "ast.literal_eval", "pathlib.Path", "iter",
     "distutils.util.strtobool", "strtobool", "os.path.join", "os.path.abspath", "os.path.dirname", "base64.b64decode",
     "environ.Path", "datetime.timedelta"}
)  # fmt: skip
_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n"})


class Evaluator(Reading):
    """Expressions. Statements, modules and calls of the project's own functions are the Executor's."""

    def __init__(self, tree: Tree, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.tree = tree
        self.prefixes: list[str] = []

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

    def evaluate(self, node: ast.expr) -> Any:
        """Return the value of an expression; UNKNOWN where it is not told. Raises Raised and Exhausted only."""
        self.step()
        handler = _HANDLERS.get(type(node))
        try:
            return handler(self, node) if handler else self._parts(node)
        except (Raised, Exhausted):
            raise
        except RecursionError:
            raise Exhausted from None
        except Exception:  # noqa: BLE001 - known values under Python's own operators raise what they like
            return UNKNOWN

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

    def under(self, text: str, truth_value: bool | None, nodes: list[ast.expr]) -> list[Any]:
        """Return the values of expressions that are only evaluated under a condition."""
        self.conditions.append(Condition(text, truth_value))
        try:
            return [self.evaluate(node) for node in nodes]
        finally:
            self.conditions.pop()

    def _parts(self, node: ast.AST) -> Any:
        """Look for reads in the parts of an expression that is not worked out."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
            elif not isinstance(child, (ast.expr_context, ast.operator)):
                self._parts(child)
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
            return owner.scope.names.get(name, UNKNOWN)
        if isinstance(owner, Reader) and name == "ENVIRON":
            return Dotted(readers.OS)
        if isinstance(owner, Reader) or operations.has_method(owner, name):
            return Method(owner, name)
        if isinstance(owner, PurePosixPath) and name in {"exists", "is_file", "is_dir"}:
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
        if isinstance(owner, (list, tuple, str, dict)) and is_known(key):
            return owner[key]
        return UNKNOWN

    def _item_of_environment(self, node: ast.Subscript) -> Any:
        return self.request(Request(name=node.slice, reader=readers.OS, raises=True), node)

    def _slice(self, node: ast.Slice) -> Any:
        parts = [self.evaluate(part) if part else None for part in (node.lower, node.upper, node.step)]
        return slice(*parts) if all(part is None or isinstance(part, int) for part in parts) else UNKNOWN

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
            self.record(name, request.reader, node, kind=kind, default=_short(default_text), has_default=has_default,
                        raises=request.raises)  # fmt: skip
        finally:
            self.calls = outer
        return self._value(request, name, kind, cast, default)

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

    def apply(self, function: Function, arguments: list[Any]) -> Any:
        """Return what a lambda gives for values; a def is not followed here."""
        if not isinstance(function.node, ast.Lambda):
            return UNKNOWN
        names = [argument.arg for argument in function.node.args.args]
        return self.inside(Scope(function.scope.path, dict(zip(names, arguments, strict=False)), parent=function.scope),
                           function.node.body)  # fmt: skip

    def inside(self, scope: Scope, node: ast.expr) -> Any:
        """Return the value of an expression in another scope."""
        outer, self.scope = self.scope, scope
        try:
            return self.evaluate(node)
        finally:
            self.scope = outer

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
        return self._parts(node)

    def _read(self, reader: Reader, method: str, node: ast.Call) -> Any:
        request = readers.by_reader(reader, method, node)
        if request is None:
            effect = self.call_outside(Dotted(f"{reader.library}.{method}"), node)
            return UNKNOWN if effect is None else effect
        name = request.name if isinstance(request.name, str) else self.evaluate(request.name)
        known = reader.scheme.get(name) if isinstance(name, str) else None
        if known is not None and request.default is None:
            cast, *default = known if isinstance(known, (tuple, list)) and known else (known,)
            kind = request.kind or readers.cast_kind(cast)
            request = dataclasses.replace(request, kind=kind, value=tuple(default[:1]))
        elif "**" in reader.scheme:
            request = dataclasses.replace(request, raises=False)
        return self.request(request, node)

    def _method(self, method: Method, node: ast.Call) -> Any:
        if isinstance(method.owner, Reader):
            return self._read(method.owner, method.name, node)
        arguments, keywords = self.values_of(node.args), self.keywords_of(node)
        self._need_all(value for value in arguments if method.name in {"joinpath", "join", "extend"})
        if method.name in {"exists", "is_file", "is_dir"}:
            return self.exists(method.owner, method.name)
        if (
            self.is_dead
            and not isinstance(method.owner, (str, PurePosixPath))
            and method.name not in {"get", "copy"}
        ):
            return UNKNOWN
        return operations.call_method(method.owner, method.name, arguments, keywords)

    def _need_all(self, values: Any) -> None:
        for value in values:
            if isinstance(value, Missing):
                self.need([value.variable])

    def exists(self, path: Any, kind: str = "exists") -> Any:
        """Return whether a file or folder is in the project; UNKNOWN for one outside."""
        relative = self.relative(path)
        if relative is None:
            return UNKNOWN
        is_folder, is_file = relative in self.tree.folders, relative in self.tree.files
        return {"is_file": is_file, "isfile": is_file, "is_dir": is_folder, "isdir": is_folder}.get(
            kind, is_file or is_folder
        )

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
        effect = self.call_outside(function, node)
        if effect is not None:
            return effect
        return self._known_function(function, node)

    def _set_default(self, request: Request, value: Any, node: ast.Call) -> None:
        name = self.evaluate(request.name) if isinstance(request.name, ast.expr) else request.name
        if isinstance(name, str) and isinstance(value, str) and self.is_live:
            self.given.setdefault(name, (value, Origin(self.scope.path, node.lineno)))

    def _known_function(self, function: Dotted, node: ast.Call) -> Any:
        arguments, keywords = self.values_of(node.args), self.keywords_of(node)
        name = function.name
        if name in _NEEDY:
            self._need_all(arguments[:3])
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

    def _getattr(self, name: str, arguments: list[Any]) -> Any:
        owner, attribute = arguments[0], arguments[1]
        if isinstance(owner, Module) and isinstance(attribute, str):
            if attribute in owner.scope.names:
                return owner.scope.names[attribute] if name == "getattr" else True
            return False if name == "hasattr" else arguments[2] if len(arguments) > 2 else UNKNOWN
        return UNKNOWN

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

    def _notice_use(self, node: ast.Call, function: Any) -> None:
        """Note what a read is used for: `int(read)`, `read.split(",")`, `strtobool(read)`."""
        if isinstance(function, Dotted) and node.args:
            kind = readers.cast_kind(function)
            if kind is not None and function.name != "bool":
                self._set_kind(node.args[0], kind)
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
            read.default = _short(ast.unparse(default))

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
            self._need_all((left, right))
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
                self._need_all([value])
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
        self._need_all([items])
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


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 200 else text[:199] + "…"


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
