"""The one mechanism that installs a project's dependencies, chosen among all that are there."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project import container_file, declarations, locks, requirement_choice, requirements, staleness
from nuages.project.model import Dependencies, Distribution, Fact, Manager, Problem, normalized
from nuages.project.requirements import Listing
from nuages.project.tree import Tree, join

_FOLDERS = (
    "requirements",
    "requirement",
    "reqs",
    "requires",
    "deps",
    "requirements.d",
    "dependencies",
    "pip",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The dependencies and Django's version as the chosen mechanism has it, what to say and what is wrong."""

    dependencies: Dependencies
    django: Fact[str] | None
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mechanism:
    dependencies: Dependencies
    django: Fact[str] | None
    is_lock: bool = False
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def rank(self) -> int:
        manager = self.dependencies.manager
        return (
            0
            if self.is_lock
            else 1
            if manager is Manager.PIP_TOOLS
            else 2
            if manager is Manager.REQUIREMENTS
            else 3
        )


def find(tree: Tree, folders: tuple[str, ...]) -> Found | None:
    """Return what installs the project, or None when nothing is declared.

    `folders` are searched in order, the project's own first; the first that declares Django decides, else the first
    that declares anything. Within it a lock comes before a compiled file, that before a plain one, that before a
    declaration; a lock that does not hold Django is not this project's.
    """
    told = container_file.installs(tree, folders)
    per_folder = [list(_mechanisms(tree, folder, told, folders[0])) for folder in folders]
    filled = [found for found in per_folder if found]
    if not filled:
        return None
    chosen = next((found for found in filled if any(one.django for one in found)), filled[0])
    ranked = sorted(chosen, key=lambda one: (one.django is None, one.rank))
    first, others = ranked[0], ranked[1:]
    notes = list(first.notes)
    notes += [
        f"{other.dependencies.files[0]} is left aside: it does not hold Django"
        for other in others
        if other.is_lock and other.django is None
    ]
    beside = [other for other in others if _is_rival(first, other)]
    if beside:
        names = ", ".join(other.dependencies.files[0] for other in beside)
        notes.append(f"dependencies are taken from {first.dependencies.files[0]}; not from {names}")
    rivals = tuple(Fact(other.dependencies.manager, other.dependencies.origin) for other in beside)
    empty = [f"{path} is left aside: it locks nothing" for path in _empty_locks(tree, folders)]
    dependencies = _with_others(first.dependencies, rivals)
    return Found(
        dependencies=dependencies, django=first.django, notes=(*empty, *notes), problems=first.problems
    )


def _with_others(dependencies: Dependencies, others: tuple[Fact[Manager], ...]) -> Dependencies:
    return dataclasses.replace(dependencies, others=others)


def _is_rival(first: _Mechanism, other: _Mechanism) -> bool:
    # A lock's own declaration is no second mechanism.
    return other.dependencies.files[0] not in first.dependencies.files and not (
        other.is_lock and other.django is None
    )


