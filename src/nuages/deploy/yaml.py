"""YAML for people: plain words stay plain, every other scalar is JSON, which YAML reads as it stands.

A key that begins with `#` is a comment: its text stands above what follows it, its value is ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9._/@-]*(?::[A-Za-z0-9._/@-]+)*")
# YAML 1.1 reads these as something else than text (yaml.org/type/bool, null, float), and old readers still do.
_NOT_TEXT = {"y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf", "~"}


def dump(documents: Iterable[Document]) -> str:
    """Return the documents as one stream."""
    return "---\n".join("\n".join(_lines(document)) + "\n" for document in documents)


def without_comments(value: Any) -> Any:
    """Return a document as a reader of its YAML would have it."""
    if isinstance(value, Mapping):
        return {key: without_comments(item) for key, item in value.items() if not key.startswith("#")}
    if isinstance(value, (list, tuple)):
        return [without_comments(item) for item in value]
    return value


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if key.startswith("#"):
                yield from (f"{indent}# {line}".rstrip() for line in key[1:].strip().splitlines())
            elif isinstance(item, str) and _has_lines(item):
                yield f"{indent}{_scalar(key)}: |{'' if item.endswith(chr(10)) else '-'}"
                yield from (f"{indent}  {line}".rstrip() for line in item.removesuffix("\n").split("\n"))
            elif _is_block(item):
                yield f"{indent}{_scalar(key)}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(item)}"
    else:
        for item in value:
            if not _is_block(item):
                yield f"{indent}- {_scalar(item)}"
                continue
            first, *rest = _lines(item, indent + "  ")
            while first.lstrip().startswith("#"):
                yield first.removeprefix("  ")
                first, *rest = rest
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest


def _has_lines(text: str) -> bool:
    """Whether a text may stand as a block of lines: what cannot be seen in it would be lost or misread."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and bool(lines[0] and lines[-1])
        and not lines[0].startswith(" ")
    )


def _is_block(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value) and not _is_row(value)


def _is_row(value: Any) -> bool:
    """Whether a list is short enough to stand in one line: a command, a list of words."""
    return (
        isinstance(value, Sequence)
        and all(isinstance(item, (str, int)) for item in value)
        and len(json.dumps(value)) < 100
    )


def _scalar(value: Any) -> str:
    if isinstance(value, (list, tuple)) and value:
        return "[" + ", ".join(_json(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return _json(value)


def _json(value: Any) -> str:
    # YAML takes fewer characters as they stand than JSON does, and has longer escapes (YAML 1.2, 5.1 and 5.7).
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(ord(each)) for each in text)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
