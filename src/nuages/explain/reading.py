"""A file → what it is, and its parts; other files that it names are read where they lie beside it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from xml.parsers.expat import ExpatError

from nuages.errors import Origin, ProjectError
from nuages.explain import (
    conf,
    dockerfile,
    fly,
    ini,
    proxy,
    scripts,
    services,
    stages,
    toml,
    units,
    uwsgi_files,
)
from nuages.explain.dockerfile import Leaves
from nuages.explain.facts import ABSENT, Fate, Row, Setting, nothing, undecided
from nuages.explain.recognition import KINDS, recognised
from nuages.explain.scripts import Part
from nuages.explain.uwsgi_files import FORMS
from nuages.explain.yaml import NotYamlError

Beside = Callable[[str], "tuple[str, str] | None"]
"""A name, perhaps a path of the image → the shown name and the text of the file beside; None where it is not there."""

_MOST_FILES = 8
_CONFIG = frozenset({"config", "c"})
_MEND = "{} does not start with it either: mend the {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file is, and its parts in the order of its lines."""

    kind: str
    parts: tuple[Part, ...]


def read(text: str, path: str, beside: Beside, leaves: Leaves = lambda *_: "") -> Reading:
    """Return what a file says; raises ProjectError where it is nothing that is known, or cannot be read."""
    kind = recognised(text, path)
    if not kind:
        raise ProjectError(
            f"{path} configures no server that is known", where=path,
            why=f"by its name and its lines it is none of {KINDS}",
            hint="nuages explain -- COMMAND explains a command line: nuages explain -- gunicorn shop.wsgi -w 4",
        )  # fmt: skip
    seen = {path}
    parts = []
    for given in _parts(kind, text, path, leaves):
        part = _built(given, beside)
        parts += [
            _followed(each, _near(each, beside), {path})
            for each in _with_scripts(part, _near(part, beside), seen)
        ]
    return Reading(kind=kind, parts=tuple(parts))


def _built(part: Part, beside: Beside) -> Part:
    """Return a service with where its image has files from, as far as its Dockerfile lies beside."""
    found = beside(posixpath.join(*part.dockerfile)) if part.dockerfile else None
    if found is None:
        return part
    copies, folder = stages.places(found[1], part.dockerfile[0])
    return replace(part, copies=copies, folder=folder)


def _near(part: Part, beside: Beside) -> Beside:
    """Return what looks for a file where an image has it from, then in the folders of a part."""

    def find(name: str) -> tuple[str, str] | None:
        # What a variable names that nobody sets here is a folder: `${HERE}/uwsgi.ini`.
        mounted = dict(part.files).get(posixpath.basename(name))
        if mounted is not None:
            return posixpath.basename(name), mounted
        plain = re.sub(r"^\$(?:\w+|\{\w+\})(?=/)", "", name)
        for path in stages.in_context(plain, part.copies, part.folder):
            if found := beside(path):
                return found
        for folder in part.folders:
            if found := beside(posixpath.join(folder, name.removeprefix("./").lstrip("/"))):
                return found
        return beside(name)

    return find


def _parts(kind: str, text: str, path: str, leaves: Leaves) -> list[Part]:
    if kind in FORMS:
        return [Part(name="", items=tuple(_uwsgi(text, path, form=kind)))]
    if kind == "gunicorn.conf.py":
        return [Part(name="", items=tuple(_conf(text, path)))]
    if kind == "hypercorn.toml":
        return [Part(name="", items=tuple(_toml(text, path)))]
    if kind == "hypercorn.conf.py":
        return [Part(name="", items=tuple(_conf(text, path, "hypercorn")))]
    if kind == "Dockerfile":
        return dockerfile.read(text, path, leaves)
    if kind == "fly.toml":
        return _fly(text, path)
    if kind == "unit":
        return units.unit(text, path)
    if kind == "script":
        return scripts.script(text, path)
    if kind == "supervisor":
        return units.supervisor(text, path)
    if kind == "nginx.conf":
        return _proxy(text, path)
    if kind == "YAML":
        return _yaml_parts(text, path)
    return scripts.procfile(text, path)


def _conf(text: str, path: str, server: str = "gunicorn") -> list[Setting | Row]:
    try:
        return list(conf.read(text, path, server))
    # The last one of too many operators.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        hint = "see whether gunicorn itself reads it: gunicorn --check-config -c FILE MODULE:NAME"
        raise _unread(
            error, path, "Python", hint if server == "gunicorn" else _MEND.format(server, "Python")
        ) from None


def _toml(text: str, path: str) -> list[Setting | Row]:
    try:
        return toml.read(text, path)
    except ValueError as error:
        raise _unread(error, path, "TOML", _MEND.format("hypercorn", "TOML")) from None


def _fly(text: str, path: str) -> list[Part]:
    try:
        return fly.read(text, path)
    except ValueError as error:
        raise _unread(error, path, "TOML", _MEND.format("Fly", "TOML")) from None


def _yaml_parts(text: str, path: str) -> list[Part]:
    try:
        return services.read(text, path)
    except NotYamlError as error:
        hint = "what reads it does not take it either: mend the YAML"
        if "{{" in text:
            hint = f"explain what the template becomes: helm template . > rendered-{path}"
        raise _unread(error, path, "YAML", hint) from None


def _proxy(text: str, path: str) -> list[Part]:
    try:
        return proxy.read(text, path)
    except ValueError as error:
        raise _unread(error, path, "nginx's", "see whether nginx itself reads it: nginx -t -c FILE") from None


