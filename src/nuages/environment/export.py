"""What an image installs of a project's dependencies: a Python, and one requirements file made from whatever lock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.environment import interpreters, sources
from nuages.environment.compatibility import SERVER
from nuages.environment.interpreters import Interpreter, Needs, between, dotted
from nuages.environment.locks.graph import Requirements, compiled_ones, lacking_wheels, tags_for, without
from nuages.environment.virtual import OWN
from nuages.errors import Origin, ProjectError, UsageError
from nuages.project.model import Project, normalized
from nuages.project.pythons_of_django import pythons_for, release_for
from nuages.project.specifier import one_series

SERIES = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
"""The Pythons that there are images of and that nuages runs on."""

_UNPROVEN = (3, 13)
"""The newest Python to take where nothing tells whether the packages have wheels for a newer one."""

_PATCH = 99
"""An image's Python is the newest patch release of its series; a specifier that excludes old ones fits it."""

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Names of the OCI image specification, and those of PEP 508 markers and wheel tags."""

_GLIBC_MINOR = {"bullseye": 31, "bookworm": 36, "trixie": 41, "forky": 42}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One Python, and what it installs. `python` is `3.13`, or `3.12.4` where the project names a patch release.

    `because` says what decided. `compiled` are the packages that come as source as far as the lock tells, `known`
    whether it tells at all. `ahead` are the project's distributions that our server does not work with.
    """

    python: str
    because: str
    requirements: Requirements
    metadata: Mapping[str, str]
    unlocked: str
    compiled: tuple[str, ...]
    known: bool
    ahead: tuple[str, ...]
    files: tuple[str, ...]


def export(
    project: Project,
    environ: Mapping[str, str],
    *,
    python: str | None = None,
    given_by: str = "--python",
    suite: str = "trixie",
    architecture: str = "amd64",
) -> Export:
    """Return what an image of the project installs. `python` is the series of `--python` or of the base image.

    Raises ProjectError where the lock is stale or cannot be read, or where no Python fits.
    """
    source = sources.read(project, environ)
    machine = ARCHITECTURES[architecture]
    wheels = {series: tags_for(series, _platforms(suite, machine)) for series in SERIES}
    found = [_interpreter(series, machine) for series in SERIES]
    needs = _needs(project, python, given_by)
    fitting = [each for each in found if not interpreters.objections(each, needs)]
    patch = _patch(project)
    if patch and not python:
        fitting = [_interpreter(patch[:2], machine, patch[2])]
    if not fitting:
        raise _none_fits(project, needs, python, given_by)
    lacking = {}
    known = False
    for each in fitting:
        files = source.select(each.markers).files
        known = known or bool(files)
        lacking[each.series] = lacking_wheels(files, wheels[each.series]) if files else 0
    if not known:
        proven = [each for each in fitting if each.series <= _UNPROVEN or needs.is_used(each.series)]
        fitting = proven or fitting

    def rank(each: Interpreter) -> tuple[bool, int, tuple[int, ...]]:
        return (not needs.is_used(each.series), lacking[each.series], tuple(-part for part in each.series))

    chosen = min(fitting, key=rank)
    wanted = without(source.select(chosen.markers), OWN)
    return Export(
        python=".".join(map(str, patch))
        if patch and not python
        else f"{chosen.series[0]}.{chosen.series[1]}",
        because=_because(
            project,
            python,
            given_by,
            known=known,
            is_used=needs.is_used(chosen.series),
            limited=needs.django is not None and chosen.series == needs.django[1],
        ),
        requirements=wanted,
        metadata=source.own,
        unlocked=source.unlocked,
        compiled=compiled_ones(wanted.files, wheels[chosen.series]),
        known=known,
        ahead=_ahead(wanted),
        files=sources.paths(project.dependencies),
    )


def _interpreter(series: tuple[int, int], machine: str, patch: int = _PATCH) -> Interpreter:
    full = f"{series[0]}.{series[1]}.{patch}"
    markers = {
        "implementation_name": "cpython", "implementation_version": full, "os_name": "posix",
        "platform_machine": machine, "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "platform_python_implementation": "CPython", "python_full_version": full,
        "python_version": f"{series[0]}.{series[1]}", "sys_platform": "linux",
    }  # fmt: skip
    return Interpreter(
        path="",
        version=(*series, patch),
        final=True,
        abi="",
        platform=f"linux-{machine}",
        base="",
        markers=markers,
    )


