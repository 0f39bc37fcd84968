"""A project made ready to run: its environment, variables and folders, and the command lines that follow from them."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nuages.environment.bundle import COMPRESSORS_FOLDER
from nuages.environment.virtual import Environment
from nuages.project.model import Project

_REMOVED = ("PYTHONHOME", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process to run or to become."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    directory: Path

    def become(self) -> None:
        """Replace this process by the command: the server is the process that the user started."""
        os.chdir(self.directory)
        os.execve(self.argv[0], list(self.argv), dict(self.environ))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What `prepare` made. `variables` are all that the project's processes get; `static_root` is the user's own."""

    project: Project
    environment: Environment
    private: Path
    variables: Mapping[str, str]
    static_root: str | None = None

    @property
    def directory(self) -> Path:
        """The folder of manage.py, where every process of the project runs."""
        return self.project.root / self.project.directory

    @property
    def static(self) -> Path:
        """Where static files are collected when the settings name no place, or one that is closed to us."""
        return self.directory / self.static_root if self.static_root else self.private / "static"

    @property
    def manage(self) -> Path | None:
        """The project's manage.py, if it has one."""
        return self.project.root / self.project.manage.value if self.project.manage else None


def inside(project: Project, environ: Mapping[str, str]) -> Prepared:
    """Return a project whose dependencies are in this very interpreter's environment, as in an image.

    Nothing is installed, kept or invented: what its processes get is what this one got. Their scratch files go to
    the temporary folder, the only one that an image writes to.
    """
    folder = Path(sys.prefix)
    environment = Environment(
        folder=folder, interpreter=platform.python_version(), site_packages=Path(sysconfig.get_path("purelib")),
        runtime=folder, installed={}, ahead={},
    )  # fmt: skip
    path = os.pathsep.join([str(folder / "bin"), environ.get("PATH") or os.defpath])
    private = Path(tempfile.gettempdir(), f"nuages-{os.getuid()}")
    variables = with_paths(project, {**environ, "PATH": path})
    return Prepared(project=project, environment=environment, private=private, variables=variables)


