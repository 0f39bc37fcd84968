"""Reads a settings module with all that it is made of: its settings, its variables, and what turns DEBUG off."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from nuages.errors import Origin
from nuages.project import configuration_class, gaps
from nuages.project.environment import Read, variables
from nuages.project.execute import Executor, follow
from nuages.project.model import Assignment, Fact, Problem, Switch, Variable, VariableKind
from nuages.project.roles import Role, role_of
from nuages.project.tree import Tree
from nuages.project.values import EnvironPath, Missing, Scope, is_known, truth

# Texts that turn a switch off, in the order in which they are tried; which one works is found out.
_OFF = ("False", "0", "false", "off", "no", "", "production", "prod")
# And first for a variable that says that this is production.
_ON = ("True", "1")
_PRODUCTION = re.compile(r"PROD|LIVE(?!_?RELOAD)", re.IGNORECASE)
_MAX_TEXT = 2000
_MAX_RUNS = 8
_MAX_STEPS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the settings say. `absent` are modules of the project that they import and that are not there.

    `made` are the folders that loading them makes: relative to the root, absolute outside of it; what is relative to
    the folder that Django runs in begins with `./`.
    """

    assignments: tuple[Assignment, ...] = ()
    variables: tuple[Variable, ...] = ()
    files: tuple[str, ...] = ()
    debug: Switch | None = None
    absent: tuple[tuple[str, Origin], ...] = ()
    problems: tuple[Problem, ...] = ()
    made: tuple[Fact[str], ...] = ()
    configuration: Fact[str] | None = None
    """The class of django-configurations whose settings they are."""
    notes: tuple[str, ...] = ()
    is_debug_guessed: bool = False
    """Whether reading does not tell what DEBUG is, and took it for off."""


def read(
    tree: Tree,
    path: str,
    bases: tuple[str, ...],
    environ: Mapping[str, str],
    entries: tuple[str, ...] = (),
    *,
    is_old: bool = False,
) -> Source:
    """Return what the settings in `path` say under `environ`, with DEBUG off where a variable can turn it off.

    `entries` are the files of the entry modules: their reads are added, their imports are not followed. `is_old`: the
    project wants a Python that nuages does not run on, and what does not parse may be right there.
    """
    if tree.module(path) is None:
        return Source(
            files=(path,), problems=tuple(gaps.broken(tree, path, is_old)) or (gaps.unparsed(tree, path),)
        )
    first = _Run(tree, path, bases, environ, entries)
    switch = _switch(first)
    run = first
    if switch is not None and switch.off is not None and switch.variable not in environ:
        run = first.again(switch.variable, switch.off)
    executor = run.executor
    if (
        switch is not None
        and run is not first
        and any(each.name == switch.variable for each in _required(first))
    ):
        # With a value for it, nothing failed: `environ.get("DEBUG").lower()`.
        executor.require(switch.variable)
    if switch is not None and run is not first:
        _keep_given(first, run, switch.variable)
    executor.follows = False
    if run.chosen:
        # It is given them, so their own default is not what counts.
        executor.environ[configuration_class.VARIABLE] = run.chosen.name.value
    for entry in entries:
        if entry not in executor.scopes:
            follow(executor, entry)
    _require_set(executor, run.scope)
    merged = variables(executor.reads)
    return Source(
        assignments=tuple(_assignments(tree, run.scope, _secrets(executor, merged))),
        variables=merged,
        files=tuple(
            dict.fromkeys([path, *(one for one in executor.scopes if one not in entries), *executor.files])
        ),
        debug=switch,
        absent=tuple(executor.absent.items()),
        problems=(*gaps.unread(tree, executor, path, is_old), *filter(None, [run.undecided])),
        is_debug_guessed=executor.guessed_debug,
        configuration=run.chosen.name if run.chosen else None,
        notes=(run.chosen.note,) if run.chosen and run.chosen.note else (),
        made=tuple(Fact(_place(folder, str(tree.root)), origin) for folder, origin in executor.made.items()),
    )


