"""From a scanned project to one that can run: choose a Python, install, set the variables."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nuages.environment import bundle, indexes, interpreters, local, sources, variables, virtual
from nuages.environment import uv as installer
from nuages.environment.compatibility import OLDEST_DJANGO, series_of
from nuages.environment.failures import BuildError, Context, WheelError, addressed
from nuages.environment.home import (
    Home,
    Report,
    digest_of,
    disk,
    locate,
    locked,
    private_folder,
    read_json,
    write,
)
from nuages.environment.interpreters import Interpreter, Needs, dotted
from nuages.environment.locks.graph import Requirements, lacking_wheels, tags_for
from nuages.environment.options import UpOptions
from nuages.environment.prepared import Prepared, environ_of, with_paths
from nuages.environment.virtual import Environment, Order
from nuages.errors import NuagesError, ProjectError
from nuages.project.model import Manager, Project
from nuages.project.pythons_of_django import pythons_for
from nuages.project.specifier import one_series

_RECORD = "environment.json"
_TRIES = 3
"""How many Pythons are tried when the project names none and a package does not build for the first."""


def prepare(project: Project, options: UpOptions, environ: Mapping[str, str], report: Report) -> Prepared:
    """Return the project with its environment and variables; installs only what is not there yet.

    Raises NuagesError of the kind that says whose fault it is; whatever happens, the home stays usable.
    """
    _check_django(project)
    env_file = variables.read_env_file(options.env_file)
    home = locate(options.home, environ)
    private = private_folder(home, project.root, project.directory)
    # Before the installation: a missing variable is said in a second, not after minutes of compiling.
    given = _variables(project, environ, env_file, private, report)
    environment = _environment(project, options, environ, home, private, report)
    for name, version in sorted(environment.ahead.items()):
        ours = bundle.installed_versions(environment.runtime / name).get(name, "ours")
        report("ahead", f"the server takes its own {name} {ours}, not the project's {version}")
    return Prepared(
        project=project,
        environment=environment,
        private=private,
        variables=environ_of(environment, private, with_paths(project, {**environ, **given})),
    )


def _check_django(project: Project) -> None:
    if project.django is None:
        return
    series = series_of(project.django.value)
    if series is None or series >= OLDEST_DJANGO:
        return
    oldest = ".".join(map(str, OLDEST_DJANGO))
    raise ProjectError(
        f"Django {project.django.value.lstrip('=')} is too old",
        where=project.django.origin,
        why=f"nuages serves Django {oldest} and newer; older ones get no security fixes",
        hint="upgrade the project to Django 4.2 or newer, one feature release at a time",
    )


def _variables(
    project: Project, environ: Mapping[str, str], env_file: Mapping[str, str], private: Path, report: Report
) -> Mapping[str, str]:
    with locked(private / "secrets.lock", report, "the same project"):
        kept = variables.read_kept(private)
        given = variables.fill(project, environ, env_file, kept, secret=variables.new_secret())
        if given.generated:
            place = variables.keep(private, {**kept, **given.generated})
            report("secrets", f"generated secrets are kept in {place}", names=sorted(given.generated))
    for line in given.lines:
        report("variable", line)
    return given.values


def _environment(
    project: Project,
    options: UpOptions,
    environ: Mapping[str, str],
    home: Home,
    private: Path,
    report: Report,
) -> Environment:
    ours = bundle.read()
    key = _key(project, options, environ, ours)
    record = read_json(private / _RECORD)
    folder = home.environment(str(record.get("environment", "-")))
    if record.get("key") == key and virtual.is_usable(folder):
        return virtual.opened(folder)
    made = _made(project, options, environ, home, ours, report)
    write(private / _RECORD, json.dumps({"key": key, "environment": made.folder.name}))
    return made


def _key(project: Project, options: UpOptions, environ: Mapping[str, str], ours: bundle.Bundle) -> str:
    """Return a digest of all that decides which environment a project gets, cheap enough for every start."""
    parts = [ours.digest, options.python or "", json.dumps(project.dependencies.requirements)]
    parts += [each.value if each else "" for each in (project.python, project.python_used)]
    parts += [environ.get("PATH", "")]
    for path in sources.paths(project.dependencies):
        file = project.root / path
        content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        parts += [path, content]
    parts += [repr(project.dependencies.extras), repr(project.dependencies.groups)]
    return digest_of(*parts)


def _made(
    project: Project,
    options: UpOptions,
    environ: Mapping[str, str],
    home: Home,
    ours: bundle.Bundle,
    report: Report,
) -> Environment:
    source = sources.read(project, environ)
    if source.unlocked:
        report("unlocked", source.unlocked)
    pip = indexes.read(environ)
    with disk(home.root):
        (home.root / "environments").mkdir(parents=True, exist_ok=True)
    uv = installer.find(environ, indexes.uv_variables(pip, environ), home.root)
    fitting = _fitting(project, options, environ, source)
    if absent := _absent(project, options, fitting[0]):
        report("python-absent", absent)
    source = _through_this_machine(source, pip, environ, fitting[0].markers, report)
    first: BuildError | WheelError | None = None
    for _ in range(_TRIES):
        interpreter = fitting[0]
        try:
            return _one(project, interpreter, source, home, ours, uv, report, is_asked=bool(options.python))
        except (BuildError, WheelError) as error:
            first = first or error
            name = error.package
            fitting = [
                each
                for each in fitting[1:]
                if each.series != interpreter.series and _has_wheel(name, each, uv)
            ]
            if not fitting or not _may_fall_back(project, options):
                raise _with_others(first, fitting) from None
            report("fallback", f"{name} has a wheel for Python {dotted(fitting[0].series)}: trying that one")
    assert first is not None
    raise first


def _has_wheel(package: str, interpreter: Interpreter, uv: installer.Uv) -> bool:
    """Return whether the index has a wheel of `name 1.2` for that Python; nothing is downloaded or installed."""
    name, _, version = package.partition(" ")
    if not version:
        return False
    with tempfile.TemporaryDirectory(dir=uv.folder) as folder:
        asked = ["pip", "install", "--dry-run", "--no-deps", "--only-binary", name]
        target = ["--python", interpreter.path, "--target", folder]
        return uv.run([*asked, *target, f"{name}=={version}"]).code == 0


def _with_others(error: BuildError | WheelError, others: Sequence[Interpreter]) -> NuagesError:
    """Return the error with the Pythons of this machine that would do added to its hint."""
    if others:
        words = f"take a Python that has a wheel of it: --python {dotted(others[0].series)}"
        # A hint that names a Debian package stays the first thing to do.
        lacks = error.lacks if isinstance(error, BuildError) else None
        error.hint = f"{error.hint}\nor {words}" if lacks and lacks.debian else words
    return error


def _may_fall_back(project: Project, options: UpOptions) -> bool:
    """Return whether another Python may be tried: not where the user or the project names one series."""
    if options.python:
        return False
    return project.python is None or one_series(project.python.value) is None


def _one(
    project: Project,
    interpreter: Interpreter,
    source: sources.Source,
    home: Home,
    ours: bundle.Bundle,
    uv: installer.Uv,
    report: Report,
    *,
    is_asked: bool,
) -> Environment:
    wanted = source.select(interpreter.markers)
    place = project.dependencies.files[0] if project.dependencies.files else str(project.dependencies.origin)
    context = Context(
        where=place,
        python=dotted(interpreter.series),
        home=str(home.root),
        guessed=project.dependencies.manager is Manager.IMPORTS,
        addressed=tuple(_addressed(project)),
    )
    report(
        "python",
        f"Python {interpreter}{', as --python says' if is_asked else _because(project, interpreter)}",
        version=interpreter.markers["python_full_version"],
    )
    packages = local.read(project.root, wanted.local)
    order = Order(
        requirements=wanted,
        local=packages,
        own=source.own,
        interpreter=interpreter,
        bundle=ours,
        context=context,
    )
    return virtual.make(home, order, uv, report)


def _addressed(project: Project) -> Iterator[tuple[str, str]]:
    for name in project.dependencies.files:
        file = Path(project.root, name)
        if file.is_file():
            yield from addressed(file.read_text(encoding="utf-8", errors="replace"), name)


def _because(project: Project, interpreter: Interpreter) -> str:
    said = project.python
    if said is None and project.python_used and one_series(project.python_used.value) == interpreter.series:
        said = project.python_used
    return f", for {said.origin} says {said.value}" if said else ""


def _absent(project: Project, options: UpOptions, first: Interpreter) -> str:
    """Return what to say where the Python that the project has been run with is not here; nothing demands it."""
    used = project.python_used
    series = one_series(used.value) if used else None
    if options.python or used is None or series in {None, first.series}:
        return ""
    return f"{used.origin} says {used.value}, and no such Python is here: {dotted(first.series)} is taken"


def _fitting(
    project: Project, options: UpOptions, environ: Mapping[str, str], source: sources.Source
) -> list[Interpreter]:
    """Return the interpreters to try, the best first."""
    option = interpreters.wanted(options.python, environ) if options.python else None
    if isinstance(option, Interpreter):
        interpreters.choose([option], Needs())
        return [option]
    found = interpreters.find(environ)
    django = None
    if project.django and (range_ := pythons_for(project.django.value)):
        django = (*range_, project.django)
    needs = Needs(python=project.python, option=option, django=django, used=project.python_used)
    fitting = interpreters.choose(found, needs)
    lacking = {each.series: _lacking(source.select(each.markers), each) for each in fitting}
    return interpreters.choose(found, replace(needs, lacking=lacking))


def _lacking(wanted: Requirements, interpreter: Interpreter) -> int:
    return lacking_wheels(wanted.files, tags_for(interpreter.series)) if wanted.files else 0


def _through_this_machine(
    source: sources.Source,
    pip: Mapping[str, indexes.Value],
    environ: Mapping[str, str],
    markers: Mapping[str, str],
    report: Report,
) -> sources.Source:
    """Return the source with its default index replaced by this machine's, and say so where they differ.

    Without hashes, and on a machine whose pip is not configured, the project's own address is kept: a private
    package must not be looked for where anybody may have published one of its name.
    """
    wanted = source.select(markers)
    decider = indexes.decider(pip, environ)
    if not wanted.index or (not wanted.hashed and decider is None):
        return source
    ours = indexes.default_url(pip, environ)
    # A lock names the installers' default by its address; where the machine has the default too, nothing changes.
    if (ours or not source.is_lock) and ours.rstrip("/") != wanted.index.rstrip("/"):
        by = f"{indexes.masked(ours)}, by {decider}" if ours else "this machine's default index"
        report("index", f"packages come from {by}; the project says {indexes.masked(wanted.index)}")
    return replace(source, select=lambda markers: replace(source.select(markers), index=""))
