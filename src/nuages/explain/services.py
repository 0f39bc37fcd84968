"""Compose, Kubernetes, Helm and other YAML: the command of each service or container, and what stands beside it."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.explain import arguments, beside, scripts, yaml
from nuages.explain.arguments import Command
from nuages.explain.facts import Fate, Row, Setting, drop, nothing, undecided
from nuages.explain.neighbours import VECTOR, config_maps, is_a_service, own, words
from nuages.explain.scripts import Part, row
from nuages.explain.yaml import Node

_LINES = ("startCommand", "dockerCommand", "run_command")  # Render and Railway; DigitalOcean
_APART = frozenset({
    "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "healthcheck", "build", "develop", "labels",
    "annotations", "data", "stringData",
})  # fmt: skip
"""Below these no command is a service's."""

_EXPANDED = re.compile(r"\$\((\w+)\)")
_ESCAPED = re.compile(r"\$\$(?=[\w{(])")


_RUNSERVER = re.compile(r"manage\.py (?:runserver|runserver_plus)\b")
_ANOTHER = drop("another service, from an image of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What is known of the file while it is walked.

    `own` are images that are built here, or in which a program of Python's is started. `seen` are the nodes that were
    walked: an alias is the same object again. `maps` is the data of the ConfigMaps beside it, by their names, and
    `files` what of it is a file.
    """

    path: str
    seen: set[int]
    own: Mapping[str, Node | None]
    maps: Mapping[str, Mapping[str, Node]]
    files: tuple[tuple[str, str], ...]
    is_template: bool


def has_commands(text: str) -> bool:
    """Return whether a YAML file has a key for a command, services or containers, by its lines."""
    keys = "|".join((*VECTOR, *_LINES, "containers"))
    return re.search(rf"^services\s*:|^[ \t]*(?:-[ \t]+)?(?:{keys})[ \t]*:", text, re.MULTILINE) is not None


def read(text: str, path: str) -> list[Part]:
    """Return the parts of a YAML file: each command of a service in it; raises NotYamlError.

    Of several documents those before the first that is none are read.
    """
    documents, error = yaml.composed(text)
    if error and not documents:
        raise yaml.NotYamlError(error)
    maps = config_maps(documents)
    files = tuple((key, node.text) for data in maps.values() for key, node in data.items() if "." in key)
    file = _File(path=path, seen=set(), own=own(documents), maps=maps, files=files, is_template="{{" in text)
    found = [part for document in documents for part in _below(document, "", "", file)]
    if error:
        said = undecided(f"is not read from here on, for it is no YAML: {error}")
        found.append(Part(name="", items=(row(Origin(path, _line(error)), "", "", said),)))
    return found


def _given(fields: Mapping[str, Node], file: _File) -> Iterator[_Variable]:
    """Yield the variables that `envFrom` takes out of a ConfigMap beside it."""
    for each in fields["envFrom"].nodes if "envFrom" in fields else ():
        reference = each.fields.get("configMapRef")
        name = reference.fields.get("name") if reference else None
        for key, value in file.maps.get(name.text, {}).items() if name else ():
            yield _Variable(name=key, value=value.text, line=value.line)


def _line(error: str) -> int | None:
    said = re.search(r"line (\d+)", error)
    return int(said[1]) if said else None


def _below(node: Node, name: str, parent: str, file: _File) -> Iterator[Part]:
    # An alias is the same object again; to walk it each time takes time without end for a small file.
    if isinstance(node.value, str) or id(node.value) in file.seen:
        return
    file.seen.add(id(node.value))
    for each in node.nodes:
        yield from _below(each, name, parent, file)
    fields = node.fields
    called = fields["name"].text if "name" in fields else ""
    # What a service of Compose is called stands before it, what a container is called in it.
    if part := _service(
        fields, called or name, file, is_service=parent == "services" or name == "containers"
    ):
        yield part
    found = [
        part
        for key, value in fields.items()
        if key not in _APART and not (name == "" and key.startswith(("x-", ".")))
        for part in _below(value, key, name, file)
    ]
    if {"containers", "template"} & fields.keys() and any(part.server or part.is_image for part in found):
        yield from (Part(name="", items=(each,)) for each in beside.rows(fields, file.path))
    yield from found


def _service(fields: Mapping[str, Node], name: str, file: _File, *, is_service: bool) -> Part | None:
    """Return what a mapping runs, None for one that runs nothing."""
    given = [
        fields[key]
        for key in VECTOR
        if key in fields and (key != "args" or {"image", "command"} & fields.keys())
    ]
    given = [node for node in (*given, *(fields[key] for key in _LINES if key in fields)) if words(node)]
    if not given:
        return _image(fields, name, file) if is_service else None
    path = file.path
    origin = Origin(path, given[-1].line)
    variables = [*_given(fields, file), *_variables(fields)]
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
    image = fields["image"].text if "image" in fields else ""
    build = fields.get("build") or file.own.get(image)
    if is_service and not part.server and image and not build and image not in file.own:
        return Part(name=name, items=(row(origin, name, f"image {image}", _ANOTHER),))
    part = replace(
        part, folders=tuple(_folders(build)), dockerfile=_dockerfile(build) if build else (),
        variables=tuple((Origin(path, each.line), each.name, each.value) for each in variables),
        files=file.files,
    )  # fmt: skip
    is_for_development = any(isinstance(item, Row) and _RUNSERVER.search(item.text) for item in part.items)
    if not part.server and not is_for_development:
        return part
    told = [item for each in variables for item in _told(each, part.server, path)]
    told = [item for item in told if part.server or isinstance(item, Row)]
    part = replace(part, is_image=not part.server)
    items = [*told, *part.items, *beside.rows(fields, path, _untold(_variables(fields), part.server))]
    return replace(part, items=tuple(sorted(items, key=lambda item: item.origin.line or 0)))


def _image(fields: Mapping[str, Node], name: str, file: _File) -> Part | None:
    """Return what is said of a service that has no command: its image starts something."""
    image = fields["image"].text if "image" in fields else ""
    if "build" not in fields and not image:
        return None
    node = fields.get("build") or fields["image"]
    origin = Origin(file.path, node.line)
    is_filled = file.is_template and any(key in fields for key in VECTOR)
    if "build" not in fields and image not in file.own and is_a_service(image):
        return Part(name=name, items=(row(origin, name, f"image {image}", _ANOTHER),))
    if is_filled:
        said = undecided("a template writes the command: helm template . > FILE, and explain that")
    elif "build" in fields:
        path = posixpath.normpath(posixpath.join(*_dockerfile(fields["build"])))
        said = nothing(f"starts what its Dockerfile says: nuages explain {path}")
    else:
        said = nothing(
            "starts what its image says: where it is the project's, nuages explain Dockerfile; else it stays"
        )
    text = f"image {image}" if image else f"build {_dockerfile(fields['build'])[0]}"
    items = [row(origin, name, text, said)]
    if "build" in fields or image in file.own or file.is_template or "name" in fields:
        names = [each.name for each in _variables(fields)]
        items += beside.rows({key: each for key, each in fields.items() if key != "build"}, file.path, names)
    ordered = tuple(sorted(items, key=lambda item: item.origin.line or 0))
    return Part(name=name, items=ordered, is_image=True)


def _untold(variables: Iterable[_Variable], server: str) -> Iterator[str]:
    """Yield the names of the variables that no server reads, and nuages neither."""
    for each in variables:
        told = scripts.environment([(each.name, each.value)], Origin(""), server)
        if all(isinstance(item, Row) and item.outcome.fate is Fate.DROPPED for item in told):
            yield each.name


def _dockerfile(build: Node) -> tuple[str, str]:
    """Return the folder that an image is made from, and its Dockerfile in there."""
    context = build.text or (build.fields["context"].text if "context" in build.fields else "")
    return context or ".", build.fields["dockerfile"].text if "dockerfile" in build.fields else "Dockerfile"


def _folders(build: Node | None) -> Iterator[str]:
    """Yield the folders that an image is made from: of its context, and of its Dockerfile."""
    if build is None:
        return
    context, dockerfile = _dockerfile(build)
    yield context
    if "dockerfile" in build.fields:
        yield posixpath.join("" if context == "." else context, posixpath.dirname(dockerfile))


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
    every = [word for node in given for word in words(node)]
    for before, word in zip((None, *every), every, strict=False):
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
            for each in words(node)
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
