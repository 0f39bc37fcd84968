"""Reads [tool.nuages] of pyproject.toml, or nuages.toml, into texts that options parse; each keeps file and line."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuages.errors import Origin, UsageError
from nuages.options import Given

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


PROCESSES = "processes"
"""The table of processes beside the server."""


def read_file(folder: Path) -> dict[str, Given]:
    """Return what the project's configuration file gives, keyed by option name; nothing where there is none.

    Raises UsageError where both files configure nuages, or where TOML or a value's type is wrong.
    """
    own, shared = folder / "nuages.toml", folder / "pyproject.toml"
    table = _table(own, section="")
    if (shared_table := _table(shared, section="tool.nuages")) is None:
        return _given(table, own.name, _text(own), section="") if table is not None else {}
    if table is not None:
        raise UsageError(
            "nuages is configured in two files",
            where="nuages.toml and [tool.nuages] of pyproject.toml",
            why="neither can be ignored silently",
            hint="move the keys of nuages.toml to [tool.nuages] in pyproject.toml and delete nuages.toml",
        )
    return _given(shared_table, shared.name, _text(shared), section="tool.nuages")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _table(path: Path, *, section: str) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    text = _text(path)
    if section and "nuages" not in text:
        return None
    try:
        document: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of numbers that are too long, and of too many brackets
        line = re.search(r"at line (\d+)", str(error))
        raise UsageError(
            f"{path.name} cannot be read",
            where=Origin(path.name, int(line[1]) if line else None),
            why=str(error),
            hint=f"correct the TOML of {path.name}",
        ) from None
    for part in filter(None, section.split(".")):
        if part not in document:
            return None
        document = document[part]
        if not isinstance(document, dict):
            raise UsageError(
                f"[{section}] of {path.name} is no table"
                if part == section.rpartition(".")[2]
                else f"{part!r} is no table",
                where=Origin(path.name, _first_line(text, rf"\b{part}\b")),
                why=f"{_kind(document)} stands where a table is wanted",
                hint=f"write [{section}], and the keys below it",
            )
    return document  # type: ignore[no-any-return]


def _given(table: Mapping[str, Any], name: str, text: str, *, section: str) -> dict[str, Given]:
    found = {}
    for key, value in table.items():
        if key == PROCESSES:
            if not isinstance(value, dict):
                raise UsageError(
                    f"the key {key!r} has a value of the wrong type", where=Origin(name, line_of(text, key, section)),
                    why=f"{_kind(value)} stands where a table of commands is wanted",
                    hint='processes = { mail = "python manage.py mail_digest" }',
                )  # fmt: skip
            continue  # no option: `project.processes` reads it
        if key == "tool" and not section and isinstance(value, dict):
            raise UsageError(
                f"{name} has a table [tool.…]", where=Origin(name, _first_line(text, r"\[tool")),
                why="that is how pyproject.toml is divided; in this file the keys stand by themselves",
                hint="take the line [tool.nuages] out",
            )  # fmt: skip
        origin = Origin(name, line_of(text, key, section))
        values = value if isinstance(value, list) else [value]
        found[key] = Given(texts=tuple(_as_text(item, key, origin) for item in values), origin=origin)
    return found


def _first_line(text: str, pattern: str) -> int | None:
    return next(
        (number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)), None
    )


def _kind(value: Any) -> str:
    """Return what a value is, in TOML's words."""
    kinds = {
        dict: "a table",
        list: "an array",
        str: "a text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), "a date")


def _as_text(value: Any, key: str, origin: Origin) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise UsageError(
        f"the key {key!r} has a value of the wrong type",
        where=origin,
        why=f"{_kind(value)} stands where a text, a number, a boolean or a list of them is wanted",
        hint=f'write {key} = "…"',
    )


def line_of(text: str, key: str, section: str) -> int | None:
    """Return the line, from 1, on which `key` is set in `section`; None where only a parser would find it."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            current = header[1].replace('"', "")
        elif current == section and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
            return number
    return None
