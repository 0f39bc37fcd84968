"""The four forms of uWSGI's files → their lines: ini, YAML, JSON, XML (core/ini.c, yaml.c, json.c, xmlconf.c)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from nuages.explain import yaml

_COMMENT = re.compile(r"(?<!\S)[;#](?!\{).*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One option of a file, with its line and the section that it stands in."""

    number: int
    section: str
    key: str
    value: str


def of_ini(text: str) -> list[Line]:
    """Return the lines of an ini file: no quotes, nothing continued."""
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


def of_yaml(text: str) -> list[Line]:
    """Return the lines of YAML: sections of `key: value`, each of a list's values as a line of its own.

    Raises NotYamlError.
    """
    return [
        Line(number=one.line, section=section, key=key, value=one.text)
        for document in yaml.documents(text)
        for section, fields in document.fields.items()
        for key, node in fields.fields.items()
        for one in (node.nodes or [node])
    ]


def of_json(text: str) -> list[Line]:
    """Return the lines of JSON, which has the same shape; raises ValueError for what is none."""
    try:
        json.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    return of_yaml(text)


def of_xml(text: str) -> list[Line]:
    """Return the lines of XML: an element an option, below `<uwsgi>`; raises ExpatError or ValueError for what is none.

    `<app mountpoint="/x">` is `mount`; an element without content is a switch.
    """
    parser = expat.ParserCreate("utf-8")
    found: list[Line] = []
    section = ""
    option: tuple[int, str, str] | None = None  # line, key, what stands before the value
    depth = 0
    texts: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal section, option, depth
        if option:
            depth += 1
        elif section:
            is_mount = name == "app" and "mountpoint" in attributes
            key, before = ("mount", f"{attributes['mountpoint']}=") if is_mount else (name, "")
            option = (parser.CurrentLineNumber, key, before)
        elif name == "uwsgi":
            section = attributes.get("id") or "uwsgi"

    def end(_name: str) -> None:
        nonlocal section, option, depth
        if depth:
            depth -= 1
        elif option:
            number, key, before = option
            found.append(Line(number=number, section=section, key=key, value=before + "".join(texts).strip()))
            option = None
            texts.clear()
        else:
            section = ""

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities, which a configuration has no use for")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda text: texts.append(text) if option else None
    parser.EntityDeclHandler = refuse
    parser.Parse(text.encode("utf-8", "replace"), True)
    return found


FORMS: Mapping[str, Callable[[str], list[Line]]] = {
    "uwsgi.ini": of_ini, "uwsgi.yaml": of_yaml, "uwsgi.json": of_json, "uwsgi.xml": of_xml,
}  # fmt: skip
_KEYS = {
    "yaml": "uwsgi.yaml", "yml": "uwsgi.yaml", "y": "uwsgi.yaml", "json": "uwsgi.json", "js": "uwsgi.json",
    "j": "uwsgi.json", "xml": "uwsgi.xml", "xmlconfig": "uwsgi.xml", "x": "uwsgi.xml", "ini": "uwsgi.ini",
}  # fmt: skip


def form(key: str, path: str) -> str:
    """Return the form of a file that an option names; "" where the option names none.

    `ini`, `yaml` … say it; with `include` and `inherit` and where nothing says it, the file's name does.
    """
    extension = path.rpartition(".")[2]
    if key in {"include", "inherit"}:
        return _KEYS.get(extension, "uwsgi.ini")
    return _KEYS.get(key, "")
