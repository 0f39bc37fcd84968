"""The commands: what each is called, which options it takes and what it does; printing errors is `cli`'s."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nuages.apart import apart
from nuages.errors import NuagesError, StartError
from nuages.kinds import flag
from nuages.options import Option, declare, options_of
from nuages.runtime.collect_options import CollectOptions
from nuages.runtime.settings import APPLICATION, FILES, SERVER_GROUPS, Settings

if TYPE_CHECKING:
    from nuages.invocation import Invocation
    from nuages.project.model import Project
    from nuages.runtime.application import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One verb. `function` names the function of this module, or of `MODULE:NAME`, that carries it out.

    `classes` gives the option classes it reads; of these it takes the options in `groups` or with these `names`, all
    where both are empty. Those in the groups `unlisted` are taken, but not shown in its help. `targets` are the words
    of which one may stand before the project; `several`: it takes several projects at once; `of_file`: one file.
    """

    name: str
    summary: str
    function: str
    classes: Callable[[], tuple[type[Any], ...]]
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    takes_rest: str = ""
    targets: tuple[str, ...] = ()
    several: bool = False
    of_file: bool = False

    def options(self) -> tuple[Option, ...]:
        """Return the options it takes, in the order of their declaration."""
        found = (option for declaration in self.classes() for option in options_of(declaration))
        if not self.groups and not self.names:
            return tuple(found)
        groups = (*self.groups, *self.unlisted)
        return tuple(option for option in found if option.group in groups or option.name in self.names)

    def load(self) -> Callable[[Invocation], int]:
        """Return the function that carries it out."""
        module, colon, name = self.function.partition(":")
        if not colon:
            return globals()[module]  # type: ignore[no-any-return]
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


TALK = "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How a command answers."""

    json: bool = declare(flag, default=False, default_text="", help="answer in JSON", group=TALK)


def read(invocation: Invocation) -> Project:
    from nuages.project.scan import scan

    settings = invocation.resolve(Settings).value
    return scan(
        invocation.project, settings=settings.settings, apps=settings.app, environ=invocation.environ,
        within=invocation.within,
    )  # fmt: skip


def serve(invocation: Invocation) -> int:
    """Serve the project in this very interpreter's environment until a signal ends it."""
    settings = invocation.resolve(Settings)
    application = _application(invocation, settings.value)
    from nuages.runtime.supervisor import serve as run

    environ = dict(invocation.environ)
    if settings.value.reload:
        from nuages import reloading

        reloading.begin(invocation.project, environ)
    try:
        return run(application, settings.value, origins=settings.origins, environ=environ)
    except StartError as error:
        raise _missing_variables(invocation, error) or error from None


def _missing_variables(invocation: Invocation, error: StartError) -> NuagesError | None:
    """Return the error that lists all missing variables, where the settings failed for want of one of them.

    Python reports the first; looked up only then, because what reading finds missing may not be needed in fact.
    """
    from nuages.environment.hints import tell_unset
    from nuages.environment.variables import missing_error, unset

    try:
        project = read(invocation)
    except NuagesError:
        return None
    missing = unset(project, invocation.environ)
    if not any(variable.name in error.why for variable in missing):
        tell_unset(error, project, invocation.environ)
        return None
    given = " ".join(f"{variable.name}=…" for variable in missing[:3])
    hint = f"set them in its environment: {given} nuages {invocation.command}"
    return missing_error(missing, hint=hint, kind=StartError)


def _application(invocation: Invocation, settings: Settings) -> Application:
    """Return what to load: as the options say; where they are silent, as the project's files say."""
    from nuages.runtime.application import Application

    if settings.settings and settings.app:
        return Application(
            directory=str(invocation.project),
            settings=settings.settings,
            apps=settings.app,
            local=settings.local_hosts,
        )

    def look() -> str:
        project = read(invocation)
        return json.dumps([located(project, local=settings.local_hosts).to_json(), *project.notes])

    # The server lives on: what was read of the project would be a fifth of its own memory.
    application, *notes = json.loads(apart(look))
    for note in notes:
        invocation.console.event("note", note)
    return Application.from_json(application)


def located(project: Project, *, local: bool = False) -> Application:
    from nuages.runtime.application import Application

    return Application(
        directory=str(project.root / project.directory),
        paths=tuple(str(project.root / path) for path in project.paths),
        settings=project.settings.value if project.settings else None,
        configuration=project.configuration.value if project.configuration else None,
        apps=tuple(entry.path for entry in project.serving),
        local=local,
    )


def collect(invocation: Invocation) -> int:
    """Collect static files in this very interpreter's environment."""
    from nuages.runtime.collect import collect as run
    from nuages.runtime.sealed import sealed

    settings = invocation.resolve(Settings).value
    options = invocation.resolve(CollectOptions).value
    report = invocation.console.event
    application = _application(invocation, settings)
    sys.argv[1:] = ["collectstatic", "--noinput"]  # which projects look for while they are loaded
    try:
        with sealed(report) if options.sealed else nullcontext():
            root = run(application, settings, options.output, report, options.effort)
    except StartError as error:
        raise _missing_variables(invocation, error) or error from None
    if options.to is not None and root is not None:
        from nuages.runtime.collect import publish_collected

        publish_collected(root, settings, options.to, report)
    return 0


