"""asgi.py and wsgi.py: what they make, whether they are what startproject writes, and which of them to serve."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project import layout, modules, named_settings
from nuages.project.model import EntryPoint, Fact, Problem
from nuages.project.tree import Tree

WSGI, ASGI = "wsgi", "asgi"
_MAKERS = {"get_wsgi_application": WSGI, "get_asgi_application": ASGI}
_PLAIN_IMPORTS = frozenset({"os", "sys", "__future__", "pathlib", "django.core.wsgi", "django.core.asgi"})
_ATTRIBUTES = ("application", "app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The entry modules to serve and what to say about the choice."""

    points: tuple[EntryPoint, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read(
    tree: Tree, path: str, module: str, bases: tuple[str, ...], environ: Mapping[str, str]
) -> EntryPoint | None:
    """Return what an entry module makes, or None when it makes no application."""
    syntax = tree.module(path)
    named = named_settings.find_near(tree, path, bases, environ)
    settings = named[0] if named else None
    if syntax is None:
        text = tree.text(path) or ""
        if "application" not in text:
            return None
        kind = ASGI if posixpath.basename(path).startswith(ASGI) else WSGI
        wraps = f"get_{kind}_application" in text
        return EntryPoint(kind=kind, module=module, attribute="application", origin=Origin(path),
                          is_standard=False, wraps_django=wraps, settings=settings)  # fmt: skip
    made = _attribute(syntax)
    if made is None:
        return None
    attribute, line = made
    makers = {_MAKERS[name] for node in ast.walk(syntax) if (name := _name(node)) in _MAKERS}
    kind = _kind(path, makers)
    return EntryPoint(
        kind=kind,
        module=module,
        attribute=attribute,
        origin=Origin(path, line),
        is_standard=is_standard(syntax) and not tree.lost(path),
        wraps_django=kind in makers,
        settings=settings,
    )


def _kind(path: str, makers: set[str]) -> str:
    if len(makers) == 1:
        return next(iter(makers))
    name = posixpath.basename(path)
    return ASGI if "asgi" in name or "routing" in name else WSGI


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _attribute(syntax: ast.Module) -> tuple[str, int] | None:
    """Return the name and line of the application at module level; `application` before `app` before any maker's."""
    made: dict[str, int] = {}
    for node in _toplevel(syntax.body):
        for name, line in _bound(node):
            made.setdefault(name, line)
    for name in _ATTRIBUTES:
        if name in made:
            return name, made[name]
    for node in _toplevel(syntax.body):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and _name(node.value.func) in _MAKERS
        ):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    return target.id, node.lineno
    return None


