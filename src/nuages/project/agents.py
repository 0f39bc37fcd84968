"""The command of a monitoring agent that the project's own start puts before its server: `ddtrace-run gunicorn …`."""

from __future__ import annotations

import itertools
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
# What runs beside a server, with an agent of its own in front, and what only names one.
_BESIDE = frozenset(
    {"celery", "rqworker", "rqscheduler", "huey", "run_huey", "dramatiq", "qcluster", "flower"}
)
_COMMANDS, _SERVING = frozenset({"manage.py", "django-admin"}), frozenset({"runserver", "runserver_plus"})
_SAYS = frozenset({"echo", "printf"})
_ENDS = frozenset(";&|()\n")  # of a simple command (POSIX sh, 2.9)


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
        if words := _agent(start.value):
            yield Fact(words, start.origin)
    for start in starts:
        for path in _scripts(tree, start.value):
            for line, text in container_file.joined(tree.text(path) or ""):
                if words := _agent(text):
                    yield Fact(words, Origin(path, line))


def _simple(text: str) -> Iterator[list[str]]:
    """Yield the simple commands of a line of shell or of a JSON array (Dockerfile reference, «exec form»).

    What `sh -c` is given comes after the shell itself.
    """
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        listed = None
    is_array = isinstance(listed, list)
    for words in [[each for each in listed if isinstance(each, str)]] if is_array else _split(text):
        yield words
        for option, line in itertools.pairwise(words):
            if re.fullmatch(r"-[a-z]*c", option):
                yield from _split(line)


def _split(line: str) -> list[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="".join(_ENDS))
    lexer.whitespace, lexer.whitespace_split = " \t\r", True
    try:
        words = list(lexer)
    except ValueError:  # a quote that nobody closes
        words = line.split()
    ends = itertools.groupby(words, key=lambda word: bool(word) and _ENDS.issuperset(word))
    return [list(group) for is_end, group in ends if not is_end]


def _agent(text: str) -> tuple[str, ...]:
    """Return the words of the first agent's command that stands before a server, with its own options."""
    return next(filter(None, map(_before_server, _simple(text))), ())


def _before_server(words: Sequence[str]) -> tuple[str, ...]:
    """Return the same of a simple command; none where the agent stands before another program.

    Options with a shell's variable in them are left out: no shell reads the image's command.
    """
    names = [posixpath.basename(word) for word in words]
    at = next((at for at, name in enumerate(names) if name in DISTRIBUTIONS), None)
    if at is None or names[0] in _SAYS or not _BESIDE.isdisjoint(names[at:]):
        return ()
    if not _COMMANDS.isdisjoint(names[at:]) and _SERVING.isdisjoint(names[at:]):
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


def _scripts(tree: Tree, text: str) -> Iterator[str]:
    """Yield the files of the project that a command names; the folder that it names them in is the image's."""
    for word in itertools.chain.from_iterable(_simple(text)):
        name = posixpath.basename(word)
        if re.search(r"\.(sh|bash)$|entrypoint|^(\.?/|bin/)", word) and name:
            yield from (path for path in tree.files if posixpath.basename(path) == name)
