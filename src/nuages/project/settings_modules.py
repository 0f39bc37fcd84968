"""Settings modules: which files are some, what each is for by its name, and which stand beside one another."""

from __future__ import annotations

import posixpath
import re

from nuages.errors import Origin
from nuages.project import layout, modules
from nuages.project.model import Fact
from nuages.project.roles import Role, role_of
from nuages.project.tree import Tree

_MAKES_SETTINGS = re.compile(
    r"^(INSTALLED_APPS|ROOT_URLCONF)\b|^\s{4}(INSTALLED_APPS|ROOT_URLCONF)\s*=", re.MULTILINE
)
_TURNS_DEBUG_OFF = re.compile(r"^DEBUG\b[^\n]*=\s*False\s*(#|$)", re.MULTILINE)
_BUILDS_ON = re.compile(
    r"^[ \t]*(from\s+\.[\w.]*\s+import\s+\*|from\s+[\w.]+\s+import\s+\*|include\(|import\s)", re.MULTILINE
)


def role(module: str) -> Role:
    """Return what a settings module is for: by its last part, or the one before where the last says nothing."""
    parts = module.split(".")
    last = role_of(parts[-1])
    if last in {Role.BASE, Role.OTHER} and parts[-1] in {"settings", "config", "conf"} and len(parts) > 2:
        before = role_of(parts[-2])
        return before if before not in {Role.BASE, Role.OTHER} else last
    return last


def is_settings(tree: Tree, path: str) -> bool:
    """Return whether a file is a settings module of its own: it sets what one must set, or builds on one that does."""
    text = tree.text(path) or ""
    if _MAKES_SETTINGS.search(text):
        return True
    return bool(_BUILDS_ON.search(text)) and bool(re.search(r"^[A-Z][A-Z_0-9]*\s*[:=+\[]", text, re.MULTILINE)) and (
        role(posixpath.splitext(path)[0].replace("/", ".")) is not Role.OTHER
    )  # fmt: skip


def is_there(tree: Tree, module: str, bases: tuple[str, ...]) -> bool:
    """Return whether a module exists and says anything: a package's empty `__init__.py` is no settings module."""
    path = modules.resolve(tree, module, bases)
    if path is None:
        return False
    syntax = tree.module(path)
    return not path.endswith("/__init__.py") or syntax is None or bool(syntax.body)


def siblings(tree: Tree, bases: tuple[str, ...], named: list[str]) -> list[Fact[str]]:
    """Return the settings modules in the folders of those that are named; a package's folder is its own."""
    folders: dict[str, None] = {}
    for module in named:
        path = modules.resolve(tree, module, bases)
        if path:
            folders[posixpath.dirname(path) or "."] = None
    found = []
    for folder in folders:
        for path in tree.below(folder):
            name = modules.name_of(path, bases) if path.endswith(".py") else None
            if name and is_settings(tree, path) and posixpath.basename(path) != "__init__.py":
                found.append(Fact(name, Origin(path)))
    return found


def without_debug(tree: Tree, bases: tuple[str, ...], module: str) -> list[str]:
    """Return the modules beside a settings module that build on one and turn DEBUG off; their names tell nothing."""
    path = modules.resolve(tree, module, bases)
    found = []
    for beside in tree.below(posixpath.dirname(path) or ".") if path else ():
        name, text = modules.name_of(beside, bases), tree.text(beside) or ""
        builds = _BUILDS_ON.search(text) or _MAKES_SETTINGS.search(text)
        if name and name != module and builds and _TURNS_DEBUG_OFF.search(text) and role(name) is Role.OTHER:
            found.append(name)
    return found[:4]


def every(tree: Tree, bases: tuple[str, ...]) -> list[Fact[str]]:
    """Return the settings modules of the whole project: what is called so, else what does their work.

    One that lies aside (tests, examples) counts where there is no other.
    """
    paths = [path for path in tree.files if path.endswith(".py") and is_settings(tree, path)]
    mine = [path for path in paths if not layout.is_aside(path)] or paths
    called = [path for path in mine if "settings" in path] or mine
    named = [(modules.name_of(path, bases), path) for path in called]
    found = [Fact(name, Origin(path)) for name, path in named if name]
    # A package that gathers its own modules is one module, not many.
    packages = {fact.value for fact in found if fact.origin.place.endswith("/__init__.py")}
    return [fact for fact in found if fact.value.rpartition(".")[0] not in packages] or found
