"""A command of a Dockerfile that builds a front end: a script of package.json, or a program of its packages."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.node import LOCKS, manager_of
from nuages.project import workspaces
from nuages.project.stage_commands import MANAGERS, in_members
from nuages.project.tree import Tree, join

_ASIDE = re.compile(r"dev|watch|test|lint|check|audit|format|story|serve|start|types|docs?\b")
"""In the names of scripts that make nothing of what production serves."""
_BUNDLERS = frozenset(
    {
        "astro", "babel", "cleancss", "elm-app", "ember", "esbuild", "grunt", "gulp", "lessc", "lightningcss", "mix",
        "ng", "parcel", "postcss", "quasar", "react-scripts", "rollup", "rspack", "sass", "swc", "tailwindcss",
        "terser", "tsc", "uglifyjs", "unocss", "vite", "vue-cli-service", "webpack",
    }
)  # fmt: skip
"""Programs that Dockerfiles run without a script of package.json."""
_PROGRAMS = {"@tailwindcss/cli": "tailwindcss"}
"""Packages that npx is asked for, where their program has another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a build: a script of package.json or a program of its packages, with its arguments.

    What is for members of a workspace (`is_whole`) has the manager's name and its flags too.
    """

    text: str
    origin: Origin
    is_script: bool = False
    is_whole: bool = False


def step_of(tree: Tree, folder: str, words: Sequence[str], origin: Origin) -> Step | None:
    """Return what a command of a Dockerfile does for the front end in a folder; None for any other command."""
    path = join(folder, "package.json")
    if path not in tree:
        return None
    scripts = tree.json(path).get("scripts")
    program, *rest = words
    if program in MANAGERS and (inner := in_members(words)) is not None:
        return _in_members(tree, folder, words, *inner, origin)
    if program in MANAGERS:
        while rest and (rest[0] in {"run", "run-script", "exec", "dlx"} or rest[0].startswith("-")):
            rest = rest[1:]
        if rest and isinstance(scripts, Mapping) and rest[0] in scripts:
            wanted = not _ASIDE.search(rest[0])
            return Step(text=shlex.join(rest), is_script=True, origin=origin) if wanted else None
    elif program in {"npx", "bunx"}:
        while rest and rest[0].startswith("-"):
            rest = rest[1:]
    else:
        rest = [posixpath.basename(program), *rest] if "node_modules/.bin/" in program else []
    rest = [_PROGRAMS.get(name, name) for name in rest[:1]] + rest[1:]
    is_ours = bool(rest) and rest[0] in _BUNDLERS
    return Step(text=shlex.join(rest), origin=origin) if is_ours else None


def _in_members(
    tree: Tree, folder: str, words: Sequence[str], member: str, run: Sequence[str], origin: Origin
) -> Step | None:
    """Return what a manager runs in members of a workspace; None where the lock file is another manager's."""
    scripts = workspaces.scripts(tree, folder, member)
    if scripts is None or (_ASIDE.search(run[0]) if run[0] in scripts else run[0] not in _BUNDLERS):
        return None
    beside = {name for name in LOCKS if join(folder, name) in tree}
    manager, _ = manager_of(tree.json(join(folder, "package.json")), beside)
    return Step(text=shlex.join(words), is_whole=True, origin=origin) if manager == words[0] else None