def environ_of(environment: Environment, private: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process in the environment: what activating it would set, and where bytecode goes.

    Bytecode is kept in the private folder, because nothing is written into the source tree; whoever set
    PYTHONDONTWRITEBYTECODE meant that tree, and would wait for the compiler at every start. PYTHONPATH is not
    touched here, and nothing of ours leaks into the project's child processes.
    """
    found = {name: text for name, text in variables.items() if name not in _REMOVED}
    found["VIRTUAL_ENV"] = str(environment.folder)
    found["PATH"] = os.pathsep.join([str(environment.folder / "bin"), found.get("PATH") or os.defpath])
    if not found.get("PYTHONPYCACHEPREFIX"):
        found["PYTHONPYCACHEPREFIX"] = str(private / "bytecode")
        found.pop("PYTHONDONTWRITEBYTECODE", None)
    return found


def with_paths(project: Project, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the folders beside manage.py's that hold code on PYTHONPATH, as the image has them.

    manage.py puts them on its own sys.path; the server and a worker of a queue are started without it.
    """
    given = variables.get("PYTHONPATH", "")
    folders = [str(project.root / folder) for folder in project.paths]
    added = [folder for folder in folders if folder not in given.split(os.pathsep)]
    if not added:
        return dict(variables)
    return {**variables, "PYTHONPATH": os.pathsep.join([*added, *filter(None, [given])])}


def command(prepared: Prepared, *argv: str) -> Command:
    """Return the command that runs the environment's Python with these arguments."""
    return Command(
        argv=(str(prepared.environment.python), *argv),
        environ=prepared.variables,
        directory=prepared.directory,
    )


def nuages_command(prepared: Prepared, *argv: str) -> Command:
    """Return the command that runs our own command line inside the environment."""
    return command(prepared, "-m", "nuages", *argv)


def serve_command(prepared: Prepared, argv: Sequence[str]) -> Command:
    """Return the command that becomes the server; `argv` is what follows `nuages`.

    Distributions that our server does not work with are overtaken by ours, on this process's sys.path alone:
    the project's own folder stays in front, and workers take their sys.path from the supervisor.
    """
    folders = [str(prepared.environment.runtime / name) for name in sorted(prepared.environment.ahead)]
    if not folders:
        return nuages_command(prepared, *argv)
    code = f"import sys; sys.path[1:1] = {folders!r}; from nuages.cli import main; sys.exit(main())"
    return command(prepared, "-c", code, *argv)


def collect_command(prepared: Prepared, argv: Sequence[str] = ()) -> Command:
    """Return the command that collects static files into STATIC_ROOT, or into the private folder.

    What compresses them stands behind all else on this process's sys.path alone: with brotli in sight, a project's HTTP
    client would ask for other answers than it does in the image.
    """
    folder = str(prepared.environment.runtime / COMPRESSORS_FOLDER)
    code = f"import sys; sys.path.append({folder!r}); from nuages.cli import main; sys.exit(main())"
    place = ["--static-root", str(prepared.static)]
    return command(prepared, "-c", code, "collect", str(prepared.directory), *place, *argv)


def manage_command(prepared: Prepared, argv: Sequence[str]) -> Command:
    """Return the management command: by the project's own manage.py, else by Django's."""
    if prepared.manage and prepared.manage.name == "__main__.py":
        # A package's own command: run by its path, its folder would stand in front on sys.path.
        package = prepared.manage.parent.relative_to(prepared.directory)
        return command(prepared, "-m", ".".join(package.parts), *argv)
    if prepared.manage:
        return command(prepared, str(prepared.manage), *argv)
    made = command(prepared, "-m", "django", *argv)
    settings = prepared.project.settings
    if settings is None:
        return made
    return replace(made, environ={**made.environ, "DJANGO_SETTINGS_MODULE": settings.value})


def migrate_command(prepared: Prepared) -> Command:
    """Return the command that applies migrations."""
    return manage_command(prepared, ["migrate", "--noinput"])


def run_command(prepared: Prepared, argv: Sequence[str]) -> Command:
    """Return what `nuages run -- …` runs: a management command where there is one of that name, else a program.

    Programs are looked for in the environment and among the project's own scripts before PATH, as after activating an
    environment that the project is installed in. What is neither goes to manage.py, which knows its own near misses.
    """
    name, *rest = argv
    if Path(name).name == "manage.py":
        return manage_command(prepared, rest)
    if "/" in name:
        return Command(argv=tuple(argv), environ=prepared.variables, directory=prepared.directory)
    if not is_management_command(name, prepared) or name.startswith("python"):
        found = program(prepared, name)
        if found:
            return Command(argv=(*found, *rest), environ=prepared.variables, directory=prepared.directory)
    return manage_command(prepared, argv)


def program(prepared: Prepared, name: str) -> tuple[str, ...]:
    """Return the words that run a program: one of the environment, a script of the project's own, one on PATH."""
    import shutil

    own = str(prepared.environment.folder / "bin" / name)
    if os.access(own, os.X_OK):
        return (own,)
    if name in prepared.project.scripts:
        module, _, function = prepared.project.scripts[name].partition(":")
        first = function.partition(".")[0]
        code = f"import sys; sys.argv[0] = {name!r}; from {module} import {first}; sys.exit({function}())"
        return (str(prepared.environment.python), "-c", code)
    found = shutil.which(name, path=prepared.variables.get("PATH"))
    return (found,) if found else ()


def is_management_command(name: str, prepared: Prepared) -> bool:
    """Return whether Django, an installed package or the project has a management command of this name."""
    tail = f"management/commands/{name}.py"
    packages = prepared.environment.site_packages
    patterns = [(packages, f"{depth}{tail}") for depth in ("*/", "*/*/", "*/*/*/")]
    patterns += [(prepared.directory, f"{depth}{tail}") for depth in ("", "*/", "*/*/", "*/*/*/", "*/*/*/*/")]
    return any(next(folder.glob(pattern), None) is not None for folder, pattern in patterns)
