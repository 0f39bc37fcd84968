"""uwsgi.ini, uwsgi.yaml: the lines of uWSGI's section, with its placeholders (uWSGI docs, «Configuring uWSGI»)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nuages.errors import Origin
from nuages.explain.facts import Row, Setting, drop, normal
from nuages.explain.servers import known
from nuages.explain.translation import unknown

_COMMENT = re.compile(r"(?:^|\s+)[;#](?!\{).*$")
_VARIABLE = re.compile(r"\$\((\w+)(?::([^()]*))?\)")
_PLACEHOLDER = re.compile(r"%\(([\w.-]+)\)|%([A-Za-z0-9])")
_FILE = re.compile(r"@\([^()]*\)")
_OTHER_FILES = frozenset({"ini", "include", "inherit", "yaml", "yml"})
_MOST_NESTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One `key = value` of a file."""

    number: int
    section: str
    key: str
    value: str


def lines(text: str) -> list[Line]:
    """Return the lines of an ini file, as uWSGI reads it (core/ini.c): no quotes, nothing continued."""
    found, section = [], ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("["):
            section = line[1:].partition("]")[0].strip()
        elif line and line[0] not in ";#":
            key, _, value = line.partition("=")
            text = _COMMENT.sub("", value).strip()
            found.append(Line(number=number, section=section, key=key.strip() or line, value=text))
    return found


def yaml_lines(text: str) -> list[Line]:
    """Return the lines of uWSGI's YAML: sections of `key: value`, lists of values below a key."""
    found, section, key = [], "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(?:^|\s)#.*$", "", raw).rstrip()
        match = re.match(r"(\s*)(-\s+)?(?:([\w.%()-]+)\s*:(?:\s+(.*))?)?(.*)$", line)
        if not line or match is None:
            continue
        indent, item, name, value, rest = match.groups()
        if item and not name:
            found.append(Line(number=number, section=section, key=key, value=_unquoted(rest)))
        elif name and not indent and not value:
            section = name
        elif name:
            key = name
            if value:
                found.append(Line(number=number, section=section, key=name, value=_unquoted(value)))
    return found


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def read(
    text: str, path: str, section: str = "uwsgi", *, is_yaml: bool = False, rank: int = 0
) -> list[Setting | Row]:
    """Return the settings of one section; of the others only that they are not read. Never raises.

    `path` is the file's name as it is shown, from which `%d` and the like are made.
    """
    given = yaml_lines(text) if is_yaml else lines(text)
    if is_yaml and not any(line.section == section for line in given):
        section = next((line.section for line in given), section)
    own = [line for line in given if line.section == section]
    defined = {line.key: line.value for line in own}
    for line in own:
        if line.key in {"set", "set-placeholder", "set-ph"}:
            name, _, value = line.value.partition("=")
            defined[name.strip()] = value.strip()
    used = {normal(name) for line in own for name, _ in _PLACEHOLDER.findall(line.value) if name}
    found: list[Setting | Row] = []
    foreign: dict[str, Line] = {}
    condition = ""
    for line in given:
        origin = Origin(path, line.number)
        if line.section != section:
            foreign.setdefault(line.section, line)
            continue
        if line.key.startswith("if"):
            condition = f"{line.key} = {line.value}"
        elif line.key in {"endif", "end-if"}:
            condition = ""
        value, is_known, counts_cpus = _expanded(line.value, defined, path)
        is_sure = is_known and (not condition or line.key.startswith("if"))
        fact = known("uwsgi", line.key)
        if fact is None:
            if normal(line.key) in used:
                outcome = drop("a placeholder of this file's own, for the lines that name it")
            else:
                outcome = unknown("uwsgi", line.key)
            found.append(Row(origin=origin, name=line.key, text=line.value, outcome=outcome))
            continue
        found.append(
            Setting(
                server="uwsgi", name=line.key, key=fact.key, origin=origin, rank=rank, counts_cpus=counts_cpus,
                text=line.value if is_sure or not condition else f"{line.value}, {condition}",
                values=(value,) if is_sure else (),
            )
        )  # fmt: skip
    for name, line in foreign.items():
        why = f"uWSGI reads [{section}] unless it is started with {posixpath.basename(path)}:{name}"
        found.append(Row(origin=Origin(path, line.number), name=f"[{name}]", text="", outcome=drop(why)))
    return found


def _expanded(value: str, defined: Mapping[str, str], path: str) -> tuple[str, bool, bool]:
    """Return a value with its placeholders filled in, whether all were known, and whether it counts processors."""
    folder, base = posixpath.split(path)
    stem, dot, extension = base.rpartition(".")
    magic = {
        "d": f"{folder or '.'}/", "s": base, "p": path, "o": path, "n": stem if dot else base, "e": extension,
        "c": posixpath.basename(folder), "x": "uwsgi",
    }  # fmt: skip
    state = {"known": True, "cpus": False}

    def fill(match: re.Match[str]) -> str:
        if match[1]:
            if match[1] in defined:
                return defined[match[1]]
            state["known"] = False
        elif match[2] in magic:
            return magic[match[2]]
        else:
            state["known"] = False
            state["cpus"] = match[2] == "k"
        return match[0]

    text = value
    for _ in range(_MOST_NESTED):
        filled = _PLACEHOLDER.sub(fill, text) if len(text) < 10_000 else text
        if filled == text or not state["known"]:
            break
        text = filled
    if _PLACEHOLDER.search(text) or "%(" in text or _FILE.search(text):
        state["known"] = False
        state["cpus"] = state["cpus"] or "%k" in text
    text = _VARIABLE.sub(
        lambda match: f"${{{match[1]}:-{match[2]}}}" if match[2] else f"${{{match[1]}}}", text
    )
    return text.replace("/./", "/"), state["known"], state["cpus"]


def named_files(items: list[Setting | Row]) -> list[Setting]:
    """Return the settings that name other files of uWSGI's."""
    return [item for item in items if isinstance(item, Setting) and item.key in _OTHER_FILES and item.values]