def migrate(invocation: Invocation) -> int:
    """Apply the project's migrations in this very interpreter's environment."""
    from nuages.runtime.migrate import migrate as run

    settings = invocation.resolve(Settings).value
    (declaration,) = _migrate_options()
    options = invocation.resolve(declaration).value
    sys.argv[1:] = ["migrate", "--noinput"]
    try:
        run(_application(invocation, settings), settings, options, invocation.console.event)
    except StartError as error:
        raise _missing_variables(invocation, error) or error from None
    return 0


def _up_options() -> tuple[type[Any], ...]:
    # Imported late: `serve` must start fast and needs nothing of the build side.
    from nuages.environment.options import UpOptions

    return (UpOptions,)


def _migrate_options() -> tuple[type[Any], ...]:
    from nuages.runtime.migrate_options import MigrateOptions

    return (MigrateOptions,)


def _status_options() -> type[Any]:
    from nuages.monitoring import StatusOptions

    return StatusOptions


def _check_options() -> tuple[type[Any], ...]:
    from nuages.check.options import CheckOptions

    return (CheckOptions, *_up_options(), Settings, Talk)


def _manifest_options() -> tuple[type[Any], ...]:
    from nuages.deploy.options import ManifestOptions

    return (ManifestOptions,)


def _bench_options() -> type[Any]:
    from nuages.bench.options import RehearsalOptions

    return RehearsalOptions


def _image_options(*more: str) -> tuple[type[Any], ...]:
    from nuages.image import options

    return (options.ImageOptions, *(getattr(options, name) for name in more), Settings)


_OF_AN_IMAGE = ("Image", "Build", APPLICATION)

COMMANDS = (
    Command(
        name="up",
        summary="Install the project's locked dependencies privately, migrate, collect and serve.",
        function="nuages.running:up",
        classes=lambda: (*_up_options(), Settings, Talk),
    ),
    Command(
        name="run",
        summary="Run a management command or a program in the project's private environment.",
        function="nuages.running:run",
        classes=lambda: (*_up_options(), Settings, Talk),
        groups=("Environment", APPLICATION, TALK),
        takes_rest=" [PROCESS | -- COMMAND …]",
    ),
    Command(
        name="serve",
        summary="Serve the project in production, inside its own environment; PID 1 of an image.",
        function="serve",
        classes=lambda: (Settings,),
    ),
    Command(
        name="status",
        summary="Show a running server: its workers, requests, latency, memory, replacements.",
        function="nuages.monitoring:status",
        classes=lambda: (_status_options(), Settings, Talk),
        groups=(TALK,),
        names=("management",),
    ),
    Command(
        name="collect",
        summary="Collect static files: hashed, compressed, with a manifest.",
        function="collect",
        classes=lambda: (CollectOptions, Settings, Talk),
        groups=(FILES, APPLICATION, TALK),
    ),
    Command(
        name="migrate",
        summary="Apply the project's migrations once, however many processes try at the same time.",
        function="migrate",
        classes=lambda: (*_migrate_options(), Settings),
        groups=("Migrations", APPLICATION),
    ),
    Command(
        name="check",
        summary="Read the project, change nothing, and print what was found and what is wrong with it.",
        function="nuages.checking:check",
        classes=_check_options,
        groups=("Environment", APPLICATION, TALK),
    ),
    Command(
        name="plan",
        summary="Print what the image is made of, as JSON, and where each fact came from.",
        function="nuages.making:plan",
        classes=lambda: _image_options(),
        groups=_OF_AN_IMAGE,
    ),
    Command(
        name="dockerfile",
        summary="Print the multi-stage Dockerfile of the project's image, or write it.",
        function="nuages.making:write",
        classes=lambda: _image_options("WriteOptions"),
        groups=_OF_AN_IMAGE,
    ),
    Command(
        name="build",
        summary="Build the image with docker, podman or buildah, and print its digest.",
        function="nuages.building:build",
        classes=lambda: _image_options("BuildOptions"),
        groups=_OF_AN_IMAGE,
    ),
    Command(
        name="manifests",
        summary="Print what Kubernetes, Compose or systemd need to run the project.",
        function="nuages.deploying:manifests",
        classes=lambda: (*_manifest_options(), *_image_options()),
        groups=("Deployment", "Kubernetes"),
        names=("name", "port", "settings", "workers", "trusted-proxies"),
        unlisted=("Image", APPLICATION, *SERVER_GROUPS),
        targets=("kubernetes", "compose", "systemd"),
        several=True,
    ),
    Command(
        name="bench",
        summary="Rehearse a rollout from one release to another under load, as the manifests say.",
        function="nuages.benching:bench",
        classes=lambda: (_bench_options(), *_manifest_options(), *_image_options(), Talk),
        groups=("Bench", TALK),
        names=("image", "replicas", "workers", "volume", "drain", "grace"),
        unlisted=("Image", "Deployment", APPLICATION, *SERVER_GROUPS),
        several=True,
    ),
    Command(
        name="explain",
        summary="Say what each line of another server's configuration becomes here, and why.",
        function="nuages.explaining:explain",
        classes=lambda: (Talk,),
        takes_rest=" | -- COMMAND …",
        of_file=True,
    ),
)
