"""What services are started by: systemd units and supervisor's programs."""

from __future__ import annotations

import re
from dataclasses import replace

from nuages.errors import Origin
from nuages.explain.facts import Fate, Outcome, Row, Setting, drop, nothing, undecided
from nuages.explain.scripts import Part, environment, joined, line, row, stopping

_STOPPING = (
    "has to be longer than --drain and --grace (30s), or systemd cuts requests off; `nuages manifests systemd` "
    "writes what fits"
)
_UNIT = {
    "User": "stays in the unit; nuages changes no user",
    "Group": "stays in the unit",
    "Restart": "`nuages manifests systemd` writes it; workers that die are replaced by the supervisor",
    "ExecReload": "stays: SIGHUP loads the new code beside the old",
    "KillSignal": "SIGTERM, SIGQUIT and SIGINT all stop in order",
    "KillMode": "with any: the supervisor stops the workers",
    "Type": "notify: systemd is told of readiness, reloads and the end",
    "PIDFile": "Type=notify needs none",
    "WatchdogSec": "the supervisor answers systemd's watchdog",
    "EnvironmentFile": "stays in the unit",
    "RuntimeDirectory": "stays in the unit; `nuages status` finds the server there",
    "MemoryMax": "workers are as many as it holds; `nuages manifests systemd --memory SIZE` writes it",
    "CPUQuota": "workers are as many as it lets run at a time",
    "LimitNOFILE": "the soft limit is raised to the hard one by the server where that is allowed",
}

_WAITING = "has to be longer than --grace (30s), or supervisor cuts requests off; it says 10 by itself"
_STAYS = drop("stays: supervisor can run nuages as it runs this")
_SUPERVISORS = drop("supervisor's own: stays where supervisor does")
_SUPERVISOR = {
    "numprocs": undecided("1: nuages starts its workers itself, and two servers cannot have one address"),
    "stopsignal": nothing("SIGTERM, SIGQUIT and SIGINT all stop in order"),
}
_PAIR = re.compile(r"(?<!\w)(\w+)=(\"[^\"]*\"|'[^']*'|[^,\s]*)")
_EXPANSION = re.compile(r"%\(ENV_(\w+)\)s")


def unit(text: str, path: str) -> list[Part]:
    """Return the parts of a systemd unit: what the commands of its section [Service] become."""
    items: list[Setting | Row] = []
    variables: list[tuple[int, tuple[str, str]]] = []
    others: list[tuple[int, str]] = []
    serving: tuple[int, str] | None = None
    for number, raw in joined(text):
        key, equals, value = raw.strip().partition("=")
        origin = Origin(path, number)
        if not equals or key.startswith(("#", ";")):
            continue
        if key == "Environment":
            found = re.findall(
                r"(?:\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|(?<!\w)([A-Za-z_]\w*)=(\S*))", value
            )
            variables += [(number, (one[0] or one[2] or one[4], one[1] or one[3] or one[5])) for one in found]
        elif key == "ExecStart":
            serving = (number, value.lstrip("-@:+!"))
        elif key.startswith("Exec") and key != "ExecReload":
            items.append(row(origin, key, value, _beside(key, value)))
        elif key == "WorkingDirectory":
            items.append(row(origin, key, value, nothing("stays in the unit: the project is found there")))
        elif key == "TimeoutStopSec":
            items.append(row(origin, key, value, stopping(value, _STOPPING)))
        elif key in _UNIT:
            items.append(row(origin, key, value, nothing(_UNIT[key])))
        else:
            others.append((number, key))
    if others:
        listed = ", ".join(dict.fromkeys(key for _, key in others))
        items.append(row(Origin(path, others[0][0]), "", listed, drop("stays in the unit: systemd's own")))
    if serving:
        values = dict(pair for _, pair in variables)
        start = line(serving[1], Origin(path, serving[0]), "ExecStart", variables=values)
        for number, pair in variables:
            items += environment([pair], Origin(path, number), start.server)
        items += start.items
        ordered = sorted(items, key=lambda item: item.origin.line or 0)
        return [replace(start, name="service", items=tuple(ordered))]
    return [Part(name="service", items=tuple(item for item in items if isinstance(item, Row)))]


def _beside(key: str, value: str) -> Outcome:
    """Return what becomes of a command beside the server's: the migration and the like have a place of their own."""
    if key in {"ExecStartPre", "ExecStartPost"}:
        for item in line(value.lstrip("-@:+!"), Origin(""), "").items:
            if isinstance(item, Row) and item.outcome.fate is Fate.ITSELF and "manage.py" in item.text:
                return item.outcome
    return nothing("stays in the unit")


def supervisor(text: str, path: str) -> list[Part]:
    """Return the parts of supervisor's file: a program each, its command, and what else stands beside a server's."""
    programs: dict[str, list[tuple[int, str, str]]] = {}
    own: list[tuple[int, str, str]] | None = None
    apart: list[Row] = []
    is_including = False
    for number, raw in joined(text):
        key, equals, value = (word.strip() for word in raw.partition("="))
        if header := re.match(r"\[(\w+)(?::(.+))?\]", raw):
            own = programs.setdefault(header[2] or "", []) if header[1] == "program" else None
            if header[1] not in {"program", "include"}:
                apart.append(row(Origin(path, number), "", raw.strip(), _SUPERVISORS))
            is_including = header[1] == "include"
        elif is_including and key == "files":
            apart.append(
                row(Origin(path, number), key, value, undecided("is not read: explain these as well"))
            )
        elif own and raw[:1].isspace() and raw.strip():
            own[-1] = (*own[-1][:2], f"{own[-1][2]} {raw.strip()}")
        elif own is not None and equals and not key.startswith((";", "#")):
            own.append((number, key, value))
    parts = [_program(name, given, path) for name, given in programs.items()]
    return [*parts, *([Part(name="", items=tuple(apart))] if apart else [])]


def _program(name: str, given: list[tuple[int, str, str]], path: str) -> Part:
    number, command = next(((number, value) for number, key, value in given if key == "command"), (0, ""))
    part = line(_EXPANSION.sub(r"${\1}", command), Origin(path, number), name)
    if not part.server:
        return part
    items = list(part.items)
    for number, key, value in given:
        origin = Origin(path, number)
        if key == "environment":
            pairs = [(one[0], one[1].strip("\"'")) for one in _PAIR.findall(_EXPANSION.sub(r"${\1}", value))]
            items += environment(pairs, origin, part.server)
        elif key == "stopwaitsecs":
            items.append(row(origin, key, value, stopping(value, _WAITING)))
        elif key != "command":
            said = _STAYS if (key, value) == ("numprocs", "1") else _SUPERVISOR.get(key, _STAYS)
            items.append(row(origin, key, value, said))
    return replace(part, items=tuple(sorted(items, key=lambda item: item.origin.line or 0)))
