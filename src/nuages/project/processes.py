"""The processes beside the server, as one list: what the Procfile says, what the installed apps need, what
[tool.nuages.processes] adds, changes or drops."""

from __future__ import annotations

import ast
import dataclasses
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nuages.errors import Origin
from nuages.project import celery_queues, layout, modules, process_table, procfile, queues
from nuages.project.model import SCRATCH, Assignment, Dependencies, Manager, Problem, Process, ProcessRole
from nuages.project.tree import Tree

_BEAT_SETTINGS = ("CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE")
_ADDS_PERIODIC = re.compile(r"add_periodic_task\(|\bbeat_schedule\b|@periodic_task\b")
_TASKS = re.compile(r"(^|/)tasks(/.+)?\.py$")
"""What Celery finds by itself: `app.autodiscover_tasks()`."""
_MAKES_APP = re.compile(r"Celery\(|\.config_from_object\([\"']django\.conf")
_MARGIN = 2
"""How often an idle process may miss its longest sleep before it counts as hanging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The processes, in the order in which they were found, and what is wrong with the table."""

    processes: tuple[Process, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the project lies: `directory` is where it runs, `folders` it and those above it, `bases` its sys.path."""

    directory: str
    folders: tuple[str, ...]
    bases: tuple[str, ...]
    manage: str | None


def find(
    tree: Tree,
    place: Place,
    assignments: Sequence[Assignment],
    dependencies: Dependencies,
    apps: Sequence[str],
) -> Found:
    """Return the processes. A line of the Procfile stands for what would be inferred; the table has the last word."""
    settings = {each.name: each.value for each in assignments}

    def made(
        name: str, command: tuple[str, ...], origin: Origin, directory: str = place.directory
    ) -> Process:
        process = Process(
            name=name, role=ProcessRole.WORKER, command=command, origin=origin, directory=directory
        )
        return _of_library(process, settings)

    lines = [
        made(line.name, line.command, line.origin, line.directory)
        for line in procfile.find(tree, place.folders)
    ]
    # A queue that the Procfile works for needs nothing more, except a clock that it forgot.
    there = {each.library for each in lines}
    clocks = {each.library for each in lines if each.is_single}
    inferred = [
        each
        for each in _inferred(tree, place, assignments, settings, dependencies, apps)
        if each.library not in (clocks if each.is_single else there)
    ]
    found: dict[str, Process] = {}
    for each in (*lines, *inferred):
        found.setdefault(each.name, each)
    processes, problems = process_table.apply(tree, found, made)
    return Found(processes=processes, problems=problems)


def _of_library(process: Process, settings: Mapping[str, Any]) -> Process:
    """Return a process with what its queue's documentation says of it, where its command tells the queue."""
    text = " ".join(process.command)
    queue = queues.of_command(text)
    if queue is None:
        return process
    # `celery worker -B` carries the scheduler along: two of them would queue everything twice.
    embeds_beat = queue is queues.CELERY_WORKER and re.search(r"\s(-B|--beat)\b", text)
    return dataclasses.replace(
        process,
        library=queue.library,
        role=ProcessRole.SCHEDULER if embeds_beat else queue.role,
        grace_seconds=queues.grace(queue, settings),
        stop_signal=queue.stop_signal,
        probe=("python", "-m", "nuages.runtime.pulse", "--still", str(queue.wakes_seconds * _MARGIN)),
    )


def _inferred(
    tree: Tree,
    place: Place,
    assignments: Sequence[Assignment],
    settings: Mapping[str, Any],
    dependencies: Dependencies,
    apps: Sequence[str],
) -> Iterator[Process]:
    origins = {each.name: each.origin for each in assignments}
    yield from _celery(tree, place, apps, settings, origins, dependencies)
    for queue in queues.QUEUES:
        app = next(
            (app for app in queue.apps if any(one == app or one.startswith(app + ".") for one in apps)), None
        )
        if app is None or not queue.management:
            continue
        command = ("python", *_manage(place), *queue.management, *queues.arguments(queue, settings, apps))
        process = Process(
            name=queue.name, role=queue.role, command=command, directory=place.directory,
            origin=_app_origin(tree, origins.get("INSTALLED_APPS"), app),
        )  # fmt: skip
        yield _of_library(process, settings)


def _manage(place: Place) -> tuple[str, ...]:
    if place.manage is None:
        return ("-m", "django")
    path = posixpath.relpath(place.manage, place.directory)
    if path.endswith("/__main__.py"):
        # A package's own command: run by its path, its folder would stand in front on sys.path.
        return ("-m", path.removesuffix("/__main__.py").replace("/", "."))
    return (path,)


def _app_origin(tree: Tree, origin: Origin | None, app: str) -> Origin:
    """Return the line on which an app stands among the installed ones, else where they are assigned."""
    if origin is None:
        return Origin("INSTALLED_APPS")
    exact = tree.line_of(origin.place, rf"[\"']{re.escape(app)}[\"'.]")
    return exact if exact.line is not None else origin


def _celery(
    tree: Tree,
    place: Place,
    apps: Sequence[str],
    settings: Mapping[str, Any],
    origins: Mapping[str, Origin],
    dependencies: Dependencies,
) -> Iterator[Process]:
    if dependencies.manager is not Manager.IMPORTS and dependencies.distribution("celery") is None:
        return
    app = celery_app(tree, place.bases)
    if app is None:
        return
    name, origin = app
    start = ("celery", "--app", name)
    listened = celery_queues.listened(tree, origin.place, settings)
    queued = ("--queues", ",".join(listened)) if listened else ()
    worker = Process(
        name=queues.CELERY_WORKER.name, role=ProcessRole.WORKER, origin=origin, directory=place.directory,
        command=(*start, "worker", "--loglevel", "INFO", *queued),
    )  # fmt: skip
    yield _of_library(worker, settings)
    scheduled = next((origins[one] for one in _BEAT_SETTINGS if _is_filled(settings, one)), None)
    if scheduled is None and "django_celery_beat" in apps:
        scheduled = _app_origin(tree, origins.get("INSTALLED_APPS"), "django_celery_beat")
    scheduled = scheduled or _adds_periodic(tree, origin)
    if scheduled is not None:
        beat = Process(
            name=queues.CELERY_BEAT.name, role=ProcessRole.SCHEDULER, origin=scheduled, directory=place.directory,
            command=(*start, "beat", "--loglevel", "INFO", "--pidfile=", *_scheduler(settings, apps)),
        )  # fmt: skip
        yield _of_library(beat, settings)


def _scheduler(settings: Mapping[str, Any], apps: Sequence[str]) -> tuple[str, ...]:
    if "CELERY_BEAT_SCHEDULER" in settings or "CELERYBEAT_SCHEDULER" in settings:
        return ()
    if "django_celery_beat" in apps:
        return ("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler")
    return ("--schedule", f"{SCRATCH}/celerybeat-schedule")


def _is_filled(settings: Mapping[str, Any], name: str) -> bool:
    return name in settings and settings[name] != {}


def celery_app(tree: Tree, bases: tuple[str, ...]) -> tuple[str, Origin] | None:
    """Return what `celery --app` is given, and where the app is made; None where no module makes one.

    `package.celery:app` is `package`, as celery's own documentation writes it.
    """
    found: list[tuple[bool, int, str, str, Origin]] = []
    for path in tree.files:
        if not path.endswith(".py") or not _MAKES_APP.search(tree.text(path) or "") or layout.is_aside(path):
            continue
        module = modules.name_of(path, bases)
        made = _made_in(tree.module(path))
        if module is None or made is None:
            continue
        attribute, line = made
        is_usual = module.endswith(".celery") and attribute == "app"
        target = module.removesuffix(".celery") if is_usual else f"{module}:{attribute}"
        # Another program of the repository may have an app of its own: the site's reads Django's settings.
        is_other = not re.search(r"django\.conf|DJANGO_SETTINGS_MODULE", tree.text(path) or "")
        found.append((is_other, path.count("/"), path, target, Origin(path, line)))
    return min(found)[3:] if found else None


def _made_in(module: ast.Module | None) -> tuple[str, int] | None:
    """Return the name of the app and its line: what Celery() makes, or what is configured by Django's settings."""
    made: dict[str, int] = {}
    body = module.body if module else []
    makers = {
        "Celery",
        *(one.name for one in body if isinstance(one, ast.FunctionDef) and _calls_celery(one)),
    }
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called, target = node.value.func, node.targets[0]
            if isinstance(target, ast.Name):
                made[target.id] = node.lineno
                if _name_of(called) in makers:
                    return target.id, node.lineno
        # A project's own class, or a function of another module, may make it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            method = node.value.func
            if isinstance(method, ast.Attribute) and method.attr == "config_from_object":
                name = ast.unparse(method.value)
                if name in made:
                    return name, made[name]
    return None


def _calls_celery(function: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Call) and _name_of(one.func) == "Celery" for one in ast.walk(function))


def _name_of(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")


def _adds_periodic(tree: Tree, app: Origin) -> Origin | None:
    """Return where the app's own file, or a module or package called tasks, queues something by the clock."""
    names = [app.place, *(path for path in tree.files if _TASKS.search(path))]
    for path in names:
        if _ADDS_PERIODIC.search(tree.text(path) or "") and not layout.is_aside(path):
            return tree.line_of(path, _ADDS_PERIODIC.pattern)
    return None
