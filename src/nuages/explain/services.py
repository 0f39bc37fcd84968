"""Compose, Kubernetes, Helm and other YAML: the command of each service or container, and what stands beside it."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.explain import arguments, scripts, yaml
from nuages.explain.arguments import Command
from nuages.explain.facts import Fate, Outcome, Row, Setting, nothing, undecided
from nuages.explain.scripts import Part, row
from nuages.explain.yaml import Node

# In the order in which their words are run: Compose has the first two, a container in Kubernetes the last two.
_VECTOR = ("entrypoint", "command", "args")
_LINES = ("startCommand", "dockerCommand", "run_command")  # Render and Railway; DigitalOcean
_APART = frozenset({
    "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "healthcheck", "build", "develop", "labels",
    "annotations", "data", "stringData",
})  # fmt: skip
"""Below these no command is a service's."""

_GRACE = (
    "has to be longer than --drain and --grace together (35s), or requests in flight are cut off; `nuages manifests` "
    "writes what fits"
)
_PROBE = "/-/{} on the management port, which no ALLOWED_HOSTS and no busy worker delays; `nuages manifests` writes it"
_BESIDE: Mapping[str, Outcome] = {
    "livenessProbe": nothing(_PROBE.format("live")),
    "readinessProbe": nothing(_PROBE.format("ready")),
    "startupProbe": nothing(_PROBE.format("startup")),
    "lifecycle": nothing(
        "no preStop is needed: after SIGTERM it serves on for --drain while endpoints learn of it"
    ),
    "healthcheck": nothing(_PROBE.format("ready")),
    "workingDir": nothing("stays: the project is found there"),
    "working_dir": nothing("stays: the project is found there"),
}
_TIMES = ("stop_grace_period", "terminationGracePeriodSeconds")
_EXPANDED = re.compile(r"\$\((\w+)\)")
_ESCAPED = re.compile(r"\$\$(?=[\w{(])")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    name: str
    value: str
    line: int


def has_commands(text: str) -> bool:
    """Return whether a YAML file has a key for a command, by its lines."""
    keys = "|".join((*_VECTOR, *_LINES))
    return re.search(rf"^[ \t]*(?:-[ \t]+)?(?:{keys})[ \t]*:", text, re.MULTILINE) is not None


def read(text: str, path: str) -> list[Part]:
    """Return the parts of a YAML file: each command of a service in it; raises NotYamlError.

    Of several documents those before the first that is none are read.
    """
    seen: set[int] = set()
    documents, error = yaml.composed(text)
    if error and not documents:
        raise yaml.NotYamlError(error)
    found = [part for document in documents for part in _below(document, "", path, seen)]
    if error:
        said = undecided(f"is not read from here on, for it is no YAML: {error}")
        found.append(Part(name="", items=(row(Origin(path, _line(error)), "", "", said),)))
    return found


def _line(error: str) -> int | None:
    said = re.search(r"line (\d+)", error)
    return int(said[1]) if said else None


def _below(node: Node, name: str, path: str, seen: set[int]) -> Iterator[Part]:
    # An alias is the same object again; to walk it each time takes time without end for a small file.
    if isinstance(node.value, str) or id(node.value) in seen:
        return
    seen.add(id(node.value))
    for each in node.nodes:
        yield from _below(each, name, path, seen)
    fields = node.fields
    own = fields["name"].text if "name" in fields else ""
    if part := _service(fields, own or name, path):
        yield part
    found = [
        part
        for key, value in fields.items()
        if key not in _APART and not (name == "" and key.startswith(("x-", ".")))
        for part in _below(value, key, path, seen)
    ]
    if any(part.server for part in found) and "containers" in fields:
        yield from (Part(name="", items=(each,)) for each in _beside(fields, path))
    yield from found


def _beside(fields: Mapping[str, Node], path: str) -> Iterator[Row]:
    for key, node in fields.items():
        if said := scripts.stopping(node.text, _GRACE) if key in _TIMES else _BESIDE.get(key):
            yield row(Origin(path, node.line), key, node.text, said)


