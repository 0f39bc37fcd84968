"""Python distributions → the Debian packages that build and run them: a table with provenance, and its rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nuages.project.model import normalized

_TABLE = Path(__file__).with_name("debian.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """What one distribution needs from Debian.

    `build` and `run` are packages to compile it and to run what was compiled; `wheel`: there are wheels of it for Linux
    that carry what they need. `loads`: it loads a library by name (ctypes, cffi, an extension of SQLite) or runs a
    program, so that it needs `run` even as a wheel, except beside one of `unless`, which carries that itself. `beside`
    is what it needs in addition to run beside another distribution, by the other's name. `source` is where we know it
    from.
    """

    name: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    wheel: bool
    loads: bool
    unless: tuple[str, ...]
    beside: dict[str, tuple[str, ...]]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A Debian package and the distribution that wants it."""

    package: str
    wanted_by: str


@lru_cache(maxsize=4)
def table(suite: str) -> dict[str, Native]:
    """Return the table for a Debian release by normalized name (PEP 503); its own names are those of trixie.

    A row that is named differently in another release has them under that release's name.
    """
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Native(
            name=name,
            build=tuple(row.get(suite, {}).get("build", row.get("build", ()))),
            run=tuple(row.get(suite, {}).get("run", row.get("run", ()))),
            wheel=row.get("wheel", False),
            loads=row.get("loads", False),
            unless=tuple(row.get("unless", ())),
            beside={other: tuple(packages) for other, packages in row.get("beside", {}).items()},
            source=row["source"],
        )
        for name, row in rows.items()
    }


def needs(
    names: Iterable[str], compiled: Iterable[str], *, known: bool, suite: str
) -> tuple[tuple[Need, ...], tuple[Need, ...]]:
    """Return the packages to build and to run a set of distributions, by name, in a Debian release.

    `compiled` are those that come as source as far as the lock tells, `known` whether it tells: where it does not,
    a distribution with wheels is taken to come as one.
    """
    source = {normalized(name) for name in compiled}
    every = {normalized(name) for name in names}
    build: list[Need] = []
    run: list[Need] = []
    for name in sorted(every):
        row = table(suite).get(name)
        is_source = name in source or (row is not None and not row.wheel and not known)
        if row is None:
            if is_source:
                build.append(Need(package="build-essential", wanted_by=f"{name} (source)"))
            continue
        if is_source and row.build:
            build += [Need(package=one, wanted_by=name) for one in ("build-essential", *row.build)]
        if is_source or (row.loads and not every.intersection(row.unless)):
            beside = [one for other in row.beside if other in every for one in row.beside[other]]
            run += [Need(package=one, wanted_by=name) for one in dict.fromkeys([*row.run, *beside])]
    return tuple(build), tuple(run)


def named_in(requirement: str) -> tuple[str, ...]:
    """Return the distributions that a requirement names (PEP 508), and those that its extras may bring.

    Where no lock lists them, `psycopg[c]` is all that is said of psycopg-c.
    """
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?", requirement)
    if match is None:
        return ()
    extras = [extra.strip() for extra in (match[2] or "").split(",") if extra.strip()]
    return (match[1], *(f"{match[1]}-{extra}" for extra in extras))


def cloned(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return the distributions that come out of git repositories: by name, or else by the repository's.

    `name @ git+https://…` (PEP 508), and pip's older `git+https://…#egg=name`.
    """
    found = []
    for line in requirements:
        match = re.match(
            r"(?:-e\s+|--editable[ =])?(?:([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*)?git\+(\S+)", line
        )
        if match is None:
            continue
        named = match[1] or next(iter(re.findall(r"[#&]egg=([A-Za-z0-9][\w.-]*)", match[2])), "")
        path = re.split(r"[#?]", match[2])[0].partition("://")[2].partition("/")[2]
        found.append(normalized(named or path.partition("@")[0].rpartition("/")[2].removesuffix(".git")))
    return tuple(dict.fromkeys(found))


def parts_of_django(apps: Iterable[str], engines: Iterable[str]) -> tuple[str, ...]:
    """Return the rows of the table that a project needs for what it uses of Django itself: GeoDjango."""
    found = ["django.contrib.gis"] if "django.contrib.gis" in apps else []
    for engine in engines:
        if ".gis." in engine or "postgis" in engine:
            found.append("django.contrib.gis")
        if "spatialite" in engine:
            found.append("django.contrib.gis.spatialite")
    return tuple(dict.fromkeys(found))