def _keep_given(first: _Run, run: _Run, variable: str) -> None:
    """Let a variable that the settings give a value themselves stay given where it was read with another one."""
    given = next((read.given for read in first.executor.reads if read.name == variable and read.given), None)
    for read in run.executor.reads:
        if read.name == variable:
            read.given = given


def _place(folder: str, root: str) -> str:
    if not folder.startswith("/"):
        return f"./{folder}"
    return folder[len(root) + 1 :] or "." if f"{folder}/".startswith(f"{root}/") else folder


class _Run:
    """One reading of the settings under one environment."""

    def __init__(
        self,
        tree: Tree,
        path: str,
        bases: tuple[str, ...],
        environ: Mapping[str, str],
        entries: tuple[str, ...],
    ) -> None:
        self.tree, self.path, self.bases, self.environ, self.entries = tree, path, bases, environ, entries
        self.executor = Executor(tree, bases, environ)
        self.executor.home = posixpath.dirname(path)
        module = follow(self.executor, path)
        self.chosen = configuration_class.choose(tree, module, bases, environ, entries)
        self.undecided = None if self.chosen else configuration_class.undecided(module)
        self.scope = configuration_class.taken(self.executor, module, self.chosen)

    def again(self, variable: str, text: str) -> _Run:
        """Read once more with one variable set."""
        return _Run(self.tree, self.path, self.bases, {**self.environ, variable: text}, self.entries)

    @property
    def debug(self) -> bool | None:
        """Whether DEBUG is on; None when reading does not tell."""
        if "DEBUG" not in self.scope.names:
            return False
        return None if self.executor.guessed_debug else truth(self.scope.names["DEBUG"])


def _required(run: _Run) -> list[Read]:
    return [read for read in run.executor.reads if read.is_required]


def _switch(run: _Run) -> Switch | None:
    touched = sorted(run.scope.touched.get("DEBUG", frozenset()))
    reads = {read.name: read for read in run.executor.reads}
    # The variable that is called like it comes first where several have a say.
    touched.sort(key=lambda name: ("DEBUG" not in name.upper(), name))
    runs = 0
    for variable in touched[:4]:
        origin = _origin(run.executor.reads, variable) or Origin(run.path)
        if run.debug is False and variable not in run.environ:
            return Switch(variable=variable, off=None, origin=origin)
        usual: tuple[str, ...] = (*_ON, *_OFF) if _PRODUCTION.search(variable) else _OFF
        if _says_more(run, variable):
            usual = ()
        told: tuple[str, ...] = (*_told_apart(run), *usual)
        if variable in run.executor.choices:
            # A file is called like it; without one, nothing would turn DEBUG on.
            told = tuple(one for one in run.executor.choices[variable] if not role_of(one).is_development)
            told = tuple(sorted(told, key=lambda one: role_of(one) is not Role.PRODUCTION))
        for text in dict.fromkeys(told):
            runs += 1
            if runs > _MAX_RUNS or runs * run.executor.steps > _MAX_STEPS:
                return None
            if variable in reads and run.again(variable, text).debug is False:
                return Switch(variable=variable, off=text, origin=origin)
    return None


def _says_more(run: _Run, variable: str) -> bool:
    """Return whether a variable that a condition asks is worth something elsewhere: DB_HOST cannot be «False»."""
    return any(variable in asked for _, asked in run.executor.debug_tests) and any(
        variable in names
        for name, names in run.scope.touched.items()
        if name.isupper() and name not in ("DEBUG", variable)
    )


