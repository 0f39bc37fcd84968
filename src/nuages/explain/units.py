"""What services are started by: systemd units, supervisor's programs, Compose and other YAML with commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nuages.errors import Origin
from nuages.explain.facts import Row, Setting, drop, nothing, undecided
from nuages.explain.scripts import Part, environment, joined, line, row

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
    "LimitNOFILE": "the soft limit is raised to the hard one by the server where that is allowed",
}


def unit(text: str, path: str) -> list[Part]:
    """Return the parts of a systemd unit: what the commands of its section [Service] become."""
    items: list[Setting | Row] = []
    variables: list[tuple[int, tuple[str, str]]] = []
    serving: tuple[int, str] | None = None
    for number, raw in joined(text):
        key, equals, value = raw.strip().partition("=")
        origin = Origin(path, number)
        if not equals or key.startswith(("#", ";")):
            continue
        if key == "Environment":
            found = re.findall(
                r"(?:\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|([A-Za-z_]\w*)=(\S*))", value
            )
            variables += [(number, (one[0] or one[2] or one[4], one[1] or one[3] or one[5])) for one in found]
        elif key == "ExecStart":
            serving = (number, value.lstrip("-@:+!"))
        elif key.startswith("Exec") and key != "ExecReload":
            items.append(row(origin, key, value, nothing("stays in the unit")))
        elif key == "WorkingDirectory":
            items.append(row(origin, key, value, nothing("stays in the unit: the project is found there")))
        elif key == "TimeoutStopSec":
            items.append(row(origin, key, value, undecided(_STOPPING)))
        elif key in _UNIT:
            items.append(row(origin, key, value, nothing(_UNIT[key])))
    if serving:
        start = line(serving[1], Origin(path, serving[0]), "ExecStart")
        for number, pair in variables:
            items += environment([pair], Origin(path, number), start.server)
        items += start.items
        ordered = sorted(items, key=lambda item: item.origin.line or 0)
        return [Part(name="service", items=tuple(ordered), wrappers=start.wrappers)]
    return [Part(name="service", items=tuple(item for item in items if isinstance(item, Row)))]


def supervisor(text: str, path: str) -> list[Part]:
    """Return the parts of supervisor's file: a program each, its command and what else stands there."""
    found: list[Part] = []
    name = ""
    for number, raw in joined(text):
        key, equals, value = raw.strip().partition("=")
        if header := re.match(r"\[(\w+)(?::(.+))?\]", raw.strip()):
            name = (header[2] or "") if header[1] == "program" else ""
        elif name and equals and not key.startswith((";", "#")):
            origin = Origin(path, number)
            if key.strip() == "command":
                found.append(line(value.strip(), origin, name))
            else:
                said = drop("stays: supervisor can run nuages as it runs this")
                found.append(Part(name=name, items=(row(origin, key.strip(), value, said),)))
    return found


def yaml(text: str, path: str) -> list[Part]:
    """Return the parts of a YAML file: each command of a service in it."""
    return [line(command, Origin(path, number), name) for number, name, command in _commands(text)]


def _commands(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the service's name and the command line of each `command:`, in any form that YAML has for it."""
    given = text.splitlines()
    names: dict[int, str] = {}
    for at, raw in enumerate(given):
        match = re.match(r"(\s*)(?:-\s+)?([\w-]+)\s*:\s*(.*)$", raw)
        if not match:
            continue
        indent, key, value = len(match[1]), match[2], match[3].strip()
        names = {depth: name for depth, name in names.items() if depth < indent}
        if key not in {"command", "startCommand", "entrypoint"}:
            names[indent] = key
            continue
        service = names[max(names)] if names else ""
        if re.fullmatch(r"[|>][-+]?", value) or not value:
            below = []
            for more in given[at + 1 :]:
                if more.strip() and len(more) - len(more.lstrip()) < indent + (value != ""):
                    break
                if not value and not more.strip().startswith("- "):
                    break
                below.append(_scalar(more.strip().removeprefix("- ")) if not value else more.strip())
            value = " ".join(_quoted(word) for word in below) if not value else " ".join(below)
        elif value.startswith("["):
            value = " ".join(
                _quoted(_scalar(word)) for word in re.findall(r"\"[^\"]*\"|'[^']*'|[^,\[\]\s]+", value)
            )
        else:
            value = _scalar(value)
        if value.strip():
            yield at + 1, service, value


def _scalar(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _quoted(word: str) -> str:
    """Return a word that the shell's splitting leaves whole; variables in it stay variables."""
    return word if re.fullmatch(r"[\w@%+=:,./${}*-]+", word) else "'" + word.replace("'", "'\\''") + "'"
