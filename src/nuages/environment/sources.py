"""Reads a project's lock or requirements and says what one Python installs of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any

from nuages.environment.locks import files, pdm, pipenv, poetry, pylock, uv
from nuages.environment.locks.graph import Lock, LockError, Requirements, select
from nuages.environment.own import metadata
from nuages.errors import Origin, ProjectError
from nuages.project.model import Dependencies, Manager, Project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCKS = {Manager.UV, Manager.PYLOCK, Manager.POETRY, Manager.PDM, Manager.PIPENV}

Select = Callable[[Mapping[str, str]], Requirements]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What declares the dependencies, read: `select` gives the requirements for a Python's markers.

    `is_lock`: a tool wrote it. `unlocked` is what to say aloud where releases are not fixed. `own` are the files of
    the project's own metadata.
    """

    select: Select
    is_lock: bool
    unlocked: str = ""
    own: Mapping[str, str] = field(default_factory=dict)


def paths(dependencies: Dependencies) -> tuple[str, ...]:
    """Return the files that decide what is installed, relative to the root."""
    return tuple(dict.fromkeys([*dependencies.files, *dependencies.included]))


def read(project: Project, environ: Mapping[str, str]) -> Source:
    """Return the source of a project's dependencies. Raises ProjectError for files that cannot be understood."""
    dependencies = project.dependencies
    if dependencies.stale is not None:
        raise stale(dependencies)
    if dependencies.manager in LOCKS:
        lock = _guarded(dependencies, lambda: _lock(project))
        return Source(
            select=lambda markers: _guarded(dependencies, lambda: _rooted(lock, markers, dependencies)),
            is_lock=True,
            own=_own(project),
        )
    if dependencies.manager in {Manager.PIP_TOOLS, Manager.REQUIREMENTS}:
        found = _guarded(dependencies, lambda: _files(project, environ))
        pinned = files.is_pinned(found)
    else:
        found, pinned = _declared(project), False
    return Source(
        select=lambda _: found,
        is_lock=False,
        unlocked="" if pinned else _unlocked(dependencies),
        own=_own(project) if dependencies.manager is Manager.PYPROJECT else {},
    )


def _lock(project: Project) -> Lock:
    dependencies = project.dependencies
    path = project.root / dependencies.files[0]
    text = path.read_text(encoding="utf-8")
    extras, groups = dependencies.extras, dependencies.groups
    if dependencies.manager is Manager.PIPENV:
        return pipenv.parse(json.loads(text))
    document = tomllib.loads(text)
    try:
        pyproject = _pyproject(path.with_name("pyproject.toml"))
    except (ValueError, RecursionError):
        # uv reads TOML 1.1, which Python's own parser does not; its lock says nearly everything by itself.
        if dependencies.manager is not Manager.UV:
            raise
        pyproject = {}
    if dependencies.manager is Manager.PYLOCK:
        return pylock.parse(document, groups=groups)
    if dependencies.manager is Manager.POETRY:
        return poetry.parse(document, pyproject, extras=extras, groups=groups)
    if dependencies.manager is Manager.PDM:
        return pdm.parse(document, pyproject, extras=extras, groups=groups)
    folder = dirname(dependencies.files[0])
    declared = next((dirname(each) for each in dependencies.files if each.endswith("pyproject.toml")), folder)
    member = relpath(declared or ".", folder or ".")
    return uv.parse(document, pyproject, member=member, extras=extras, groups=groups)


def _own(project: Project) -> Mapping[str, str]:
    path = project.root / project.dependencies.files[0]
    try:
        return metadata(_pyproject(path.with_name("pyproject.toml")), project.dependencies.manager)
    except (ValueError, RecursionError, OSError, AttributeError, TypeError):
        return {}


def _pyproject(path: Path) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return document


def _rooted(lock: Lock, markers: Mapping[str, str], dependencies: Dependencies) -> Requirements:
    """Return the selection with its local paths relative to the root instead of to the lock."""
    found = select(lock, markers)
    folder = dirname(dependencies.files[0])
    return replace(found, local=tuple(f"{folder}/{each}" if folder else each for each in found.local))


def _files(project: Project, environ: Mapping[str, str]) -> Requirements:
    def read_text(path: str) -> str:
        return (project.root / path).read_text(encoding="utf-8", errors="replace")

    found = files.parse(project.dependencies.files, read_text, environ)
    folder = project.dependencies.folder
    links = tuple(each if "://" in each else str(project.root / each) for each in found.find_links)
    local = tuple(f"{folder}/{each}" if folder != "." else each for each in found.local)
    return replace(found, local=local, find_links=links)


def _declared(project: Project) -> Requirements:
    return Requirements(lines=project.dependencies.requirements, closed=False, hashed=False)


def _unlocked(dependencies: Dependencies) -> str:
    if dependencies.manager is Manager.IMPORTS:
        return "unlocked: nothing declares the dependencies; taken from the imports, in their newest releases"
    return f"unlocked: {dependencies.origin} does not fix every release; the newest that fit are installed"


def _guarded(dependencies: Dependencies, read: Callable[[], Any]) -> Any:
    """Run a reader; what it cannot understand becomes an error with the file's name."""
    place = dependencies.files[0] if dependencies.files else str(dependencies.origin)
    try:
        return read()
    except LockError as error:
        raise _unreadable(str(error.place or place), str(error), dependencies) from None
    except (ValueError, RecursionError) as error:  # TOML and JSON that are none, and bytes that are no UTF-8
        raise _unreadable(place, str(error), dependencies) from None
    except (KeyError, TypeError, AttributeError) as error:
        # A lock that a tool wrote has these shapes; anything else was edited or cut off.
        raise _unreadable(place, f"it does not have the shape of a lock ({error!r})", dependencies) from None
    except OSError as error:
        raise _unreadable(place, error.strerror or str(error), dependencies) from None


_AGAIN = {
    Manager.UV: "uv lock",
    Manager.PYLOCK: "uv export -o pylock.toml (or the tool that wrote it)",
    Manager.POETRY: "poetry lock",
    Manager.PDM: "pdm lock",
    Manager.PIPENV: "pipenv lock",
}


def _unreadable(place: str, why: str, dependencies: Dependencies) -> ProjectError:
    again = _AGAIN.get(dependencies.manager)
    return ProjectError(
        "the project's dependencies cannot be read",
        where=place,
        why=why,
        hint=f"lock again: {again}" if again else f"correct {place}",
    )


def stale(dependencies: Dependencies) -> ProjectError:
    """Return the error for a lock that no longer belongs to its declaration."""
    assert dependencies.stale is not None
    lock = dependencies.files[0]
    declaration = dependencies.files[1] if len(dependencies.files) > 1 else "the declaration"
    return ProjectError(
        f"{lock} is stale",
        where=Origin(str(dependencies.stale.origin)),
        why=dependencies.stale.value,
        hint=f"lock again, so that {lock} and {declaration} agree: {_AGAIN.get(dependencies.manager, 'lock again')}",
    )
