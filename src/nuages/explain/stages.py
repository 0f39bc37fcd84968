"""A Dockerfile's instructions and stages, which of them are the image, and where its files lie beside it."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nuages.explain import scripts

_DEVELOPMENT = re.compile(
    r"(?:.*[-_])?(?:dev|devel|develop|development|debug|local|tests?|testing|ci|lint)(?:[-_].*)?"
)
_MOST_COPIES = 500  # of a file; each is looked at for each file that a server names


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its name in capitals, its text on one line, the line where it begins, and its stage's number.

    What stands before the first FROM has the stage -1.
    """

    name: str
    text: str
    line: int
    stage: int


Copies = tuple[tuple[str, str], ...]
"""Paths of the image, each with the path in the build's context that it was copied from."""


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile, without those in its here-documents."""
    ends: list[str] = []
    stage = -1
    for number, line in scripts.joined(text):
        stripped = line.strip()
        if ends:
            ends = ends[1:] if stripped == ends[0] else ends
            continue
        if not stripped or stripped.startswith("#"):
            continue
        name, _, rest = stripped.partition(" ")
        ends = scripts.HEREDOC.findall(rest) if name.upper() in {"RUN", "COPY"} else []
        stage += name.upper() == "FROM"
        yield Instruction(
            name=name.upper(),
            text=" ".join(rest.split()) if name.upper() != "ENV" else rest.strip(),
            line=number,
            stage=stage,
        )


def of_image(given: Sequence[Instruction]) -> list[int]:
    """Return the numbers of the stages that the image is made of, in their order.

    It is the last one that is not for development, after those that it is made from (`FROM other AS …`).
    """
    stages = [_names(each.text) for each in given if each.name == "FROM"]
    serious = [at for at, (_, alias) in enumerate(stages) if not _DEVELOPMENT.fullmatch(alias)]
    at = (serious or [*range(len(stages))] or [-1])[-1]
    found = [at]
    while at > 0:
        base = stages[at][0]
        at = next((one for one in range(at - 1, -1, -1) if base and stages[one][1] == base), -1)
        found += [at] if at >= 0 else []
    return [-1, *reversed(found)] if found != [-1] else found


def _names(text: str) -> tuple[str, str]:
    """Return what a stage is made from, and its own name, both in lower case."""
    words = [word for word in text.lower().split() if not word.startswith("--")]
    return (words[0] if words else "", words[2] if len(words) > 2 and words[1] == "as" else "")


def operands(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the options of COPY or ADD, and its sources with its destination behind them."""
    options: dict[str, str] = {}
    rest = text
    while match := re.match(r"--([\w-]+)(?:=(\S*))?\s*", rest):
        options[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    if rest.startswith("["):
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', rest)
    else:
        try:
            words = shlex.split(rest)
        except ValueError:
            words = rest.split()
    return options, words


@lru_cache(maxsize=8)
def places(text: str, context: str) -> tuple[Copies, str]:
    """Return what an image copies from the folder `context`, and the folder that it starts its command in.

    It is kept: each of a hundred services may be of the same image.
    """
    given = list(instructions(text))
    moved = ((image, posixpath.normpath(posixpath.join(context, path))) for image, path in copies(given))
    return tuple(moved), folder_of(given)


def copies(given: Sequence[Instruction]) -> Copies:
    """Return what the image's stages copy from the context, the last first: it lies over what was there before."""
    chain = {*of_image(given)}
    folder = "/"
    found: list[tuple[str, str]] = []
    for each in given:
        if each.stage not in chain:
            continue
        if each.name == "WORKDIR":
            folder = posixpath.join(folder, each.text.strip("\"'"))
        elif each.name in {"COPY", "ADD"} and len(found) < _MOST_COPIES:
            options, words = operands(each.text)
            if "from" in options or len(words) < 2:
                continue
            target = posixpath.join(folder, words[-1])
            for source in words[:-1]:
                plain = posixpath.normpath(source.lstrip("/") or ".")
                if "://" in source or plain.startswith(".."):
                    continue
                name = posixpath.basename(plain)
                # A folder's content is copied, a file itself: which of them it is only the disk tells.
                found.append((posixpath.normpath(target), plain))
                if name not in {"", "."}:
                    found.append((posixpath.normpath(posixpath.join(target, name)), plain))
    return tuple(found[::-1])


def in_context(name: str, given: Copies, folder: str) -> Iterator[str]:
    """Yield where a file of the image may lie in the context; `folder` is where a relative name begins."""
    path = posixpath.normpath(posixpath.join(folder, name))
    for image, context in given:
        if image == path:
            yield context
        elif path.startswith(below := image.rstrip("/") + "/"):
            yield posixpath.normpath(posixpath.join(context, path[len(below) :]))


def folder_of(given: Sequence[Instruction]) -> str:
    """Return the folder that the image starts its command in."""
    chain = {*of_image(given)}
    folder = "/"
    for each in given:
        if each.name == "WORKDIR" and each.stage in chain:
            folder = posixpath.join(folder, each.text.strip("\"'"))
    return folder


def sources(text: str) -> list[str]:
    """Return the paths that a Dockerfile copies from its context: which folder has them is the context."""
    found = (operands(each.text) for each in instructions(text) if each.name in {"COPY", "ADD"})
    words = [word for options, given in found if "from" not in options for word in given[:-1]]
    return [
        plain for word in words
        if "://" not in word and not set("*?[$") & {*word} and (plain := posixpath.normpath(word.lstrip("/"))) != "."
    ][:_MOST_COPIES]  # fmt: skip
