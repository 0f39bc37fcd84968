"""YAML and JSON as configurations have them, with the line of each value; never raises (YAML 1.2.2, RFC 8259).

Read are block and flow collections, all five kinds of scalars, anchors, aliases, merges and several documents. What is
no YAML is passed over: lines that are an action of a template alone (`{{- if … }}`), Jinja's `{% … %}`, and what else
fits nowhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

_DEEPEST = 40  # levels; what lies deeper is text
_MOST_MERGED = 10_000  # keys in a file
_ACTION = re.compile(r"\s*\{\{[^{}]*\}\}\s*$")
_STATEMENT = re.compile(r"\{%[^{}]*%\}")
_PROPERTY = re.compile(r"(?:(&)([^\s,\[\]{}]+)|!\S*)(?:\s+|$)")
_BLOCK = re.compile(r"([|>])[-+1-9]{0,2}\s*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_ESCAPE = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'", re.DOTALL)
_FLOW_PLAIN = re.compile(r"(?:\{\{[^{}]*\}\}|:(?!\s|$|[,\[\]{}])|[^\s,\[\]{}:]|[ \t]+(?=[^\s#,\[\]{}:]))+")


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


def documents(text: str) -> list[Node]:
    """Return the documents of a file."""
    reader = _Reader(text)
    found, at = [], 0
    while (at := reader.next(at)) < len(reader.lines):
        if reader.lines[at].startswith(("---", "...", "%")):
            rest = reader.lines[at][3:] if reader.lines[at].startswith("--- ") else ""
            reader.lines[at] = f"   {rest}"
            continue
        node, after = reader.block(at, 0, 0)
        found.append(node)
        at = max(after, at + 1)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        # str.splitlines would also split at characters that YAML takes for text.
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = [_STATEMENT.sub("", line) if "{%" in line else line for line in lines]
        self.lines = ["" if _ACTION.match(line) else line.replace("\t", "  ") for line in lines]
        self.anchors: dict[str, Node] = {}
        self.merged = 0

    def next(self, at: int) -> int:
        """Return the first line from this one on that says something."""
        while at < len(self.lines) and self.lines[at].lstrip()[:1] in {"", "#"}:
            at += 1
        return at

    def indent(self, at: int) -> int:
        """Return how far a line is indented; -1 at the end of a document."""
        if at >= len(self.lines) or self.lines[at].startswith(("---", "...")):
            return -1
        return len(self.lines[at]) - len(self.lines[at].lstrip())

    def block(self, at: int, least: int, depth: int) -> tuple[Node, int]:
        """Return the value that begins with a line, which is indented by `least` or more, and the line behind it."""
        at = self.next(at)
        indent = self.indent(at)
        if indent < least:
            return Node(at, ""), at
        line = self.lines[at][indent:]
        if depth < _DEEPEST and re.match(r"-(\s|$)", line):
            return self.sequence(at, indent, depth)
        if depth < _DEEPEST and line[0] not in "[{" and _key(line):
            return self.mapping(at, indent, depth)
        return self.value(at, indent, least - 1, depth)

    def sequence(self, at: int, indent: int, depth: int) -> tuple[Node, int]:
        found: list[Node] = []
        first = at
        while self.indent(at) == indent and re.match(r"-(\s|$)", self.lines[at][indent:]):
            rest = self.lines[at][indent + 1 :].lstrip()
            column = len(self.lines[at]) - len(rest)
            if (
                rest
                and rest[0] not in "#|>&!"
                and (re.match(r"-(\s|$)", rest) or (rest[0] not in "[{" and _key(rest)))
            ):
                self.lines[at] = " " * column + rest
                node, after = self.block(at, indent + 1, depth + 1)
            else:
                node, after = self.value(at, column, indent, depth + 1)
            found.append(node)
            at = self.next(max(after, at + 1))
        return Node(first + 1, found), at

    def mapping(self, at: int, indent: int, depth: int) -> tuple[Node, int]:
        found: dict[str, Node] = {}
        first = at
        while (at := self.next(at)) < len(self.lines):
            now = self.indent(at)
            if now < indent:
                break
            key = _key(self.lines[at][now:])
            if now > indent or not key:
                if now == indent and self.lines[at][now:].startswith("- "):
                    break
                at += 1
                continue
            name, width = key
            node, after = self.value(at, now + width, indent, depth + 1)
            if name == "<<":
                for merged in node.nodes or [node]:
                    self.merge(merged, found)
            else:
                found[name] = node
            at = max(after, at + 1)
        return Node(first + 1, found), at

    def merge(self, merged: Node, found: dict[str, Node]) -> None:
        """Add the fields of another mapping that this one does not have; of a file full of them only the first."""
        self.merged += len(merged.fields)
        if self.merged <= _MOST_MERGED:
            found |= {key: node for key, node in merged.fields.items() if key not in found}

    def value(self, at: int, column: int, indent: int, depth: int) -> tuple[Node, int]:
        """Return what stands behind a key or a dash that is indented by `indent`, and the line behind it."""
        line = self.lines[at]
        column += len(line[column:]) - len(line[column:].lstrip())
        anchor = ""
        while match := _PROPERTY.match(line, column):
            anchor = match[2] or anchor
            column = match.end()
        rest = line[column:]
        if not rest or rest.startswith("#"):
            inner = self.next(at + 1)
            is_listed = self.indent(inner) == indent >= 0 and re.match(r"-(\s|$)", self.lines[inner][indent:])
            is_own = is_listed and re.match(r"\s*-", line) is None
            node, after = self.block(inner, indent + (not is_own), depth)
            node = node if node.value else Node(at + 1, node.value)
        elif match := _BLOCK.match(rest):
            node, after = self.text(at, indent, is_folded=match[1] == ">")
        elif rest[0] == "*":
            node, after = self.anchors.get(rest[1:].split(" ")[0], Node(at + 1, "")), at + 1
        elif rest[0] in "[{\"'" and not rest.startswith("{{"):
            node, row, _ = self.flow(at, column, depth)
            after = row + 1
        else:
            node, after = self.plain(at, column, indent)
        if anchor:
            self.anchors[anchor] = node
        return node, after

    def plain(self, at: int, column: int, indent: int) -> tuple[Node, int]:
        """Return a text without quotes, which goes on in lines that are indented more."""
        words = [_COMMENT.sub("", self.lines[at][column:]).strip()]
        after = at + 1
        while after < len(self.lines) and self.lines[after].strip() and self.indent(after) > indent:
            if self.lines[after].lstrip().startswith("#"):
                break
            words.append(_COMMENT.sub("", self.lines[after]).strip())
            after += 1
        text = " ".join(words)
        return Node(at + 1, "" if text in {"null", "~"} else text), after

    def text(self, at: int, indent: int, *, is_folded: bool) -> tuple[Node, int]:
        """Return a text in lines of its own, below `|` or `>`."""
        after = at + 1
        while after < len(self.lines) and (not self.lines[after].strip() or self.indent(after) > indent):
            after += 1
        lines = self.lines[at + 1 : after]
        depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        joined = (" " if is_folded else "\n").join(line[depth:].rstrip() for line in lines)
        blank = next((at for at, line in enumerate(lines) if line.strip()), 0)
        return Node(at + 2 + blank, joined.strip() if is_folded else joined.strip("\n")), after

    def flow(self, row: int, column: int, depth: int) -> tuple[Node, int, int]:
        """Return a value in brackets or quotes, and the place behind it."""
        row, column = self.space(row, column)
        if row >= len(self.lines):
            return Node(row, ""), row, column
        here, line = self.lines[row][column : column + 1], row + 1
        if here in {"[", "{"} and depth < _DEEPEST and not self.lines[row].startswith("{{", column):
            return self.brackets(row, column + 1, "]" if here == "[" else "}", depth)
        if here in {'"', "'"}:
            text, row, column = self.quotation(row, column)
            return Node(line, text), row, column
        match = _FLOW_PLAIN.match(self.lines[row], column)
        text = match[0].strip() if match else ""
        if text.startswith("*"):
            return replace(self.anchors.get(text[1:], Node(line, "")), line=line), row, column + len(text)
        end = match.end() if match else column + 1
        return Node(line, "" if text in {"null", "~"} else text), row, end

    def brackets(self, row: int, column: int, end: str, depth: int) -> tuple[Node, int, int]:
        first = row + 1
        found: list[Node] = []
        fields: dict[str, Node] = {}
        while True:
            row, column = self.space(row, column)
            here = self.lines[row][column : column + 1] if row < len(self.lines) else end
            if here == end:
                return Node(first, found if end == "]" else fields), row, column + 1
            if here in {",", ":", "]", "}"}:
                column += 1
                continue
            node, row, column = self.flow(row, column, depth + 1)
            if end == "]":
                found.append(node)
                continue
            row, column = self.space(row, column)
            if row < len(self.lines) and self.lines[row].startswith(":", column):
                name = node.text
                node, row, column = self.flow(row, column + 1, depth + 1)
                fields[name] = node

    def space(self, row: int, column: int) -> tuple[int, int]:
        """Return the next place where something stands that is no comment."""
        while row < len(self.lines):
            line = self.lines[row]
            while column < len(line) and line[column].isspace():
                column += 1
            if column < len(line) and line[column] != "#":
                return row, column
            row, column = row + 1, 0
        return row, 0

    def quotation(self, row: int, column: int) -> tuple[str, int, int]:
        """Return a text in quotes, and the place behind it; to the end of its line where it is not closed."""
        quote = self.lines[row][column]
        closed = re.compile(r"(?:[^\"\\]|\\.)*\"" if quote == '"' else r"(?:[^']|'')*'(?!')")
        parts: list[str] = []
        at, start = row, column + 1
        while at < len(self.lines):
            if match := closed.match(self.lines[at], start):
                parts.append(match[0][:-1].strip() if parts else match[0][:-1])
                text = " ".join(parts)
                return (_unescaped(text) if quote == '"' else text.replace("''", "'")), at, match.end()
            line = self.lines[at][start:]
            parts.append((line.strip() if parts else line.rstrip()).removesuffix("\\"))
            at, start = at + 1, 0
        return self.lines[row][column:], row, len(self.lines[row])


def _unescaped(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        try:
            return str(json.loads(f'"{match[0]}"'))
        except ValueError:
            return match[0][-1]

    plain = _ESCAPE.sub(escape, text)
    return plain.encode("utf-8", "replace").decode()  # half of a pair of surrogates cannot be printed


def _key(line: str) -> tuple[str, int] | None:
    """Return the key that a line begins with, and where its value begins; None for a line without one."""
    if match := _QUOTED.match(line):
        rest = line[match.end() :].lstrip()
        if not re.match(r":(\s|$)", rest):
            return None
        return match[0][1:-1], len(line) - len(rest) + 1
    found = re.search(r":(?=\s|$)|\s#", line)
    if not found or found[0] != ":" or line[0] in "#|>@`%\"'*&!" or line.startswith("? "):
        return None
    return line[: found.start()].strip(), found.end()
