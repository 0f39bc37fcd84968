"""Which ENV of the project's own Dockerfile its program is to find here too, and why the others are left.

Only what its image has: the last stage, and those it is made from. What decides is docs/images.md, «The variables of
your own image».
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

from nuages.errors import Origin
from nuages.project import container_file
from nuages.project.env_lines import replay
from nuages.project.environment import is_secret
from nuages.project.settings_source import Source
from nuages.project.stage_layout import Layout, Layouts
from nuages.project.tree import Tree, join
from nuages.project.variable import HERE, ImageVariable

_NAMES: tuple[tuple[str, str], ...] = (
    (r"PATH|MANPATH|LD_\w+|LIBRARY_PATH|(C|CPLUS)_INCLUDE_PATH|PKG_CONFIG_PATH",
     "it says where its own image has programs and libraries"),
    (r"PYTHONPATH", "the folders of the project that it names are on sys.path"),
    (r"PYTHON\w*", "the interpreter's variables are set by nuages"),
    (r"(PIP|PIPENV|POETRY|PDM|UV|CONDA|PYENV|VIRTUAL_ENV|VIRTUALENV|VENV)(_\w+)?|WORKON_HOME", "an installer reads it"),
    (r"LANG|LANGUAGE|LC_\w+", "the locale is C.UTF-8"),
    (r"DEBIAN_FRONTEND|(APT|DEBCONF|NPM|NVM|YARN|PNPM|COREPACK|CARGO|RUSTUP)_\w+|NODE_(VERSION|OPTIONS|PATH)|NODE_MAJOR"
     r"|CC|CXX|(C|CXX|CPP|LD|MAKE)FLAGS|GOPATH", "a build reads it"),
    (r"HOME|USER|LOGNAME|SHELL|TERM|PWD|HOSTNAME|TMPDIR|DISPLAY|PS1|EDITOR", "it is about its own user and shell"),
    (r"(HTTPS?|FTP|ALL|NO)_PROXY", "it is about the network that it was built in"),
    (r"PORT", "the port is that of EXPOSE, or of --port"),
    (r"WEB_CONCURRENCY", "workers are counted by the CPUs that the container may use: --workers"),
    (r"FORWARDED_ALLOW_IPS|(GUNICORN|UVICORN|UWSGI|HYPERCORN|DAPHNE|GRANIAN)_\w+",
     "another server reads it: nuages explain says what it becomes"),
    (r"NUAGES_\w+", "options of nuages stand in [tool.nuages]"),
    (r"DJANGO_SETTINGS_MODULE", "the settings are chosen among all that name some: --settings"),
)  # fmt: skip
_SECRET = "secrets are given where it runs, and stand in no image"
_UNKNOWN = "only a build of it tells the value"
_ELSEWHERE = "it names a place that its own image alone has"
_MADE = "it names a place in the project that is no file of it, and the settings do not read it"
_DEBUG = "it turns DEBUG on, or may do so"
_OFF = frozenset({"", "0", "false", "f", "no", "n", "off"})

# What Debian has at the same place (hier(7)); a library's file is another one in each release.
_DEBIAN = re.compile(r"/(usr(/(bin|sbin|lib|libexec|share)(/.*)?)?|bin|sbin|etc/ssl(/.*)?|tmp(/.*)?|dev/.*|)")
_LIBRARY = re.compile(r"\.so(\.[\d.]+)?$")
_SCHEME = re.compile(r"(?:(?:sqlite|spatialite|file)://(?=/)/?(?=/))?(/.*)")
_OF_URLS = re.compile(r"(^|_)(UR[LI]|PREFIX|ENDPOINT)S?$|^SCRIPT_NAME$")


def why_left(name: str, value: str = "") -> str:
    """Return why a variable of this name is left of every image; empty where it is taken, as far as that tells."""
    for pattern, why in _NAMES:
        if re.fullmatch(pattern, name.upper()):
            return why
    return _SECRET if is_secret(name, value) else ""


def is_of_the_project(name: str) -> bool:
    """Return whether a variable of this name is the project's own affair, a secret or not."""
    return why_left(name) in {"", _SECRET}


