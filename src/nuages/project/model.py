"""The facts about a project, each with where it was read; pure data, which `document` prints as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from nuages.errors import Origin, ProjectError
from nuages.project.assets import FrontEnd as FrontEnd
from nuages.project.shapes import Shape as Shape  # facts have it: who reads facts takes it from here
from nuages.project.variable import ImageVariable as ImageVariable
from nuages.project.variable import Switch as Switch
from nuages.project.variable import Variable as Variable
from nuages.project.variable import VariableKind as VariableKind

T = TypeVar("T")

SCRATCH = "/tmp"
"""Where the commands of processes keep files that may be lost; `up` puts a folder of the project in its place."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value and where it was read."""

    value: T
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong or doubtful that reading found; an error keeps the project from being served.

    The texts are those of NuagesError. `id` is a word that tests and findings know it by.
    """

    id: str
    what: str
    where: str = ""
    why: str = ""
    hint: str = ""
    is_error: bool = False

    def as_error(self) -> ProjectError:
        """Return the problem as an exception."""
        return ProjectError(self.what, where=self.where, why=self.why, hint=self.hint)


class Manager(str, Enum):
    """Who declares the dependencies; the value is the name people use."""

    UV = "uv.lock"
    PYLOCK = "pylock.toml"
    POETRY = "poetry.lock"
    PDM = "pdm.lock"
    PIPENV = "Pipfile.lock"
    PIP_TOOLS = "pip-tools"
    REQUIREMENTS = "requirements.txt"
    PYPROJECT = "pyproject.toml"
    PIPFILE = "Pipfile"
    SETUP = "setup.py"
    IMPORTS = "imports"


def normalized(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it: `Django_Rest.Framework` → `django-rest-framework`."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A Python distribution that the dependencies name: its normalized name, and the version or specifier as
    written."""

    name: str
    version: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The one mechanism that installs the project's dependencies, and the others that were found beside it.

    `files` are relative to the root: for a lock the lock, then its declaration; for requirements the files to install
    with, in order. `included` are those they include or were compiled from. `extras` and `groups` are those a
    production install takes. `requirements` is only filled where nothing is declared and the imports were read
    (`Manager.IMPORTS`) or where the declaration is Python or TOML without a lock (PEP 508 lines). `folder` is where
    the mechanism lies. `stale` says why a lock no longer belongs to its declaration; None: it does, or reading alone
    cannot tell. `indexes` are the package indexes that the files name themselves. `distributions` are those that the
    mechanism names: all of them for a lock, and whatever groups they belong to; elsewhere the direct ones.
    """

    manager: Manager
    files: tuple[str, ...]
    origin: Origin
    others: tuple[Fact[Manager], ...] = ()
    requirements: tuple[str, ...] = ()
    has_hashes: bool = False
    folder: str = "."
    included: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    stale: Fact[str] | None = None
    indexes: tuple[Fact[str], ...] = ()
    distributions: tuple[Distribution, ...] = ()

    def distribution(self, *names: str) -> Distribution | None:
        """Return the first distribution of one of these normalized names, or None."""
        return next((each for each in self.distributions if each.name in names), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """asgi.py or wsgi.py: `module:attribute`, and whether it is what startproject writes.

    `is_standard`: nothing but docstring, imports, the settings default and `application = get_*_application()`.
    `wraps_django`: `get_wsgi_application`/`get_asgi_application` is called somewhere in it.
    `settings`: the module its `os.environ.setdefault("DJANGO_SETTINGS_MODULE", …)` names.
    """

    kind: str
    module: str
    attribute: str
    origin: Origin
    is_standard: bool
    wraps_django: bool
    settings: Fact[str] | None = None

    @property
    def path(self) -> str:
        """`shop.wsgi:application`."""
        return f"{self.module}:{self.attribute}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A settings module that could be meant, and who names it."""

    module: str
    origin: Origin
    is_development: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A setting assigned in the settings source: `text` is the expression, `literal` its value if it is one.

    `value` is what it is worth under the environment that was scanned with, as far as `is_known`; `variables` are the
    environment variables that have a say in it.
    """

    name: str
    text: str
    origin: Origin
    is_literal: bool
    literal: Any = None
    is_known: bool = False
    value: Any = None
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the project's own Dockerfile tells: the port it exposes, the Debian packages and variables of its image.

    `notes` is what to say of the variables where its image is replaced. `collecting` are what it gives collectstatic.
    """

    port: Fact[int] | None = None
    packages: tuple[Fact[str], ...] = ()
    variables: tuple[ImageVariable, ...] = ()
    notes: tuple[str, ...] = ()
    collecting: tuple[ImageVariable, ...] = ()

    @property
    def taken(self) -> tuple[ImageVariable, ...]:
        """The variables that the project is to find here as it does there."""
        return tuple(each for each in self.variables if not each.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A monitoring agent's command before the project's own server; whether the dependencies have what brings it."""

    command: tuple[str, ...]
    distribution: str
    is_installed: bool
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One of DATABASES: its engine, empty where only the environment tells; for SQLite `name` is the file.

    `variable` holds the URL that decides. `is_literal`: no variable has a say.
    """

    alias: str
    origin: Origin
    engine: str = ""
    name: str = ""
    host: str = ""
    variable: str = ""
    is_literal: bool = False

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return "sqlite" in self.engine or "spatialite" in self.engine


class ProcessRole(str, Enum):
    """How many of a process there may be, and when it runs."""

    WORKER = "worker"
    """Runs always; as many as wanted."""
    SCHEDULER = "scheduler"
    """Runs always; one and never two, or work is queued twice."""
    SCHEDULED = "scheduled"
    """Runs to its end, at the times of its schedule; never two at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of the project beside the server: what a worker, `celery beat` or a line of a Procfile runs.

    `name` is a DNS label (RFC 1123). `command` is run in `directory` (relative to the root), with the environment's
    programs in front on PATH; its first word is a program, and `python` is the environment's. What it keeps for
    itself lies in SCRATCH. `library` is the queue it serves, empty for anything else. `schedule` is a cron expression
    (five fields, in UTC) for a scheduled one. `stop_signal` begins its warm shutdown, for which `grace_seconds` are
    enough. `probe` is a command that fails when the process that is PID 1 of its container hangs, and imports neither
    Django nor the project; empty where nothing can be told.
    """

    name: str
    role: ProcessRole
    command: tuple[str, ...]
    origin: Origin
    directory: str = "."
    library: str = ""
    schedule: str = ""
    grace_seconds: float = 30
    stop_signal: str = "SIGTERM"
    probe: tuple[str, ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether two at once would be wrong: a deployment stops the old one before it starts the new one."""
        return self.role is not ProcessRole.WORKER


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All that `scan` found. Paths are absolute only in `root`; every other one is relative to it."""

    root: Path
    directory: str
    """The folder that manage.py lies in and that must be on sys.path; `.` for the root."""
    manage: Fact[str] | None
    settings: Fact[str] | None
    """None for one-file projects that call `settings.configure()`."""
    configuration: Fact[str] | None = None
    """The class of the settings module whose attributes are the settings (django-configurations)."""
    candidates: tuple[Candidate, ...]
    wsgi: EntryPoint | None
    asgi: EntryPoint | None
    serving: tuple[EntryPoint, ...]
    """The entry modules to serve: one, or a WSGI one for sync views and an ASGI one for async views."""
    python: Fact[str] | None
    """A PEP 440 specifier set such as `>=3.12` or `==3.12.*`."""
    python_used: Fact[str] | None = None
    """The one that it has been run with, `==3.12.*`, where it says of none that it wants it."""
    dependencies: Dependencies
    django: Fact[str] | None
    """The requirement or locked version of Django as written: `5.2.19`, `>=4.2,<5`."""
    variables: tuple[Variable, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    """DEBUG, ALLOWED_HOSTS, STATIC_ROOT, STATIC_URL, MEDIA_ROOT, STORAGES, DATABASES … of the chosen settings."""
    paths: tuple[str, ...] = ()
    """Further folders that must be on sys.path, relative to the root (`src` layouts)."""
    notes: tuple[str, ...] = ()
    """What the user should hear: choices among alternatives, with their origin."""
    problems: tuple[Problem, ...] = ()
    """What is wrong or doubtful but did not keep the scan from deciding."""
    pythons: tuple[Fact[str], ...] = ()
    """Every place that says which Python is wanted, as written, the strongest first."""
    debug: Switch | None = None
    """How DEBUG can be turned off through a variable; None: the settings read none for it."""
    settings_files: tuple[str, ...] = ()
    """The files that the chosen settings are made of, the module itself first."""
    front_end: FrontEnd | None = None
    catalogs: tuple[Origin, ...] = ()
    """Message catalogues (.po) without a compiled one beside them."""
    apps: tuple[str, ...] = ()
    """INSTALLED_APPS, as far as it is known."""
    processes: tuple[Process, ...] = ()
    """What runs beside the server: workers, schedulers, scheduled commands."""
    databases: tuple[Database, ...] = ()
    hints: Hints = field(default_factory=Hints)
    agent: Agent | None = None
    made: tuple[Fact[str], ...] = ()
    """The folders that loading the settings makes; relative to the root, absolute outside of it."""
    scripts: dict[str, str] = field(default_factory=dict)
    """The project's own console scripts, `module:object` by name."""
