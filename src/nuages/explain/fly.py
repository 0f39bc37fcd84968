"""Fly's fly.toml: the commands of its processes and of a release, and what stands beside them.

Source: fly.io/docs/reference/configuration, «Fly Launch configuration».
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from nuages.errors import Origin
from nuages.explain import scripts
from nuages.explain.beside import FILES, VARIABLES
from nuages.explain.facts import Outcome, Row, drop, nothing, undecided
from nuages.explain.scripts import Part, row

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LINE = re.compile(r"""\s*(?:\[+\s*([\w."'-]+)\s*\]+|([\w"'.-]+)\s*=)""")
_GRACE = "has to be longer than --drain and --grace together (35s), or requests in flight are cut off"
_CHECKED = undecided(
    "Fly probes the port that serves: --health-path PATH answers there before Django and its ALLOWED_HOSTS"
)
_STARTS = nothing("Fly starts what the image says: nuages explain Dockerfile")
_STATICS = nothing(
    "static files are served before Django, with hashes in their names: Fly need not serve them"
)
_PORT = nothing(
    "the image serves on the port that the project's own exposes, else 8000 (--port); PORT of [env] is read too"
)
_SIZE = nothing("workers are as many as the memory holds and the CPUs run")
_STAYS = drop("Fly's own: stays")
_KEYS: dict[str, Outcome] = {
    "internal_port": _PORT, "guest_path": _STATICS, "destination": FILES, "memory": _SIZE, "memory_mb": _SIZE,
    "cpus": _SIZE, "kill_signal": nothing("SIGTERM, SIGQUIT and SIGINT all stop in order"),
}  # fmt: skip


def read(text: str, path: str) -> list[Part]:
    """Return the parts of the file, a process each; raises ValueError where it is no TOML."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    parts: list[Part] = []
    items: list[Row] = []
    others: list[tuple[int, str]] = []
    variables: list[tuple[int, str]] = []
    for number, table, key in _lines(text):
        origin = Origin(path, number)
        value = _at(document, table, key)
        if value is None:  # a line of a text of several lines
            continue
        shown = value if isinstance(value, str) else str(value)
        if table == "processes" and isinstance(value, str):
            parts.append(scripts.line(value, origin, key))
        elif key == "release_command" and isinstance(value, str):
            parts.append(scripts.line(value, origin, "release"))
        elif table == "env":
            told = [item for item in scripts.environment([(key, shown)], origin, "") if isinstance(item, Row)]
            told = [item for item in told if item.text != "…"]
            items += told
            variables += [] if told else [(number, key)]
        elif key == "kill_timeout":
            items.append(row(origin, key, shown, scripts.stopping(shown, _GRACE)))
        elif "checks" in table and key == "path":
            items.append(row(origin, f"{table}.path", shown, _CHECKED))
        elif key in _KEYS:
            items.append(row(origin, key, shown, _KEYS[key]))
        else:
            others.append((number, f"{table}.{key}" if table else key))
    if not any(part.server for part in parts):
        items.append(row(Origin(path), "", "", _STARTS))
    for given, said in ((variables, VARIABLES), (others, _STAYS)):
        if given:
            items.append(row(Origin(path, given[0][0]), "", ", ".join(name for _, name in given), said))
    items.sort(key=lambda item: item.origin.line or 0)
    return [*parts, *([Part(name="fly", items=tuple(items))] if items else [])]


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield each key with its line and its table."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := _LINE.match(line):
            table = match[1] or table
            if match[2]:
                yield number, table, match[2].strip("\"'")


def _at(document: Any, table: str, key: str) -> Any:
    """Return a value; of several tables of a name that of the first, as far as its place tells."""
    for name in [*filter(None, table.split(".")), key]:
        document = document[0] if isinstance(document, list) and document else document
        document = document.get(name) if isinstance(document, dict) else None
    return document
