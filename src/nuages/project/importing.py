"""Imports of the project's own modules: each is followed once, with the packages that it lies in."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from typing import Any

from nuages.errors import Origin
from nuages.project import modules
from nuages.project.evaluate import Evaluator
from nuages.project.tree import Tree, join
from nuages.project.values import (
    UNKNOWN,
    Dotted,
    Module,
    Scope,
    copied,
)

MAX_DEPTH = 12
MAX_MODULES = 120
_BROKEN = frozenset({"SyntaxError", "Exception", "BaseException", ""})


class Returned(Exception):  # noqa: N818 - control flow, no error
    """A `return` of the function that is being followed."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Skipped(Exception):  # noqa: N818 - control flow, no error
    """A `continue` or `break` of the loop that is being followed."""

    def __init__(self, *, ends_loop: bool) -> None:
        super().__init__()
        self.ends_loop = ends_loop


class NotFound(Exception):  # noqa: N818 - control flow, no error
    """An import of a module that the project does not have, where a `try` catches it."""


class Importing(Evaluator):
    """Modules. `bases` are the folders on sys.path."""

    def __init__(self, tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__(tree, dict(environ))
        self.bases = bases
        self.scopes: dict[str, Scope] = {}
        self.files: dict[str, None] = {}
        self.absent: dict[str, Origin] = {}
        self.certain: set[str] = set()
        """Files that are imported whatever the environment says, where nothing catches what is wrong with them."""
        self.choices: dict[str, tuple[str, ...]] = {}
        """What a variable can be where it is a part of the name of a file that is taken in."""
        self.depth = 0
        self.follows = True
        self.home = ""

    def module(self, path: str, *, is_part: bool = False) -> Scope:
        """Return the scope of a module's file, following it once.

        `is_part`: it is one of those that the settings are made of; the others count towards the limit.
        """
        if path in self.scopes:
            return self.scopes[path]
        scope = Scope(path)
        scope.names["__file__"] = f"{self.tree.root}/{path}"
        name = modules.name_of(path, self.bases) or ""
        scope.names["__name__"] = name
        self.scopes[path] = scope
        if self.is_live and not self.catches(_BROKEN):
            self.certain.add(path)
        syntax = self.tree.module(path)
        is_part = is_part or posixpath.dirname(path) == self.home
        if syntax is None or self.depth > (2 * MAX_DEPTH if is_part else MAX_DEPTH):
            return scope
        if len(self.scopes) > MAX_MODULES and not is_part:
            return scope
        outer = self.scope, self.handling, self.calls
        self.scope, self.handling, self.calls = scope, [], []
        self.depth += 1
        try:
            self.body(syntax.body)
        except (Returned, NotFound, Skipped):
            pass
        finally:
            self.depth -= 1
            self.scope, self.handling, self.calls = outer
        return scope

    def named(self, name: str, *, is_part: bool = False) -> Scope | None:
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
        return self.module(path, is_part=is_part)

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
        scope = self.named(name, is_part=is_star) if path and (self.follows or is_star) else None
        if is_star:
            if scope is not None:
                self._take_all(scope)
            return
        for alias in node.names:
            bound = alias.asname or alias.name
            self.bind(bound, self._member(scope, name, alias.name, node))
            if scope is not None and bound.isupper():
                # As much a setting here as one that a star brings.
                self._take_origin(scope, alias.name, bound)

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
                self._take_origin(scope, name, name)

    def _take_origin(self, scope: Scope, name: str, bound: str) -> None:
        """Know of an imported name, `bound` here, where it was assigned and which variables had a say."""
        self.scope.touched[bound] = scope.touched.get(name, frozenset())
        if name in scope.assigned:
            self.scope.assigned[bound] = scope.assigned[name]

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
        return bool(name) and any(join(base, folder) in self.tree.folders for base in self.bases)

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
