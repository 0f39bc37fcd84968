"""Lines of a Procfile: which of them are processes beside the server, and their commands as argument vectors."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.project.model import Fact
from nuages.project.tree import Tree, join

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.+)")
# What serves the site, what others run (a broker, a mail catcher), and what only a developer wants.
_SERVES = re.compile(
    r"\b(gunicorn|uwsgi|uvicorn|daphne|hypercorn|granian|waitress-serve|mod_wsgi-express|runserver(_plus)?|nginx"
    r"|start-nginx|nuages\s+serve|http\.server)\b"
)
_FOREIGN = re.compile(
    r"^\s*(npm|npx|yarn|pnpm|node|webpack|vite|gulp|bun|redis-server|postgres|memcached|mailhog|mailpit"
    r"|maildev|rabbitmq-server|docker(-compose)?)\b|\btailwind\s+(start|dev)\b|\bmake\s+(watch\b|\S+[-_]watch\b)"
    r"|\bsass\b.*--watch\b"
)
_SHELL = re.compile(r"[|&;<>$`*?(){}~#]|^\w+=")
_NOT_RUNNING = frozenset({"web", "release", "postdeploy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One process line: its name, its command and the folder of the Procfile."""

    name: str
    text: str
    command: tuple[str, ...]
    directory: str
    origin: Origin


def find(tree: Tree, folders: tuple[str, ...]) -> tuple[Line, ...]:
    """Return the lines of the Procfile nearest to the project that are processes beside the server."""
    for folder in folders:
        path = join(folder, "Procfile")
        if path in tree:
            return tuple(_lines(tree.text(path) or "", path))
    return ()


def serving(tree: Tree, folders: tuple[str, ...]) -> tuple[Fact[str], ...]:
    """Return the `web` command of the Procfile nearest to the project, as it stands there."""
    for folder in folders:
        path = join(folder, "Procfile")
        if path in tree:
            return tuple(
                Fact(match[2], Origin(path, number))
                for number, line in enumerate((tree.text(path) or "").splitlines(), 1)
                if (match := _LINE.fullmatch(line.strip())) and match[1] == "web"
            )
    return ()


def _lines(text: str, path: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] in _NOT_RUNNING or _SERVES.search(match[2]) or _FOREIGN.search(match[2]):
            continue
        yield Line(
            name=label(match[1]),
            text=match[2],
            command=words(match[2]),
            directory=posixpath.dirname(path) or ".",
            origin=Origin(path, number),
        )


def words(text: str) -> tuple[str, ...]:
    """Return a command line as an argument vector; one that needs a shell is given to one.

    `exec` before a single command lets signals reach it and not the shell.
    """
    command = text.removeprefix("exec ").strip()
    if _SHELL.search(command):
        is_single = not re.search(r"[|&;]", command)
        return ("sh", "-c", f"exec {_variables_first(command)}" if is_single else text)
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ("sh", "-c", text)


def _variables_first(text: str) -> str:
    """Return `A=1 command` as `env A=1 command`: `exec A=1 command` is no command (POSIX sh, 2.14)."""
    return f"env {text}" if re.match(r"\w+=", text) else text


def label(name: str) -> str:
    """Return a name as a DNS label (RFC 1123): manifests call things by it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].rstrip("-") or "process"