def find(tree: Tree, folders: tuple[str, ...]) -> tuple[ImageVariable, ...]:
    """Return the variables of the image of the Dockerfile nearest to the project, by line."""
    found = _image(tree, folders)
    if found is None:
        return ()
    path, variables, places = found
    return tuple(
        _variable(name, value, Origin(path, line), tree, places) for name, (value, line) in variables.items()
    )


def python_path(tree: Tree, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders of the project that PYTHONPATH has in that image, relative to the root."""
    found = _image(tree, folders)
    value = found[1].get("PYTHONPATH", (None, 0))[0] if found else None
    paths = [_placed(one, found[2], tree) for one in (value or "").split(":") if one] if found else []
    return tuple(dict.fromkeys(path for path in paths if path is not None and path in tree.folders))


def _image(
    tree: Tree, folders: tuple[str, ...]
) -> tuple[str, dict[str, tuple[str | None, int]], list[tuple[str, str]]] | None:
    """Return the Dockerfile, its image's variables, and where that has what of the project, the nearest last."""
    found = next(container_file.nearest(tree, folders), None)
    if found is None:
        return None
    path, stages, last = found
    lines = [line for _, line in container_file.joined(tree.text(path) or "")]
    before = takewhile(lambda line: not re.match("FROM ", line, re.IGNORECASE), lines)
    own = [(each.line, each.raw) for _, _, instructions in last for each in instructions]
    # No image that Python comes in has one: `/app:$PYTHONPATH` is /app.
    variables = replay(before, [(0, "ENV PYTHONPATH="), *own])
    if variables["PYTHONPATH"] == ("", 0):
        del variables["PYTHONPATH"]
    context = next(each for each in folders if each == "." or path.startswith(f"{each}/"))
    walked = list(Layouts(tree, context, stages).walk(last))
    layout = walked[-1][1] if walked else Layout()
    return path, variables, _places(tree, layout, context, folders[0])


def _places(tree: Tree, layout: Layout, context: str, directory: str) -> list[tuple[str, str]]:
    """Return the places of the project's files and folders, the nearest last.

    Where none is known, or where they are copied folder by folder, the stage works in the context's or in the project's
    own.
    """
    likely = [one for one in layout.likely if not _DEBIAN.fullmatch(one[0])]
    known = [*((place, path) for place, path, _ in layout.moved), *layout.places]
    found = [
        (place, path)
        for place, path in known
        if place != "/" and (path in tree.files or path in tree.folders)
    ]
    root = layout.cwd.removesuffix(f"/{posixpath.relpath(directory, context)}") or "/"
    parts = [
        place == posixpath.normpath(posixpath.join(root, posixpath.relpath(path, context)))
        for place, path in found
    ]
    is_root = root != "/" and (any(parts) or not any(path in tree.folders for _, path in found))
    return [*likely, *([(root, context)] if is_root else []), *found]


def _variable(
    name: str, value: str | None, origin: Origin, tree: Tree, places: Sequence[tuple[str, str]]
) -> ImageVariable:
    usual = why_left(name)
    if usual:
        return ImageVariable(name=name, value="", origin=origin, left=usual, is_usual=usual != _SECRET)
    if value is None or HERE in value or "\n" in value:
        return ImageVariable(name=name, value="", origin=origin, left=_UNKNOWN)
    if is_secret(name, value):
        return ImageVariable(name=name, value="", origin=origin, left=_SECRET)
    if _OF_URLS.search(name.upper()) and value.startswith("/"):
        return ImageVariable(name=name, value=value, origin=origin)
    parts, is_made = [], False
    for part in value.split(":") if re.fullmatch(r"/[^:]*(:/[^:]*)+", value) else [value]:
        match = _SCHEME.fullmatch(part)
        inside = _placed(match[1], places, tree) if match else None
        if match and inside is not None:
            is_made = is_made or not (inside in tree.files or inside in tree.folders)
            end = "/" if part.endswith("/") else ""  # `DATA_DIR + "x"`
            parts.append(part[: match.start(1)] + (HERE if inside == "." else f"{HERE}/{inside}") + end)
        elif (match and (not _DEBIAN.fullmatch(match[1]) or _LIBRARY.search(match[1]))) or any(
            re.search(rf"(?<![\w./-]){re.escape(place)}(?![\w.-])", part) for place, _ in places
        ):
            return ImageVariable(name=name, value="", origin=origin, left=_ELSEWHERE)
        else:
            parts.append(part)
    return ImageVariable(name=name, value=":".join(parts), origin=origin, is_made=is_made)


def _placed(path: str, places: Iterable[tuple[str, str]], tree: Tree) -> str | None:
    """Return a path of the image as one of the project, relative to the root; None where it lies elsewhere.

    Of several folders that were copied to one place the one that has it counts, else the last.
    """
    path = posixpath.normpath(path)
    found = [
        (place, posixpath.normpath(join(folder, path[len(place) + 1 :] or ".")))
        for place, folder in places
        if f"{path}/".startswith(f"{place}/")
    ]
    there = [one for one in found if one[1] in tree.files or one[1] in tree.folders] or found
    return max(reversed(there), key=lambda one: len(one[0]))[1] if there else None


def settled(
    told: tuple[ImageVariable, ...],
    environ: Mapping[str, str],
    root: str,
    read: Callable[[Mapping[str, str]], Source],
) -> tuple[Source, tuple[ImageVariable, ...]]:
    """Return the settings with the variables that they find, and which these are.

    `environ` wins, and so does a dotenv file that the settings load: both are this machine's. A variable that turns
    DEBUG on is left, and so is a place in the project that nothing is known about.
    """
    first = read(environ)
    texts = {each.name: each.text(root) for each in told if not each.left}
    names = {each.name for each in first.variables}
    lefts: dict[str, str] = {}
    source = first
    if texts:
        alone = read({**environ, **texts}) if names & texts.keys() else first
        names |= {each.name for each in alone.variables}
        debug = next((each for each in reversed(alone.assignments) if each.name == "DEBUG"), None)
        if debug and (alone.is_debug_guessed or not debug.is_known or debug.value):
            is_told = debug.is_known and not alone.is_debug_guessed
            doubtful = [name for name in debug.variables if name in texts]
            lefts = {name: _DEBUG for name in doubtful if is_told or texts[name].lower() not in _OFF}
        lefts |= {each.name: _MADE for each in told if each.is_made and each.name not in names}
        dotenv = {each.name for each in first.variables if each.given is not None and not each.is_defaulted}
        seen = {name: text for name, text in texts.items() if name not in lefts and name not in dotenv}
        source = read({**seen, **environ}) if names & seen.keys() else first
    settled = tuple(
        dataclasses.replace(each, value="", left=lefts[each.name]) if each.name in lefts else each
        for each in told
    )
    origins = {each.name: each.origin for each in settled if not each.left}
    variables = tuple(
        dataclasses.replace(each, given=each.given or origins[each.name]) if each.name in origins else each
        for each in source.variables
    )
    return dataclasses.replace(source, variables=variables), settled


def notes(variables: Sequence[ImageVariable]) -> tuple[str, ...]:
    """Return what to say aloud: what is taken, and what is left for a reason of its own."""
    found: dict[str, list[ImageVariable]] = {}
    for each in variables:
        if not each.is_usual:
            found.setdefault(each.left, []).append(each)
    return tuple(
        f"{same[0].origin.place} sets {', '.join(each.name for each in same)}: "
        + (f"left out, for {why}" if why else "so it is here")
        for why, same in sorted(found.items())
    )
