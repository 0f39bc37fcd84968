"""A trial run of an image, as strict as platforms are: what it is started with, and what its end means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nuages.errors import Origin
from nuages.image.audit import Finding
from nuages.image.stand_ins import stand_in
from nuages.project.model import Shape, Variable, VariableKind

LABEL = "nuages.variables"
"""The label that names the variables which the settings need, as `NAME=kind` or `NAME=kind:shape` (never a value)."""

USER = "54321:0"
"""A number that no image knows: platforms give any (OpenShift's guide to images: arbitrary user ids)."""


def label(variables: Iterable[Variable]) -> str:
    """Return the label's text."""
    return " ".join(
        f"{each.name}={each.kind.value}" + (f":{each.shape.value}" if each.shape else "")
        for each in variables
    )


def environ(config: Mapping[str, Any], distributions: Iterable[str]) -> dict[str, str]:
    """Return stand-ins for the variables that an image's label names; `distributions` are what it has installed."""
    labels = (config.get("config") or {}).get("Labels") or {}
    requirements = "\n".join(distributions)
    found = {}
    for word in labels.get(LABEL, "").split():
        name, _, told = word.partition("=")
        kind, _, shape = told.partition(":")
        variable = Variable(
            name=name,
            kind=VariableKind(kind) if kind in {each.value for each in VariableKind} else VariableKind.TEXT,
            shape=Shape(shape) if shape in {each.value for each in Shape} else None,
            required=True, reader=LABEL, origin=Origin(LABEL),
        )  # fmt: skip
        found[name] = stand_in(variable, requirements)
    return found


def python(config: Mapping[str, Any]) -> str:
    """Return the Python that an image starts nuages with, nothing where it starts something else."""
    entry = [str(word) for word in (config.get("config") or {}).get("Entrypoint") or ()]
    command = [str(word) for word in (config.get("config") or {}).get("Cmd") or ()]
    is_ours = any("nuages" in word for word in entry) and command[:1] == ["serve"]
    return entry[0] if is_ours else ""


def probe(port: int) -> str:
    """Return the program that asks a server from inside its container whether it is ready."""
    return (
        "import sys, urllib.request as r\n"
        f"try: sys.exit(r.urlopen('http://127.0.0.1:{port}/-/ready', timeout=5).status != 200)\n"
        "except OSError: sys.exit(1)\n"
    )


def verdict(*, ready: bool, status: int | None, said: str) -> tuple[Finding, ...]:
    """Return what a trial found: whether the server was `ready`, its exit `status` after SIGTERM, its last words."""
    last = "\n".join(line for line in said.splitlines() if line.strip())[-1500:]
    if not ready:
        return (
            Finding(
                id="I007", severity="error",
                what="the image does not serve with a read-only root, a user of any number and no network", where=last,
                hint="what the project writes belongs into /tmp or a volume; what it connects to, into a request",
            ),
        )  # fmt: skip
    if status:
        return (
            Finding(
                id="I008", severity="error", what=f"the server ended with {status} after SIGTERM", where=last,
                hint="nuages serve ends with 0 where nothing was cut off: the lines above say what was",
            ),
        )  # fmt: skip
    return ()
