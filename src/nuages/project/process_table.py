"""The table [tool.nuages.processes]: processes by name, added, changed or dropped."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.kinds import duration
from nuages.project import procfile, schedule
from nuages.project.model import Problem, Process, ProcessRole
from nuages.project.tree import Tree

_KEYS = ("command", "schedule", "grace", "stop-signal", "probe", "single")
_EXAMPLE = '{ command = "python manage.py mail_digest", schedule = "0 6 * * *" }'


def apply(
    tree: Tree, found: Mapping[str, Process], made: Callable[[str, tuple[str, ...], Origin], Process]
) -> tuple[tuple[Process, ...], tuple[Problem, ...]]:
    """Return the found processes as the table has them, those it adds behind them, and what is wrong with it.

    `made` makes the process of a name and a command, with what is known of its queue.
    """
    processes, problems = dict(found), []
    for path, document in (("nuages.toml", tree.toml("nuages.toml")), ("pyproject.toml", _tool(tree))):
        table = document.get("processes")
        for name, entry in table.items() if isinstance(table, Mapping) else ():
            origin = tree.line_of(path, rf"^[ \t]*(\[.*processes\.)?[\"']?{name}[\"']?\s*[=\]]")
            try:
                processes.update(_one(name, entry, processes.get(name), made, origin))
            except ValueError as error:
                problems.append(_wrong(name, str(error), origin))
            if entry is False:
                processes.pop(name, None)
    return tuple(processes.values()), tuple(problems)


def _tool(tree: Tree) -> Mapping[str, Any]:
    if "pyproject.toml" not in tree:
        return {}
    tool = tree.toml("pyproject.toml").get("tool")
    nuages = tool.get("nuages") if isinstance(tool, Mapping) else None
    return nuages if isinstance(nuages, Mapping) else {}


def _one(
    name: str,
    entry: Any,
    found: Process | None,
    made: Callable[[str, tuple[str, ...], Origin], Process],
    origin: Origin,
) -> dict[str, Process]:
    if entry is False:
        if found is None:
            raise ValueError("there is no such process to leave out")
        return {}
    table = entry if isinstance(entry, Mapping) else {"command": entry}
    if name != procfile.label(name):
        raise ValueError(f"names are small letters, digits and dashes: {procfile.label(name)}")
    if unknown := [key for key in table if key not in _KEYS]:
        raise ValueError(f"it has the key {unknown[0]!r}; there are {', '.join(_KEYS)}")
    # Another command is another process: nothing of what was found of the first holds for it.
    process = made(name, _command(table["command"]), origin) if "command" in table else found
    if process is None:
        raise ValueError("it has no command")
    changes: dict[str, Any] = {"origin": origin}
    if table.get("single") is True:
        changes["role"] = ProcessRole.SCHEDULER
    if "schedule" in table:
        text = str(table["schedule"])
        schedule.parse(text)
        changes.update(role=ProcessRole.SCHEDULED, schedule=text, probe=())
    if "grace" in table:
        changes["grace_seconds"] = duration.parse(str(table["grace"]))
    if "stop-signal" in table:
        changes["stop_signal"] = _signal(str(table["stop-signal"]))
    if "probe" in table:
        changes["probe"] = _command(table["probe"]) if table["probe"] else ()
    return {name: dataclasses.replace(process, **changes)}


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return procfile.words(value.strip())
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ValueError("a command is a text or a list of texts")


def _signal(text: str) -> str:
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    if name not in signal.Signals.__members__:
        raise ValueError(f"there is no signal {text}")
    return name


def _wrong(name: str, why: str, origin: Origin) -> Problem:
    return Problem(
        id="process-invalid",
        what=f"the process {name!r} cannot be read",
        where=str(origin),
        why=why,
        hint=f"write for example: {procfile.label(name)} = {_EXAMPLE}",
        is_error=True,
    )
