"""hypercorn.toml: what stands at its top, which is all that hypercorn reads (0.18, Config.from_toml)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from nuages.errors import Origin
from nuages.explain.facts import Row, Setting, drop
from nuages.explain.servers import in_file
from nuages.explain.translation import unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# `[` and what a table's name begins with, or a name and its `=`.
_NAME = re.compile(r"[ \t]*(?:(\[+)[ \t]*)?(\"[^\"]*\"|'[^']*'|[\w-]+)(?(1)|[ \t]*=)")


def read(text: str, path: str) -> list[Setting | Row]:
    """Return the settings of the file in the order of its lines; raises ValueError for what is no TOML."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    lines = _lines(text)
    found = [
        _setting(name, value, Origin(path, lines.get((isinstance(value, Mapping), name))))
        for name, value in document.items()
    ]
    return sorted(found, key=lambda item: item.origin.line or 0)


def _setting(name: str, value: object, origin: Origin) -> Setting | Row:
    if isinstance(value, Mapping):
        return Row(
            origin=origin, name=f"[{name}]", text="", outcome=drop("hypercorn reads no tables of its file")
        )
    values = tuple(map(_text, value if isinstance(value, list) else [value]))
    fact = in_file("hypercorn", name)
    if fact is None:
        return Row(origin=origin, name=name, text=", ".join(values), outcome=unknown("hypercorn", name))
    return Setting(
        server="hypercorn", name=name, key=fact.key, text=", ".join(values), values=values, origin=origin
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(text: str) -> dict[tuple[bool, str], int]:
    """Return where each name of the document's top stands first, by whether it is a table's; `a.b = 1` is not found."""
    found: dict[tuple[bool, str], int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if match := _NAME.match(line):
            found.setdefault((bool(match[1]), match[2].strip("\"'")), number)
    return found
