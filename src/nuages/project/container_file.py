"""What the project's own Dockerfile tells: the port, the settings and the Debian packages of its last stage, and the
requirements files that it installs."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from nuages.errors import Origin
from nuages.project.model import Fact, Hints
from nuages.project.roles import Role, role_of
from nuages.project.tree import Tree

_NAME = re.compile(r"^(Dockerfile|Containerfile)([.-][\w.-]+)?$|^\w[\w.-]*\.Dockerfile$")
_INSTALL = re.compile(r"\b(apt(?:-get)?\s+(?:-\S+\s+)*install|apk\s+(?:-\S+\s+)*add)\s+([^&|;]*)")
_REQUIRED = re.compile(r"\b(?:pip[\d.]*\s+(?:-\S+\s+)*(?:install|wheel|sync|download)|pip-sync)\s([^&|;]*)")
_FILE = re.compile(r"(?<!\S)(?:-r\s*|--requirements?[ =])(\S+)")
_LONGEST = 10_000  # characters of a variable; of `A=$A$A` each line doubles it
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]{0,1000}))?\})")
_ASIDE = re.compile(
    r"(?:(?:config|etc|tools|extras?|contrib)/)?\.?(?:docker(?:[-_]?files?)?|containers?|compose|deploy(?:ment)?|build|infra|ops)"
    r"(?:/(?:production|prod|docker|django|web|app|backend|api|server|python))*"
)
"""Folders, below one of the project's, that Dockerfiles are kept in."""
_NAMED = re.compile(
    rf"(?:{_ASIDE.pattern})/(?!(?:[\w.]*[-_.])?(?:tests?|testing|dev\w*|ci|demo|examples?|local|debug|e2e)(?:[-_.]|$))[\w.-]+"
)
"""Folders in these with a name of their own, as the product's: `infra/shop`."""
_OF_PYTHON = re.compile(r"\b(python|pip|poetry|uv|pipenv|pdm|manage\.py|gunicorn|uvicorn|daphne)\b")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_OTHER_SERVICES = re.compile(
    r"(nginx|httpd|caddy|haproxy|traefik|varnish|postgres|postgis|mysql|mariadb|redis|valkey|memcached|rabbitmq)"
    r"([-_].*)?"
)
"""Last words of the names of images that no Python runs in: a proxy's Dockerfile beside the application's."""

# Alpine's names (pkgs.alpinelinux.org) where Debian's are others; "" is in every image of Python's on Debian.
ALPINE = {
    "libpq": "libpq5", "postgresql-libs": "libpq5", "mariadb-connector-c": "libmariadb3", "jpeg": "libjpeg62-turbo",
    "libjpeg-turbo": "libjpeg62-turbo", "libxslt": "libxslt1.1", "libmagic": "libmagic1t64", "file": "file",
    "pango": "libpango-1.0-0", "cairo": "libcairo2", "gdal": "libgdal36", "geos": "libgeos-c1t64", "proj": "libproj25",
    "openjdk11-jre-headless": "default-jre-headless", "openjdk17-jre-headless": "default-jre-headless",
    "font-dejavu": "fonts-dejavu-core", "ttf-dejavu": "fonts-dejavu-core", "font-noto": "fonts-noto-core",
    "font-liberation": "fonts-liberation", "ttf-liberation": "fonts-liberation", "imagemagick": "imagemagick",
    "freetype": "libfreetype6", "libwebp": "libwebp7", "tiff": "libtiff6", "zlib": "", "libffi": "libffi8",
    "libldap": "libldap2", "openldap-clients": "ldap-utils", "libmemcached-libs": "libmemcached11t64",
    "tesseract-ocr-data-deu": "tesseract-ocr-deu", "py3-magic": "libmagic1t64", "mysql-client": "default-mysql-client",
    "xmlsec": "libxmlsec1t64-openssl", "libcurl": "libcurl4t64", "chromium-chromedriver": "chromium-driver",
    "libjpeg": "libjpeg62-turbo", "openldap": "libldap2", "envsubst": "gettext-base", "su-exec": "gosu",
    "lcms2": "liblcms2-2", "openjpeg": "libopenjp2-7", "harfbuzz": "libharfbuzz0b", "fribidi": "libfribidi0",
    "gdk-pixbuf": "libgdk-pixbuf-2.0-0", "libxcb": "libxcb1", "libheif": "libheif1", "libgomp": "libgomp1",
    "icu-libs": "libicu76", "libmemcached": "libmemcached11t64", "libsodium": "libsodium23",
    "ttf-freefont": "fonts-freefont-ttf", "font-freefont": "fonts-freefont-ttf",
    "bind-tools": "bind9-dnsutils", "util-linux": "",
    "font-noto-emoji": "fonts-noto-color-emoji", "font-noto-cjk": "fonts-noto-cjk", "ttf-opensans": "fonts-open-sans",
    "openjdk8-jre": "default-jre-headless", "openjdk11-jre": "default-jre-headless",
    "openjdk21-jre-headless": "default-jre-headless",
    "libgcc": "", "libstdc++": "", "musl": "", "musl-locales": "", "libc6-compat": "", "gcompat": "", "shadow": "",
    "busybox-suid": "", "busybox-extras": "", "python3": "", "py3-pip": "", "ca-certificates-bundle": "ca-certificates",
}  # fmt: skip

