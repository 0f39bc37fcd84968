"""scan(root) → Project: everything that reading tells, with every problem collected, as a compiler does."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from pathlib import Path

from nuages.errors import ProjectError
from nuages.project import (
    agents,
    catalogs,
    collect_variables,
    compose_file,
    container_file,
    databases,
    dependencies,
    entrypoints,
    front_end,
    image_variables,
    imports,
    layout,
    modules,
    named_settings,
    processes,
    python,
    pythons_used,
    scripts,
    settings_choice,
    settings_source,
    specifier,
)
from nuages.project import (
    apps as installed_apps,
)
from nuages.project.layout import Layout
from nuages.project.model import Dependencies, EntryPoint, Fact, Hints, ImageVariable, Problem, Project
from nuages.project.tree import MAX_ENTRIES, Tree, join


class ScanError(ProjectError):
    """Every error that a scan found, in one message."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(first.what, where=first.where, why=first.why, hint=first.hint)
        self.problems = problems

    def render(self) -> str:
        """Return all messages, a blank line between them."""
        return "\n\n".join(problem.as_error().render() for problem in self.problems)


def scan(
    root: Path,
    *,
    settings: str | None = None,
    environ: Mapping[str, str] | None = None,
    apps: tuple[str, ...] = (),
    within: str = ".",
) -> Project:
    """Return what was found in `root`. Raises ProjectError for what keeps the project from being served.

    `settings` and `apps` are the options of that name; `environ` the variables that the project will be run with;
    `within` is the folder below `root` that was named, where `root` is one above it (`project.above`).
    Files are read; no code of the project is imported or run.
    """
    project = examine(root, settings=settings, environ=environ, apps=apps, within=within)
    errors = tuple(problem for problem in project.problems if problem.is_error)
    if errors:
        raise ScanError(errors)
    return project


