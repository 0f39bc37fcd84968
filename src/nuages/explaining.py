"""The command `explain`: what each line of another server's configuration becomes here, what is dropped, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from nuages.errors import Origin, ProjectError, UsageError
from nuages.explain import arguments, conclusion, report, scripts, stages
from nuages.explain.reading import Reading, read
from nuages.explain.recognition import recognised
from nuages.explain.servers import TABLES
from nuages.invocation import Invocation
from nuages.project.image_variables import why_left

_LARGEST = 1 << 18  # bytes of a configuration file
_HIGHEST = 3  # folders above a Dockerfile's that an image may be built from
_LONGEST = 4096  # characters of a path, with what ends it (PATH_MAX)
_ABOVE = 4  # folders above a file's own: docker/production/django/Dockerfile
_COMMAND_LINE = "command line"


def explain(invocation: Invocation) -> int:
    """Print what the file, or the command behind `--`, becomes; nothing of it is executed."""
    from nuages.commands import Talk

    reading = _command_line(invocation.rest) if invocation.rest else _file(invocation)
    found, summed = conclusion.explained(reading.parts)
    if invocation.resolve(Talk).value.json:
        answer = report.to_json(reading.kind, found, summed)
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(report.text(reading.kind, found, summed))
    return 0


def _command_line(words: tuple[str, ...]) -> Reading:
    commands = arguments.of_vector(words)
    if not any(command.server for command in commands):
        raise UsageError(
            f"{words[0]!r} is no server that is known", where="given on the command line behind --",
            why=f"known are {', '.join(TABLES)}", hint="nuages explain -- gunicorn shop.wsgi --workers 4",
        )  # fmt: skip
    return Reading(kind=_COMMAND_LINE, parts=(scripts.of_commands(commands, Origin("command"), ""),))


def _file(invocation: Invocation) -> Reading:
    path = invocation.source or Path()
    if path == Path():
        raise UsageError(
            "there is no file to explain", where="given on the command line", why="`nuages explain` reads one file",
            hint="nuages explain uwsgi.ini, or nuages explain -- gunicorn shop.wsgi --workers 4",
        )  # fmt: skip
    if not path.exists() or path.is_dir():
        raise ProjectError(
            f"{str(path)!r} is a folder" if path.is_dir() else f"there is no file {str(path)!r}",
            where="given on the command line", why="`nuages explain` reads one file",
            hint=f"nuages explain {path / 'Dockerfile' if path.is_dir() else 'PATH'}",
        )  # fmt: skip
    text = _text(path)
    folders = _folders(path.parent)
    if recognised(text, path.name) == "Dockerfile":
        folders = list(dict.fromkeys((_context(path.parent, stages.sources(text)), *folders)))

    def beside(name: str) -> tuple[str, str] | None:
        return _beside(folders, name)

    return read(text, path.name, beside, why_left)


def _context(folder: Path, sources: Sequence[str]) -> Path:
    """Return the folder that an image is built from: the nearest that has the most of what the Dockerfile copies."""
    above = folder.resolve()
    found = [folder]
    while len(found) <= _HIGHEST and above.parent != above and not (above / ".git").exists():
        above = above.parent
        found.append(above)
    return max(found, key=lambda one: sum(_is_there(one / each) for each in sources))


def _folders(folder: Path) -> list[Path]:
    """Return where the files are that one in a folder names: there, then above it, up to the repository's root."""
    above = [folder, *islice(folder.absolute().parents, _ABOVE)]
    root = next((at for at, one in enumerate(above) if (one / ".git").exists()), 0)
    return above[: root + 1]


def _beside(folders: Sequence[Path], name: str) -> tuple[str, str] | None:
    """Return a file that another one names: by its path, or by the end of a path that it has in an image."""
    if len(name) >= _LONGEST:
        return None
    parts = [part for part in Path(name).parts if part not in {"/", ".", ".."}]
    for at in range(len(parts)):
        shown = Path(*parts[at:])
        for folder in folders:
            if _is_there(folder / shown) and not (folder / shown).is_dir():
                return str(shown), _text(folder / shown)
    return None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no file can have the name: more than 255 bytes (path_resolution(7))
        return False


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ProjectError(
            f"{path.name} is too large", where=str(path), why=f"no server's configuration has {_LARGEST >> 10} KB",
            hint="nuages explain -- COMMAND explains a command line: nuages explain -- gunicorn shop.wsgi -w 4",
        )  # fmt: skip
    return content.decode("utf-8-sig", "replace")
