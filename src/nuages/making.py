"""The commands that decide what a project's image is: `plan` and `dockerfile`; the edge around image/."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nuages.check.finding import some
from nuages.check.uploads import refusal
from nuages.environment import bundle
from nuages.environment.export import ARCHITECTURES, Export, export
from nuages.environment.headers import bounds
from nuages.environment.variables import unset
from nuages.errors import OutsideError, ProjectError, UsageError
from nuages.image import context, dockerfile, pins, planner, state
from nuages.image.build_stage import FOLDER
from nuages.image.options import SUITE, ImageOptions, WriteOptions
from nuages.image.plan import Install, Package, Plan, Runtime, Stated, to_json
from nuages.invocation import Invocation
from nuages.project import debian
from nuages.project.model import Project
from nuages.project.scan import scan
from nuages.runtime.settings import Settings

_INSTALLER = Path(bundle.__file__).with_name("installer-requirements.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan and the files that travel with it in `.nuages/`."""

    project: Project
    plan: Plan
    files: Mapping[str, bytes]


def plan(invocation: Invocation) -> int:
    """Print the plan as JSON."""
    sys.stdout.write(to_json(make(invocation).plan))
    return 0


def write(invocation: Invocation) -> int:
    """Print the Dockerfile, or write it and what it needs into the project."""
    made = make(invocation)
    if not invocation.resolve(WriteOptions).value.write:
        sys.stdout.write(dockerfile.render(made.plan))
        return 0
    root = made.project.root
    for path, data in made.files.items():
        write_whole(root / path, data)
        invocation.console.event("write", path)
    return 0


def write_whole(path: Path, data: bytes, *, or_else: str = "print it: nuages dockerfile") -> None:
    """Write a file whole or not at all; a Dockerfile that is not ours is never overwritten.

    Raises OutsideError, whose hint ends with what can be done instead.
    """
    if path.name == "Dockerfile" and path.is_file() and b"written by nuages" not in path.read_bytes()[:400]:
        raise ProjectError(
            "there is a Dockerfile already", where=str(path), why="it was not written by nuages",
            hint="nuages dockerfile > Dockerfile.nuages, or move the present one away",
        )  # fmt: skip
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        why, first = error.strerror or str(error), "make the folder writable"
        if error.errno == errno.ENOSPC:
            first = "free some space"
        elif error.errno in (errno.EEXIST, errno.ENOTDIR):
            file = next((str(one) for one in path.parents if one.exists() and not one.is_dir()), str(path))
            why, first = f"{file} is a file, and a folder is wanted there", "move it away"
        raise OutsideError(
            f"{path.name} cannot be written", where=str(path), why=why, hint=f"{first}, or {or_else}"
        ) from None


# What the planner needs to know


def make(invocation: Invocation, *, platform: str | None = None) -> Made:
    settings = invocation.resolve(Settings).value
    project = scan(
        invocation.project, settings=settings.settings, apps=settings.app, environ=invocation.environ,
        within=invocation.within,
    )  # fmt: skip
    for note in project.notes:
        invocation.console.event("note", note)
    refused = refusal(project.dependencies, settings.media)
    if refused is not None:  # where the image runs may say something else: no reason to make none
        invocation.console.warning(refused.render().removeprefix("error: "))
    options = invocation.resolve(ImageOptions).value
    given = bundle.read()
    wheel = bundle.wheel(given.files)
    wanted = export(
        project, invocation.environ, python=options.image_python or _python_of(options.base),
        given_by="--image-python" if options.image_python else "--base", suite=_suite(options.base),
        architecture=_architecture(platform),
    )  # fmt: skip
    build_packages, run_packages = _debian(project, wanted, _suite(options.base))
    found = planner.Findings(
        python=Stated(value=wanted.python, origin=wanted.because),
        install=_install(project, wanted),
        runtime=Runtime(
            wheel=bundle.wheel_name(), sha256=hashlib.sha256(wheel).hexdigest(), requirements=given.requirements,
            ahead=wanted.ahead,
        ),
        build=build_packages,
        run=run_packages,
        unset=unset(project, {each.name: "" for each in project.hints.taken}),
        sources=_digests(project, wanted),
        pins=_pins(project),
        debug=settings.debug,
        absent=_absent(project),
    )  # fmt: skip
    planned = planner.plan(project, found, options)
    for note in planned.notes[len(project.notes) :]:
        invocation.console.event("note", note)
    return _rendered(project, planned, wheel)