def _platforms(suite: str, machine: str) -> list[str]:
    """Return the platform tags that a Debian suite takes, the newest C library first (PEP 600)."""
    newest = _GLIBC_MINOR.get(suite, 36)
    found = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 4, -1)]
    legacy = {"x86_64": ("manylinux2014", "manylinux2010", "manylinux1"), "aarch64": ("manylinux2014",)}
    return [*found, *(f"{name}_{machine}" for name in legacy[machine]), f"linux_{machine}"]


def _needs(project: Project, python: str | None, given_by: str) -> Needs:
    option = None
    if python:
        match = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", python)
        if match is None or (int(match[1]), int(match[2])) not in SERIES:
            raise UsageError(
                f"the image's Python cannot be {python!r}",
                where=f"given by {given_by}",
                why=f"there are images of Python {dotted(SERIES[0])} to {dotted(SERIES[-1])}",
                hint=f"--image-python X.Y, for example --image-python {dotted(_UNPROVEN)}",
            )
        option = f"=={match[1]}.{match[2]}.*"
    django = None
    if project.django and (range_ := pythons_for(project.django.value)):
        django = (*range_, project.django)
    return Needs(python=project.python, option=option, django=django, used=project.python_used)


def _patch(project: Project) -> tuple[int, int, int] | None:
    """Return the patch release that the project insists on, such as 3.12.4 of `==3.12.4`."""
    match = (
        re.fullmatch(r"\s*===?\s*(\d+)\.(\d+)\.(\d+)\s*", project.python.value) if project.python else None
    )
    if match is None or (int(match[1]), int(match[2])) not in SERIES:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def _none_fits(project: Project, needs: Needs, python: str | None, given_by: str) -> ProjectError:
    reasons = []
    where: Origin | str = f"given by {given_by}" if python else ""
    if project.python:
        reasons.append(f"the project needs Python {project.python.value} ({project.python.origin})")
        where = where or project.python.origin
    if needs.django:
        oldest, newest, fact = needs.django
        reasons.append(f"Django {fact.value} runs on Python {between(oldest, newest)} ({fact.origin})")
        where = where or fact.origin
    reasons.append(f"images are made with Python {dotted(SERIES[0])} to {dotted(SERIES[-1])}")
    hint = "upgrade the project to a Django and a Python that get security fixes"
    if needs.django and (later := release_for(needs.django[2].value, SERIES[0])):
        hint = (
            f"take Django {later} or a later release of its series, which run on Python {dotted(SERIES[0])};\n"
            f"--image-python {dotted(SERIES[0])} tries it with {needs.django[2].value}"
        )
    return ProjectError(
        "no image's Python fits the project", where=where, why="\n".join(reasons), hint=hint,
    )  # fmt: skip


def _because(
    project: Project, python: str | None, given_by: str, *, known: bool, is_used: bool, limited: bool
) -> str:
    """Return what decided the Python; `limited`: its series is the newest that the project's Django runs on."""
    if python:
        return given_by
    if is_used and project.python_used:
        return f"{project.python_used.origin} says {project.python_used.value}"
    reasons = [f"{project.python.origin} says {project.python.value}"] if project.python else []
    pinned = project.python is not None and one_series(project.python.value) is not None
    if project.django and (not reasons or (limited and not pinned)):
        reasons.append(f"Django {project.django.value} ({project.django.origin})")
    reasons.append("the newest with wheels of all that is locked" if known else "the newest that is proven")
    return "; ".join(reasons)


def _ahead(wanted: Requirements) -> tuple[str, ...]:
    """Return the pinned distributions outside of what our server works with, with uvicorn if there are any."""
    from packaging.specifiers import SpecifierSet

    pinned = {}
    for line in wanted.lines:
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*([^\s;]+)", line):
            pinned[normalized(match[1])] = match[2]
    found = {
        name for name, specifier in SERVER.items()
        if name in pinned and not SpecifierSet(specifier).contains(pinned[name], prereleases=True)
    }  # fmt: skip
    return tuple(sorted(found | ({"uvicorn"} & set(pinned) if found else set())))
