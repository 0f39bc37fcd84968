"""The commands that run a project in its private environment: `up` and `run`."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

from nuages.check.uploads import refusal
from nuages.commands import located, read
from nuages.environment.company import Company, command_of
from nuages.environment.options import UpOptions
from nuages.environment.preparation import prepare
from nuages.environment.prepared import Prepared, inside, run_command, serve_command
from nuages.environment.upkeep import Wanted, bring, recollect
from nuages.environment.uv import is_here
from nuages.environment.variables import read_env_file
from nuages.errors import NuagesError, UsageError
from nuages.image.planner import VENV
from nuages.invocation import Invocation
from nuages.kinds import file
from nuages.node import build_command
from nuages.options import Option, options_of
from nuages.project.model import Process, Project
from nuages.runtime.settings import Settings


def up(invocation: Invocation) -> int:
    """Prepare the project's private environment and become its server."""
    if sys.prefix == VENV:
        raise UsageError(
            "`nuages up` has nothing to do in an image", where=f"this is {VENV}/bin/python",
            why="what the project needs is installed here, and its static files are collected",
            hint="nuages serve, which is the image's own command; before it: nuages migrate",
        )  # fmt: skip
    settings = invocation.resolve(Settings).value
    project, prepared = _prepare(invocation)
    _front_end(invocation, project)
    options = invocation.resolve(UpOptions).value
    wanted = Wanted(
        application=json.loads(located(project).to_json()),
        migrate=options.migrate,
        fills=settings.fill_settings,
        debug=_debug(settings),
        moves_static=settings.static_root_always,
    )
    moved = bring(prepared, wanted, invocation.console.event)
    arguments = _serve_arguments(invocation, prepared, wanted, moved=moved)
    invocation.console.event("serve", argv=arguments)
    server = serve_command(prepared, arguments)
    if settings.reload:
        from nuages import reloading

        environ = dict(server.environ)
        again = () if wanted.debug else recollect(prepared, wanted, moved=moved)
        reloading.begin(project.root, environ, passes_on=True, collect=again)
        server = dataclasses.replace(server, environ=environ)
    if options.all and project.processes:
        extra = _process_variables(project, debug=_debug(settings))
        members = [(each, command_of(prepared, each, extra)) for each in project.processes]
        return Company(server=server, members=members, report=invocation.console.event).run()
    server.become()
    return 0


def _front_end(invocation: Invocation, project: Project) -> None:
    """Tell of a front end that nobody has installed here: its pages would miss their files, or answer 500."""
    end = project.front_end
    if end is None:
        return
    folder = project.root / end.directory
    if (folder / "node_modules").exists() or (folder / ".pnp.cjs").exists():
        return
    invocation.console.event(
        "note",
        "the front end is not built by up, and no node_modules is there: if its files are missing, "
        f"`{build_command(end.directory, end.manager, end.commands)}` makes them ({end.origin})",
    )


def _process_variables(project: Project, *, debug: bool | None) -> dict[str, str]:
    """Return the variables that give a process beside the server the settings that the server has."""
    found = {"DJANGO_SETTINGS_MODULE": project.settings.value} if project.settings else {}
    if debug is False and project.debug and project.debug.off is not None:
        found[project.debug.variable] = project.debug.off
    return found


def _prepare(invocation: Invocation) -> tuple[Project, Prepared]:
    options = invocation.resolve(UpOptions).value
    # The file's variables decide about settings as real ones do: it may name the module, or a database.
    invocation = dataclasses.replace(
        invocation, environ={**read_env_file(options.env_file), **invocation.environ}
    )
    project = read(invocation)
    for note in project.notes:
        invocation.console.event("note", note)
    settings = invocation.resolve(Settings).value
    refused = refusal(project.dependencies, settings.media)
    if refused is not None:
        raise refused
    prepared = prepare(project, options, invocation.environ, invocation.console.event)
    prepared = dataclasses.replace(prepared, static_root=settings.static_root)
    if settings.media is not None:
        # By variables, for programs of the project's own that set Django up themselves (nuages.STARTER).
        told = {
            "NUAGES_MEDIA": settings.media,
            "NUAGES_FILL_SETTINGS": "on" if settings.fill_settings else "off",
        }
        prepared = dataclasses.replace(prepared, variables={**prepared.variables, **told})
    return project, prepared


def _debug(settings: Settings) -> bool | None:
    """Return what DEBUG is to be under `up`: off, unless asked for, where only this machine can look on."""
    if settings.debug is not None:
        return settings.debug
    return False if all(address.is_local for address in settings.bind) else None


def _serve_arguments(invocation: Invocation, prepared: Prepared, wanted: Wanted, *, moved: bool) -> list[str]:
    """Return the command line of the server: what was found and decided here, and what the user gave."""
    arguments = ["serve", str(prepared.directory), *wanted.arguments, "--local-hosts", "on"]
    arguments += ["--static-root", str(prepared.static)]
    arguments += ["--static-root-always", "on"] if moved else []
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
            arguments += [word for text in given[option.name] for word in _words(option, text)]
    return arguments


def _words(option: Option, text: str) -> tuple[str, ...]:
    """Return how a value is given on a command line; a flag takes none."""
    return (option.flag, text) if option.kind.metavar else (option.flag,)


def run(invocation: Invocation) -> int:
    """Become a management command or a program in the project's private environment."""
    if not invocation.rest and not invocation.process:
        raise _nothing()
    if invocation.process:
        try:
            _process(read(invocation), invocation.process)  # before anything is installed for nothing
        except NuagesError:
            if Path(invocation.process).is_dir():
                raise _nothing(invocation.process) from None  # it is the project that was named
            raise
    if _is_inside(invocation):
        project = read(invocation)
        prepared = inside(project, invocation.environ)
    else:
        project, prepared = _prepare(invocation)
    if invocation.process:
        extra = _process_variables(project, debug=_debug(invocation.resolve(Settings).value))
        command_of(prepared, _process(project, invocation.process), extra).become()
    run_command(prepared, invocation.rest).become()
    return 0


def _is_inside(invocation: Invocation) -> bool:
    """Return whether the project is installed here: in an image of ours, or where nothing could install it."""
    return sys.prefix == VENV or (
        not is_here(invocation.environ) and importlib.util.find_spec("django") is not None
    )


def _nothing(project: str = "") -> UsageError:
    return UsageError(
        "there is nothing to run",
        where="given on the command line",
        why="`nuages run` wants a management command or a program after --, or the name of a process",
        hint=" ".join(filter(None, ["nuages run", project, "-- createsuperuser"])),
    )


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