# Packages of older Debian releases and of Ubuntu that trixie has under another name; "" is part of every image.
# What trixie's own packages provide (libmagic1, libxmlsec1) is not here.
FORMER = {
    "libgdk-pixbuf2.0-0": "libgdk-pixbuf-2.0-0", "libpcre3": "libpcre2-8-0", "libldap-2.4-2": "libldap2",
    "libldap-2.5-0": "libldap2", "libtiff5": "libtiff6", "libwebp6": "libwebp7", "libicu67": "libicu76",
    "libicu70": "libicu76", "libicu72": "libicu76", "libproj15": "libproj25", "libproj19": "libproj25",
    "libproj22": "libproj25", "libgdal28": "libgdal36", "libgdal32": "libgdal36", "libodbc1": "libodbc2",
    "libgl1-mesa-glx": "libgl1", "ttf-dejavu": "fonts-dejavu-core", "libmariadbclient18": "libmariadb3",
    "openjdk-8-jre-headless": "default-jre-headless", "openjdk-11-jre-headless": "default-jre-headless",
    "openjdk-11-jre": "default-jre-headless", "openjdk-17-jre-headless": "default-jre-headless",
    "openjdk-17-jre": "default-jre-headless", "libffi6": "", "libffi7": "", "libssl1.1": "",
    "libgeos3.11.1": "libgeos-c1t64", "libgeos-3.9.0": "libgeos-c1t64", "libgeos-3.7.1": "libgeos-c1t64",
    "libncurses5": "libncurses6", "libtinfo5": "libtinfo6",
    "libpango1.0-0": "libpango-1.0-0", "libmagickwand-6.q16-6": "libmagickwand-7.q16-10",
    "libspatialite7": "libspatialite8t64", "libavif15": "libavif16", "libxmlsec1": "libxmlsec1t64-openssl",
    "libxmlsec1-openssl": "libxmlsec1t64-openssl", "libxmlsec1-openssl1": "libxmlsec1t64-openssl", "git-core": "git",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction with its arguments, joined to one line, and the number of its first.

    `text` has the variables that the file itself gives a value, `raw` is as it stands there.
    """

    text: str
    line: int
    raw: str


Stage: TypeAlias = "tuple[str, str, list[Instruction]]"
"""What a stage is made from, its own name in lower case, and its instructions."""


def find(tree: Tree, folders: tuple[str, ...]) -> Hints:
    """Return what the Dockerfile nearest to the project tells; one for development tells nothing."""
    for path in _paths(tree, folders):
        found = _read(tree.text(path) or "", path)
        if found is not None:
            return found
    return Hints()


def settings(tree: Tree, folders: tuple[str, ...]) -> Fact[str] | None:
    """Return what DJANGO_SETTINGS_MODULE is in the image of the Dockerfile nearest to the project."""
    for path in _paths(tree, folders):
        last = _served(tree.text(path) or "")
        if last is not None:
            found = [(each.line, given(each.text).get("DJANGO_SETTINGS_MODULE", "")) for each in last]
            return next((Fact(value, Origin(path, line)) for line, value in found[::-1] if value), None)
    return None


def installs(tree: Tree, folders: tuple[str, ...]) -> tuple[Fact[str], ...]:
    """Return the requirements files that the Dockerfile nearest to the project names as pip's, as they stand there."""
    for path in _paths(tree, folders):
        stages = _stages(tree.text(path) or "")
        serious = [stage for stage in stages if not _is_development(stage[1])] or stages
        found = [
            Fact(name.strip("\"'"), Origin(path, each.line))
            for _, _, instructions in serious
            for each in instructions
            for listed in _REQUIRED.findall(each.text)
            for name in _FILE.findall(listed)
        ]
        if found:
            return tuple(found)
    return ()


def starts(tree: Tree, folders: tuple[str, ...]) -> tuple[Fact[str], ...]:
    """Return what the image of the Dockerfile nearest to the project starts: the last ENTRYPOINT and the last CMD."""
    for path in _paths(tree, folders):
        last = _served(tree.text(path) or "")
        if last is not None:
            found = {
                match[1].upper(): Fact(match[2], Origin(path, each.line))
                for each in last
                if (match := re.match(r"(ENTRYPOINT|CMD)\s+(.*)", each.text, re.IGNORECASE))
            }
            return tuple(found.values())
    return ()


def nearest(tree: Tree, folders: tuple[str, ...]) -> Iterator[tuple[str, list[Stage], list[Stage]]]:
    """Yield the Dockerfiles that make the project's image, nearest first: path, all stages, those that the image is."""
    for path in _paths(tree, folders):
        stages = _stages(tree.text(path) or "")
        if _served(tree.text(path) or "") is not None:
            yield path, stages, _last(stages)


def choice(tree: Tree, folders: tuple[str, ...], front_end: str = "") -> tuple[str, ...]:
    """Return the note on which of several Dockerfiles of the project is followed; one builds its `front_end`."""
    first, *others = [
        path for path, _, _ in nearest(tree, folders) if _OF_PYTHON.search(tree.text(path) or "")
    ] or [""]
    if not others:
        return ()
    left = [path for path in others if path != front_end]
    also = [f"{front_end} for the front end alone"] if front_end in others else []
    return (f"{first} is followed, {' and '.join([*also, *(f'{path} is not' for path in left)])}",)


def _paths(tree: Tree, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the Dockerfiles of the project's folders, nearest first: the folder's own, then those of one for them."""
    plain: list[str] = []
    for folder in folders:
        plain += [*_serious(tree, tree.below(folder)), *_within(tree, folder, _ASIDE)]
    yield from plain
    # In a folder with a name of its own may as well lie the Dockerfile of a tool: it must say that it is the project's.
    copied = rf"manage\.py|\b(?:COPY|ADD)\s+(?:--\S+\s+)*(?:\./)?{re.escape(folders[0])}/?\s"
    named = [path for folder in folders for path in _within(tree, folder, _NAMED)]
    named = [path for path in dict.fromkeys(named) if re.search(copied, tree.text(path) or "")]
    yield from named if len(named) == 1 and named[0] not in plain else ()


def _within(tree: Tree, folder: str, names: re.Pattern[str]) -> list[str]:
    """Return the Dockerfiles with a Python in the folders below one whose paths from there fit a pattern."""
    prefix = "" if folder == "." else f"{folder}/"
    inner = [
        each for each in tree.folders if each.startswith(prefix) and names.fullmatch(each[len(prefix) :])
    ]
    found = _serious(tree, [path for each in inner for path in tree.below(each)])
    return [path for path in found if _OF_PYTHON.search(tree.text(path) or "")]


def _serious(tree: Tree, paths: Iterable[str]) -> list[str]:
    """Return the Dockerfiles among some files that are not for development; for production before others."""
    serious = [
        path
        for path in paths
        if _NAME.match(posixpath.basename(path))
        and not role_of(posixpath.basename(path)).is_development
        and "written by nuages" not in (tree.text(path) or "")
    ]

    def rank(path: str) -> tuple[bool, bool, bool, int, str]:
        # Of several the one whose packages have our names.
        is_for_work = _is_for_work(tree.text(path) or "")
        return (not _is_production(path), is_for_work, "alpine" in path, len(path), path)

    return sorted(serious, key=rank)


def _is_production(path: str) -> bool:
    return any(role_of(part) is Role.PRODUCTION for part in path.split("/"))


def _is_for_work(text: str) -> bool:
    """Return whether an image is one to write code in: it starts runserver, or has what developers install."""
    last = _served(text) or []
    named = [
        name for each in last for listed in _REQUIRED.findall(each.text) for name in _FILE.findall(listed)
    ]
    return any(
        re.match(r"(CMD|ENTRYPOINT)\b.*\brunserver", each.text, re.IGNORECASE) for each in last
    ) or any(_is_development(posixpath.splitext(posixpath.basename(name))[0]) for name in named)


def _served(text: str) -> list[Instruction] | None:
    """Return the instructions that make what a Dockerfile's image is; None where that is another service's."""
    chain = _last(_stages(text))
    image = chain[0][0].partition("@")[0].rpartition("/")[2].partition(":")[0] if chain else ""
    if _OTHER_SERVICES.fullmatch(image):
        return None
    return [each for _, _, instructions in chain for each in instructions]


def _read(text: str, path: str) -> Hints | None:
    last = _served(text)
    if last is None:
        return None
    ports = [
        Fact(int(match[1]), Origin(path, each.line))
        for each in last
        if (match := re.match(r"EXPOSE\s+(\d+)", each.text, re.IGNORECASE))
    ]
    packages: dict[str, Fact[str]] = {}
    for each in last:
        for name in _installed(each.text):
            packages.setdefault(name, Fact(name, Origin(path, each.line)))
    return Hints(port=ports[-1] if ports else None, packages=tuple(packages.values()))


@lru_cache(maxsize=8)
def _stages(text: str) -> list[Stage]:
    """Return the stages; variables that the file itself gives a value have it (Dockerfile reference, «ARG», «ENV»)."""
    stages: list[Stage] = []
    known: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        return known.get(match[1] or match[2], match[3] or match[0])

    for number, whole in joined(text):
        line = _VARIABLE.sub(value, whole)
        if re.match("ARG|ENV", line, re.IGNORECASE):
            known.update((name, text) for name, text in given(line).items() if len(text) <= _LONGEST)
        if match := _FROM.match(line):
            stages.append((match[1], (match[2] or "").lower(), []))
        elif stages:
            stages[-1][2].append(Instruction(text=line, line=number, raw=whole))
    return stages


def given(text: str) -> dict[str, str]:
    """Return what an ARG or ENV sets: `NAME=value …`, or the older `NAME value`."""
    match = re.match(r"(?:ARG|ENV)\s+(.*)", text, re.IGNORECASE)
    if match is None:
        return {}
    first, _, rest = match[1].partition(" ")
    if "=" not in first:
        return {first: rest.strip()} if rest.strip() else {}
    try:
        words = shlex.split(match[1])
    except ValueError:
        return {}
    pairs = (word.partition("=") for word in words)
    return {name: value for name, equals, value in pairs if equals}


def _last(stages: list[Stage]) -> list[Stage]:
    """Return the last stage, after those that it is made from; not one for development that stands behind it."""
    serious = [at for at, (_, alias, _) in enumerate(stages) if not _is_development(alias)]
    end = serious[-1] + 1 if serious else len(stages)
    wanted: list[Stage] = []
    for stage in reversed(stages[:end]):
        if not wanted or stage[1] == wanted[-1][0].lower():
            wanted.append(stage)
    return wanted[::-1]


def _is_development(alias: str) -> bool:
    return role_of(alias) in {Role.DEVELOPMENT, Role.TEST}


def joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield whole lines by the number of their first: joined at a backslash, comments between them left out."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith("#") or (not plain and not parts):
            continue
        start = start if parts else number
        parts.append(plain.removesuffix("\\").strip())
        if not plain.endswith("\\"):
            yield start, " ".join(parts)
            parts = []


def _installed(text: str) -> Iterator[str]:
    if not re.match(r"RUN\b", text, re.IGNORECASE):
        return
    for match in _INSTALL.finditer(text):
        is_alpine = match[1].startswith("apk")
        # `# why` in backquotes is how a comment is written between words.
        words = re.sub(r"`[^`]*`", " ", match[2]).split()
        if is_alpine and any(word.startswith("--virtual") or word == "-t" for word in words):
            continue  # removed again when the build is over
        for word in words:
            name = re.split(r"[=<>~]", word.strip("'\""))[0]
            if is_alpine and name not in ALPINE and re.match(r"py\d?-", name):
                continue  # a Python module of Alpine's, which the project's own requirements have
            names = ALPINE if is_alpine else FORMER
            if _PACKAGE.fullmatch(name) and (debian := names.get(name, name)):
                yield debian
