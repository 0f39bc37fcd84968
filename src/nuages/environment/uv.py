"""uv, the installer: where it is, how it is run, and what it said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nuages.environment.home import held
from nuages.errors import UsageError

# What would make uv install somewhere else than it is told, or ask another Python.
_DROPPED = {
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT", "UV_NO_SYNC", "UV_FROZEN", "UV_LOCKED", "UV_REQUIRE_HASHES", "UV_NO_VERIFY_HASHES",
    "UV_OFFLINE_TARGET", "UV_TARGET", "UV_PREFIX", "UV_QUIET", "UV_VERBOSE", "UV_ENV_FILE", "UV_WORKING_DIRECTORY",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one run of uv ended: its exit status and the lines it wrote to stderr."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All it said."""
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv with the variables that hold for every run. `folder` is where it runs: never inside the project."""

    program: str
    environ: Mapping[str, str]
    folder: Path

    def run(
        self,
        arguments: Sequence[str],
        *,
        said: Callable[[str], None] = lambda _: None,
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run uv to its end; `said` gets each line of stderr as it comes."""
        environ = {**self.environ, **(variables or {})}
        if "--require-hashes" in arguments:
            # pip lets a constraint of its configuration go by where hashes are required; uv demands pins and hashes
            # of it too. What has a hash is exact already.
            environ.pop("UV_CONSTRAINT", None)
        lines = []
        with subprocess.Popen(
            [self.program, *arguments],
            cwd=self.folder,
            env=environ,
            pass_fds=tuple(held),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line.rstrip("\n"))
                said(lines[-1])
        return Outcome(code=process.returncode, lines=tuple(lines))


def find(environ: Mapping[str, str], settings: Mapping[str, str], folder: Path) -> Uv:
    """Return the uv that came with nuages, else PATH's; `settings` are variables for it.

    Raises UsageError that names the command which installs it.
    """
    program = _program(environ)
    if program is None:
        raise UsageError(
            "uv is not installed",
            where=f"looked for beside {sys.executable} and on PATH",
            why="nuages installs a project's dependencies with uv",
            hint="install nuages with its extra «build» (nuages[build]), or put uv on PATH",
        )
    kept = {name: value for name, value in environ.items() if name not in _DROPPED}
    fixed = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1", "NO_COLOR": "1"}
    return Uv(program=program, environ={**kept, **settings, **fixed}, folder=folder)


def is_here(environ: Mapping[str, str]) -> bool:
    """Return whether anything could be installed: an image has no uv."""
    return _program(environ) is not None


def _program(environ: Mapping[str, str]) -> str | None:
    return _beside_us() or shutil.which("uv", path=environ.get("PATH"))


def _beside_us() -> str | None:
    try:
        from uv import find_uv_bin
    except ImportError:
        program = Path(sys.executable).with_name("uv")
        return str(program) if os.access(program, os.X_OK) else None
    try:
        return os.fsdecode(find_uv_bin())
    except FileNotFoundError:
        return None
