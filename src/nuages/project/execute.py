"""Follows statements, modules and calls of the project's own functions by reading; see `evaluate` for expressions."""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.project import modules, operations, readers
from nuages.project.evaluate import Evaluator
from nuages.project.reading import Condition, Exhausted, Raised
from nuages.project.settings_classes import SettingsClasses
from nuages.project.tree import Tree
from nuages.project.values import (
    UNKNOWN,
    Assigned,
    Class,
    Dotted,
    Function,
    Missing,
    Module,
    Scope,
    copied,
    same,
    truth,
)

MAX_DEPTH = 12
MAX_MODULES = 120
MAX_LOOP = 60


class Returned(Exception):  # noqa: N818 - control flow, no error
    """A `return` of the function that is being followed."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class NotFound(Exception):  # noqa: N818 - control flow, no error
    """An import of a module that the project does not have, where a `try` catches it."""


class Executor(SettingsClasses, Evaluator):
    """Statements. `bases` are the folders on sys.path."""

    def __init__(self, tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__(tree, dict(environ))
        self.bases = bases
        self.scopes: dict[str, Scope] = {}
        self.files: dict[str, None] = {}
        self.absent: dict[str, Origin] = {}
        self.depth = 0
        self.follows = True
        self.running: list[ast.AST] = []
        self.deciding: list[list[str]] = []
        self.guessed_debug = False

    # Modules

    def module(self, path: str) -> Scope:
        """Return the scope of a module's file, following it once."""
        if path in self.scopes:
            return self.scopes[path]
        scope = Scope(path)
        scope.names["__file__"] = f"{self.tree.root}/{path}"
        name = modules.name_of(path, self.bases) or ""
        scope.names["__name__"] = name
        self.scopes[path] = scope
        syntax = self.tree.module(path)
        if syntax is None or self.depth > MAX_DEPTH or len(self.scopes) > MAX_MODULES:
            return scope
        outer = self.scope, self.handling, self.calls
        self.scope, self.handling, self.calls = scope, [], []
        self.depth += 1
        try:
            self.body(syntax.body)
        except (Returned, NotFound):
            pass
        finally:
            self.depth -= 1
            self.scope, self.handling, self.calls = outer
        return scope

    def named(self, name: str) -> Scope | None:
        """Return the scope of a module by its name; its packages are followed first, as an import does."""
        path = modules.resolve(self.tree, name, self.bases)
        if path is None:
            return None
        if self.follows:
            parts = name.split(".")
            for count in range(1, len(parts)):
                package = modules.resolve(self.tree, ".".join(parts[:count]), self.bases)
                if package is not None and package != self.scope.path:
                    self.module(package)
        return self.module(path)

    def submodule(self, module: Module, name: str) -> Any:
        """Return a module inside a package, or UNKNOWN."""
        full = f"{module.name}.{name}"
        path = modules.resolve(self.tree, full, self.bases)
        return Module(self.module(path), full) if path else UNKNOWN

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            first = alias.name.split(".")[0]
            path = modules.resolve(self.tree, alias.name, self.bases)
            if path is not None and self.follows:
                scope = self.named(alias.name)
                value: Any = Module(scope, alias.name) if scope else UNKNOWN
            elif modules.resolve(self.tree, first, self.bases) and path is None:
                self._absent_module(alias.name, node)
                value = UNKNOWN
            else:
                value = Dotted(alias.name if alias.asname else first)
            if alias.asname:
                self.bind(alias.asname, value)
            elif isinstance(value, Module) and "." in alias.name:
                package = modules.resolve(self.tree, first, self.bases)
                self.bind(first, Module(self.module(package), first) if package else UNKNOWN)
            else:
                self.bind(first, value if "." not in alias.name else Dotted(first))

    def _import_from(self, node: ast.ImportFrom) -> None:
        name = self._absolute(node)
        path = modules.resolve(self.tree, name, self.bases) if name else None
        is_star = any(alias.name == "*" for alias in node.names)
        is_mine = path is not None or self._is_package(name)
        if not is_mine:
            if node.level or self._is_mine(name):
                self._absent_module(name, node)
            for alias in node.names:
                self.bind(alias.asname or alias.name, Dotted(f"{name}.{alias.name}"))
            return
        scope = self.named(name) if path and (self.follows or is_star) else None
        if is_star:
            if scope is not None:
                self._take_all(scope)
            return
        for alias in node.names:
            self.bind(alias.asname or alias.name, self._member(scope, name, alias.name, node))

    def _member(self, scope: Scope | None, package: str, name: str, node: ast.AST) -> Any:
        if scope is not None and name in scope.names:
            return scope.names[name]
        full = f"{package}.{name}"
        if modules.resolve(self.tree, full, self.bases) and self.follows:
            inner = self.named(full)
            return Module(inner, full) if inner else UNKNOWN
        if (
            scope is None
            and not self._is_package(full)
            and not modules.resolve(self.tree, package, self.bases)
        ):
            self._absent_module(full, node)
        return UNKNOWN

    def _take_all(self, scope: Scope) -> None:
        public = scope.names.get("__all__")
        for name, value in list(scope.names.items()):
            is_public = name in public if isinstance(public, (list, tuple)) else not name.startswith("_")
            if is_public:
                self.scope.names[name] = copied(value)
                self.scope.touched[name] = scope.touched.get(name, frozenset())
                if name in scope.assigned:
                    self.scope.assigned[name] = scope.assigned[name]

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        path = self.module_path()
        name = modules.name_of(path, self.bases) or ""
        parts = name.split(".")
        drop = node.level - (1 if path.endswith("__init__.py") else 0)
        kept = parts[: len(parts) - drop] if drop else parts
        return ".".join([*kept, *([node.module] if node.module else [])])

    def module_path(self) -> str:
        """Return the file of the module that is being followed."""
        return self.scope.path

    def _is_package(self, name: str) -> bool:
        folder = name.replace(".", "/")
        return bool(name) and any(modules.join(base, folder) in self.tree.folders for base in self.bases)

    def _is_mine(self, name: str) -> bool:
        first = name.split(".")[0]
        return bool(first) and modules.resolve(self.tree, first, self.bases) is not None

    def _absent_module(self, name: str, node: ast.AST) -> None:
        """Note a module of the project that is not there, such as a local configuration file."""
        self.absent.setdefault(name, Origin(self.scope.path, getattr(node, "lineno", None)))
        if self.is_live and any(
            caught & {"ImportError", "ModuleNotFoundError", "Exception", ""} for caught in self.catching
        ):
            raise NotFound

    # Effects of calls

    def call_outside(self, function: Dotted, call: ast.Call) -> Any:
        """Follow what a few outside functions do: dotenv files, split settings, prefixes."""
        name = function.name
        if name in {"dotenv.load_dotenv", "dotenv.main.load_dotenv", "dotenv.read_dotenv", "environ.Env.read_env",
                    f"{readers.DJANGO_ENVIRON}.read_env", f"{readers.ENVIRONS}.read_env", "dotenv.dotenv_values",
                    f"{readers.DJANGO_ENVIRON}.read_envfile", "environs.Env.read_env"}:  # fmt: skip
            self._load_dotenv(call)
            return Dotted(name)
        if name in {"split_settings.tools.include", "split_settings.include"}:
            self._include(call)
            return True
        if name == "split_settings.tools.optional":
            return self.evaluate(call.args[0]) if call.args else UNKNOWN
        if name in {"sys.exit", "exit", "quit", "os._exit"}:
            self._fails()
            return UNKNOWN
        if name in {"locals", "globals", "vars"}:
            return UNKNOWN
        if name == "importlib.import_module" and call.args:
            target = self.evaluate(call.args[0])
            scope = self.named(target) if isinstance(target, str) and not target.startswith(".") else None
            return Module(scope, target) if scope is not None else UNKNOWN
        return None

    def _load_dotenv(self, call: ast.Call) -> None:
        values, keywords = self.values_of(call.args), self.keywords_of(call)
        asked = next(
            iter(values), keywords.get("dotenv_path") or keywords.get("env_file") or keywords.get("path")
        )
        relative = self.relative(asked)
        if relative is not None and relative in self.tree.files:
            self.load_file(relative)
        elif asked is None or (isinstance(asked, (Dotted, str)) and relative is None):
            name = asked if isinstance(asked, str) and "/" not in asked else ".env"
            folder = posixpath.dirname(self.module_path())
            while True:
                path = modules.join(folder or ".", name)
                if path in self.tree.files:
                    self.load_file(path)
                    return
                if not folder:
                    return
                folder = posixpath.dirname(folder)

    def load_file(self, path: str) -> None:
        """Take in the variables of a dotenv file; those that are set already stay as they are."""
        self.files[path] = None
        for number, line in enumerate((self.tree.text(path) or "").splitlines(), 1):
            found = re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", line)
            if found and found[1] not in self.given:
                text = found[2]
                quoted = re.match(r"(['\"])(.*?)\1", text)
                text = quoted[2] if quoted else re.sub(r"\s+#.*$", "", text)
                self.given[found[1]] = (text, Origin(path, number))

    def _include(self, call: ast.Call) -> None:
        folder = posixpath.dirname(self.module_path())
        for pattern in self.values_of(call.args):
            if not isinstance(pattern, str):
                continue
            whole = modules.join(folder or ".", pattern)
            matching = sorted(
                path for path in self.tree.files if path.endswith(".py") and fnmatch.fnmatch(path, whole)
            )
            if not matching and not any(letter in pattern for letter in "*?["):
                self.absent.setdefault(whole, Origin(self.scope.path, call.lineno))
            for path in matching:
                self._inline(path)

    def _inline(self, path: str) -> None:
        """Follow a file as if it stood in the current module (django-split-settings)."""
        syntax = self.tree.module(path)
        if syntax is None or self.depth > MAX_DEPTH or path == self.scope.path:
            return
        self.files[path] = None
        outer_path, outer_file = self.scope.path, self.scope.names.get("__file__")
        self.scope.path, self.scope.names["__file__"] = path, f"{self.tree.root}/{path}"
        self.depth += 1
        try:
            self.body(syntax.body)
        finally:
            self.depth -= 1
            self.scope.path, self.scope.names["__file__"] = outer_path, outer_file

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

    # Statements

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

    def perhaps(self, text: str, statements: list[ast.stmt], truth_value: bool | None = None) -> Scope:
        """Follow statements that may not run, in a copy of the scope, and return the copy."""
        # A branch that does not run leaves nothing behind; only its reads are wanted.
        dead = truth_value is False
        copy = Scope(self.scope.path, parent=self.scope) if dead or not statements else self.scope.copy()
        outer, self.scope = self.scope, copy
        self.conditions.append(Condition(text, truth_value))
        try:
            self.body(statements)
        except (Returned, NotFound, Raised):
            pass
        finally:
            self.conditions.pop()
            self.scope = outer
        return copy

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
            self._store(target, value, touched, statement.value)

    def _annotated(self, statement: ast.AnnAssign) -> None:
        if statement.value is not None:
            value, touched = self.watched(statement.value)
            self._store(statement.target, value, touched, statement.value)

    def _store(self, target: ast.expr, value: Any, touched: set[str], node: ast.expr | None) -> None:
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
                self._store(inner, values[position] if values else UNKNOWN, touched, part)
        elif isinstance(target, ast.Subscript):
            self._store_item(target, value, touched)
        elif isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            if isinstance(owner, (Module, Class)) and not self.is_dead:
                owner.scope.names[target.attr] = value

    def _store_item(self, target: ast.Subscript, value: Any, touched: set[str]) -> None:
        owner = self.evaluate(target.value)
        key = self.evaluate(target.slice)
        if isinstance(owner, Dotted) and owner.name == readers.OS:
            if isinstance(key, str) and isinstance(value, str) and self.is_live:
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

    def _if(self, statement: ast.If) -> None:
        value, touched = self.watched(statement.test)
        known = truth(value)
        text = _condition(statement.test)
        opposite = f"not ({text})" if " " in text else f"not {text}"
        if known is None:
            yes = self.perhaps(text, statement.body)
            no = self.perhaps(opposite, statement.orelse) if statement.orelse else self.scope
            self._merge(yes, no)
            return
        chosen, other = (statement.body, statement.orelse) if known else (statement.orelse, statement.body)
        self.perhaps(opposite if known else text, other, truth_value=False)
        self.conditions.append(Condition(text if known else opposite, True))
        unset = [name for name in touched if not self.text_of(name)]
        outer, self.deciding = self.deciding, [*self.deciding, unset]
        try:
            self.body(chosen)
        finally:
            self.deciding = outer
            self.conditions.pop()

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
        self._fails()

    def _fails(self) -> None:
        """The program stops here: what decided that it does must be set."""
        if not self.is_live:
            return
        for variable in self.handling[-1:]:
            self.require(variable)
        for unset in reversed(self.deciding):
            if unset:
                # One of several would do; which one, reading does not tell.
                if len(unset) == 1:
                    self.require(unset[0])
                break
        if self.scope.parent is not None:
            raise Returned(UNKNOWN)

    def _assert(self, statement: ast.Assert) -> None:
        value, touched = self.watched(statement.test)
        if truth(value) is False:
            unset = [name for name in touched if not self.text_of(name)]
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

    def _for(self, statement: ast.For) -> None:
        items, touched = self.watched(statement.iter)
        if isinstance(items, Missing):
            self.need([items.variable])
        if isinstance(items, dict):
            items = list(items)
        if isinstance(items, (list, tuple)) and len(items) <= MAX_LOOP:
            for item in items:
                self._store(statement.target, item, touched, None)
                self.body(statement.body)
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

    def _function(self, statement: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        # A decorator may make anything of it; functools' wrappers leave it callable as it is.
        kept = all("cache" in ast.unparse(decorator) for decorator in statement.decorator_list)
        self.bind(statement.name, Function(statement, self.scope) if kept else UNKNOWN)

    def _class(self, statement: ast.ClassDef) -> None:
        bases = tuple(self.evaluate(base) for base in statement.bases)
        scope = Scope(self.scope.path, parent=self.scope)
        for base in reversed(bases):
            if isinstance(base, Class):
                scope.names.update({name: copied(value) for name, value in base.scope.names.items()})
        made = Class(statement.name, scope, bases)
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

    def _nothing(self, statement: ast.stmt) -> None:
        """`pass`, `break`, `global` …"""


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
    ast.Break: Executor._nothing,
    ast.Continue: Executor._nothing,
    ast.Global: Executor._nothing,
    ast.Nonlocal: Executor._nothing,
}


def follow(executor: Executor, path: str) -> Scope:
    """Return a module's scope, as far as the step limit lets it be followed."""
    try:
        return executor.module(path)
    except (Exhausted, RecursionError, Raised, NotFound, Returned):
        return executor.scopes.get(path, Scope(path))
