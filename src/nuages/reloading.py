"""`--reload`, for development: a process beside the server that sends it SIGHUP when code or a template changes.

It runs in the Python that nuages itself is installed in, where the extra `build` is, also when the server runs in a
project's own: `python -m nuages.reloading SUPERVISOR FOLDER [COMMAND …]`. It ends with the server. The command collects
static files, for a server that serves what was collected: they are collected again when one changes.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from pathlib import Path

from nuages.console import Console
from nuages.errors import UsageError
from nuages.runtime.manifest import NAME, UNFINISHED

SUFFIXES = frozenset(
    {".py", ".html", ".htm", ".txt", ".xml", ".jinja", ".jinja2", ".j2", ".mo", ".toml", ".env"}
)
# Of static files those that people write: pictures and data may be what the project itself puts into its folder.
STATIC_SUFFIXES = frozenset({".css", ".js", ".mjs", ".svg", ".ico", ".woff2", ".wasm"})
# What is not code, and what is written while the project runs.
_IGNORED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "media", "uploads", "staticfiles", "htmlcov"}
)
_WATCHED = "_NUAGES_WATCHED"  # `up` tells the server that it is watched already: it may have no watchfiles
_LOOK = 1000  # milliseconds between two looks whether the server is still there
_NAMED = 3  # changed files that are named


def begin(
    folder: Path, environ: MutableMapping[str, str], *, passes_on: bool = False, collect: Sequence[str] = ()
) -> None:
    """Start the watching process for the server that this process is or, where it `passes_on`, will become.

    `collect` is the command that collects static files, where the server serves none but collected ones. Raises
    UsageError where watchfiles is not installed.
    """
    if environ.pop(_WATCHED, ""):
        return
    if importlib.util.find_spec("watchfiles") is None:
        raise UsageError(
            "--reload needs watchfiles, which is not installed here", where=sys.prefix,
            why="the runtime ships in images and does without it; the extra `build` has it",
            hint="pip install 'nuages[build]'",
        )  # fmt: skip
    # A change may come before the server has handlers, and would end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    argv = [sys.executable, "-m", "nuages.reloading", str(os.getpid()), str(folder), *collect]
    os.posix_spawn(sys.executable, argv, {**environ})
    if passes_on:
        environ[_WATCHED] = "1"


def is_static(path: Path, folder: Path) -> bool:
    """Return whether a changed file may be one to be collected; those that were collected are not."""
    if path.suffix not in STATIC_SUFFIXES or not path.is_relative_to(folder):
        return False
    parts = path.relative_to(folder).parts[:-1]
    if any(part in _IGNORED or part.startswith(".") for part in parts):
        return False
    places = (folder.joinpath(*parts[:number]) for number in range(len(parts) + 1))
    return not any((place / name).exists() for place in places for name in (NAME, UNFINISHED))


def matters(path: Path, folder: Path) -> bool:
    """Return whether a change of this file is one of the project's code or templates."""
    parts = path.relative_to(folder).parts if path.is_relative_to(folder) else path.parts
    if any(part in _IGNORED or part.startswith(".") for part in parts[:-1]):
        return False
    name = parts[-1]
    return Path(name).suffix in SUFFIXES or name == ".env" or name.startswith(".env.")


def named(paths: Iterable[Path], folder: Path) -> str:
    """Return a few of the changed files for a person."""
    names = sorted({str(path.relative_to(folder) if path.is_relative_to(folder) else path) for path in paths})
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def main(argv: list[str]) -> int:
    """Watch until the server is gone."""
    import watchfiles

    supervisor, folder, collect = int(argv[0]), Path(argv[1]), argv[2:]
    _end_with_parent()
    for meant_for_the_server in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(
            meant_for_the_server, signal.SIG_IGN
        )  # they come to the whole group, and stop or end a process
    console = Console(as_json=not sys.stderr.isatty())
    changes = watchfiles.watch(
        folder, rust_timeout=_LOOK,
        watch_filter=lambda _, path: (
            matters(Path(path), folder) or (bool(collect) and is_static(Path(path), folder))
        ),
        yield_on_timeout=True, raise_interrupt=False, ignore_permission_denied=True,
    )  # fmt: skip
    try:
        for found in changes:
            if os.getppid() != supervisor:
                break
            if found:
                text = named((Path(path) for _, path in found), folder)
                console.event("changed", f"{text} changed", files=sorted(path for _, path in found))
                if collect and any(is_static(Path(path), folder) for _, path in found):
                    _collect(collect, console)
                os.kill(supervisor, signal.SIGHUP)
    except (OSError, RuntimeError) as error:  # how watchfiles says that inotify has no more watches
        console.warning(
            f"changes are not noticed any more: {error}; see fs.inotify.max_user_watches. "
            f"SIGHUP to {supervisor} loads the new code"
        )
        return 1
    return 0


def _collect(command: Sequence[str], console: Console) -> None:
    """Collect the static files; what is wrong with them it says itself."""
    argv = [*command, *(("--json",) if console.as_json else ())]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        console.warning("the static files are served as they were collected before")


def _end_with_parent() -> None:
    """End at once when the server does; prctl(2), PR_SET_PDEATHSIG. Elsewhere than on Linux within a look."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