def _service(fields: Mapping[str, Node], name: str, path: str) -> Part | None:
    """Return what a mapping runs, None for one that runs nothing."""
    given = [
        fields[key]
        for key in _VECTOR
        if key in fields and (key != "args" or {"image", "command"} & fields.keys())
    ]
    given = [node for node in (*given, *(fields[key] for key in _LINES if key in fields)) if _words(node)]
    if not given:
        return None
    origin = Origin(path, given[-1].line)
    variables = list(_variables(fields))
    names = {each.name for each in variables} if "envFrom" not in fields else None
    given = [_expanded(node, names) for node in given]
    values = scripts.defaults({each.name: each.value for each in variables})
    if lines := _script(given):
        parts = scripts.script(lines.text, path, first=lines.line, variables=values)
        part = Part(
            name=name, items=tuple(item for each in parts for item in each.items),
            wrappers=next((each.wrappers for each in parts if each.server), ()),
            scripts=tuple(each for one in parts for each in one.scripts),
        )  # fmt: skip
    else:
        try:
            commands = [each.filled(values) for each in _commands(given)]
        except ValueError as error:
            said = undecided(f"cannot be read as a command line: {error}")
            return Part(name=name, items=(row(origin, "", given[-1].text, said),))
        part = scripts.of_commands(commands, origin, name)
    part = replace(part, folders=tuple(_folders(fields.get("build"))))
    if not part.server:
        return part
    told = [item for each in variables for item in _told(each, part.server, path)]
    items = [*told, *part.items, *_beside(fields, path)]
    return replace(part, items=tuple(sorted(items, key=lambda item: item.origin.line or 0)))


def _folders(build: Node | None) -> Iterator[str]:
    """Yield the folders that an image is made from: of its context, and of its Dockerfile."""
    if build is None:
        return
    context = build.text or (build.fields["context"].text if "context" in build.fields else "")
    yield context or "."
    if "dockerfile" in build.fields:
        yield posixpath.join(context, posixpath.dirname(build.fields["dockerfile"].text))


def _words(node: Node) -> list[Node]:
    """Return the words of a command that is a list, or its one line; none for what is no command."""
    return [each for each in (node.nodes or [node]) if each.text]


def _expanded(node: Node, names: set[str] | None) -> Node:
    """Return a command with `$(NAME)` of Kubernetes as the shell has it, where a variable has that name.

    Without `names` not all are known: any in capitals may be one.
    """

    def fill(match: re.Match[str]) -> str:
        is_known = match[1] in names if names is not None else match[1].isupper()
        return f"${{{match[1]}}}" if is_known else match[0]

    def text(text: str) -> str:
        return _ESCAPED.sub("$", _EXPANDED.sub(fill, text))

    if isinstance(node.value, list):
        return Node(node.line, [Node(each.line, text(each.text)) for each in node.nodes])
    return Node(node.line, text(node.text))


def _script(given: Sequence[Node]) -> Node | None:
    """Return the text of several lines that a shell is given, or that stands in a line's place."""
    words = [word for node in given for word in _words(node)]
    for before, word in zip((None, *words), words, strict=False):
        is_line = before is None or re.fullmatch(r"-[a-z]*c", before.text) is not None
        if is_line and "\n" in word.text.strip():
            return word
    return None


def _commands(given: Sequence[Node]) -> list[Command]:
    """Return what is run; raises ValueError where quotes do not match."""
    if len(given) == 1 and not given[0].nodes:
        return arguments.split(given[0].text)
    if given[0].nodes and " " in given[0].nodes[0].text.strip():  # heroku.yml: each is a line
        return [
            replace(command, lines=(each.line,) * len(command.words))
            for node in given
            for each in _words(node)
            for command in arguments.split(each.text)
        ]
    vectors = [
        [(each.text, each.line) for each in node.nodes if each.text]
        if node.nodes
        else [(word, node.line) for word in shlex.split(node.text)]
        for node in given
    ]
    whole = _of_vector([each for vector in vectors for each in vector])
    if any(command.server for command in whole):
        return whole
    apart = [command for vector in vectors for command in _of_vector(vector)]
    return apart if any(command.server for command in apart) else whole


def _of_vector(vector: Sequence[tuple[str, int]]) -> list[Command]:
    return arguments.of_vector([word for word, _ in vector], [line for _, line in vector])


def _variables(fields: Mapping[str, Node]) -> Iterator[_Variable]:
    """Yield the variables with their values: of Compose's two forms, and of a container's `env`."""
    for key in ("environment", "env", "envVars"):
        node = fields.get(key)
        if node is None:
            continue
        for name, value in node.fields.items():
            yield _Variable(name=name, value=value.text, line=value.line)
        for each in node.nodes:
            named = each.fields.get("name") or each.fields.get("key")
            if named:
                value = each.fields.get("value", Node(each.line, f"${{{named.text}}}"))
                yield _Variable(name=named.text, value=value.text, line=value.line)
            elif "=" in each.text:
                name, _, text = each.text.partition("=")
                yield _Variable(name=name, value=text, line=each.line)


def _told(variable: _Variable, server: str, path: str) -> Iterator[Setting | Row]:
    """Yield what a variable means here; nothing for the many that only the project reads."""
    for item in scripts.environment([(variable.name, variable.value)], Origin(path, variable.line), server):
        if isinstance(item, Setting) or item.outcome.fate is not Fate.DROPPED:
            yield item