def with_older_tools(made: Made, tools: Mapping[str, int]) -> Made:
    """Return the same whose sources are built with older tools."""
    install = dataclasses.replace(made.plan.install, build_constraints=bounds(tools))
    wheel = made.files[f"{FOLDER}/{made.plan.runtime.wheel}"]
    return _rendered(made.project, dataclasses.replace(made.plan, install=install), wheel)


def _rendered(project: Project, made: Plan, wheel: bytes) -> Made:
    texts = {f"{FOLDER}/{name}": text for name, text in dockerfile.files(made).items()}
    texts[f"{FOLDER}/uv.txt"] = _INSTALLER.read_text(encoding="utf-8")
    texts[f"{FOLDER}/compressors.txt"] = bundle.COMPRESSORS.read_text(encoding="utf-8")
    texts["Dockerfile"] = dockerfile.render(made)
    texts[".dockerignore"] = dockerfile.ignore(made, context.patterns())
    files = {name: text.encode() for name, text in texts.items()}
    files[f"{FOLDER}/{made.runtime.wheel}"] = wheel
    return Made(project=project, plan=made, files=dict(sorted(files.items())))


def _install(project: Project, wanted: Export) -> Install:
    lines = wanted.requirements
    options = [each for each in lines.options if each != "--pre"]
    return Install(
        origin=str(
            project.dependencies.files[0] if project.dependencies.files else project.dependencies.origin
        ),
        requirements="\n".join([*options, *lines.lines]) + "\n",
        closed=lines.closed,
        hashed=lines.hashed,
        constraints="\n".join(lines.constraints) + "\n" if lines.constraints else "",
        prereleases="--pre" in lines.options,
        find_links=lines.find_links,
        local=lines.local,
        metadata=wanted.metadata,
        compiled=wanted.compiled,
    )


def _debian(project: Project, wanted: Export, suite: str) -> tuple[tuple[Package, ...], tuple[Package, ...]]:
    parts = debian.parts_of_django(project.apps, [one.engine for one in project.databases])
    names = [name for line in wanted.requirements.lines for name in debian.named_in(line)]
    cloned = debian.cloned(wanted.requirements.lines)
    build_needs, run_needs = debian.needs(
        [*names, *parts], [*wanted.compiled, *cloned], known=wanted.known, suite=suite
    )
    if cloned:
        # The certificates are in images of Python, and not in those of Debian alone.
        why = f"{some(list(cloned))} (from git)"
        build_needs += tuple(debian.Need(package=one, wanted_by=why) for one in ("ca-certificates", "git"))
    if not wanted.known:
        build_needs += (
            debian.Need(package="build-essential", wanted_by="whatever has no wheel: no lock tells"),
        )
    return (
        tuple(Package(name=one.package, wanted_by=one.wanted_by) for one in build_needs),
        tuple(Package(name=one.package, wanted_by=one.wanted_by) for one in run_needs),
    )


def _absent(project: Project) -> frozenset[str]:
    """Return the folders of SQLite files that hold nothing which goes into an image."""
    found = state.folders(project)
    if not found:
        return frozenset()
    there = tuple(context.walk(project.root))
    return frozenset(folder for folder in found if not any(path.startswith(f"{folder}/") for path in there))


def _digests(project: Project, wanted: Export) -> dict[str, str]:
    found = {}
    for path in wanted.files:
        file = project.root / path
        if file.is_file():
            found[path] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def _pins(project: Project) -> dict[str, str]:
    path = project.root / pins.NAME
    return pins.read(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else {}


def _python_of(base: str | None) -> str | None:
    """Return the Python that the name of a base image tells: `python:3.12-slim` has 3.12."""
    if base is None:
        return None
    match = re.search(r"python:(\d+\.\d+)", base)
    if match is None:
        raise UsageError(
            "the base image's name does not say which Python it has", where="given by --base",
            why=f"{base} is not python:X.Y…", hint=f"name it: --base {base} --image-python 3.13",
        )  # fmt: skip
    return match[1]


def _suite(base: str | None) -> str:
    return next(
        (name for name in ("bookworm", "trixie", "forky", "bullseye") if base and name in base), SUITE
    )


def _architecture(platform: str | None) -> str:
    if platform is None:
        return {machine: name for name, machine in ARCHITECTURES.items()}.get(os.uname().machine, "amd64")
    name = platform.partition("/")[2].partition("/")[0]
    if name not in ARCHITECTURES or not platform.startswith("linux/"):
        raise UsageError(
            f"the platform cannot be {platform!r}", where="given by --platform",
            why=f"images are made for {', '.join(f'linux/{each}' for each in ARCHITECTURES)}",
            hint="--platform linux/amd64",
        )  # fmt: skip
    return name
