"""A lock as packages and edges, and what of it one Python installs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nuages.errors import Origin
from nuages.project.model import normalized

Markers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """«needs this package»: `version` names one of several locked releases, `specifier` a range among them."""

    name: str
    version: str | None = None
    specifier: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One locked release. `hashes` are `sha256:…`; `files` are the names of its archives as far as the lock tells.

    `url` is a direct reference (`git+https://…@commit`), `local` a folder or archive relative to the lock; both
    are empty for what comes from an index. `marker` decides on its own where `Lock.roots` is None.
    """

    name: str
    version: str = ""
    hashes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    url: str = ""
    local: str = ""
    index: str = ""
    marker: str = ""
    requires_python: str = ""
    dependencies: tuple[Edge, ...] = ()
    extras: Mapping[str, tuple[Edge, ...]] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The requirement line: `name==version --hash=sha256:…`."""
        if self.url:
            head = f"{self.name} @ {self.url}"
        else:
            head = f"{self.name}=={self.version}" if self.version else self.name
        return " ".join([head, *(f"--hash={each}" for each in sorted(set(self.hashes)))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a lock file says: `roots` are the project's own needs, None where each package decides for itself.

    `own` are names of the project itself, which is not installed. `index` is the source that the lock takes
    packages from unless it says otherwise, where it names one.
    """

    packages: tuple[Package, ...]
    roots: tuple[Edge, ...] | None = None
    own: frozenset[str] = frozenset()
    index: str = ""
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What to install: requirement lines in pip's syntax, and where they come from.

    `closed`: the lines name everything, so nothing is resolved (`--no-deps`). `hashed`: every line carries hashes.
    `local` are folders of the project that are packages themselves. `options` are lines such as `--no-binary x`.
    """

    lines: tuple[str, ...]
    closed: bool
    hashed: bool
    index: str = ""
    indexes: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """The names of all archives of the selected packages, for the choice of a Python."""


class LockError(ValueError):
    """The lock cannot be read or contradicts itself; the text says how, `place` where, if not in the lock at large."""

    def __init__(self, text: str, place: Origin | None = None) -> None:
        super().__init__(text)
        self.place = place


def applies(marker: str, markers: Markers, extra: str = "") -> bool:
    """Return whether a PEP 508 marker holds for the Python whose markers are given; the empty one does.

    Raises LockError for one that cannot be understood.
    """
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    if not marker.strip():
        return True
    try:
        return bool(Marker(marker).evaluate({**markers, "extra": extra}))
    except (InvalidMarker, UndefinedEnvironmentName) as error:
        raise LockError(f"the marker {marker!r} cannot be understood: {error}") from None


def select(lock: Lock, markers: Markers) -> Requirements:
    """Return what the Python with these markers installs of the lock. Raises LockError for a lock that has gaps."""
    chosen = _reached(lock, markers) if lock.roots is not None else _marked(lock, markers)
    chosen = [each for each in chosen if each.name not in lock.own]
    ordered = sorted(chosen, key=lambda each: (each.name, each.version))
    remote = [each for each in ordered if not each.local]
    named = {each.index for each in remote if each.index}
    indexes = tuple(dict.fromkeys([*lock.indexes, *sorted(named - set(lock.indexes) - {lock.index})]))
    return Requirements(
        lines=tuple(each.line for each in remote),
        closed=True,
        hashed=bool(remote) and all(each.hashes for each in remote),
        index=lock.index,
        indexes=indexes,
        local=tuple(each.local for each in ordered if each.local),
        files=tuple(name for each in remote for name in each.files),
    )


def _marked(lock: Lock, markers: Markers) -> list[Package]:
    return [
        each for each in lock.packages
        if applies(each.marker, markers) and _runs(each.requires_python, markers)
    ]  # fmt: skip


def _runs(requires_python: str, markers: Markers) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if requires_python in {"", "*"}:
        return True
    try:
        return SpecifierSet(requires_python).contains(markers["python_full_version"], prereleases=True)
    except InvalidSpecifier:
        return True


def _reached(lock: Lock, markers: Markers) -> list[Package]:
    by_name: dict[str, list[Package]] = {}
    for package in lock.packages:
        by_name.setdefault(package.name, []).append(package)
    todo = [edge for edge in lock.roots or () if applies(edge.marker, markers)]
    taken: dict[tuple[str, str, str], Package] = {}
    done: set[tuple[str, str, str, str]] = set()
    while todo:
        edge = todo.pop()
        package = _target(edge, by_name, markers)
        key = (package.name, package.version, package.url or package.local)
        taken[key] = package
        # Each extra is a set of edges of its own; "" stands for the package's plain dependencies.
        for extra in ("", *edge.extras):
            if (*key, extra) in done:
                continue
            done.add((*key, extra))
            edges = package.extras.get(normalized(extra), ()) if extra else package.dependencies
            todo += [each for each in edges if applies(each.marker, markers, extra)]
    return list(taken.values())


def _target(edge: Edge, by_name: Mapping[str, list[Package]], markers: Markers) -> Package:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    releases = by_name.get(edge.name, [])
    if edge.version is not None:
        releases = [each for each in releases if each.version == edge.version]
    if len(releases) > 1:
        fitting = [
            each
            for each in releases
            if applies(each.marker, markers) and _runs(each.requires_python, markers)
        ]
        releases = fitting or releases
    if len(releases) > 1 and edge.specifier:
        try:
            allowed = SpecifierSet(edge.specifier)
        except InvalidSpecifier:
            allowed = SpecifierSet()
        releases = [each for each in releases if allowed.contains(each.version, prereleases=True)]
    if not releases:
        raise LockError(f"{edge.name} is needed but not locked")
    return releases[0]


def lacking_wheels(files: Iterable[str], tags: Iterable[str]) -> int:
    """Return how many packages have wheels, but none with a tag of `tags` (`cp312-cp312-manylinux_2_17_x86_64`)."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    allowed = set(tags)
    usable: dict[str, bool] = {}
    for name in files:
        if not name.endswith(".whl"):
            continue
        try:
            project, _, _, found = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        usable[project] = usable.get(project, False) or any(str(tag) in allowed for tag in found)
    return sum(not fits for fits in usable.values())