def _told_apart(run: _Run) -> list[str]:
    """Return the texts that the settings have for what is no debugging: `DEBUG = getenv("STAGE") != "live"`.

    So do those with which a condition compares that DEBUG is set under, whichever of them it is.
    """
    place = run.scope.assigned.get("DEBUG")
    nodes = list(ast.walk(place.node)) if place and place.node else []
    compares = [
        one
        for one in nodes
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], (ast.NotEq, ast.NotIn))
    ]
    asked: set[str] = set()
    for test, names in run.executor.debug_tests:
        asked |= names  # `"DYNO" in os.environ`
        compares += [one for one in ast.walk(test) if isinstance(one, ast.Compare)]
    return [
        part.value
        for node in compares
        for compared in (node.left, *node.comparators)
        for part in (compared.elts if isinstance(compared, (ast.Tuple, ast.List, ast.Set)) else (compared,))
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value not in asked
    ][:3]


def _origin(reads: list[Read], variable: str) -> Origin | None:
    return next((read.origin for read in reads if read.name == variable), None)


def _require_set(executor: Executor, scope: Scope) -> None:
    """Mark what Django itself refuses to start without (django.conf.Settings)."""
    executor.conditions, executor.catching = [], []
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "INSTALLED_APPS"):
        value = scope.names.get(name, "set")
        if isinstance(value, Missing):
            executor.require(value.variable)
        elif name == "SECRET_KEY" and value in ("", None):
            unset = [one for one in scope.touched.get(name, ()) if not executor.text_of(one)]
            if len(unset) == 1:
                executor.require(unset[0])


def _secrets(executor: Executor, found: tuple[Variable, ...]) -> tuple[str, ...]:
    """Return the texts that the environment or a dotenv file gives to secrets and URLs: they are shown nowhere."""
    kinds = {VariableKind.SECRET, VariableKind.URL}
    texts = [executor.text_of(variable.name) for variable in found if variable.kind in kinds]
    return tuple(text for text in texts if text and len(text) >= 4)


def _assignments(tree: Tree, scope: Scope, secrets: tuple[str, ...]) -> Iterator[Assignment]:
    for name, place in scope.assigned.items():
        if not name.isupper():
            continue
        value = scope.names.get(name)
        literal, is_literal = None, False
        if place.node is not None and not place.is_augmented:
            literal, is_literal = _literal(place.node)
        text = _source(tree, place.path, place.node) if place.node is not None else ""
        try:
            known, plain = is_known(value), _plain(value, str(tree.root))
            if secrets and any(secret in repr(plain) for secret in secrets):
                known, plain = False, _without(plain, secrets)
        except RecursionError:
            known, plain = False, None
        yield Assignment(
            name=name,
            text=text,
            origin=Origin(place.path, place.line),
            is_literal=is_literal,
            literal=literal,
            is_known=known,
            value=plain,
            variables=tuple(sorted(scope.touched.get(name, ()))),
        )


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_without(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _without(item, secrets) for key, item in value.items()}
    return None if isinstance(value, str) and any(secret in value for secret in secrets) else value


def _literal(node: ast.expr) -> tuple[Any, bool]:
    try:
        return ast.literal_eval(node), True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False


def _source(tree: Tree, path: str, node: ast.expr) -> str:
    lines = (tree.text(path) or "").split("\n")
    end = node.end_lineno or node.lineno
    part = [line.encode() for line in lines[node.lineno - 1 : end]]
    if not part:
        return ""
    part[-1] = part[-1][: node.end_col_offset]
    part[0] = part[0][node.col_offset :]
    return b"\n".join(part).decode(errors="replace")[:_MAX_TEXT]


def _plain(value: Any, root: str) -> Any:
    """Return JSON data: paths below the root relative to it, None for what is not known."""
    if isinstance(value, EnvironPath):
        value = value.path
    if isinstance(value, PurePosixPath) or (isinstance(value, str) and value.startswith(root + "/")):
        text = str(value)
        return text[len(root) + 1 :] if text.startswith(root + "/") else "." if text == root else text
    if isinstance(value, (list, tuple)):
        return [_plain(item, root) for item in value]
    if isinstance(value, set):
        return [_plain(item, root) for item in sorted(value, key=repr)]
    if isinstance(value, dict):
        return {str(key): _plain(item, root) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return None
