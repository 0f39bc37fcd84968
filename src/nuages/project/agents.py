"""The command of a monitoring agent that the project's own start puts before its server: `ddtrace-run gunicorn …`."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from nuages.errors import Origin
from nuages.project import container_file, procfile
from nuages.project.model import Agent, Dependencies, Fact
from nuages.project.tree import Tree

# Which distributions bring the command; the first is what to install. Each replaces itself by its argument (exec) and
# leaves a sitecustomize on PYTHONPATH, so it works around any server.
# ddtrace 4: commands/ddtrace_run.py; newrelic 14: admin/run_program.py; opentelemetry-instrumentation 0.66b1:
# auto_instrumentation/__init__.py; elastic-apm 6.26: instrumentation/wrapper/__init__.py.
DISTRIBUTIONS = {
    "ddtrace-run": ("ddtrace",),
    "newrelic-admin": ("newrelic",),
    "opentelemetry-instrument": ("opentelemetry-distro", "opentelemetry-instrumentation"),
    "elasticapm-run": ("elastic-apm",),
}
_VALUED = frozenset({"opentelemetry-instrument", "elasticapm-run"})  # their options have values
_BESIDE = re.compile(r"\b(celery|rqworker|rqscheduler|huey|run_huey|dramatiq|qcluster|flower|migrate)\b")
"""What runs beside a server, with an agent of its own in front."""


def find(tree: Tree, folders: tuple[str, ...], dependencies: Dependencies) -> Agent | None:
    """Return what stands before the server in the Dockerfile, the Procfile, or a script that one of them starts."""
    found = next(_commands(tree, folders), None)
    if found is None:
        return None
    names = DISTRIBUTIONS[found.value[0]]
    return Agent(
        command=found.value, distribution=names[0], is_installed=dependencies.distribution(*names) is not None,
        origin=found.origin,
    )  # fmt: skip


def _commands(tree: Tree, folders: tuple[str, ...]) -> Iterator[Fact[tuple[str, ...]]]:
    starts = [*container_file.starts(tree, folders), *procfile.serving(tree, folders)]
    for start in starts:
        if words := _agent(_words(start.value)):
            yield Fact(words, start.origin)
    for start in starts:
        for path in _scripts(tree, _words(start.value)):
            for line, text in container_file.joined(tree.text(path) or ""):
                if words := _agent(_words(text)):
                    yield Fact(words, Origin(path, line))


def _words(text: str) -> list[str]:
    """Return the words of a command: a JSON array of them (Dockerfile reference, «exec form»), or a line of shell."""
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    if isinstance(listed, list):
        text = " ".join(each for each in listed if isinstance(each, str))
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


def _agent(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of an agent's command and its own options; none where it stands before another program.

    Options with a shell's variable in them are left out: no shell reads the image's command.
    """
    names = [posixpath.basename(word) for word in words]
    at = next((at for at, name in enumerate(names) if name in DISTRIBUTIONS), None)
    if at is None or _BESIDE.search(" ".join(words[at:])):
        return ()
    found = [names[at]]
    rest = list(words[at + 1 :])
    if found[0] == "newrelic-admin":
        return ("newrelic-admin", "run-program") if rest[:1] == ["run-program"] else ()
    while rest and rest[0].startswith("-"):
        option = [rest.pop(0)]
        if found[0] in _VALUED and "=" not in option[0] and rest and not rest[0].startswith("-"):
            option.append(rest.pop(0))
        found += [] if "$" in "".join(option) else option
    return tuple(found)


def _scripts(tree: Tree, words: Sequence[str]) -> Iterator[str]:
    """Yield the files of the project that a command names; the folder that it names them in is the image's."""
    for word in words:
        name = posixpath.basename(word)
        if re.search(r"\.(sh|bash)$|entrypoint|^(\.?/|bin/)", word) and name:
            yield from (path for path in tree.files if posixpath.basename(path) == name)