def _toplevel(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        found.append(node)
        if isinstance(node, ast.If | ast.With):
            found += _toplevel(node.body) + _toplevel(getattr(node, "orelse", []))
        elif isinstance(node, ast.Try):
            found += _toplevel(node.body) + _toplevel(node.orelse) + _toplevel(node.finalbody)
            found += [inner for handler in node.handlers for inner in _toplevel(handler.body)]
    return found


def _bound(node: ast.stmt) -> list[tuple[str, int]]:
    if isinstance(node, ast.Assign):
        return [(target.id, node.lineno) for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return [(node.target.id, node.lineno)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [(node.name, node.lineno)]
    if isinstance(node, ast.ImportFrom):
        return [(alias.asname or alias.name, node.lineno) for alias in node.names]
    return []


def is_standard(syntax: ast.Module) -> bool:
    """Return whether a module holds no more than startproject writes: imports, the settings' default, the maker."""
    return all(_is_plain(node) for node in syntax.body)


def _is_plain(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in _PLAIN_IMPORTS for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in _PLAIN_IMPORTS
    if isinstance(node, ast.Expr):
        value = node.value
        return isinstance(value, ast.Constant) or (
            isinstance(value, ast.Call)
            and _name(value.func) == "setdefault"
            and bool(value.args)
            and isinstance(value.args[0], ast.Constant)
            and value.args[0].value == named_settings.VARIABLE
            and all(isinstance(argument, ast.Constant) for argument in value.args)
        )
    if isinstance(node, ast.Assign):
        value = node.value
        is_maker = isinstance(value, ast.Call) and _name(value.func) in _MAKERS and not value.args
        is_alias = isinstance(value, ast.Name) and value.id in _ATTRIBUTES
        return (is_maker or is_alias) and all(isinstance(target, ast.Name) for target in node.targets)
    return False


def find(
    tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str], package: str | None = None
) -> tuple[EntryPoint, ...]:
    """Return every entry module that can be imported from `bases`, the nearest first; `package` is the project's."""
    found = []
    for path in sorted(tree.files, key=lambda path: (path.count("/"), path)):
        name = posixpath.basename(path)
        if (
            not path.endswith(".py")
            or layout.is_aside(path.removeprefix(bases[0] + "/"), package)
            or not _is_entry_name(path, name)
        ):
            continue
        module = modules.name_of(path, bases)
        text = tree.text(path) or ""
        if module and "application" in text:
            point = read(tree, path, module, bases, environ)
            if point is not None:
                found.append(point)
    return tuple(found)


def _is_entry_name(path: str, name: str) -> bool:
    folder = posixpath.basename(posixpath.dirname(path))
    return name in {"wsgi.py", "asgi.py"} or folder in {"wsgi", "asgi"} or name == "routing.py"


def pick(
    points: tuple[EntryPoint, ...], kind: str, declared: Fact[str] | None, package: str | None
) -> EntryPoint | None:
    """Return the entry module of one kind: the one that the settings declare, else the project package's own.

    `declared` is WSGI_APPLICATION or ASGI_APPLICATION (`shop.wsgi.application`).
    """
    mine = [point for point in points if point.kind == kind]
    # Channels 2 had ASGI_APPLICATION name the routing; a server imports asgi.py, which sets Django up first.
    proper = [point for point in mine if not point.module.endswith("routing")]
    mine = proper or (mine if declared is not None else [])
    if declared is not None:
        for point in mine:
            if f"{point.module}.{point.attribute}" == declared.value or point.module == declared.value:
                return point
    beside = [point for point in mine if package and point.module.split(".")[0] == package]
    named = [point for point in beside or mine if point.settings is not None or point.wraps_django]
    return next(iter(named or beside or mine), None)


def asked(
    tree: Tree, bases: tuple[str, ...], apps: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[EntryPoint, ...]:
    """Return the entry points that `--app` names; a module that is not the project's own is believed."""
    points = []
    for app in apps:
        module, _, attribute = app.partition(":")
        path = modules.resolve(tree, module, bases)
        point = read(tree, path, module, bases, environ) if path else None
        if point is None:
            kind = ASGI if "asgi" in module else WSGI
            point = EntryPoint(kind=kind, module=module, attribute=attribute, origin=Origin("--app"),
                               is_standard=False, wraps_django=False)  # fmt: skip
        elif point.attribute != attribute:
            point = EntryPoint(kind=point.kind, module=module, attribute=attribute, origin=point.origin,
                               is_standard=False, wraps_django=point.wraps_django, settings=point.settings)  # fmt: skip
        points.append(point)
    return tuple(points)


def serving(wsgi: EntryPoint | None, asgi: EntryPoint | None) -> Serving:
    """Return what to serve: the one that differs from what startproject writes; both do: WSGI and ASGI side by side.

    Neither differs: asgi.py, which can serve sync and async views and WebSockets alike.
    """
    if wsgi is None or asgi is None:
        only = wsgi or asgi
        return Serving(points=(only,) if only else ())
    if wsgi.is_standard == asgi.is_standard:
        if wsgi.is_standard:
            return Serving(points=(asgi,))
        note = (
            f"{wsgi.origin.place} and {asgi.origin.place} are both customised: {wsgi.path} serves sync views, "
            f"{asgi.path} async views and WebSockets; --app decides otherwise"
        )
        return Serving(points=(wsgi, asgi), notes=(note,))
    chosen, other = (asgi, wsgi) if wsgi.is_standard else (wsgi, asgi)
    note = f"{chosen.path} is served: {chosen.origin.place} is customised, {other.origin.place} is not"
    return Serving(points=(chosen,), notes=(note,))


def declared_by(values: Mapping[str, Fact[str]], kind: str) -> Fact[str] | None:
    """Return what the settings say about the entry module of a kind."""
    return values.get(f"{kind.upper()}_APPLICATION")
