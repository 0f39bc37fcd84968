"""uWSGI's files: the lines of one section, with its placeholders (uWSGI docs, «Configuring uWSGI»)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from nuages.errors import Origin
from nuages.explain.facts import Row, Setting, drop, normal
from nuages.explain.servers import Known, known, of_variable
from nuages.explain.translation import unknown
from nuages.explain.uwsgi_files import FORMS, Line

_VARIABLE = re.compile(r"\$\((\w+)(?::([^()]*))?\)")
_PLACEHOLDER = re.compile(r"%\(([\w.-]+)\)|%([A-Za-z0-9])")
_FILE = re.compile(r"@\([^()]*\)")
_MOST_NESTED = 20


def read(text: str, path: str, section: str = "uwsgi", *, form: str = "uwsgi.ini") -> list[Setting | Row]:
    """Return the settings of one section; of the others only that they are not read.

    `path` is the file's name as it is shown, from which `%d` and the like are made. Raises ValueError or ExpatError for
    YAML, JSON and XML that cannot be read.
    """
    given = FORMS[form](text)
    if form != "uwsgi.ini" and not any(line.section == section for line in given):
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
    condition = variable = ""
    for line in given:
        origin = Origin(path, line.number)
        if line.section != section:
            foreign.setdefault(line.section, line)
            continue
        if line.key.startswith("if"):
            condition = f"{line.key} = {line.value}"
            variable = line.value if line.key == "if-not-env" else ""
        elif line.key in {"endif", "end-if"}:
            condition = variable = ""
        value, is_known, counts_cpus = _expanded(line.value, defined, path)
        fact = known("uwsgi", line.key)
        is_default = is_known and bool(variable) and _is_of(variable, fact)
        is_sure = is_default or (is_known and (not condition or line.key.startswith("if")))
        value = f"${{{variable}:-{value}}}" if is_default and "$" not in value else value
        if fact is None:
            if normal(line.key) in used:
                outcome = drop("a placeholder of this file's own, for the lines that name it")
            else:
                outcome = unknown("uwsgi", line.key)
            found.append(Row(origin=origin, name=line.key, text=line.value, outcome=outcome))
            continue
        found.append(
            Setting(
                server="uwsgi", name=line.key, key=fact.key, origin=origin, counts_cpus=counts_cpus,
                text=line.value if is_sure or not condition else f"{line.value}, {condition}",
                values=(value,) if is_sure else (),
            )
        )  # fmt: skip
    for name, line in foreign.items():
        why = f"uWSGI reads [{section}] unless it is started with {posixpath.basename(path)}:{name}"
        found.append(Row(origin=Origin(path, line.number), name=f"[{name}]", text="", outcome=drop(why)))
    return found


def _is_of(variable: str, fact: Known | None) -> bool:
    """Whether an environment variable is the option's own: what a file says unless it is set is its default."""
    own = of_variable(variable)
    other = known(*own) if own else None
    return other is not None and fact is not None and other.key == fact.key


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
