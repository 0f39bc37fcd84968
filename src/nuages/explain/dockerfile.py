"""A Dockerfile: the server that it starts, and what `nuages dockerfile` does about each instruction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from nuages.errors import Origin
from nuages.explain import arguments, scripts
from nuages.explain.arguments import Command
from nuages.explain.facts import Fate, Row, Setting, in_image
from nuages.explain.scripts import Part, row

Leaves = Callable[[str, str], str]
"""A variable of ENV, its value → why it is left out, "" where it is not."""

# What one RUN may do, and what the written Dockerfile does in its place.
_STEPS: tuple[tuple[str, str], ...] = (
    (r"\b(apt|apt-get|aptitude|yum|dnf|microdnf)\s[^&|;]*\binstall\b|\bapk\s[^&|;]*\badd\b",
     "Debian packages are found from the locked dependencies, to build and to run; programs that the project starts: "
     "--apt NAME"),
    (r"\bpip[\d.]*\b[^&|;]*\binstall\b|\b(uv|poetry|pipenv|pdm)\s+(sync|pip|export|install)\b",
     "the locked dependencies are installed with their hashes in a build stage; no installer is in the image"),
    (r"\bcollectstatic\b|\bmanage\.py\s+compress\b",
     "static files are collected, hashed and compressed, with stand-ins for variables that are missing"),
    (r"\bcompilemessages\b|\bmsgfmt\b", "message catalogues are compiled"),
    (r"\bmanage\.py\s+migrate\b", "never in an image: `nuages migrate` is a step of its own"),
    (r"\b(npm|yarn|pnpm|bun)\s+(ci|install|run|build|i)\b|\byarn\s*(&&|$)",
     "package.json's build script runs in a Node stage of its own"),
    (r"\b(useradd|adduser|groupadd|addgroup)\b", "it runs as 65532, a number, and as any other"),
    (r"\b(chown|chmod)\b", "files belong to root and are read only; what is written lies in the volume /data"),
    (r"\bmkdir\b", "folders that the settings make are there; what is written lies in the volume /data"),
    (r"\blocale-gen\b|\bln\s+-sf?\b.*\.so", "C.UTF-8 is there, and libraries are found by their packages"),
)  # fmt: skip
_LONGEST = 4000  # characters of a RUN that are looked at
_SIMPLE = {
    "FROM": "python:X.Y-slim on Debian, the Python that project, Django and wheels agree on; --base takes another",
    "COPY": "the project is copied without what .dockerignore and the list of secrets keep out",
    "ADD": "the project is copied; what comes from elsewhere: in a stage that you write (nuages dockerfile --write)",
    "WORKDIR": "/app, or the folder of manage.py in it",
    "EXPOSE": "taken over: the image serves on this port, and on 9000 for health checks; --port takes another",
    "USER": "65532, a number, so that Kubernetes can see that it is not root; any other works",
    "HEALTHCHECK": "--healthcheck adds one that asks /-/live; Kubernetes has probes of its own",
    "VOLUME": "/data, where the project writes beside its code; what needs it is found",
    "LABEL": "org.opencontainers.image.* are set",
    "ARG": "taken from the project's files; BASE is the one build argument",
    "STOPSIGNAL": "SIGTERM, SIGQUIT and SIGINT all stop in order",
    "SHELL": "no shell is needed",
    "MAINTAINER": "org.opencontainers.image.* are set",
    "ONBUILD": "not for an image that runs",
}
_ENV = {
    "PYTHONUNBUFFERED": "set", "PYTHONDONTWRITEBYTECODE": "set: modules are compiled in the build",
    "PATH": "set: the environment's folder is first", "VIRTUAL_ENV": "an environment of its own is made",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    name: str
    text: str
    line: int


def read(text: str, path: str, leaves: Leaves) -> list[Part]:
    """Return one part: rows for the instructions, and the settings of the server that the last stage starts.

    `leaves` says why a variable does not get into the image that nuages makes, "" for one that does.
    """
    instructions = list(_instructions(text))
    stage = max((at for at, each in enumerate(instructions) if each.name == "FROM"), default=0)
    items: list[Setting | Row] = []
    start: dict[str, _Instruction] = {}
    variables: list[tuple[Origin, str, str]] = []
    for at, each in enumerate(instructions):
        origin = Origin(path, each.line)
        if each.name in {"CMD", "ENTRYPOINT"}:
            if at >= stage:
                start[each.name] = each
                if each.name == "ENTRYPOINT":
                    start.pop("CMD", None)
        elif each.name == "ENV":
            pairs = list(_pairs(each.text))
            own = [pair for pair in pairs if pair[0] not in _ENV]
            items += [row(origin, "ENV", name, in_image(_ENV[name])) for name, _ in pairs if name in _ENV]
            variables += [(origin, *pair) for pair in own]
        elif each.name == "RUN":
            items += _run(each, origin)
        else:
            why = _SIMPLE.get(each.name, "no instruction that Dockerfiles have")
            items.append(row(origin, each.name, each.text, in_image(why)))
    command, origin = _started(start, path)
    set_here = scripts.defaults({name: value for _, name, value in variables})
    command = [each.filled(set_here) for each in command]
    server = next((one.server for one in command if one.server), "")
    for place, name, value in variables:
        why = leaves(name, value)
        fate = in_image(f"left out, for {why}" if why else "set too, where the image that runs has it")
        items += [
            replace(each, outcome=fate)
            if isinstance(each, Row) and each.outcome.fate is Fate.DROPPED
            else each
            for each in scripts.environment([(name, value)], place, server)
        ]
    part = scripts.of_commands(command, origin, next(iter(start), "CMD"), variables=items)
    items = sorted(part.items, key=lambda item: item.origin.line or 0)
    return [replace(part, name="image", items=tuple(items))]


def _started(start: dict[str, _Instruction], path: str) -> tuple[list[Command], Origin]:
    entry, command = start.get("ENTRYPOINT"), start.get("CMD")
    chosen = [each for each in (entry, command) if each]
    if not chosen:
        return [], Origin(path)
    words = [_vector(each.text) for each in chosen]
    if len(chosen) == 2 and words[0] is not None and words[1] is not None:
        return arguments.of_vector([*words[0], *words[1]]), Origin(path, chosen[-1].line)
    found = [command for each in chosen for command in _commands(each)]
    return found, Origin(path, chosen[-1].line)


def _commands(each: _Instruction) -> list[Command]:
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


def _instructions(text: str) -> Iterator[_Instruction]:
    ends: list[str] = []
    for number, line in scripts.joined(text):
        stripped = line.strip()
        if ends:
            ends = ends[1:] if stripped == ends[0] else ends
            continue
        if not stripped or stripped.startswith("#"):
            continue
        name, _, rest = stripped.partition(" ")
        ends = scripts.HEREDOC.findall(rest) if name.upper() in {"RUN", "COPY"} else []
        yield _Instruction(
            name=name.upper(),
            text=" ".join(rest.split()) if name.upper() != "ENV" else rest.strip(),
            line=number,
        )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of ENV, in either of its forms."""
    match = re.fullmatch(r"([A-Za-z_]\w*)\s+(.*)", text)
    if match:
        yield match[1], match[2]
        return
    for found in re.finditer(r"(?<!\w)([A-Za-z_]\w*)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|\S*)", text):
        yield found[1], found[2].strip("\"'")


def _run(each: _Instruction, origin: Origin) -> Iterator[Row]:
    found = False
    for pattern, why in _STEPS:
        if match := re.search(pattern, each.text[:_LONGEST]):
            found = True
            yield row(origin, "RUN", match[0], in_image(why))
    if not found:
        why = "not looked at: what the image needs of it, add to the written file (nuages dockerfile --write)"
        yield row(origin, "RUN", each.text, in_image(why))
