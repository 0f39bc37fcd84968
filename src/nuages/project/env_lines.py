"""What ENV and ARG of a Dockerfile come to, by BuildKit's rules for words, quotes and variables.

Dockerfile reference, «Environment replacement»; BuildKit, frontend/dockerfile/shell/lex.go and parser/line_parsers.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[A-Za-z_]\w*")
_OPERATOR = re.compile(r":?[-+?]")
_LONGEST = (
    100_000  # characters of variables in a word; of `A=$A$A` each line doubles it, and Linux takes 131,072
)


def replay(
    before: Iterable[str], instructions: Iterable[tuple[int, str]]
) -> dict[str, tuple[str | None, int]]:
    """Return the variables of an image with the lines that set them; None for a value that only a build tells.

    `before` are the instructions before the first FROM, `instructions` those of the last stage behind those of the
    stages that it is made from, each with its line.
    """
    outside: dict[str, str] = {}
    for text in before:
        for name, raw in _given(text, "ARG"):
            _set(outside, name, None if raw is None else expand(raw, outside))
    found: dict[str, tuple[str | None, int]] = {}
    known: dict[str, str] = {}
    for line, text in instructions:
        # One instruction is expanded with what was set before it.
        arguments = [
            (name, outside.get(name) if raw is None else expand(raw, known))
            for name, raw in _given(text, "ARG")
        ]
        variables = [(name, expand(raw or "", known)) for name, raw in _given(text, "ENV")]
        found |= {name: (value, line) for name, value in variables}
        for name, value in (*variables, *(one for one in arguments if one[0] not in found)):
            _set(known, name, value)
    return found


def _set(known: dict[str, str], name: str, value: str | None) -> None:
    known.pop(name, None)
    if value is not None:
        known[name] = value


def _given(text: str, instruction: str) -> list[tuple[str, str | None]]:
    """Return what an instruction sets, as it stands there: `NAME=value …`, or ENV's older `NAME value`."""
    match = re.match(rf"{instruction}\s+(.*)", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        return []
    words = split(match[1])
    if instruction == "ENV" and words and "=" not in words[0]:
        return [(words[0], match[1].strip()[len(words[0]) :].strip())] if len(words) > 1 else []
    pairs = (word.partition("=") for word in words)
    return [(name, value if equals else None) for name, equals, value in pairs if _NAME.fullmatch(name)]


def split(text: str) -> list[str]:
    """Return the words of a line, quotes and backslashes still in them."""
    return [
        match[0] for match in re.finditer(r"(?:\\.|\"(?:\\.|[^\"\\])*\"?|'[^']*'?|[^\s\"'\\]|\\$)+", text)
    ]


def expand(text: str, known: Mapping[str, str]) -> str | None:
    """Return a word without its quotes, and with its variables; None where it needs one that is not known."""
    try:
        return _Word(text, known).until("")
    except (_Unknown, RecursionError):
        return None


class _Unknown(Exception):  # noqa: N818 - control flow, no error
    pass


class _Word:
    """One word while it is read from its beginning to its end."""

    def __init__(self, text: str, known: Mapping[str, str]) -> None:
        self.text, self.known, self.at, self.length = text, known, 0, 0

    def until(self, stop: str) -> str:
        """Return what stands before the character `stop`, or all of it."""
        found: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != stop:
            sign = self.text[self.at]
            if sign == "'":
                found.append(self._single())
            elif sign == '"':
                found.append(self._double())
            elif sign == "$":
                found.append(self._variable())
            else:
                self.at += sign == "\\" and self.at + 1 < len(self.text)
                found.append(self.text[self.at])
                self.at += 1
        return "".join(found)

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise _Unknown
        found, self.at = self.text[self.at + 1 : end], end + 1
        return found

    def _double(self) -> str:
        found: list[str] = []
        self.at += 1
        while self.text[self.at : self.at + 1] != '"':
            if self.at >= len(self.text):
                raise _Unknown
            if self.text[self.at] == "$":
                found.append(self._variable())
                continue
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in {'"', "$", "\\"}:
                self.at += 1
            found.append(self.text[self.at : self.at + 1])
            self.at += 1
        self.at += 1
        return "".join(found)

    def _variable(self) -> str:
        self.at += 1
        is_braced = self.text[self.at : self.at + 1] == "{"
        match = _NAME.match(self.text, self.at + is_braced)
        if match is None:
            if is_braced:
                raise _Unknown
            return "$"
        self.at = match.end()
        value = self.known.get(match[0])
        if is_braced and not self.text.startswith("}", self.at):
            value = self._otherwise(value)
        self.at += is_braced
        self.length += len(value or "")
        if value is None or self.length > _LONGEST:
            raise _Unknown
        return value

    def _otherwise(self, value: str | None) -> str | None:
        """Return what `:-`, `:+` and their like make of a value; one that nothing gives has none (docker build)."""
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            raise _Unknown
        self.at = operator.end()
        start = self.at
        try:
            word: str | None = self.until("}")
        except _Unknown:
            word, self.at = None, self.text.find("}", start)
        if not self.text.startswith("}", self.at):
            raise _Unknown
        is_there = bool(value) if operator[0].startswith(":") else value is not None
        if operator[0].endswith("+"):
            return word if is_there else ""
        return word if operator[0].endswith("-") and not is_there else value
