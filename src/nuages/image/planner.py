"""From what was found to what is made: `plan` decides, and reads nothing but its arguments."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nuages.errors import Origin, ProjectError, UsageError
from nuages.image import trial
from nuages.image.options import NODE, SUITE, ImageOptions
from nuages.image.plan import Base, FrontEnd, Install, Package, Plan, Runtime, Stated
from nuages.image.stand_ins import stand_in
from nuages.image.state import APP, made, place, state, written
from nuages.project.model import Fact, Project, Variable, VariableKind

VENV = "/opt/venv"
RUNTIME = "/opt/nuages"
STATIC = f"{APP}/staticfiles"
PORT, MANAGEMENT_PORT = 8000, 9000
_DEBIAN_BASE = re.compile(r"(?:.*/)?python:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the edge read for the planner beside the project: nothing here needs a disk any more.

    `python` is the Python and why. `build` and `run` are Debian packages. `unset` are the variables that the settings
    need. `pins` maps images to digests. `absent` are folders of SQLite files that hold no file of the project.
    """

    python: Stated
    install: Install
    runtime: Runtime
    build: tuple[Package, ...] = ()
    run: tuple[Package, ...] = ()
    unset: tuple[Variable, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    debug: bool | None = None
    absent: frozenset[str] = frozenset()
    version: str = ""


def plan(project: Project, found: Findings, options: ImageOptions) -> Plan:
    """Return the plan of the project's image. Raises ProjectError and UsageError for what cannot be an image."""
    image = options.base or f"python:{found.python.value}-slim-{SUITE}"
    environ = _environ(project, found, options)
    own = {each.name: str(each.origin) for each in project.hints.taken}
    name = _name(options.name or project.root.name)
    return Plan(
        name=name,
        python=found.python,
        base=Base(
            image=image, digest=found.pins.get(image, ""), origin="--base" if options.base else "default"
        ),
        build_packages=_packages(found.build, _for_base(image)),
        run_packages=_packages(found.run, (Package(name=one, wanted_by="--apt") for one in options.apt)),
        install=found.install,
        runtime=found.runtime,
        directory=project.directory,
        manage=project.manage.value if project.manage else "",
        settings=_stated(project.settings) if project.settings else None,
        apps=tuple(Stated(value=entry.path, origin=str(entry.origin)) for entry in project.serving),
        environ=environ,
        own=tuple(name for name, stated in environ.items() if stated.origin == own.get(name)),
        stand_ins=_stand_ins(project, found),
        static_root=_static_root(project),
        state=state(project, found.absent),
        folders=made(project, found.absent),
        messages=messages(project),
        front_end=_front_end(project, found, options),
        required=tuple(Stated(value=each.name, origin=str(each.origin)) for each in found.unset),
        sources=dict(found.sources),
        excluded=(*options.exclude, *written(project, found.absent)),
        port=port(project, options).value,
        labels=_labels(name, image, project, found),
        healthcheck=options.healthcheck,
        agent=project.agent.command if project.agent and project.agent.is_installed else (),
        notes=(*project.notes, *_left_undone(project, options), *_monitoring(project), *project.hints.notes),
        processes=project.processes,
        variables=project.variables,
        engine=next((one.engine for one in project.databases if one.alias == "default"), ""),
    )


def _front_end(project: Project, found: Findings, options: ImageOptions) -> FrontEnd | None:
    end = project.front_end
    if end is None or not end.lock or not options.front_end:
        return None
    image = options.node_image or f"node:{end.node or NODE}-slim"
    reference = f"{image}@{found.pins[image]}" if image in found.pins else image
    return FrontEnd(
        directory=end.directory, manager=end.manager, lock=end.lock, commands=end.commands, image=reference,
        origin=str(end.origin), beside=end.beside, tools=end.tools, copies=end.copies, environ=end.environ,
        installer=end.installer, collects=end.collects, git=end.git,
        serves_modules=any(
            (each.name == "STATICFILES_DIRS" and "node_modules" in each.text)
            or (each.name == "STATICFILES_FINDERS" and re.search(r"(npm|node_assets)\.finders", each.text))
            for each in project.assignments
        ),
    )  # fmt: skip


def _left_undone(project: Project, options: ImageOptions) -> tuple[str, ...]:
    end = project.front_end
    if end is None or end.lock or not options.front_end:
        return ()
    return (
        f"{end.origin}: the front end is not built, for no lock file says what of: commit package-lock.json",
    )


def _monitoring(project: Project) -> tuple[str, ...]:
    agent = project.agent
    if agent is None:
        return ()
    command = shlex.join(agent.command)
    if agent.is_installed:
        return (f"{agent.origin} starts the server with {command}, and so does the image",)
    return (
        f"{agent.origin} starts the server with {command}, and the image does not, "
        f"for {agent.distribution} is not among the dependencies: add it there",
    )


def _stated(fact: Any) -> Stated:
    return Stated(value=str(fact.value), origin=str(fact.origin))


def _name(text: str) -> str:
    """Return a text as the repository part of an image's name (distribution's reference grammar)."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain[:80].rstrip("-") or "project"


def _for_base(image: str) -> tuple[Package, ...]:
    """Return what building needs on Debian's own Python and `python:X.Y-slim` brings along."""
    if _DEBIAN_BASE.fullmatch(image.partition("@")[0].rpartition(":")[0] + ":"):
        return ()
    return tuple(
        Package(name=name, wanted_by="Debian's own Python") for name in ("python3-dev", "python3-venv")
    )


def messages(project: Project) -> tuple[str, ...]:
    """Return the folders in which compilemessages finds catalogues: the project's, and others on its sys.path.

    It ends with an error where no folder `locale` lies below the one that it is run in.
    """
    found: list[str] = []
    left = [origin.place for origin in project.catalogs]
    for folder in (project.directory, *project.paths):
        start = "" if folder == "." else folder + "/"
        own = [one for one in left if one.startswith(start) and "/locale/" in f"/{one.removeprefix(start)}"]
        if own:
            found.append(folder)
            left = [one for one in left if one not in own]
    return tuple(found)


def _packages(*groups: Iterable[Package]) -> tuple[Package, ...]:
    """Return the packages once each, by name; the first that wants one is named."""
    found: dict[str, Package] = {}
    for group in groups:
        for package in group:
            if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package.name):
                raise UsageError(
                    f"{package.name!r} is no name of a Debian package", where=f"given by {package.wanted_by}",
                    why="names are lower-case letters, digits and + - . (Debian policy, section 5.6.1)",
                    hint="--apt PACKAGE, for example --apt poppler-utils",
                )  # fmt: skip
            found.setdefault(package.name, package)
    return tuple(found[name] for name in sorted(found))


