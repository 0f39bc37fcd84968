"""What stands beside the command of a service or container, in Compose's and Kubernetes' words, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from nuages.errors import Origin
from nuages.explain import scripts
from nuages.explain.facts import Outcome, Row, drop, nothing, undecided
from nuages.explain.scripts import row
from nuages.explain.yaml import Node

_GRACE = (
    "has to be longer than --drain and --grace together (35s), or requests in flight are cut off; `nuages manifests` "
    "writes what fits"
)
_PROBE = "/-/{} on the management port, which no ALLOWED_HOSTS and no busy worker delays; `nuages manifests` writes it"
_FOLDER = nothing("stays: the project is found there")
PORT = nothing("`nuages manifests` has the port that the image serves on; --port takes another")
_USER = nothing(
    "the user is a number and not root; `nuages manifests` takes its rights away, and it writes to /tmp and /data only"
)
FILES = undecided(
    "what the project writes beside its code (SQLite, uploads) is found, and lies in one volume at /data; copy what is "
    "in the old one, and add what else is mounted here to what `nuages manifests` writes"
)
VARIABLES = nothing(
    "stay in the environment: `nuages check --env` says which of them the settings read, `nuages manifests` which they "
    "need and where they stand"
)
_FROM_FILES = nothing(
    "stays: `nuages manifests` says which variables it has to have; nuages up --env-file reads one"
)
_ENDS = nothing("`nuages manifests` writes it; workers that die are replaced by the supervisor")
_NEEDED = nothing(
    "`nuages manifests compose` writes it for the database and the Redis that it finds; the server starts without one"
)
_SIZE = "workers are as many as it holds; the limit is for all of them: nuages manifests --memory{}"
_COUNT = "nuages manifests --replicas{}"
_BUILT = nothing(
    "`nuages build -t NAME` makes the image: nuages explain Dockerfile says what becomes of its lines"
)

_SAID: Mapping[str, Outcome] = {
    "livenessProbe": nothing(_PROBE.format("live")),
    "readinessProbe": nothing(_PROBE.format("ready")),
    "startupProbe": nothing(_PROBE.format("startup")),
    "lifecycle": nothing("no preStop is needed: after SIGTERM it serves on for --drain while endpoints learn of it"),
    "healthcheck": nothing(_PROBE.format("ready")),
    "build": _BUILT,
    **dict.fromkeys(("workingDir", "working_dir"), _FOLDER),
    **dict.fromkeys(("ports", "expose"), PORT),
    **dict.fromkeys(("user", "securityContext", "read_only", "cap_drop", "security_opt", "tmpfs"), _USER),
    **dict.fromkeys(("volumes", "volumeMounts", "disk"), FILES),
    **dict.fromkeys(("env_file", "envFrom"), _FROM_FILES),
    **dict.fromkeys(("restart", "restartPolicy"), _ENDS),
    **dict.fromkeys(("depends_on", "links"), _NEEDED),
    "init": nothing("nuages is PID 1 itself: it passes signals on and reaps"),
    "stop_signal": nothing("SIGTERM, SIGQUIT and SIGINT all stop in order"),
    "ulimits": nothing("the soft limit of open files is raised to the hard one by the server where that is allowed"),
    "serviceAccountName": nothing("`nuages manifests` writes one of its own, without a token"),
    "imagePullSecrets": nothing("nuages manifests --image-pull-secret NAME"),
    "strategy": nothing("`nuages manifests` writes one: no fewer ready pods than before, or one pod after the other"),
}  # fmt: skip
_CODE = nothing("the code is in the image; while you write it: nuages up --reload")
_SHOWN = frozenset({"ports", "expose", "volumes", "volumeMounts", "env_file", "depends_on", "links", "disk"})
_TELLING = ("mountPath", "containerPort", "target", "path", "name")
_TIMES = ("stop_grace_period", "terminationGracePeriodSeconds")
_SIZES = frozenset({"mem_limit", "mem_reservation", "memswap_limit", "cpus", "cpu_shares", "resources"})
_COUNTS = frozenset({"replicas", "scale"})
_VARIABLE_KEYS = ("environment", "env", "envVars", "env_variables")
_ELSEWHERE = frozenset({
    "entrypoint", "command", "args", "startCommand", "dockerCommand", "run_command", "image", "name", "key", "type",
    "containers", "initContainers", "template", "selector", "metadata", *_VARIABLE_KEYS,
})  # fmt: skip
"""What is read as a command, or says what the thing is."""

_STAYS = drop("not the server's: stays where it is, or goes beside what `nuages manifests` writes")


def rows(fields: Mapping[str, Node], path: str, names: Iterable[str] = ()) -> Iterator[Row]:
    """Yield a row for each key that stands beside a server's command, those that stay together in one.

    `names` are the variables that only the project reads; their values may be secret and are not told.
    """
    listed = ", ".join(names)
    if listed:
        key = next(key for key in _VARIABLE_KEYS if key in fields)
        yield row(Origin(path, fields[key].line), key, listed, VARIABLES)
    kept: list[tuple[str, Node]] = []
    for key, node in fields.items():
        if key == "deploy" and node.fields:
            yield from rows(node.fields, path)
        elif said := _said(key, node):
            yield row(Origin(path, node.line), key, _text(key, node), said)
        elif key not in _ELSEWHERE and not key.startswith("x-"):
            kept.append((key, node))
    if kept:
        yield row(Origin(path, kept[0][1].line), "", ", ".join(key for key, _ in kept), _STAYS)


def _text(key: str, node: Node) -> str:
    """Return what stands at a key, as far as it is no secret and says something on a line."""
    if key not in _SHOWN:
        return node.text
    words = [node.text, *(each.text or _first(each.fields) for each in node.nodes), *node.fields]
    return ", ".join(filter(None, words))


def _first(fields: Mapping[str, Node]) -> str:
    return next((fields[key].text for key in _TELLING if key in fields), "")


def _is_code(node: Node) -> bool:
    """Whether nothing is mounted but the folder that the file lies in, over the code of the image."""
    return bool(node.nodes) and all(re.match(r"\.{1,2}/?:", each.text) for each in node.nodes)


def _said(key: str, node: Node) -> Outcome | None:
    if key == "volumes" and _is_code(node):
        return _CODE
    if key in _TIMES:
        return scripts.stopping(node.text, _GRACE)
    if key in _COUNTS:
        return nothing(_COUNT.format(f" {node.text}" if node.text.isdigit() else " N"))
    if key in _SIZES:
        return nothing(_SIZE.format(f" {_size(key, node) or 'SIZE'}"))
    return _SAID.get(key)


def _size(key: str, node: Node) -> str:
    """Return the memory that is granted, "" where it is not said."""
    text = node.text if key == "mem_limit" else ""
    for name in ("limits", "requests"):
        below = node.fields.get(name)
        text = text or (below.fields["memory"].text if below and "memory" in below.fields else "")
    match = re.fullmatch(r"(\d+)\s*([kmgKMG])[iI]?[bB]?", text)
    return f"{match[1]}{match[2].upper()}" if match else ""
