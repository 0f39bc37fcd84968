"""The private virtual environment: made by uv at its final place, marked as whole when everything is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nuages.environment import bundle, own
from nuages.environment.failures import BuildError, Context, explain
from nuages.environment.headers import bounds, older_tools
from nuages.environment.home import (
    Home,
    Report,
    complete,
    completed,
    digest_of,
    discard,
    disk,
    is_complete,
    locked,
    start_over,
    write,
)
from nuages.environment.interpreters import Interpreter
from nuages.environment.local import Local, copied, versions
from nuages.environment.locks.graph import Requirements, without
from nuages.environment.uv import Outcome, Uv
from nuages.errors import ProjectError

_FORMAT = "1"
"""Raised when environments are made differently, so that those of before are not taken."""

OWN = ("nuages",)
"""What is never installed among the project's packages: the runtime beside it brings this very nuages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A whole environment. `installed` maps normalized names to versions; `ahead` are out of our server's range."""

    folder: Path
    interpreter: str
    site_packages: Path
    runtime: Path
    installed: Mapping[str, str]
    ahead: Mapping[str, str]

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"

    @property
    def series(self) -> tuple[int, int]:
        """The series of its Python, of which the folder of packages has its name."""
        match = re.search(r"python(\d+)\.(\d+)", str(self.site_packages))
        return (int(match[1]), int(match[2])) if match else (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make: the requirements for one Python, its local packages, and how errors name things.

    `own` are the files of the project's own metadata, where its manager would install the project itself.
    """

    requirements: Requirements
    local: Sequence[Local]
    own: Mapping[str, str]
    interpreter: Interpreter
    bundle: bundle.Bundle
    context: Context

    @property
    def digest(self) -> str:
        """The name of the environment: everything that decides what is in it."""
        wanted, python = self.requirements, self.interpreter
        return digest_of(
            _FORMAT,
            json.dumps([wanted.lines, wanted.constraints, wanted.options, wanted.indexes, wanted.find_links]),
            json.dumps([[each.spec, each.digest] for each in self.local]),
            json.dumps(self.own, sort_keys=True),
            json.dumps([python.path, python.version, python.abi, python.platform]),
            self.bundle.digest,
        )


def make(home: Home, order: Order, uv: Uv, report: Report) -> Environment:
    """Return the environment, made if it is not there. Two at the same time wait for each other."""
    folder = home.environment(order.digest)
    # Usable, not only whole: a Python that was upgraded or removed takes its environments with it.
    if not is_usable(folder):
        with locked(folder.with_name(f"{order.digest}.lock"), report, "the same environment"):
            if not is_usable(folder):
                _make(folder, home, order, uv, report)
    return opened(folder)


def opened(folder: Path) -> Environment:
    """Return a whole environment from its folder, without running anything."""
    facts = completed(folder)
    return Environment(
        folder=folder,
        interpreter=facts["interpreter"],
        site_packages=folder / facts["site_packages"],
        runtime=Path(facts["runtime"]),
        installed=facts["installed"],
        ahead=facts["ahead"],
    )


def is_usable(folder: Path) -> bool:
    """Return whether the environment is whole and both its Python and its runtime are still there."""
    facts = completed(folder)
    return (
        bool(facts) and (folder / "bin" / "python").exists() and is_complete(Path(facts.get("runtime", "")))
    )


def _make(folder: Path, home: Home, order: Order, uv: Uv, report: Report) -> None:
    runtime = bundle.install(home, order.bundle, order.interpreter, uv, report)
    start_over(folder)
    try:
        made = uv.run(
            ["venv", "--allow-existing", "--python", order.interpreter.path, "--no-project", str(folder)]
        )
        if made.code:
            raise explain(made.text, order.context)
        _install(folder, order, uv, report)
        site_packages = next((folder / "lib").glob("python*/site-packages"))
        with disk(folder):
            bundle.attach(site_packages, runtime)
        installed = bundle.installed_versions(site_packages)
        _check_django(installed, order.context)
        complete(
            folder,
            interpreter=str(order.interpreter),
            site_packages=str(site_packages.relative_to(folder)),
            runtime=str(runtime),
            installed=installed,
            ahead=bundle.ahead(installed, runtime),
        )
    except BaseException:
        # Also when interrupted: what is half there only takes room, and on a full disk the room is needed.
        discard(folder)
        raise