def examine(
    root: Path,
    *,
    settings: str | None = None,
    environ: Mapping[str, str] | None = None,
    apps: tuple[str, ...] = (),
    within: str = ".",
) -> Project:
    """Return what was found, errors among its `problems`. Raises ProjectError only where there is no one project."""
    environ = environ or {}
    tree = Tree(_folder(root))
    place = layout.find(tree, apps, within)
    folders = layout.upwards(place.directory)
    pythons = python.find(tree, folders)
    found = dependencies.find(tree, folders)
    notes, problems = list(place.notes), list(pythons.problems)
    if not tree.is_complete:
        notes.append(
            f"the project holds more than {MAX_ENTRIES} files; those furthest down are not looked at"
        )
    notes += pythons.notes
    if found is not None:
        notes += _said_of_the_root(within, found)
        notes += found.notes
        problems += found.problems
    if place.single is not None:
        return _single(tree, place, apps, environ, pythons, found, notes, problems)

    told = image_variables.find(tree, folders)
    seen = {**{each.name: each.text(str(tree.root)) for each in told if not each.left}, **environ}
    manage = (
        named_settings.find_near(tree, place.manage.value, (place.directory,), seen) if place.manage else ()
    )
    bases, points = _bases(tree, place, manage, seen)
    asked = entrypoints.asked(tree, bases, apps, seen)
    package = manage[0].value.split(".")[0] if manage else None
    wsgi = entrypoints.pick(points, entrypoints.WSGI, None, package)
    asgi = entrypoints.pick(points, entrypoints.ASGI, None, package)
    serving = entrypoints.Serving(points=asked) if asked else entrypoints.serving(wsgi, asgi)
    entry = tuple(point.settings for point in (*serving.points, wsgi, asgi) if point and point.settings)
    choice = settings_choice.choose(
        tree, bases, option=settings, environ=environ, entry=entry, manage=manage,
        hints=named_settings.hints(tree, folders), image=container_file.settings(tree, folders),
        installed=[each.name for each in found.dependencies.distributions] if found else (),
    )  # fmt: skip
    path = modules.resolve(tree, choice.settings.value, bases) if choice.settings else None
    entries = tuple(point.origin.place for point in serving.points if point.origin.place in tree)
    is_old = pythons.python is not None and not specifier.minors(pythons.python.value, python.SERVED)

    def read(given: Mapping[str, str]) -> settings_source.Source:
        return (
            settings_source.read(tree, path, bases, given, entries, is_old=is_old)
            if path
            else settings_source.Source()
        )

    source, agreed = image_variables.settled(told, environ, str(tree.root), read)
    listed = installed_apps.installed(tree, source.assignments, source.files)
    above = modules.beyond(
        tree,
        (*listed, *modules.imported(tree, source.files)),
        bases,
        folders,
        found.dependencies.files if found else (),
    )
    if above and path:
        bases += tuple(above)
        notes += [f"{top} lies in {folder}, which is put on sys.path" for folder, top in above.items()]
        source, agreed = image_variables.settled(told, environ, str(tree.root), read)
        listed = installed_apps.installed(tree, source.assignments, source.files)
    told = agreed
    stored = databases.find(source.assignments, source.variables, str(tree.root))
    declared = found or imports.guess(tree, path, listed, tuple(one.engine for one in stored))
    notes += [*choice.notes, *source.notes, *(() if found else declared.notes)]
    if not asked:
        applications = {
            fact.name: Fact(str(fact.value), fact.origin) for fact in source.assignments if fact.is_known
        }
        wsgi = entrypoints.pick(
            points, entrypoints.WSGI, entrypoints.declared_by(applications, "wsgi"), package
        )
        asgi = entrypoints.pick(
            points, entrypoints.ASGI, entrypoints.declared_by(applications, "asgi"), package
        )
        serving = entrypoints.serving(wsgi, asgi)
    notes += serving.notes
    built = front_end.find(tree, folders, source.assignments)
    undecided = None if built and built.commands else front_end.undecided(tree, folders, source.assignments)
    notes += [*([undecided] if undecided else []), *front_end.doubts(tree, folders, built)]
    notes += container_file.choice(tree, folders, built.origin.place if built else "")
    running = processes.find(
        tree,
        processes.Place(
            directory=place.directory, folders=folders, bases=bases,
            manage=place.manage.value if place.manage else None,
        ),
        source.assignments,
        declared.dependencies,
        listed,
    )  # fmt: skip
    notes += compose_file.notes(tree, folders, running.processes)
    problems += [*choice.problems, *source.problems, *running.problems]
    return Project(
        root=tree.root,
        directory=place.directory,
        manage=place.manage,
        settings=choice.settings,
        configuration=source.configuration,
        candidates=choice.candidates,
        wsgi=wsgi,
        asgi=asgi,
        serving=serving.points,
        python=pythons.python,
        python_used=_used(tree, folders, pythons, declared.dependencies),
        dependencies=declared.dependencies,
        django=declared.django,
        variables=source.variables,
        assignments=source.assignments,
        debug=source.debug,
        settings_files=source.files,
        paths=tuple(
            dict.fromkeys(
                base
                for base in (*bases, *image_variables.python_path(tree, folders))
                if base != place.directory or _is_link(tree, place)
            )
        ),
        notes=tuple(dict.fromkeys(notes)),
        problems=tuple(dict.fromkeys([*tree.problems, *problems])),
        pythons=pythons.everything,
        front_end=built,
        catalogs=catalogs.uncompiled(tree),
        apps=listed,
        hints=_hints(tree, folders, told),
        agent=agents.find(tree, folders, declared.dependencies),
        processes=running.processes,
        databases=stored,
        made=_made(source, place),
        scripts=scripts.find(tree, folders),
    )


def _hints(tree: Tree, folders: tuple[str, ...], told: tuple[ImageVariable, ...]) -> Hints:
    return dataclasses.replace(
        container_file.find(tree, folders),
        variables=told,
        notes=image_variables.notes(told),
        collecting=collect_variables.find(tree, folders),
    )


def _is_link(tree: Tree, place: layout.Layout) -> bool:
    """Return whether manage.py is a link: Python puts the folder it leads to on sys.path, not the project's."""
    return place.manage is not None and (tree.root / place.manage.value).is_symlink()


def _made(source: settings_source.Source, place: layout.Layout) -> tuple[Fact[str], ...]:
    return tuple(
        Fact(join(place.directory, one.value) if one.value.startswith("./") else one.value, one.origin)
        for one in source.made
    )


