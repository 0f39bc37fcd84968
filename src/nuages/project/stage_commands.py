"""The commands of a Dockerfile's RUN: in which folder each runs, its words, and what it tells Node's managers."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

_SEPARATOR = re.compile(r"&&|\|\||;|\||\(|\)")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_ELSEWHERE = frozenset({"--prefix", "--cwd", "-C", "--dir"})
"""Flags of the managers that name a folder."""
_INSTALLING = frozenset({"ci", "install", "i", "clean-install"})
GLOBALLY = frozenset({"-g", "--global", "--location=global"})
_INSTALL_FLAGS = ("--legacy-peer-deps", "--force", "--ignore-scripts")
_WITHOUT_DEVELOPMENT = frozenset({"--production", "--omit=dev", "--only=production", "--only=prod", "--prod"})


def commands(text: str, cwd: str) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield the folder, the words and the variables of each command of a RUN."""
    while match := re.match(r"\s*--\S+\s+", text):
        text = text[match.end() :]
    if text.lstrip().startswith("["):
        try:
            text = shlex.join(str(word) for word in json.loads(text))
        except (ValueError, RecursionError):
            return
    left: list[str] = []  # by pushd
    for part in _SEPARATOR.split(text):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        environ: dict[str, str] = {}
        while words and (match := _ASSIGNED.fullmatch(words[0])):
            environ[match[1]] = match[2]
            words = words[1:]
        if words[:1] in (["cd"], ["pushd"]) and len(words) == 2:
            left += [cwd] if words[0] == "pushd" else []
            cwd = posixpath.normpath(posixpath.join(cwd, words[1]))
        elif words == ["popd"]:
            cwd = left.pop() if left else cwd
        elif words:
            folder, words = _elsewhere(words)
            yield posixpath.normpath(posixpath.join(cwd, folder)), words, environ


def install_flags(words: Sequence[str]) -> dict[str, str]:
    """Return what npm is told when it installs, as the variables that tell it too."""
    if words[0] not in {"npm", "pnpm"} or not _INSTALLING & {*words} or GLOBALLY & {*words}:
        return {}
    found = {f"npm_config_{flag[2:].replace('-', '_')}": "true" for flag in _INSTALL_FLAGS if flag in words}
    return {**found, "npm_config_omit": "dev"} if _WITHOUT_DEVELOPMENT & {*words} else found


def tools_of(words: Sequence[str]) -> list[str]:
    """Return the packages that npm or Corepack installs for everybody; npm itself is there already."""
    if words[0] == "corepack" and words[1:2] and words[1] in {"prepare", "install", "use"}:
        named = [word for word in words[2:] if not word.startswith("-")]
    elif words[0] == "npm" and _INSTALLING & {*words} and GLOBALLY & {*words}:
        named = [word for word in words[1:] if not word.startswith("-") and word not in _INSTALLING]
    else:
        return []
    return [word for word in named if word.partition("@")[0] not in {"npm", "corepack"}]


_IN_A_MEMBER = {"npm": {"--workspace", "-w"}, "pnpm": {"--filter", "-F"}, "bun": {"--filter", "-F"}}
_IN_ALL_MEMBERS = {"npm": {"--workspaces", "-ws"}, "pnpm": {"--recursive", "-r"}}


def in_members(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the member of a workspace that a manager's command is for, "" for all, and what is run there.

    None for any other command. Sources: `npm help workspaces`, pnpm.io «Filtering», yarnpkg.com «yarn workspace» and
    «yarn workspaces foreach», bun.sh «Workspaces».
    """
    program, member = words[0], None
    plain: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _IN_A_MEMBER.get(program, ()):
            if member is not None:
                return None  # several
            member = value if equals else next(rest, "")
        elif word in _IN_ALL_MEMBERS.get(program, ()):
            member = ""
        elif not word.startswith("-"):
            plain.append(word)
    if program == "yarn" and plain[:1] == ["workspace"]:
        member, plain = "".join(plain[1:2]), plain[2:]
    elif program == "yarn" and plain[:1] == ["workspaces"]:
        member, plain = "", plain[2 if plain[1:2] == ["foreach"] else 1 :]
    if plain[:1] and plain[0] in {"run", "run-script", "exec"}:
        plain = plain[1:]
    return (member, plain) if member is not None and plain else None


def _elsewhere(words: list[str]) -> tuple[str, list[str]]:
    """Return the folder that a manager's flag names, `.` without one, and the words without it."""
    if words[0] not in MANAGERS:
        return ".", words
    folder, kept, rest = ".", [words[0]], iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _ELSEWHERE:
            folder = value if equals else next(rest, ".")
        else:
            kept.append(word)
    return folder, kept
