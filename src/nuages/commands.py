"""The commands: what each is called, which options it takes and what it does; printing errors is `cli`'s."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nuages.errors import NuagesError, StartError, UsageError
from nuages.kinds import file, flag, text
from nuages.options import Option, declare, options_of
from nuages.runtime.bucket import bucket
from nuages.runtime.settings import APPLICATION, FILES, Settings

if TYPE_CHECKING:
    from nuages.environment.prepared import Prepared
    from nuages.environment.upkeep import Wanted
    from nuages.invocation import Invocation
    from nuages.project.model import Process, Project
    from nuages.runtime.application import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One verb. `function` names the function of this module, or of `MODULE:NAME`, that carries it out.

    `classes` gives the option classes it reads; of these it takes the options in `groups` or with these `names`, all
    where both are empty.
    """

    name: str
    summary: str
    function: str
    classes: Callable[[], tuple[type[Any], ...]]
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    takes_rest: str = ""

    def options(self) -> tuple[Option, ...]:
        """Return the options it takes, in the order of their declaration."""
        found = (option for declaration in self.classes() for option in options_of(declaration))
        if not self.groups and not self.names:
            return tuple(found)
        return tuple(option for option in found if option.group in self.groups or option.name in self.names)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """Where `collect` writes."""

    output: str | None = declare(
        text("DIR"),
        default=None,
        default_text="STATIC_ROOT, or --static-root where that is unset",
        group=FILES,
        help="where to write the collected files",
    )
    to: str | None = declare(
        bucket, default=None, default_text="none", group=FILES,
        help="upload them to a bucket too, as far as it does not hold them: s3://BUCKET/PREFIX?endpoint_url=…",
    )  # fmt: skip
    sealed: bool = declare(
        flag, default=False, default_text="", group=FILES, rare=True,
        help="refuse network and databases and name who asks for them, as building an image does",
    )  # fmt: skip


def _scan(invocation: Invocation) -> Project:
    from nuages.project.scan import scan

    settings = invocation.resolve(Settings).value
    return scan(invocation.project, settings=settings.settings, apps=settings.app, environ=invocation.environ)


def serve(invocation: Invocation) -> int:
    """Serve the project in this very interpreter's environment until a signal ends it."""
    settings = invocation.resolve(Settings)
    application = _application(invocation, settings.value)
    from nuages.runtime.supervisor import serve as run

    try:
        return run(application, settings.value, origins=settings.origins)
    except StartError as error:
        raise _missing_variables(invocation, error) or error from None


def _missing_variables(invocation: Invocation, error: StartError) -> NuagesError | None:
    """Return the error that lists all missing variables, where the settings failed for want of one of them.

    Python reports the first; looked up only then, because what reading finds missing may not be needed in fact.
    """
    from nuages.environment.variables import missing_error, unset

    try:
        missing = unset(_scan(invocation), invocation.environ)
    except NuagesError:
        return None
    if not any(variable.name in error.why for variable in missing):
        return None
    given = " ".join(f"{variable.name}=…" for variable in missing[:3])
    hint = f"set them in the server's environment: {given} nuages serve"
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
    project = _scan(invocation)
    for note in project.notes:
        invocation.console.event("note", note)
    return _located(project, local=settings.local_hosts)