def _check_django(installed: Mapping[str, str], context: Context) -> None:
    if "django" not in installed:
        raise ProjectError(
            "the project's dependencies do not include Django",
            where=context.where,
            why=f"what was installed from it: {', '.join(sorted(installed)[:10]) or 'nothing'}",
            hint="declare Django there, or remove that file if another one declares the dependencies",
        )


def _install(folder: Path, order: Order, uv: Uv, report: Report) -> None:
    wanted = without(order.requirements, OWN)
    python = folder / "bin" / "python"
    written = folder / "requirements.txt"
    options = [each for each in wanted.options if each != "--pre"]
    write(written, "\n".join([*options, *wanted.lines]) + "\n")
    arguments = ["pip", "install", "--python", str(python)]
    arguments += ["--prerelease", "allow"] if "--pre" in wanted.options else []
    if wanted.constraints:
        write(folder / "constraints.txt", "\n".join(wanted.constraints) + "\n")
        arguments += ["--constraints", str(folder / "constraints.txt")]
    if not wanted.closed:
        # Whoever needs nuages among the project's packages gets the one beside them.
        write(folder / "overrides.txt", "".join(f"{name} ; python_version < '0'\n" for name in OWN))
        arguments += ["--overrides", str(folder / "overrides.txt")]
    arguments += ["--no-deps"] if wanted.closed else []
    arguments += [word for place in wanted.find_links for word in ("--find-links", place)]
    sources = _sources(wanted, uv)
    report(
        "install",
        f"installing {_count(wanted)} for Python {order.context.python}",
        packages=len(wanted.lines),
    )
    named = ["-r", str(written)] if wanted.lines else []
    with copied(order.local, folder) as places:
        if wanted.hashed:
            # A folder has no hash, so it cannot stand among requirements that must have one.
            _run([*arguments, "--require-hashes", *named], sources, folder, order, uv, report)
            named = []
        if named or places:
            variables = {**sources, **versions(order.local)}
            _run([*arguments, *named, *places], variables, folder, order, uv, report)
    own.write_metadata(next((folder / "lib").glob("python*/site-packages")), order.own)


def _count(wanted: Requirements) -> str:
    count = len(wanted.lines)
    if wanted.closed:
        return f"{count} locked package{'' if count == 1 else 's'}"
    return f"{count} requirement{'' if count == 1 else 's'} and what they need"


def _sources(wanted: Requirements, uv: Uv) -> dict[str, str]:
    """Return the variables that add the project's own indexes to the machine's."""
    found = {}
    if wanted.index and not any(
        uv.environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NO_INDEX")
    ):
        found["UV_DEFAULT_INDEX"] = wanted.index
    if wanted.indexes:
        found["UV_INDEX"] = " ".join(filter(None, [*wanted.indexes, uv.environ.get("UV_INDEX", "")]))
        found["UV_INDEX_STRATEGY"] = uv.environ.get("UV_INDEX_STRATEGY") or "unsafe-best-match"
    return found


def _run(
    arguments: Sequence[str], sources: Mapping[str, str], folder: Path, order: Order, uv: Uv, report: Report
) -> Outcome:
    """Run `uv pip install`; sources that want an older setuptools or Cython are built again with one."""
    tools: dict[str, int] = {}
    while True:
        extra = []
        if tools:
            write(folder / "build-constraints.txt", bounds(tools))
            extra = ["--build-constraints", str(folder / "build-constraints.txt")]
        outcome = uv.run([*arguments, *extra], variables=sources, said=lambda line: _progress(line, report))
        if outcome.code == 0:
            return outcome
        error = explain(outcome.text, order.context)
        needed = {
            tool: bound for tool, bound in older_tools(outcome.text).items() if bound < tools.get(tool, 1000)
        }
        if not isinstance(error, BuildError) or not needed:
            raise error
        tools |= needed
        named, with_them = " and ".join(needed), " ".join(bounds(tools).split())
        report("retry", f"{error.package} was written for an older {named}: building with {with_them}")


def _progress(line: str, report: Report) -> None:
    words = line.split()
    if words[:1] == ["Building"] and len(words) == 2:
        report("building", f"compiling {words[1].replace('==', ' ')}", package=words[1])
    elif words[:1] == ["Installed"]:
        report("installed", f"installed {' '.join(words[1:])}")