def _folder(root: Path) -> Path:
    root = root.absolute()
    if root.is_file() and root.name == "manage.py":
        return root.parent
    if not root.is_dir():
        raise ProjectError(
            f"{root} is not a folder" if root.exists() else f"{root} does not exist",
            where=str(root),
            why="a project is the folder that manage.py lies in, or one above it",
            hint="give the project's folder, as PROJECT",
        )
    return root


def _said_of_the_root(within: str, found: dependencies.Found) -> list[str]:
    if within == ".":
        return []
    above = "/".join([".."] * (within.count("/") + 1))
    has = found.dependencies.origin.place
    return [f"the project folder is {above}, for it has {has}; {within} declares no dependencies"]


def _bases(
    tree: Tree, place: Layout, manage: tuple[Fact[str], ...], environ: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[EntryPoint, ...]]:
    """Return the folders that are on sys.path, the project's first, and the entry modules seen from them."""
    bases = [place.directory]
    package = manage[0].value.split(".")[0] if manage else None
    points = entrypoints.find(tree, tuple(bases), environ, package)
    named = (*manage, *(point.settings for point in points if point.settings))
    # Where one of them is found as it is, another that is not is a mistake, not a matter of sys.path: unless both are
    # one file, which manage.py calls `shop.settings` and wsgi.py `src.shop.settings`.
    there = {modules.resolve(tree, fact.value, tuple(bases)) for fact in named} - {None}
    for fact in named:
        if modules.resolve(tree, fact.value, tuple(bases)) is None:
            folder = modules.search(tree, fact.value, place.directory)
            if folder is None or folder in bases or layout.is_aside(folder + "/x"):
                continue
            if not there or modules.resolve(tree, fact.value, (folder,)) in there:
                bases.append(folder)
    return tuple(bases), entrypoints.find(tree, tuple(bases), environ, package) if len(bases) > 1 else points


def _used(
    tree: Tree, folders: tuple[str, ...], pythons: python.Found, declared: Dependencies
) -> Fact[str] | None:
    return None if pythons.python else pythons_used.find(tree, folders, declared.files)


def _single(
    tree: Tree,
    place: Layout,
    apps: tuple[str, ...],
    environ: Mapping[str, str],
    pythons: python.Found,
    found: dependencies.Found | None,
    notes: list[str],
    problems: list[Problem],
) -> Project:
    """Return the project of one file that configures itself."""
    path = place.single or ""
    module = modules.name_of(path, (place.directory,)) or posixpath.basename(path)[:-3]
    points = entrypoints.asked(tree, (place.directory,), apps, environ)
    if not points:
        point = entrypoints.read(tree, path, module, (place.directory,), environ)
        points = (point,) if point else ()
    if not points:
        problems.append(
            Problem(
                id="application-missing", what=f"{path} makes no application at module level", where=path,
                why="a server imports the module and takes `application` from it",
                hint="add `application = get_wsgi_application()` below settings.configure()", is_error=True,
            )
        )  # fmt: skip
    folders = (place.directory,)
    source, told = image_variables.settled(
        image_variables.find(tree, folders), environ, str(tree.root),
        lambda given: settings_source.read(tree, path, folders, given),
    )  # fmt: skip
    stored = databases.find(source.assignments, source.variables, str(tree.root))
    declared = found or imports.guess(tree, path, engines=tuple(one.engine for one in stored))
    notes += () if found else declared.notes
    return Project(
        variables=source.variables,
        debug=source.debug,
        root=tree.root,
        directory=place.directory,
        manage=None,
        settings=None,
        candidates=(),
        wsgi=next((point for point in points if point.kind == entrypoints.WSGI), None),
        asgi=next((point for point in points if point.kind == entrypoints.ASGI), None),
        serving=points,
        python=pythons.python,
        python_used=_used(tree, folders, pythons, declared.dependencies),
        dependencies=declared.dependencies,
        django=declared.django,
        notes=tuple(dict.fromkeys(notes)),
        problems=tuple(dict.fromkeys([*tree.problems, *problems, *source.problems])),
        pythons=pythons.everything,
        settings_files=(path,),
        front_end=front_end.find(tree, (place.directory,)),
        assignments=source.assignments,
        hints=_hints(tree, folders, told),
        agent=agents.find(tree, (place.directory,), declared.dependencies),
        databases=stored,
        made=_made(source, place),
        scripts=scripts.find(tree, layout.upwards(place.directory)),
    )
