"""Which settings module a file names: Python that sets or defaults DJANGO_SETTINGS_MODULE, or a deployment's files."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping

from nuages.errors import Origin
from nuages.project import modules
from nuages.project.execute import Executor, follow
from nuages.project.model import Fact
from nuages.project.roles import role_of
from nuages.project.tree import Tree

VARIABLE = "DJANGO_SETTINGS_MODULE"
_TEXT = re.compile(
    VARIABLE + r"[\"']\s*(?:,|\]\s*=|:)\s*(?:os\.environ\.get\([^)]*,\s*)?[\"']([A-Za-z_][\w.]*)[\"']"
)

_HINT_FILES = re.compile(
    r"^(Dockerfile[\w.-]*|[\w.-]*\.Dockerfile|Procfile|fly\.toml|render\.yaml|app\.json|uwsgi\.ini|heroku\.yml"
    r"|(docker-)?compose[\w.-]*\.ya?ml|gunicorn\.conf\.py|\.env[\w.-]*)$",
    re.IGNORECASE,
)
_HINT = re.compile(r"DJANGO_SETTINGS_MODULE[\"']?\s*[=: ,]\s*[\"']?(?:\$\{\w+:-)?([A-Za-z_]\w*(?:\.\w+)+)")


def find(tree: Tree, path: str) -> tuple[Fact[str], ...]:
    """Return every settings module that a file names, where it first does, in the order of the source.

    Reads `os.environ.setdefault(…)`, `os.environ[…] = …`, `os.putenv`-like helpers that are called with the
    variable's name and a literal, and f-strings or conditionals whose parts are literals (all outcomes).
    """
    module = tree.module(path)
    if module is None or tree.lost(path):
        return tuple(_by_text(tree, path))
    found = [fact for node in ast.walk(module) for fact in _named(node, module, path)]
    first: dict[str, Fact[str]] = {}
    for fact in sorted(found, key=lambda fact: fact.origin.line or 0):
        first.setdefault(fact.value, fact)
    return tuple(first.values())


def find_near(
    tree: Tree, path: str, bases: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Fact[str], ...]:
    """Return what a file names, or else what the project's own modules name that it imports (`setup_env()`).

    Of several outcomes in one file the one comes first that `environ` leads to.
    """
    found = find(tree, path)
    if len(found) > 1:
        executor = Executor(tree, bases, {name: text for name, text in environ.items() if name != VARIABLE})
        executor.follows = False
        follow(executor, path)
        chosen = executor.given.get(VARIABLE)
        return tuple(sorted(found, key=lambda fact: chosen is None or fact.value != chosen[0]))
    if found:
        return found
    module = tree.module(path)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported = modules.resolve(tree, node.module, bases)
            if imported is not None and VARIABLE in (tree.text(imported) or ""):
                found += find(tree, imported)
    return found


def _named(node: ast.AST, module: ast.Module, path: str) -> Iterator[Fact[str]]:
    value: ast.expr | None = None
    if isinstance(node, ast.Call) and len(node.args) >= 2 and _is_variable(node.args[0]):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        value = node.args[1] if name not in {"get", "getenv", "pop"} else None
    elif isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Subscript) and _is_variable(target.slice) for target in node.targets
    ):
        value = node.value
    if value is not None:
        for text in _texts(value, module, depth=4):
            if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text):
                yield Fact(text, Origin(path, value.lineno))


def _is_variable(node: ast.expr) -> bool:
    # django-environ's and Django's own constant has the same name: ENVIRONMENT_VARIABLE.
    if isinstance(node, ast.Constant):
        return node.value == VARIABLE
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in {"ENVIRONMENT_VARIABLE", VARIABLE}


def _texts(node: ast.expr, module: ast.Module, depth: int) -> list[str]:
    """Return the texts that an expression can have, as far as they are written out."""
    if depth == 0:
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return _texts(node.body, module, depth - 1) + _texts(node.orelse, module, depth - 1)
    if isinstance(node, ast.BoolOp):
        return [text for part in reversed(node.values) for text in _texts(part, module, depth - 1)]
    if isinstance(node, ast.Call) and node.args:
        # os.environ.get("X", "default"): the default counts.
        return _texts(node.args[-1], module, depth - 1) if len(node.args) == 2 else []
    if isinstance(node, ast.JoinedStr):
        return _joined([part.value if isinstance(part, ast.FormattedValue) else part for part in node.values],
                       module, depth)  # fmt: skip
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right], module, depth)
    if isinstance(node, ast.Name):
        return _assigned(node.id, module, depth)
    return []


def _joined(parts: list[ast.expr], module: ast.Module, depth: int) -> list[str]:
    results = [""]
    for part in parts:
        texts = _texts(part, module, depth - 1)
        results = [left + right for left in results for right in texts][:16]
    return results


def _assigned(name: str, module: ast.Module, depth: int) -> list[str]:
    found: list[str] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            found += _texts(node.value, module, depth - 1)
    return found


def _by_text(tree: Tree, path: str) -> Iterator[Fact[str]]:
    # Python 2, or a newer syntax than ours: the line that startproject writes is still legible.
    text = tree.text(path) or ""
    for found in _TEXT.finditer(text):
        yield Fact(found[1], Origin(path, text.count("\n", 0, found.start()) + 1))


def hints(tree: Tree, folders: tuple[str, ...]) -> tuple[Fact[str], ...]:
    """Return the settings modules that Dockerfiles, Procfiles and platform files set, in the order of the files."""
    return tuple(_hints(tree, folders))


def _hints(tree: Tree, folders: tuple[str, ...]) -> Iterator[Fact[str]]:
    for folder in folders:
        for path in tree.below(folder):
            name = posixpath.basename(path)
            if _HINT_FILES.match(name) and not role_of(name).is_development:
                text = tree.text(path) or ""
                for found in _HINT.finditer(text):
                    # One command of the image's build says nothing about what it serves.
                    if re.match(r"\s*RUN\b", text[text.rfind("\n", 0, found.start()) + 1 : found.start()]):
                        continue
                    yield Fact(found[1], Origin(path, text.count("\n", 0, found.start()) + 1))