def _empty_locks(tree: Tree, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for manager, name, _ in locks.LOCKS:
            path = join(folder, name)
            if path in tree and locks.read(tree, path, manager) is None:
                yield path


def _mechanisms(tree: Tree, folder: str, told: tuple[Fact[str], ...], directory: str) -> Iterator[_Mechanism]:
    for manager, lock_name, declaration in locks.LOCKS:
        path = join(folder, lock_name)
        lock = locks.read(tree, path, manager) if path in tree else None
        if lock is not None:
            yield _from_lock(tree, folder, manager, lock, (path, join(folder, declaration)), directory)
    plain = _plain(tree, folder, told)
    if plain is not None:
        yield plain
    for manager, name in ((Manager.PYPROJECT, "pyproject.toml"), (Manager.PIPFILE, "Pipfile")):
        path = join(folder, name)
        if path in tree:
            declared = (
                declarations.pyproject(tree, path, directory)
                if manager is Manager.PYPROJECT
                else declarations.pipfile(tree, path)
            )
            if declared is not None:
                yield _from_declaration(tree, folder, manager, declared)
    declared = declarations.setup(tree, folder)
    if declared is not None:
        yield _from_declaration(tree, folder, Manager.SETUP, declared)


def _from_lock(
    tree: Tree, folder: str, manager: Manager, lock: locks.Lock, files: tuple[str, str], directory: str
) -> _Mechanism:
    present = tuple(path for path in files if path in tree)
    declared = None
    if files[1] in tree and manager is not Manager.PIPENV:
        declared = declarations.pyproject(tree, files[1], directory)
    return _Mechanism(
        dependencies=Dependencies(
            manager=manager,
            files=present,
            origin=Origin(files[0]),
            has_hashes=lock.has_hashes,
            folder=folder,
            groups=declared.groups if declared else (),
            extras=declared.extras if declared else (),
            indexes=lock.indexes,
            stale=staleness.of(tree, manager, files[0], files[1]),
            distributions=tuple(
                Distribution(name=name, version=fact.value, origin=fact.origin)
                for name, fact in lock.packages.items()
            ),
        ),
        django=lock.packages.get("django"),
        is_lock=True,
    )


def _from_declaration(
    tree: Tree, folder: str, manager: Manager, declared: declarations.Declaration
) -> _Mechanism:
    lines: list[requirements.Requirement | None] = [
        requirements.parse_line(text, declared.origin) for text in declared.requirements
    ]
    listings = [requirements.read(tree, join(folder, name)) for name in declared.files]
    every = [line for line in lines if line is not None]
    every += [line for listing in listings for line in listing.requirements]
    return _Mechanism(
        dependencies=Dependencies(
            manager=manager,
            files=(declared.origin.place, *(path for listing in listings for path in listing.files)),
            origin=declared.origin,
            requirements=tuple(declared.requirements) + tuple(
                line.text for listing in listings for line in listing.requirements
            ),
            folder=folder,
            groups=declared.groups,
            extras=declared.extras,
            distributions=_distributions(every),
        ),
        django=_django(every, tree),
    )  # fmt: skip


def _distributions(lines: list[requirements.Requirement]) -> tuple[Distribution, ...]:
    """Return one for each name; a line without a name (a folder, a URL) tells none."""
    found: dict[str, Distribution] = {}
    for line in lines:
        if line.name and not line.is_local:
            name = normalized(line.name)
            one = Distribution(name=name, version=line.specifier or line.url, origin=line.origin)
            found.setdefault(name, one)
    return tuple(found.values())


def _django(lines: list[requirements.Requirement], tree: Tree) -> Fact[str] | None:
    for line in lines:
        if line.name == "django":
            text = line.specifier or line.url or "*"
            exact = re.fullmatch(r"={2,3}\s*([\w.]+)", text)
            precise = tree.line_of(line.origin.place, r"(?i)^[ \t]*[\"']?django\b\s*[=<>~!\"'\[;@,]")
            origin = line.origin if line.origin.place.endswith(".txt") or precise.line is None else precise
            return Fact(exact[1] if exact else text, origin)
    return None


def _plain(tree: Tree, folder: str, told: tuple[Fact[str], ...]) -> _Mechanism | None:
    candidates = list(_requirement_files(tree, folder))
    if not candidates:
        return None
    listings = {path: requirements.read(tree, path) for path in candidates}
    listings = {path: listing for path, listing in listings.items() if listing.requirements}
    if not listings:
        return None
    chosen, notes = requirement_choice.choose(folder, listings, told)
    merged = [line for path in chosen for line in listings[path].requirements]
    constraints = [line for path in chosen for line in listings[path].constraints]
    files = dict.fromkeys([*chosen, *(file for path in chosen for file in listings[path].files)])
    is_compiled = all(listings[path].is_compiled or _source_of(tree, path) for path in chosen)
    sources = [source for path in chosen if (source := _source_of(tree, path))] if is_compiled else []
    pins = [line for line in constraints if line.name == "django"]
    return _Mechanism(
        dependencies=Dependencies(
            manager=Manager.PIP_TOOLS if is_compiled else Manager.REQUIREMENTS,
            files=chosen,
            included=tuple(path for path in [*files, *sources] if path not in chosen),
            origin=Origin(chosen[0]),
            has_hashes=bool(merged) and all(line.has_hash for line in merged if not line.is_local),
            folder=folder,
            indexes=tuple(index for path in chosen for index in listings[path].indexes),
            distributions=_distributions(merged),
        ),
        django=_django(merged, tree) and _django(pins + merged if pins else merged, tree),
        notes=notes,
        problems=tuple(problem for path in chosen for problem in listings[path].problems),
    )


def _source_of(tree: Tree, path: str) -> str | None:
    """Return the `.in` file that a compiled one was made from, where it stands beside it."""
    source = path.removesuffix(".txt") + ".in"
    return source if path.endswith(".txt") and source in tree else None


def _requirement_files(tree: Tree, folder: str) -> Iterator[str]:
    for path in tree.below(folder):
        stem, extension = posixpath.splitext(posixpath.basename(path))
        if extension in {".txt", ".pip"} and requirement_choice.NAME.search(stem):
            yield path
    for name in _FOLDERS:
        inner = join(folder, name)
        if inner not in tree.folders:
            continue
        nested = [below for below in tree.folders if posixpath.dirname(below) == inner]
        for place in (inner, *nested):
            for path in tree.below(place):
                if path.endswith((".txt", ".pip")):
                    yield path


def names(listing: Listing) -> frozenset[str]:
    """Return the normalized names of a listing's requirements."""
    return frozenset(normalized(line.name) for line in listing.requirements)
