"""The variables that the project's own Dockerfile gives collectstatic, for its settings to load where nothing is real.

They are known to do: what nuages makes up is by names and kinds alone, and settings may look at values that they have
defaults for, as `if not DEBUG and SECRET_KEY == "insecure"`.
"""

from __future__ import annotations

import re

from nuages.errors import Origin
from nuages.project import container_file
from nuages.project.image_variables import is_of_the_project
from nuages.project.stage_commands import commands
from nuages.project.tree import Tree
from nuages.project.variable import ImageVariable

_UNKNOWN = re.compile(r"[$`\n]")  # the shell's, or what only a build tells


def find(tree: Tree, folders: tuple[str, ...]) -> tuple[ImageVariable, ...]:
    """Return them, by line: those before the command, and build arguments of its stage that have a default."""
    found = next(container_file.nearest(tree, folders), None)
    if found is None:
        return ()
    path, stages, _ = found
    for _, _, instructions in stages:
        given: dict[str, ImageVariable] = {}
        for each in instructions:
            origin = Origin(path, each.line)
            if re.match("ARG ", each.text, re.IGNORECASE):
                given |= _variables(container_file.given(each.text), origin)
            elif (told := _collects(each.text)) is not None:
                return tuple((given | _variables(told, origin)).values())
    return ()


def _collects(text: str) -> dict[str, str] | None:
    """Return the variables of an instruction that collects; None for any other."""
    if not re.match("RUN ", text, re.IGNORECASE):
        return None
    exported: dict[str, str] = {}
    for _, words, environ in commands(text[4:], "."):
        # Behind `env`, `export` or the shell's `then` too.
        named = dict(word.split("=", 1) for word in words if re.match(r"[A-Za-z_]\w*=", word))
        if "collectstatic" in words:
            return {**exported, **environ, **named}
        exported |= named if words[0] == "export" else {}
    return None


def _variables(given: dict[str, str], origin: Origin) -> dict[str, ImageVariable]:
    return {
        name: ImageVariable(name=name, value=value, origin=origin)
        for name, value in given.items()
        if is_of_the_project(name) and not _UNKNOWN.search(value)
    }
