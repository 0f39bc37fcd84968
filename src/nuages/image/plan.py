"""The plan of an image: pure data; the same project, options and pins give the same bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nuages.errors import Origin
from nuages.project.model import Process, ProcessRole, Shape, Variable, VariableKind

FORMAT = 1
"""Raised when a field changes its meaning; a reader refuses formats that it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A value that was decided, and where it came from: a file and line, a variable, a flag or a rule."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The image that both stages start from. `digest` pins it (`sha256:…`), empty where nothing pins it yet."""

    image: str
    digest: str = ""
    origin: str = "default"

    @property
    def reference(self) -> str:
        """`python:3.13-slim-trixie@sha256:…`."""
        return f"{self.image}@{self.digest}" if self.digest else self.image


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A Debian package that is installed, and what wants it: a distribution, a program, a file."""

    name: str
    wanted_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """What is installed of the project's dependencies.

    `requirements` is the text of a requirements file for one Python. `closed`: it names everything, so nothing is
    resolved. `hashed`: every line has hashes. `local` are folders of the project, with extras, that are packages
    themselves. `metadata` are files of the project's own `.dist-info`, by path in site-packages.
    """

    origin: str
    requirements: str
    closed: bool
    hashed: bool
    constraints: str = ""
    prereleases: bool = False
    find_links: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    compiled: tuple[str, ...] = ()
    """Distributions that come as source and are compiled, as far as the lock tells."""

    build_constraints: str = ""
    """The text of a file of limits for the tools of builds: sources that were written for older ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """This nuages and its server: a wheel by name and sha256, and hashed requirements.

    `ahead` are distributions of the project's that our server does not work with: ours overtake them.
    """

    wheel: str
    sha256: str
    requirements: str
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """A front-end build: the folder of package.json, its lock, the manager and the commands that build."""

    directory: str
    manager: str
    lock: str
    commands: tuple[str, ...]
    image: str
    origin: str
    beside: tuple[str, ...] = ()
    """Names of what the manager reads besides package.json and its lock: files, and folders with a `/` behind."""
    tools: tuple[str, ...] = ()
    """Packages that are installed for their programs alone."""
    copies: tuple[tuple[str, str], ...] = ()
    """What is made, and where it belongs, for what does not stay where it is made."""
    environ: tuple[tuple[str, str], ...] = ()
    serves_modules: bool = False
    """Whether static files are taken out of node_modules."""
    installer: str = ""
    """The package that the manager comes in, as npm is asked for it; "" for npm."""
    collects: bool = False
    """Whether collectstatic runs programs of its packages."""
    git: str = ""
    """Where the lock names a package that is fetched by git; empty where none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that the Dockerfile, the context and the manifests are made from. Paths are relative to the root
    or lie in the image; nothing tells which machine made it."""

    name: str
    python: Stated
    base: Base
    build_packages: tuple[Package, ...]
    run_packages: tuple[Package, ...]
    install: Install
    runtime: Runtime
    directory: str
    """The folder of manage.py, relative to the root."""
    manage: str
    """manage.py relative to the root, empty where there is none."""
    settings: Stated | None
    apps: tuple[Stated, ...]
    environ: Mapping[str, Stated]
    """Variables of the image itself: none is secret."""
    stand_ins: Mapping[str, Stated]
    """Values that only the build sees, for variables which the settings need to load."""
    static_root: Stated | None
    """Where collected static files lie in the image; None: the project has none."""
    state: Mapping[str, Stated] = field(default_factory=dict)
    """What the project writes beside its code, by path in the image (an SQLite file, a folder of uploads; a folder
    ends with `/`), and its place in the volume."""
    folders: tuple[Stated, ...] = ()
    """Folders that the settings make when they load and that stay empty: for static files, templates, translations."""
    messages: tuple[str, ...] = ()
    """Folders, relative to the project's root, below which message catalogues are compiled."""
    front_end: FrontEnd | None = None
    required: tuple[Stated, ...] = ()
    """Names of the variables that must be set at run time, with file and line."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of each file that decided what is installed, by path: the build stops when one has changed."""
    excluded: tuple[str, ...] = ()
    """Patterns of what does not go into the context, beside those for every project."""
    port: int = 8000
    management_port: int = 9000
    user: int = 65532
    labels: Mapping[str, str] = field(default_factory=dict)
    healthcheck: bool = False
    agent: tuple[str, ...] = ()
    """The command of a monitoring agent, which starts the server."""
    notes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    """Those names of `environ` that are set as the project's own Dockerfile sets them."""
    processes: tuple[Process, ...] = ()
    """What runs in containers of its own from this image: workers, schedulers, scheduled commands."""
    variables: tuple[Variable, ...] = ()
    """The environment variables that the settings read."""
    engine: str = ""
    """ENGINE of the default database, where the settings tell it."""
    format: int = FORMAT


def to_json(plan: Plan) -> str:
    """Return the plan as JSON text, with sorted keys and a final newline."""
    return json.dumps(dataclasses.asdict(plan), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def from_json(text: str) -> Plan:
    """Return the plan that `to_json` wrote; raises ValueError for another format or a field that is unknown."""
    data = json.loads(text)
    if data.get("format") != FORMAT:
        raise ValueError(f"the plan has format {data.get('format')!r}; this nuages reads format {FORMAT}")
    try:
        return Plan(**{name: _restored(name, value) for name, value in data.items()})
    except TypeError as error:
        raise ValueError(str(error)) from None


def _process(*, role: str, origin: Mapping[str, Any], **fields: Any) -> Process:
    plain: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in fields.items()
    }
    return Process(role=ProcessRole(role), origin=Origin(**origin), **plain)


def _variable(
    *, kind: str, origin: Mapping[str, Any], given: Mapping[str, Any] | None, shape: str | None, **fields: Any
) -> Variable:
    there = Origin(**given) if given else None
    parsed_as = Shape(shape) if shape else None
    return Variable(kind=VariableKind(kind), origin=Origin(**origin), given=there, shape=parsed_as, **fields)


_ONE: Mapping[str, Callable[..., Any]] = {
    "python": Stated, "base": Base, "settings": Stated, "static_root": Stated, "front_end": FrontEnd,
    "install": Install, "runtime": Runtime,
}  # fmt: skip
_MANY: Mapping[str, Callable[..., Any]] = {
    "build_packages": Package, "run_packages": Package, "processes": _process,
    "variables": _variable, "apps": Stated, "required": Stated, "folders": Stated,
    "environ": Stated, "stand_ins": Stated, "state": Stated,
}  # fmt: skip


def _restored(name: str, value: Any) -> Any:
    if value is not None and name in _ONE:
        fields = {key: tuple(each) if isinstance(each, list) else each for key, each in value.items()}
        return _ONE[name](**fields)
    if name in _MANY and isinstance(value, dict):
        return {key: _MANY[name](**each) for key, each in value.items()}
    if name in _MANY:
        return tuple(_MANY[name](**each) for each in value)
    return tuple(value) if isinstance(value, list) else value