def _environ(project: Project, found: Findings, options: ImageOptions) -> dict[str, Stated]:
    # Those of the project's own image first: what is decided here wins.
    own = {each.name: Stated(value=each.text(APP), origin=str(each.origin)) for each in project.hints.taken}
    values = dict(own)
    if project.settings:
        values["DJANGO_SETTINGS_MODULE"] = _stated(project.settings)
    if project.configuration and "DJANGO_CONFIGURATION" not in own:
        values["DJANGO_CONFIGURATION"] = _stated(project.configuration)
    if project.serving:
        apps = " ".join(entry.path for entry in project.serving)
        values["NUAGES_APP"] = Stated(value=apps, origin=str(project.serving[0].origin))
    if project.paths:
        folders = ":".join(posixpath.normpath(posixpath.join(APP, path)) for path in project.paths)
        values["PYTHONPATH"] = Stated(value=folders, origin="where the settings and entry modules lie")
    bound = port(project, options)
    values["NUAGES_BIND"] = Stated(value=f"0.0.0.0:{bound.value}", origin=str(bound.origin))
    values["NUAGES_MANAGEMENT"] = Stated(value=f"0.0.0.0:{MANAGEMENT_PORT}", origin="default")
    if _static_root(project) is None or not _assigned(project, "STATIC_ROOT"):
        values["NUAGES_STATIC_ROOT"] = Stated(value=STATIC, origin="STATIC_ROOT is unset")
    # A variable that decides DEBUG is only taken where it keeps it off.
    values.update({name: one for name, one in _debug(project, found).items() if name not in own})
    return values


