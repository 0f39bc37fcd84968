"""YAML and JSON as configurations have them, with the line of each value (YAML 1.1, which has JSON in it).

PyYAML reads. What templates write is taken out before: lines that are an action alone (`{{- if … }}`), and Jinja's
`{% … %}`; an expression inside a value stays as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_MERGED = 10_000  # keys in a file
_MOST_REPEATED = (
    100_000  # values that the aliases of a document stand for: some lines of them can name billions
)
_ACTION = re.compile(r"^[ \t]*\{\{[^{}]*\}\}[ \t]*$", re.MULTILINE)
_STATEMENT = re.compile(r"\{%[^{}]*%\}")
_EXPRESSION = re.compile(r"\{\{[^{}]*\}\}")
_STAND_IN = re.compile(r"\ue000(\d+)\ue001")
_TAB = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)
_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and the line where it begins; a text, a list of nodes, or nodes by their keys.

    A text of several lines (`|`, `>`) begins with the first of them. A plain `null`, `~` or nothing is "".
    """

    line: int
    value: str | list[Node] | dict[str, Node]

    @property
    def text(self) -> str:
        """The text; "" for a collection."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def nodes(self) -> list[Node]:
        """The nodes of a list; none for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def fields(self) -> dict[str, Node]:
        """The nodes of a mapping by their keys; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}


class NotYamlError(ValueError):
    """What is wrong, with its line, with a text that is no YAML."""


def documents(text: str) -> list[Node]:
    """Return the documents of a file. Raises NotYamlError, and ModuleNotFoundError without PyYAML."""
    found, error = composed(text)
    if error:
        raise NotYamlError(error)
    return found


def composed(text: str) -> tuple[list[Node], str]:
    """Return the documents of a file up to where it is no YAML, and what is wrong there, "" where nothing is.

    Raises ModuleNotFoundError without PyYAML.
    """
    import yaml

    expressions: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        expressions.append(match[0])
        return f"\ue000{len(expressions) - 1}\ue001"

    plain = _ACTION.sub("", _STATEMENT.sub("", text))
    plain = _TAB.sub(lambda match: match[0].replace("\t", "  "), _EXPRESSION.sub(stand_in, plain))
    found: list[Node] = []
    try:
        for document in yaml.compose_all(plain, Loader=yaml.SafeLoader):
            found.append(_Taking(plain.split("\n"), expressions).node(document))  # noqa: PERF401 - up to an error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return found, f"line {mark.line + 1}: {error.problem}" if mark else str(error)
    except RecursionError:
        return found, "it is too deep"
    except (yaml.YAMLError, ValueError) as error:
        return found, str(error)
    return found, ""


class _Taking:
    """A document of PyYAML's as nodes of ours: each once, however many aliases name it."""

    def __init__(self, lines: list[str], expressions: list[str]) -> None:
        self._lines, self._expressions = lines, expressions
        self._known: dict[int, Node] = {}
        self._sizes: dict[int, int] = {}
        self._merged = self._repeated = 0

    def node(self, given: Any, *, is_merged: bool = False) -> Node:
        """Return a node of PyYAML's as one of ours. Raises ValueError where aliases stand for too much."""
        if id(given) in self._known:
            self._repeated += (
                0 if is_merged else self._sizes.get(id(given), 1)
            )  # those have a limit of their own
            if self._repeated > _MOST_REPEATED:
                raise ValueError("too many values are repeated by aliases")
            return self._known[id(given)]
        line = given.start_mark.line + 1
        self._known[id(given)] = Node(line, "")  # meanwhile, for one that is in itself
        if given.id == "scalar":
            text = self._text(given.value)
            is_below = given.style in {"|", ">"}
            text = "" if given.tag == _NULL else text.strip("\n") if is_below else text
            if given.style == ">":  # meant for one line, also where the next ones are indented more
                text = " ".join(filter(None, map(str.strip, text.split("\n"))))
            found = Node(self._first(line) if is_below else line, text)
        elif given.id == "sequence":
            found = Node(line, [self.node(each) for each in given.value])
        else:
            found = Node(line, dict(self._fields(given)))
        below = [] if given.id == "scalar" else given.value
        values = (each[1] if given.id == "mapping" else each for each in below)
        self._sizes[id(given)] = 1 + sum(self._sizes.get(id(each), 1) for each in values)
        self._known[id(given)] = found
        return found

    def _fields(self, given: Any) -> Iterator[tuple[str, Node]]:
        for key, value in given.value:
            node = self.node(value, is_merged=True) if key.tag == _MERGE else None
            # What stands beside it comes after, and wins.
            for merged in reversed(node.nodes or [node]) if node else ():
                self._merged += len(merged.fields)
                if self._merged <= _MOST_MERGED:
                    yield from merged.fields.items()
        for key, value in given.value:
            if key.tag != _MERGE and key.id == "scalar":
                node = self.node(value)
                # An alias is where it is named.
                is_alias = node.line <= key.start_mark.line
                yield self._text(key.value), Node(key.start_mark.line + 1, node.value) if is_alias else node

    def _text(self, text: str) -> str:
        if not text.isascii():
            # JSON writes characters beyond the first 65,536 in two halves; one alone cannot be printed.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _STAND_IN.sub(lambda match: self._expressions[int(match[1])], text)

    def _first(self, line: int) -> int:
        """Return where a text begins that stands below `|` or `>`."""
        while line < len(self._lines) and not self._lines[line].strip():
            line += 1
        return line + 1
