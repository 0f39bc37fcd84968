"""Python distributions → the Debian packages that build and run them: a table with provenance, and its rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_TABLE = Path(__file__).with_name("debian.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """What one distribution needs. `always`: there is no wheel of it for Linux, or it loads a library by name, so
    that it needs `run` even as a wheel. `source` is where we know it from."""

    name: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    wheel: bool
    loads: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A Debian package and the distribution that wants it."""

    package: str
    wanted_by: str


@lru_cache(maxsize=1)
def table() -> dict[str, Native]:
    """Return the table by normalized name (PEP 503)."""
    rows = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Native(
            name=name,
            build=tuple(row.get("build", ())),
            run=tuple(row.get("run", ())),
            wheel=bool(row.get("wheel", False)),
            loads=bool(row.get("loads", False)),
            source=row["source"],
        )
        for name, row in rows.items()
    }


def needs(
    names: Iterable[str], compiled: Iterable[str], *, known: bool
) -> tuple[tuple[Need, ...], tuple[Need, ...]]:
    """Return the packages to build and to run a set of distributions, by name.

    `compiled` are those that come as source as far as the lock tells, `known` whether it tells: where it does not,
    a distribution with wheels is taken to come as one.
    """
    source = {_normalized(name) for name in compiled}
    build: list[Need] = []
    run: list[Need] = []
    for name in sorted({_normalized(each) for each in names}):
        row = table().get(name)
        is_source = name in source or (
            row is not None and not row.wheel and not (known and name not in source)
        )
        if row is None:
            if is_source:
                build.append(Need(package="build-essential", wanted_by=f"{name} (source)"))
            continue
        if is_source and row.build:
            build += [Need(package=one, wanted_by=name) for one in ("build-essential", *row.build)]
        if is_source or row.loads:
            run += [Need(package=one, wanted_by=name) for one in row.run]
    return tuple(build), tuple(run)


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
