"""What the commands become that start no server: steps, other processes, other services."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nuages.explain import run_steps
from nuages.explain.arguments import Command
from nuages.explain.facts import Outcome, drop, keep, nothing, undecided
from nuages.explain.translation import PROJECT

_MANAGE = re.compile(r"(?:manage\.py|django-admin)\s+(\w+)")
_WAITS = re.compile(r"\b(pg_isready|mysqladmin|wait[-_]for[-_\w]*|nc\s+-z\w*|sleep)\b")
_NOTHING_HERE = """
for case esac set function { } [ [[ : trap local source . return shift true exit echo printf unset cat mkdir chown chmod
cp mv rm ln touch sed which umask false test read eval break continue wait kill pkill killall declare typeset readonly
shopt getopts let pushd popd type hash whoami id ls grep awk cut tr sort head tail find date basename dirname readlink
realpath tee clear nproc getent hostname seq wc diff stat chgrp rmdir yes install
"""
_SYNTAX = frozenset(_NOTHING_HERE.split())
"""What a line of shell may begin with that is neither a server nor a step of its own."""

_SERVICES = frozenset({
    "nginx", "caddy", "traefik", "redis-server", "valkey-server", "postgres", "mysqld", "mariadbd", "memcached",
    "rabbitmq-server", "minio",
})  # fmt: skip
_BESIDE = (
    "no server: a process or a step of its own. A process: [tool.nuages.processes] names it where it is not found; "
    "`nuages manifests` and `nuages up --all` run it. A step: nuages run -- COMMAND, beside `nuages migrate`"
)
_COMPARED = frozenset({"=", "==", "!=", "=~", "<", ">", "-eq", "-ne", "-lt", "-gt", "-le", "-ge"})
_GIVEN = frozenset({"$@", "$*", "${@}", "${*}"})

_COLLECTED = nothing("done when the image is built, and by `nuages up`; alone: `nuages collect`")
_SERVED = nothing("nuages serve, or nuages up --reload while you write code")
_MANAGED = {
    "migrate": nothing(
        "`nuages migrate`, a step of its own: once for all replicas, under a lock; `nuages up` does it"
    ),
    **dict.fromkeys(("collectstatic", "compress", "compilemessages"), _COLLECTED),
    **dict.fromkeys(("runserver", "runserver_plus", "testserver"), _SERVED),
    "check": nothing("`nuages check --run` runs Django's checks too"),
}


def is_syntax(words: Sequence[str]) -> bool:
    """Whether a command is the shell's own: a keyword, a condition, or a tool that leaves nothing running."""
    is_condition = words[-1] in {"]", "]]"} or (len(words) > 1 and words[1] in _COMPARED)
    return words[0] in _SYNTAX or words[0].isdigit() or words[0].startswith("-") or is_condition


def outcome(command: Command, name: str, *, is_procfile: bool = False) -> Outcome:
    """Return what becomes of a command that is not the server; `name` is of the process that it is."""
    if command.server:
        return undecided("another server beside the first: nuages explain -- COMMAND explains it")
    managed = _MANAGE.search(command.text)
    known = _MANAGED.get(managed[1]) if managed else None
    return known or _of_a_tool(command) or _of_a_process(command, name, is_procfile=is_procfile)


def _of_a_tool(command: Command) -> Outcome | None:
    """Return what becomes of a command that is known by its program."""
    managed = _MANAGE.search(command.text)
    if command.words[0] in _GIVEN:
        return nothing("runs the command that the container is given: CMD, or Kubernetes' and Compose's")
    if run_steps.installs(command.text):
        return nothing("done when the image is built, and by `nuages up`")
    if command.program == "ulimit":
        return nothing(
            "the soft limit of open files is raised to the hard one by the server where that is allowed"
        )
    if command.program == "nuages":
        return nothing("it is nuages already")
    if _WAITS.search(command.text):
        return nothing("`nuages migrate` waits for the database; the server starts without one")
    if managed and managed[1] == "makemigrations":
        return drop("migrations are made where code is written, and committed with it")
    if command.program in _SERVICES:
        own = "; nuages explain nginx.conf says what is left of it" if command.program == "nginx" else ""
        return drop(f"another service, in a container or a unit of its own{own}")
    return None


def _of_a_process(command: Command, name: str, *, is_procfile: bool) -> Outcome:
    """Return what becomes of a command that somebody has to find a place for, if nuages does not."""
    if is_procfile and name not in {"release", "postdeploy", "web"}:
        return nothing(
            f"a process beside the server, found here: nuages up --all, nuages run {_label(name)}, nuages manifests"
        )
    if command.program == "cd":
        folder = command.words[1] if len(command.words) > 1 else "."
        is_plain = "$" not in folder and "\x00" not in folder
        return keep(PROJECT, folder) if is_plain else drop("name the project's folder")
    if name in {"release", "postdeploy"}:
        return drop("stays a step before the release, beside `nuages migrate`: nuages run -- COMMAND")
    return undecided(_BESIDE)


def _label(name: str) -> str:
    """Return what nuages calls a process of this name (RFC 1123)."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
