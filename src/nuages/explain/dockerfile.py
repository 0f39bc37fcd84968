"""A Dockerfile: the server that it starts, and what `nuages dockerfile` does about each instruction."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from nuages.errors import Origin
from nuages.explain import arguments, run_steps, scripts, stages
from nuages.explain.arguments import Command
from nuages.explain.facts import Fate, Row, Setting, in_image, nothing
from nuages.explain.scripts import Part, row
from nuages.explain.stages import Instruction

Leaves = Callable[[str, str], str]
"""A variable of ENV, its value → why it is left out, "" where it is not."""

_SIMPLE = {
    "FROM": "python:X.Y-slim on Debian, the Python that project, Django and wheels agree on; --base takes another",
    "COPY": "the project is copied without what .dockerignore and the list of secrets keep out",
    "ADD": "the project is copied; what comes from elsewhere: in a stage that you write (nuages dockerfile --write)",
    "WORKDIR": "/app, or the folder of manage.py in it",
    "EXPOSE": "taken over: the image serves on this port, and on 9000 for health checks; --port takes another",
    "USER": "65532, a number, so that Kubernetes can see that it is not root; any other works",
    "HEALTHCHECK": "--healthcheck adds one that asks /-/live; Kubernetes has probes of its own",
    "VOLUME": "/data, where the project writes beside its code; what needs it is found",
    "LABEL": "org.opencontainers.image.* are set; others, add to the written file (nuages dockerfile --write)",
    "ARG": "taken from the project's files; BASE is the one build argument",
    "STOPSIGNAL": "SIGTERM, SIGQUIT and SIGINT all stop in order",
    "SHELL": "no shell is needed",
    "MAINTAINER": "org.opencontainers.image.* are set",
    "ONBUILD": "not for an image that runs",
}
_FROM_A_STAGE = (
    "from another stage or image: what is installed, built and collected is in the image; anything else: in a stage "
    "that you write (nuages dockerfile --write)"
)
_RENAMED = (
    "the project is copied, and every file has its own name and place there; under this one too: in a stage that you "
    "write (nuages dockerfile --write)"
)
_NODE = re.compile(r"(?:--\S+\s+)*(?:\S+/)?(?:node|bun|oven/bun)\b", re.IGNORECASE)
_NODE_STAGE = (
    "a Node stage of its own, where the project has a front end to build; --node-image takes another"
)
_PLAIN = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NOT_STARTED = "not what the image starts: another stage's, or another one comes after it"
_OF_THE_IMAGE = frozenset(
    {"EXPOSE", "USER", "VOLUME", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "SHELL", "WORKDIR"}
)
_UNTOLD = "only a build of it tells the value"
_OF_ANOTHER_STAGE = "of a stage that the image is not made from"
_ENV = {
    "PYTHONUNBUFFERED": "set", "PYTHONDONTWRITEBYTECODE": "set: modules are compiled in the build",
    "PATH": "set: the environment's folder is first", "VIRTUAL_ENV": "an environment of its own is made",
}  # fmt: skip


def read(text: str, path: str, leaves: Leaves) -> list[Part]:
    """Return one part: rows for the instructions, and the settings of the server that the last stage starts.

    `leaves` says why a variable does not get into the image that nuages makes, "" for one that does.
    """
    instructions = list(stages.instructions(text))
    chain = {*stages.of_image(instructions)}
    items: list[Setting | Row] = []
    start = _start(instructions)
    variables: list[tuple[Origin, str, str]] = []
    for each in instructions:
        origin = Origin(path, each.line)
        if each.name in {"CMD", "ENTRYPOINT"}:
            if each not in start.values():
                items.append(row(origin, each.name, each.text, in_image(_NOT_STARTED)))
        elif each.name == "ENV":
            pairs = list(_pairs(each.text))
            own = [pair for pair in pairs if pair[0] not in _ENV]
            items += [row(origin, "ENV", name, in_image(_ENV[name])) for name, _ in pairs if name in _ENV]
            if each.stage in chain:
                variables += [(origin, *pair) for pair in own]
            else:
                items += [row(origin, name, "…", in_image(_OF_ANOTHER_STAGE)) for name, _ in own]
        elif each.name == "RUN":
            items += [row(origin, "RUN", step, in_image(why)) for step, why in run_steps.steps(each.text)]
        elif each.name in _OF_THE_IMAGE and each.stage not in chain:
            items.append(row(origin, each.name, each.text, in_image(_OF_ANOTHER_STAGE)))
        else:
            items.append(row(origin, each.name, each.text, in_image(_simple(each))))
    command, origin = _started(start, path)
    set_here = scripts.defaults({name: value for _, name, value in variables})
    command = [each.filled(set_here) for each in command]
    server = next((one.server for one in command if one.server), "")
    untold = _untold(instructions)
    for place, name, value in variables:
        why = leaves(name, value) or (_UNTOLD if _names(value) & untold else "")
        fate = in_image(f"left out, for {why}" if why else "set too, where the image that runs has it")
        for item in scripts.environment([(name, value)], place, server):
            if isinstance(item, Row) and item.outcome.fate is Fate.DROPPED:
                items.append(replace(item, outcome=fate))
            elif isinstance(item, Row) and name in {"PORT", "WEB_CONCURRENCY"} and why:
                said = f"{item.outcome.why}; `nuages dockerfile` leaves it out, for {why}"
                items.append(replace(item, outcome=nothing(said)))
            else:
                items.append(item)
    part = scripts.of_commands(command, origin, next(iter(start), "CMD"), variables=items)
    items = sorted(part.items, key=lambda item: item.origin.line or 0)
    copied = stages.copies(instructions)
    given = () if part.server else tuple(one for one in variables if scripts.server_of(one[1]))
    return [
        replace(
            part,
            name="image",
            items=tuple(items),
            copies=copied,
            folder=stages.folder_of(instructions),
            variables=given,
        )
    ]


def _simple(each: Instruction) -> str:
    """Return what is written in the place of an instruction that has nothing to run or to set."""
    if each.name == "FROM" and _NODE.match(each.text):
        return _NODE_STAGE
    if each.name in {"COPY", "ADD"}:
        options, words = stages.operands(each.text)
        if "from" in options:
            return _FROM_A_STAGE
        if len(words) == 2 and _is_renamed(*words):
            return _RENAMED
    return _SIMPLE.get(each.name, "no instruction that Dockerfiles have")


def _untold(given: Sequence[Instruction]) -> set[str]:
    """Return the arguments of the build that have no default."""
    arguments = [each.text.partition("=") for each in given if each.name == "ARG"]
    return {name for name, equals, _ in arguments if not equals} - {
        name for name, equals, _ in arguments if equals
    }


def _names(value: str) -> set[str]:
    """Return the variables that a value names, and for which it has nothing else."""
    return {match[1] or match[2] for match in _PLAIN.finditer(value)}


def _is_renamed(source: str, target: str) -> bool:
    """Whether a file of the project gets another name in the image; a folder has no ending."""
    old, new = posixpath.basename(source), posixpath.basename(target)
    return old != new and all("." in name and name not in {".", ".."} for name in (old, new))


def _start(given: Sequence[Instruction]) -> dict[str, Instruction]:
    """Return the ENTRYPOINT and the CMD of the image, in their order in the file.

    A stage has those of the one that it is made from; an ENTRYPOINT takes away a CMD that comes from there
    (Dockerfile reference, «Understand how CMD and ENTRYPOINT interact»).
    """
    found: dict[str, Instruction] = {}
    chain = {*stages.of_image(given)}
    for each in given:
        if each.stage in chain and each.name in {"CMD", "ENTRYPOINT"}:
            if each.name == "ENTRYPOINT" and "CMD" in found and found["CMD"].stage != each.stage:
                found.pop("CMD")
            found.pop(each.name, None)
            found[each.name] = each
    return found


def _started(start: Mapping[str, Instruction], path: str) -> tuple[list[Command], Origin]:
    entry, command = start.get("ENTRYPOINT"), start.get("CMD")
    chosen = [each for each in (entry, command) if each]
    if not chosen:
        return [], Origin(path)
    words = [_vector(each.text) for each in chosen]
    if len(chosen) == 2 and words[0] is not None and words[1] is not None:
        return arguments.of_vector([*words[0], *words[1]]), Origin(path, chosen[-1].line)
    found = [command for each in chosen for command in _commands(each)]
    return found, Origin(path, chosen[-1].line)


def _commands(each: Instruction) -> list[Command]:
    vector = _vector(each.text)
    if vector is not None:
        return arguments.of_vector(vector)
    try:
        return arguments.split(each.text)
    except ValueError:
        return []


def _vector(text: str) -> list[str] | None:
    """Return the words of the exec form, None for the shell form."""
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [str(word) for word in words] if isinstance(words, list) else None


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of ENV, in either of its forms."""
    match = re.fullmatch(r"([A-Za-z_]\w*)\s+(.*)", text)
    if match:
        yield match[1], match[2]
        return
    for found in re.finditer(r"(?<!\w)([A-Za-z_]\w*)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|\S*)", text):
        yield found[1], found[2].strip("\"'")
