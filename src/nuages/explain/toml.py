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


def read(text: str, path: str) -> list[Setting | Row]:
    """Return the settings of the file in the order of its lines; raises ValueError for what is no TOML."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    found = [
        _setting(name, value, Origin(path, _line(text, name, value))) for name, value in document.items()
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


def _line(text: str, name: str, value: object) -> int | None:
    """Return the line where a name of the document's top stands, None where it cannot be found (`a.b = 1`)."""
    quoted = f"[\"']?{re.escape(name)}[\"']?"
    pattern = rf"^[ \t]*\[+\s*{quoted}" if isinstance(value, Mapping) else rf"^[ \t]*{quoted}[ \t]*="
    match = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else None
