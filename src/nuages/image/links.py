"""The commands that put links to an image's volume where the project writes."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping

from nuages.image.plan import Stated
from nuages.image.state import APP, DATA

OWNER = "65532:0"
"""The image's user, and the group that platforms give to any other number (OpenShift's guide to images)."""


def inside(state: Mapping[str, Stated]) -> list[str]:
    """Return the commands that put links to the volume in the place of files and folders; samples go along."""
    commands = []
    for path, stated in sorted(state.items()):
        if not path.startswith(f"{APP}/"):
            commands.append(f"mkdir -p {shlex.quote(stated.value)}")
            continue
        place, target = shlex.quote(path.rstrip("/")), shlex.quote(stated.value)
        commands.append(f"mkdir -p {posixpath.dirname(path.rstrip('/'))} {DATA}")
        if path.endswith("/"):
            commands.append(f"{{ [ ! -d {place} ] || mv {place} {target}; }} && mkdir -p {target}")
        commands.append(f"ln -sfn {target} {place}")
    return [*commands, f"chown -R {OWNER} {DATA} && chmod -R ug+rwX {DATA}"]


def outside(state: Mapping[str, Stated]) -> list[str]:
    """Return the commands that put links to the volume in the place of folders that lie elsewhere than the project."""
    commands = []
    for path, stated in sorted(state.items()):
        if not path.startswith((f"{APP}/", f"{DATA}/")):
            place, target = shlex.quote(path.rstrip("/")), shlex.quote(stated.value)
            commands.append(f"mkdir -p {shlex.quote(posixpath.dirname(path.rstrip('/')))}")
            commands.append(f"{{ [ -e {place} ] || ln -s {target} {place}; }}")
    return commands