def _uwsgi(text: str, path: str, section: str = "uwsgi", *, form: str) -> list[Setting | Row]:
    try:
        return ini.read(text, path, section, form=form)
    except (ValueError, ExpatError) as error:
        kind = form.rpartition(".")[2].upper()
        raise _unread(error, path, kind, _MEND.format("uWSGI", kind)) from None


def _unread(error: Exception, path: str, kind: str, hint: str) -> ProjectError:
    said = re.search(r"line (\d+)", str(error))
    line = getattr(error, "lineno", None) or (int(said[1]) if said else None)
    return ProjectError(f"{path} is not {kind}", where=Origin(path, line), why=str(error), hint=hint)


def _with_scripts(part: Part, beside: Beside, seen: set[str]) -> list[Part]:
    """Return a part, and those of the shell scripts that it starts, and that these start."""
    found: list[Part] = []
    items = list(part.items)
    for name in part.scripts:
        script = beside(name) if len(seen) < _MOST_FILES else None
        if script is None:
            continue
        if script[0] in seen:
            items = [_is_read(item, name) for item in items]
            continue
        read = [each for each in scripts.script(script[1], script[0]) if each.items]
        if not any(each.server or each.scripts for each in read) and _is_decided(items, name):
            continue
        seen.add(script[0])
        folders = (posixpath.dirname(script[0]), *part.folders)
        for each in read:
            inner = replace(
                scripts.with_variables(each, part.variables), folders=folders, copies=part.copies, folder=part.folder,
                files=part.files,
            )  # fmt: skip
            found += _with_scripts(inner, beside, seen)
        used = {each.server for each in read}
        items = [_is_read(item, name) for item in items if not _is_given(item, part, used)]
    return [replace(part, items=tuple(items)), *found]


def _is_decided(items: Sequence[Setting | Row], name: str) -> bool:
    """Whether a script is known for what it is: a process of a Procfile, or what waits for a database."""
    return any(
        isinstance(item, Row) and name in item.text.split()[:2] and item.outcome.fate is not Fate.DECIDE
        for item in items
    )


def _is_given(item: Setting | Row, part: Part, used: set[str]) -> bool:
    """Whether a row is of a variable that a server of a script has got as an option."""
    return isinstance(item, Row) and any(
        (item.origin, item.name) == (origin, name) and (scripts.server_of(name) in used)
        for origin, name, _ in part.variables
    )


def _is_read(item: Setting | Row, name: str) -> Setting | Row:
    """Return the row of a script that is read, or what is none as it is."""
    if isinstance(item, Row) and name in item.text.split()[:2]:
        return replace(item, outcome=nothing("read with this, below"))
    return item


def _followed(part: Part, beside: Beside, seen: set[str]) -> Part:
    """Return a part with what the files say that it names: gunicorn's -c, uWSGI's ini."""
    items: list[Setting | Row] = []
    for item in part.items:
        named = isinstance(item, Setting) and item.values and len(seen) < _MOST_FILES
        more = _named(item, beside, seen) if named and isinstance(item, Setting) else None
        items += [item] if more is None else [_told(item, more), *more]
    is_named = any(isinstance(item, Setting) and item.key in _CONFIG for item in part.items)
    if part.server == "gunicorn" and not is_named and not any(path.endswith(".py") for path in seen):
        items += _named(_DEFAULT_FILE, beside, seen) or ()
    return replace(part, items=tuple(items))


_DEFAULT_FILE = Setting(
    server="gunicorn", name="", key="config", text="", values=("./gunicorn.conf.py",), origin=Origin("gunicorn.conf.py")
)  # fmt: skip


def _told(item: Setting | Row, more: list[Setting | Row]) -> Row:
    """Return the row of a line that names a file: it is read, or is not there."""
    outcome = nothing("read with this, below") if more else undecided(ABSENT)
    text = item.text if isinstance(item, Setting) else ""
    return Row(origin=item.origin, name=item.name, text=text, outcome=outcome)


def _silent(path: str) -> Row:
    return Row(origin=Origin(path), name="", text="", outcome=nothing("sets no option"))


def _named(item: Setting, beside: Beside, seen: set[str]) -> list[Setting | Row] | None:
    """Return what the file says that a setting names; empty where it is not there, None where it names none."""
    value = item.values[0]
    if item.server in {"gunicorn", "hypercorn"} and item.key in _CONFIG:
        name = value.removeprefix("file:")
        if name.startswith("python:"):
            name = name.removeprefix("python:").replace(".", "/") + ".py"
        found = beside(name)
        if found is None or found[0] in seen:
            return []
        seen.add(found[0])
        is_toml = item.server == "hypercorn" and not name.endswith(".py")
        given = _toml(found[1], found[0]) if is_toml else _conf(found[1], found[0], item.server)
        return given or [_silent(found[0])]
    if item.server == "uwsgi" and (form := uwsgi_files.form(item.key, value.partition(":")[0])):
        name, _, section = value.partition(":")
        found = beside(name)
        if found is None or found[0] in seen:
            return []
        seen.add(found[0])
        items = _uwsgi(found[1], found[0], section or "uwsgi", form=form)
        more: list[Setting | Row] = []
        for one in items:
            named = isinstance(one, Setting) and one.values and len(seen) < _MOST_FILES
            further = _named(one, beside, seen) if named and isinstance(one, Setting) else None
            more += [one] if further is None else [_told(one, further), *further]
        return more or [_silent(found[0])]
    return None
