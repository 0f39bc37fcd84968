"""django-configurations: which class of the settings module is served, and the settings that it has.

The class is named by the variable DJANGO_CONFIGURATION, which entry modules give a default; its attributes in capitals
become the module's (configurations/importer.py).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project.execute import Executor, follow
from nuages.project.model import Fact, Problem
from nuages.project.roles import Role, role_of
from nuages.project.settings_classes import CONFIGURATIONS, is_configuration
from nuages.project.tree import Tree
from nuages.project.values import Class, Scope

VARIABLE = "DJANGO_CONFIGURATION"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The class that is served, and what to say of the choice."""

    name: Fact[str]
    note: str = ""


def choose(
    tree: Tree, scope: Scope, bases: tuple[str, ...], environ: Mapping[str, str], entries: tuple[str, ...]
) -> Chosen | None:
    """Return the class: the variable's, else the entry modules' default, a development one never without a word.

    None where nothing tells it: Django does not start without the variable.
    """
    classes = _classes(scope)
    if not classes:
        return None
    if VARIABLE in environ:
        return Chosen(Fact(environ[VARIABLE], Origin(f"${VARIABLE}")))
    given = _default(tree, bases, environ, entries)
    production = [name for name in classes if role_of(name) is Role.PRODUCTION]
    if given is None or (role_of(given.value).is_development and given.value in classes):
        why = f"{given.origin} names {given.value}" if given else f"no entry module names one in {VARIABLE}"
        if len(production) == 1:
            return _instead(production[0], classes[production[0]], why)
        if given is None and len(classes) == 1:
            return _instead(next(iter(classes)), next(iter(classes.values())), why)
    return Chosen(given) if given else None


def _instead(name: str, made: Class, why: str) -> Chosen:
    origin = _place(made)
    note = f"settings are those of the class {name} ({origin}): {why}; {VARIABLE} takes another"
    return Chosen(Fact(name, origin), note)


def _classes(scope: Scope) -> dict[str, Class]:
    return {
        name: one for name, one in scope.names.items() if isinstance(one, Class) and is_configuration(one)
    }


def _place(made: Class) -> Origin:
    return Origin(made.scope.path, made.line)


def _default(
    tree: Tree, bases: tuple[str, ...], environ: Mapping[str, str], entries: tuple[str, ...]
) -> Fact[str] | None:
    """Return what the entry modules set the variable to."""
    for entry in entries:
        executor = Executor(tree, bases, environ)
        executor.follows = False
        follow(executor, entry)
        if VARIABLE in executor.given:
            text, origin = executor.given[VARIABLE]
            return Fact(text, origin)
    return None


def undecided(scope: Scope) -> Problem | None:
    """Return the error for classes of which nothing says which one is served; None where there are none."""
    classes = _classes(scope)
    if not classes:
        return None
    built_on = {base.name for one in classes.values() for base in one.bases if isinstance(base, Class)}
    last = {name: one for name, one in classes.items() if one.name not in built_on} or classes
    likely = min(last, key=lambda name: role_of(name).is_development)
    return Problem(
        id="settings-undecided",
        what=f"the settings have {len(last)} classes, and nothing says which one is meant",
        where="\n".join(f"{name} ({_place(one)})" for name, one in [*last.items()][:12]),
        why=f"neither the variable {VARIABLE} nor an entry module names one",
        hint=f"set {VARIABLE}={likely}, or have wsgi.py and asgi.py set it before they import configurations",
        is_error=True,
    )


def taken(executor: Executor, scope: Scope, chosen: Chosen | None) -> Scope:
    """Return the module's scope with the attributes of the chosen class, and record the variable that chooses it."""
    classes = _classes(scope)
    if not classes:
        return scope
    read = executor.record(
        VARIABLE, CONFIGURATIONS, ast.Pass(), default=repr(chosen.name.value) if chosen else None
    )
    read.origin = chosen.name.origin if chosen else _place(next(iter(classes.values())))
    made = scope.names.get(chosen.name.value) if chosen else None
    if chosen is None:
        read.is_required = True
    if not isinstance(made, Class):
        return scope
    found = scope.copy()
    _take(made, found)
    return found


def _take(made: Class, scope: Scope) -> None:
    """Put what a class and its bases have into a scope, the nearest last."""
    for base in reversed(made.bases):
        if isinstance(base, Class):
            _take(base, scope)
    scope.names.update({name: value for name, value in made.scope.names.items() if name.isupper()})
    scope.assigned.update({name: one for name, one in made.scope.assigned.items() if name.isupper()})
    scope.touched.update({name: one for name, one in made.scope.touched.items() if name.isupper()})