def _located(project: Project, *, local: bool = False) -> Application:
    from nuages.runtime.application import Application

    return Application(
        directory=str(project.root / project.directory),
        paths=tuple(str(project.root / path) for path in project.paths),
        settings=project.settings.value if project.settings else None,
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
    with sealed(report) if options.sealed else nullcontext():
        collected = run(application, settings, options.output, report)
    if options.to is not None and collected.root:
        from nuages.runtime.collect import publish_collected

        publish_collected(collected, settings, options.to, report)
    return 0


def migrate(invocation: Invocation) -> int:
    """Apply the project's migrations in this very interpreter's environment."""
    from nuages.runtime.migrate import migrate as run

    settings = invocation.resolve(Settings).value
    (declaration,) = _migrate_options()
    options = invocation.resolve(declaration).value
    run(_application(invocation, settings), settings, options, invocation.console.event)
    return 0


def up(invocation: Invocation) -> int:
    """Prepare the project's private environment and become its server."""
    from nuages.environment.prepared import serve_command
    from nuages.environment.upkeep import Wanted, bring

    settings = invocation.resolve(Settings).value
    project, prepared = _prepare(invocation)
    options = invocation.resolve(_up_options()[0]).value
    wanted = Wanted(
        application=json.loads(_located(project).to_json()),
        migrate=options.migrate,
        fills=settings.fill_settings,
        debug=_debug(settings),
    )
    bring(prepared, wanted, invocation.console.event)
    arguments = _serve_arguments(invocation, prepared, wanted)
    invocation.console.event("serve", argv=arguments)
    server = serve_command(prepared, arguments)
    if options.all and project.processes:
        from nuages.environment.company import Company, command_of

        extra = _process_variables(project, debug=_debug(settings))
        members = [(each, command_of(prepared, each, extra)) for each in project.processes]
        return Company(server=server, members=members, report=invocation.console.event).run()
    server.become()
    return 0


def _process_variables(project: Project, *, debug: bool | None) -> dict[str, str]:
    """Return the variables that give a process beside the server the settings that the server has."""
    found = {"DJANGO_SETTINGS_MODULE": project.settings.value} if project.settings else {}
    if debug is False and project.debug and project.debug.off is not None:
        found[project.debug.variable] = project.debug.off
    return found


def _prepare(invocation: Invocation) -> tuple[Project, Prepared]:
    from nuages.environment.preparation import prepare
    from nuages.environment.variables import read_env_file

    (declaration,) = _up_options()
    options = invocation.resolve(declaration).value
    # The file's variables decide about settings as real ones do: it may name the module, or a database.
    invocation = dataclasses.replace(
        invocation, environ={**read_env_file(options.env_file), **invocation.environ}
    )
    project = _scan(invocation)
    for note in project.notes:
        invocation.console.event("note", note)
    return project, prepare(project, options, invocation.environ, invocation.console.event)


def _debug(settings: Settings) -> bool | None:
    """Return what DEBUG is to be under `up`: off, unless asked for, where only this machine can look on."""
    if settings.debug is not None:
        return settings.debug
    return False if all(address.is_local for address in settings.bind) else None


def _serve_arguments(invocation: Invocation, prepared: Prepared, wanted: Wanted) -> list[str]:
    """Return the command line of the server: what was found and decided here, and what the user gave."""
    arguments = ["serve", str(prepared.directory), *wanted.arguments, "--local-hosts", "on"]
    if "static-root" not in invocation.flags:
        arguments += ["--static-root", str(prepared.static)]
    if invocation.resolve(Settings).value.media is None:
        arguments += ["--media", "auto"]
    # Variables reach the server by themselves; a configuration file may lie above the folder it runs in.
    given = {name: value.texts for name, value in invocation.file.items()} | dict(invocation.flags)
    settings = invocation.resolve(Settings).value
    for option in options_of(Settings):
        path = getattr(settings, option.field) if option.kind is file else None
        if path is not None:
            given[option.name] = (path,)  # its folder is another than this one
        if option.name in given and option.flag not in arguments:
            arguments += [word for text in given[option.name] for word in (option.flag, text)]
    return arguments


def run(invocation: Invocation) -> int:
    """Become a management command or a program in the project's private environment."""
    from nuages.environment.prepared import run_command

    if not invocation.rest and not invocation.process:
        raise UsageError(
            "there is nothing to run",
            where="given on the command line",
            why="`nuages run` wants a management command or a program after --, or the name of a process",
            hint="nuages run -- createsuperuser",
        )
    if invocation.process:
        _process(_scan(invocation), invocation.process)  # before anything is installed for nothing
    project, prepared = _prepare(invocation)
    if invocation.process:
        from nuages.environment.company import command_of

        extra = _process_variables(project, debug=_debug(invocation.resolve(Settings).value))
        command_of(prepared, _process(project, invocation.process), extra).become()
    run_command(prepared, invocation.rest).become()
    return 0


def _process(project: Project, name: str) -> Process:
    """Return the process of that name. Raises UsageError, which names those that there are."""
    found = {each.name: each for each in project.processes}
    if name not in found:
        there = ", ".join(found) or "none: no queue, no Procfile and no [tool.nuages.processes]"
        raise UsageError(
            f"the project has no process {name!r}", where="given on the command line", why=f"it has {there}",
            hint=f"nuages run -- {name}, for a management command or a program",
        )  # fmt: skip
    return found[name]


def _up_options() -> tuple[type[Any], ...]:
    # Imported late: `serve` must start fast and needs nothing of the build side.
    from nuages.environment.options import UpOptions

    return (UpOptions,)


def _migrate_options() -> tuple[type[Any], ...]:
    from nuages.runtime.migrate import MigrateOptions

    return (MigrateOptions,)


def _status_options() -> type[Any]:
    from nuages.monitoring import StatusOptions

    return StatusOptions


def _check_options() -> tuple[type[Any], ...]:
    from nuages.check.options import CheckOptions

    return (CheckOptions, *_up_options(), Settings, Talk)


def _image_options(*more: str) -> tuple[type[Any], ...]:
    from nuages.image import options

    return (options.ImageOptions, *(getattr(options, name) for name in more), Settings)


_OF_AN_IMAGE = ("Image", "Build", APPLICATION)

COMMANDS = (
    Command(
        name="up",
        summary="Install the project's locked dependencies privately, migrate, collect and serve.",
        function="up",
        classes=lambda: (*_up_options(), Settings, Talk),
    ),
    Command(
        name="run",
        summary="Run a management command or a program in the project's private environment.",
        function="run",
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
        classes=lambda: (CollectOptions, Settings),
        groups=(FILES, APPLICATION),
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
)