def port(project: Project, options: ImageOptions) -> Fact[int]:
    """Return the port that the image serves on: where the project's own one does, what stands in front need not change.

    Not below 1024, which takes root in many places, and not that of the management address.
    """
    if options.port is not None:
        return Fact(options.port, Origin("--port"))
    own = project.hints.port
    if own and own.value >= 1024 and own.value != MANAGEMENT_PORT:
        return own
    return Fact(PORT, Origin("default"))


def _debug(project: Project, found: Findings) -> dict[str, Stated]:
    """Return how DEBUG is kept off in the image. Raises ProjectError where the source says True and nobody agreed."""
    if found.debug is not None:
        return {"NUAGES_DEBUG": Stated(value="on" if found.debug else "off", origin="--debug")}
    switch = project.debug
    if switch and switch.off is not None:
        return {switch.variable: Stated(value=switch.off, origin=str(switch.origin))}
    last = next((one.text for one in reversed(project.assignments) if one.name == "DEBUG"), "")
    if switch and re.match(r"bool\(.*(environ|getenv)", last):
        # bool(os.environ.get("DEBUG")): DEBUG=0 turns it on, and only who leaves it away turns it off.
        origin = f"{switch.origin}: any text in {switch.variable} turns DEBUG on there"
        return {"NUAGES_DEBUG": Stated(value="off", origin=origin)}
    literal = next((one for one in project.assignments if one.name == "DEBUG" and one.is_known), None)
    if literal is not None and literal.value is True and switch is None:
        raise ProjectError(
            "the image would run with DEBUG on", where=literal.origin, why=f"there stands: DEBUG = {literal.text}",
            hint="read it from a variable there, or build with --debug off, which the image then keeps",
        )  # fmt: skip
    return {}


def _assigned(project: Project, name: str) -> bool:
    return any(each.name == name and each.text not in {"None", '""', "''"} for each in project.assignments)


def _static_root(project: Project) -> Stated | None:
    """Return where the collected files lie in the image; None where only running the settings could tell."""
    for each in reversed(project.assignments):
        if each.name != "STATIC_ROOT" or each.text in {"None", '""', "''"}:
            continue
        if not each.is_known or not each.value:
            return None
        found = place(project, str(each.value), is_literal=each.is_literal)
        return Stated(value=found, origin=str(each.origin))
    return Stated(value=STATIC, origin="STATIC_ROOT is unset")


def _stand_ins(project: Project, found: Findings) -> dict[str, Stated]:
    made = {
        each.name: Stated(value=stand_in(each, found.install.requirements), origin=str(each.origin))
        for each in found.unset
    }
    own = {each.name: Stated(value=each.value, origin=str(each.origin)) for each in project.hints.collecting}
    return {**made, **{each.name: own[each.name] for each in _collecting(project)}}


def _collecting(project: Project) -> Iterator[Variable]:
    """Yield those that the settings read of what the project's own Dockerfile gives where it collects.

    Not what its image has anyway, nor what a file of the project gives or turns DEBUG on with.
    """
    names = {each.name for each in project.hints.collecting} - {each.name for each in project.hints.taken}
    debug = project.debug.variable if project.debug else ""
    for each in project.variables:
        if each.name in names and each.name != debug and "DEBUG" not in each.name and each.given is None:
            yield each


def _needed(project: Project, found: Findings) -> tuple[Variable, ...]:
    """Return the variables without which the image may not start: not those that have a default of their own."""
    bare = (
        each
        for each in _collecting(project)
        if each.kind is VariableKind.SECRET or each.default in {None, "None"}
    )
    return tuple({each.name: each for each in (*found.unset, *bare)}.values())


def _labels(name: str, image: str, project: Project, found: Findings) -> dict[str, str]:
    """Return labels by the OCI image specification's annotations, and one of ours."""
    labels = {"org.opencontainers.image.title": name, "org.opencontainers.image.base.name": image}
    if image in found.pins:
        labels["org.opencontainers.image.base.digest"] = found.pins[image]
    if needed := _needed(project, found):
        labels[trial.LABEL] = trial.label(needed)
    if found.version:
        labels["org.opencontainers.image.version"] = found.version
    return labels
