"""Pythons on this machine, found by running them, and the choice of one for a project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nuages.errors import Origin, ProjectError, UsageError
from nuages.project.model import Fact
from nuages.project.pythons_of_django import OPEN, release_for
from nuages.project.specifier import minors, one_series

OLDEST = (3, 10)
"""The oldest Python that nuages itself runs on."""

_SECONDS = 10.0
"""How long a candidate may take to say what it is; a broken shim must not stop us."""

_QUESTION = """
import json, os, platform, sys, sysconfig
i = sys.implementation
v = "{}.{}.{}".format(*i.version[:3])
if i.version.releaselevel != "final":
    v += {"alpha": "a", "beta": "b", "candidate": "rc"}[i.version.releaselevel] + str(i.version.serial)
print(json.dumps({
    "executable": sys.executable, "base": sys.base_prefix,
    "version": list(sys.version_info[:3]), "final": sys.version_info[3] == "final",
    "abi": sysconfig.get_config_var("SOABI") or "", "platform": sysconfig.get_platform(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "markers": {
        "implementation_name": i.name, "implementation_version": v, "os_name": os.name,
        "platform_machine": platform.machine(), "platform_release": platform.release(),
        "platform_system": platform.system(), "platform_version": platform.version(),
        "platform_python_implementation": platform.python_implementation(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]), "sys_platform": sys.platform,
    },
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that ran: `markers` are the PEP 508 environment markers it gives; `abi` is its SOABI."""

    path: str
    version: tuple[int, int, int]
    final: bool
    abi: str
    platform: str
    base: str
    markers: Mapping[str, str]
    free_threaded: bool = False

    @property
    def series(self) -> tuple[int, int]:
        """`(3, 12)`."""
        return self.version[:2]

    def __str__(self) -> str:
        return f"{self.markers['python_full_version']} ({self.path})"


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield programs that may be a Python, without running any: our own, PATH's, pyenv's and uv's, not the shims."""
    yield Path(sys.executable)
    home = Path(environ.get("HOME") or "~").expanduser()
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    managed = Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "uv/python"
    folders = [Path(part) for part in environ.get("PATH", os.defpath).split(os.pathsep) if part]
    # A shim is a script that asks pyenv or asdf which Python is meant: the answer changes from folder to folder.
    folders = [folder for folder in folders if folder.name != "shims"]
    for folder in (
        *folders,
        *sorted(pyenv.glob("versions/*/bin")),
        *sorted(Path(environ.get("UV_PYTHON_INSTALL_DIR") or managed).glob("*/bin")),
    ):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - PATH has thousands of names
        except OSError:
            continue
        yield from (folder / name for name in names if re.fullmatch(r"python3(\.\d+t?)?", name))


def ask(path: Path | str) -> Interpreter | None:
    """Return what the program says it is, or None if it is no working CPython or answers too late."""
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", _QUESTION], capture_output=True, timeout=_SECONDS, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        facts = json.loads(answer.stdout)
        return Interpreter(
            path=str(path), version=tuple(facts["version"]), final=facts["final"], abi=facts["abi"],
            platform=facts["platform"], base=facts["base"], markers=facts["markers"],
            free_threaded=facts["free_threaded"],
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def find(environ: Mapping[str, str]) -> list[Interpreter]:
    """Return every working CPython of this machine once, in the order of `candidates`."""
    found: dict[tuple[str, tuple[int, int, int]], Interpreter] = {}
    seen: set[str] = set()
    for path in candidates(environ):
        real = os.path.realpath(path)
        # A virtual environment's python is a link to the one it was made from; the same link twice is the same.
        if real in seen or not os.access(path, os.X_OK):
            continue
        seen.add(real)
        interpreter = ask(real if path != Path(sys.executable) else _base(path))
        if interpreter and interpreter.markers["implementation_name"] == "cpython":
            found.setdefault((interpreter.base, interpreter.version), interpreter)
    return list(found.values())


def _base(executable: Path) -> Path:
    """Return the Python that our own virtual environment was made from: that one outlives the environment."""
    base = getattr(sys, "_base_executable", None)
    return Path(base) if base else executable


def wanted(text: str, environ: Mapping[str, str]) -> Interpreter | str:
    """Return the interpreter that `--python PATH` names, or the specifier that `--python X.Y[.Z]` means.

    Raises UsageError for a path that is no Python and for a text that is neither.
    """
    if match := re.fullmatch(r"(?:python)?(\d+)\.(\d+)(?:\.(\d+))?", text.strip()):
        return f"=={match[1]}.{match[2]}.{match[3]}" if match[3] else f"=={match[1]}.{match[2]}.*"
    path = Path(text).expanduser()
    if path.is_dir():
        path = path / "bin" / "python"
    known = shutil.which(str(path), path=environ.get("PATH"))
    interpreter = ask(os.path.realpath(known)) if known else None
    if interpreter is None:
        raise UsageError(
            f"--python cannot be {text!r}",
            where="given by --python",
            why="it is no Python that runs" if known else "there is no such program",
            hint="--python X.Y|PATH, for example --python 3.12",
        )
    return interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What decides between interpreters, each with where it was read.

    `python` is the project's specifier, `option` the specifier of `--python`. `django` is a (oldest, newest) pair
    of series and the version of Django it belongs to. `used` is the specifier of the one series that the project has
    been run with: it comes first where it is there. `lacking` counts, by series, the locked packages that have
    wheels for other Pythons but none for that one.
    """

    python: Fact[str] | None = None
    option: str | None = None
    django: tuple[tuple[int, int], tuple[int, int], Fact[str]] | None = None
    used: Fact[str] | None = None
    lacking: Mapping[tuple[int, int], int] | None = None

    def is_used(self, series: tuple[int, int]) -> bool:
        """Whether the project has been run with a series."""
        return self.used is not None and one_series(self.used.value) == series


def choose(found: Sequence[Interpreter], needs: Needs) -> list[Interpreter]:
    """Return the interpreters that fit, the best first: the series that the project has been run with comes before no
    missing wheel, and this before a newer series and a newer patch.

    Raises ProjectError that names what is present and what is needed when none fits.
    """
    fitting = [each for each in found if not objections(each, needs)]
    if not fitting:
        raise _none_fits(found, needs)
    lacking = needs.lacking or {}

    def rank(each: Interpreter) -> tuple[bool, int, bool, tuple[int, int, int]]:
        is_usual = each.final and not each.free_threaded
        return (needs.is_used(each.series), -lacking.get(each.series, 0), is_usual, each.version)

    return sorted(fitting, key=rank, reverse=True)


def objections(each: Interpreter, needs: Needs) -> list[str]:
    """Return who objects to this Python: `nuages`, `--python`, `project`, `django`; nobody: it fits."""
    from packaging.specifiers import SpecifierSet

    full = each.markers["python_full_version"]
    found = []
    if each.series < OLDEST:
        found.append("nuages")
    if needs.option:
        # What the user asks for by hand beats what the project writes and Django's table; uv refuses what cannot be.
        return found if SpecifierSet(needs.option).contains(full, prereleases=True) else [*found, "--python"]
    if needs.python and not SpecifierSet(needs.python.value).contains(full, prereleases=True):
        found.append("project")
    # A project that pins one series has been run on it, whatever Django's table says.
    pinned = needs.python is not None and one_series(needs.python.value) is not None
    if (
        needs.django
        and not pinned
        and not needs.is_used(each.series)
        and not needs.django[0] <= each.series <= needs.django[1]
    ):
        found.append("django")
    return found


def dotted(series: tuple[int, int]) -> str:
    """Return the series of a Python as people write it: `3.12`."""
    return f"{series[0]}.{series[1]}"


def between(oldest: tuple[int, int], newest: tuple[int, int]) -> str:
    """Return a range of series in words: `3.6 to 3.10`."""
    return f"{dotted(oldest)} or newer" if newest == OPEN else f"{dotted(oldest)} to {dotted(newest)}"


def _none_fits(found: Sequence[Interpreter], needs: Needs) -> ProjectError:
    present = ", ".join(_versions(found)) or "none"
    reasons = []
    where: Origin | str = "the Pythons of this machine"
    if needs.option:
        where = "given by --python"
        reasons.append(f"--python asks for Python {_words(needs.option)}")
    elif needs.python:
        where = needs.python.origin
        reasons.append(f"the project needs Python {_words(needs.python.value)}")
    if needs.django and not needs.option:
        oldest, newest, fact = needs.django
        reasons.append(f"Django {fact.value} runs on Python {between(oldest, newest)} ({fact.origin})")
        where = where if needs.python else fact.origin
    reasons.append(f"nuages needs Python {dotted(OLDEST)} or newer")
    reasons.append(f"this machine has {present}")
    return ProjectError(
        "no Python of this machine fits the project",
        where=where,
        why="\n".join(reasons),
        hint=_hint(found, needs),
    )


def _hint(found: Sequence[Interpreter], needs: Needs) -> str:
    if needs.option:
        without = replace(needs, option=None)
        others = [each.series for each in found if not objections(each, without)]
        if others:
            return f"--python {dotted(max(others))}, or leave it out"
    if needs.django and needs.django[1] < OLDEST:
        version = needs.django[2].value
        if later := release_for(version, OLDEST):
            return (
                f"take Django {later} or a later release of its series, which run on Python {dotted(OLDEST)};\n"
                f"--python {dotted(OLDEST)} tries it with {version}"
            )
        return f"Django {version} is too old to be served here: upgrade the project to Django 3.2 or newer"
    series = _wanted_series(needs)
    if series and series < OLDEST:
        return f"nuages cannot serve Python {dotted(series)}: upgrade the project to Python {dotted(OLDEST)} or newer"
    text, other = dotted(series) if series else "X.Y", "name one: --python PATH"
    if not needs.option and any(each.series == series for each in found):
        patch = _wanted_patch(needs)
        if not patch:
            # What the project asks for is here, and its Django objects.
            return f"upgrade Django, or try the {text} that is here all the same: --python {text}"
        # The series is here, in another release: its name alone would say nothing.
        text, other = patch, f"take the {text} that is here: --python {text}"
    return f"install Python {text} (apt, pyenv or `uv python install {text}`), or {other}"


def _wanted_series(needs: Needs) -> tuple[int, int] | None:
    """Return the series to install: the one that is asked for, unless only a newer one suits Django and nuages too."""
    asked = None
    for text in (needs.option, needs.python.value if needs.python else None):
        if text and (match := re.search(r"(?:==|~=|>=)\s*(\d+)\.(\d+)", text)):
            asked = int(match[1]), int(match[2])
            break
    if needs.option or (asked is None and needs.django is None):
        return asked
    oldest, newest = needs.django[:2] if needs.django else (OLDEST, OPEN)
    oldest = max(oldest, OLDEST)
    suited = oldest if newest == OPEN else newest
    if asked is None:
        return suited
    allowed = needs.python is not None and minors(needs.python.value, (dotted(suited),))
    return suited if allowed and not oldest <= asked <= newest else asked


def _wanted_patch(needs: Needs) -> str:
    match = re.search(r"(?:==|~=|>=)\s*(\d+\.\d+\.\d+)", needs.python.value) if needs.python else None
    return match[1] if match else ""


def _words(specifier: str) -> str:
    match = re.fullmatch(r"==(\d+\.\d+)\.\*", specifier.strip())
    return match[1] if match else specifier


def _versions(found: Iterable[Interpreter]) -> list[str]:
    versions = sorted({(each.version, each.markers["python_full_version"]) for each in found})
    return [text for _, text in versions]