def compiled_ones(files: Iterable[str], tags: Iterable[str]) -> tuple[str, ...]:
    """Return the packages among these archives that come as source, because no wheel of theirs has such a tag."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    allowed = set(tags)
    has_wheel: dict[str, bool] = {}
    for name in files:
        try:
            if name.endswith(".whl"):
                project, _, _, found = parse_wheel_filename(name)
                has_wheel[project] = has_wheel.get(project, False) or any(
                    str(tag) in allowed for tag in found
                )
            else:
                has_wheel.setdefault(parse_sdist_filename(name)[0], False)
        except (InvalidWheelFilename, InvalidSdistFilename):
            continue
    return tuple(sorted(project for project, has in has_wheel.items() if not has))


def tags_for(series: tuple[int, int], platforms: Sequence[str] = ()) -> frozenset[str]:
    """Return the wheel tags that CPython of this series takes on these platforms, or on this machine's."""
    from packaging import tags

    platforms = list(platforms or tags.platform_tags())
    interpreter = f"cp{series[0]}{series[1]}"
    found = [*tags.cpython_tags(series, abis=[interpreter, "abi3", "none"], platforms=platforms)]
    found += tags.compatible_tags(series, interpreter=interpreter, platforms=platforms)
    return frozenset(str(tag) for tag in found)


def without(requirements: Requirements, names: Iterable[str]) -> Requirements:
    """Return the requirements without the lines for these packages."""
    dropped = {normalized(name) for name in names}

    def name_of(line: str) -> str:
        match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        return normalized(match[1]) if match else ""

    return replace(
        requirements, lines=tuple(each for each in requirements.lines if name_of(each) not in dropped)
    )
