"""What the project's own Dockerfile tells: the port, and the Debian packages that its last stage installs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from nuages.errors import Origin
from nuages.project.model import Fact, Hints
from nuages.project.roles import Role, role_of
from nuages.project.tree import Tree

_NAME = re.compile(r"^(Dockerfile|Containerfile)([.-][\w.-]+)?$|^[\w.-]+\.Dockerfile$")
_INSTALL = re.compile(r"\b(apt(?:-get)?\s+(?:-\S+\s+)*install|apk\s+(?:-\S+\s+)*add)\s+([^&|;]*)")
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
    "freetype": "libfreetype6", "libwebp": "libwebp7", "tiff": "libtiff6", "zlib": "zlib1g", "libffi": "libffi8",
    "libldap": "libldap2", "openldap-clients": "ldap-utils", "libmemcached-libs": "libmemcached11t64",
    "tesseract-ocr-data-deu": "tesseract-ocr-deu", "py3-magic": "libmagic1t64", "mysql-client": "default-mysql-client",
    "xmlsec": "libxmlsec1t64-openssl", "libcurl": "libcurl4t64", "chromium-chromedriver": "chromium-driver",
    "libjpeg": "libjpeg62-turbo", "openldap": "libldap2", "envsubst": "gettext-base", "su-exec": "gosu",
    "lcms2": "liblcms2-2", "openjpeg": "libopenjp2-7", "harfbuzz": "libharfbuzz0b", "fribidi": "libfribidi0",
    "gdk-pixbuf": "libgdk-pixbuf-2.0-0", "libxcb": "libxcb1", "libheif": "libheif1", "libgomp": "libgomp1",
    "icu-libs": "libicu76", "libmemcached": "libmemcached11t64", "libsodium": "libsodium23",
    "ttf-freefont": "fonts-freefont-ttf", "font-freefont": "fonts-freefont-ttf",
    "bind-tools": "bind9-dnsutils", "util-linux": "",
    "libgcc": "", "libstdc++": "", "musl": "", "musl-locales": "", "libc6-compat": "", "gcompat": "", "shadow": "",
    "busybox-suid": "", "busybox-extras": "", "python3": "", "py3-pip": "", "ca-certificates-bundle": "ca-certificates",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    text: str
    line: int


_Stage: TypeAlias = "tuple[str, str, list[_Instruction]]"
"""What a stage is made from, its own name in lower case, and its instructions."""


def find(tree: Tree, folders: tuple[str, ...]) -> Hints:
    """Return what the Dockerfile nearest to the project tells; one for development tells nothing."""
    for folder in folders:
        names = [path for path in tree.below(folder) if _NAME.match(posixpath.basename(path))]
        serious = [path for path in names if not role_of(posixpath.basename(path)).is_development]
        # Of several the one whose packages have our names.
        for path in sorted(serious, key=lambda path: ("alpine" in path, len(path), path)):
            text = tree.text(path) or ""
            found = None if "written by nuages" in text else _read(text, path)
            if found is not None:
                return found
    return Hints()


def _read(text: str, path: str) -> Hints | None:
    """Return what a Dockerfile tells; None where it makes the image of another service."""
    stages: list[_Stage] = []
    for each in _instructions(text):
        if match := _FROM.match(each.text):
            stages.append((match[1], (match[2] or "").lower(), []))
        elif stages:
            stages[-1][2].append(each)
    chain = _last(stages)
    image = chain[0][0].partition("@")[0].rpartition("/")[2].partition(":")[0] if chain else ""
    if _OTHER_SERVICES.fullmatch(image):
        return None
    last = [each for _, _, instructions in chain for each in instructions]
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


def _last(stages: list[_Stage]) -> list[_Stage]:
    """Return the last stage, after those that it is made from; not one for development that stands behind it."""
    serious = [at for at, (_, alias, _) in enumerate(stages) if not _is_development(alias)]
    end = serious[-1] + 1 if serious else len(stages)
    wanted: list[_Stage] = []
    for stage in reversed(stages[:end]):
        if not wanted or stage[1] == wanted[-1][0].lower():
            wanted.append(stage)
    return wanted[::-1]


def _is_development(alias: str) -> bool:
    return role_of(alias) in {Role.DEVELOPMENT, Role.TEST}


def _instructions(text: str) -> Iterator[_Instruction]:
    """Yield whole instructions: lines joined at a backslash, comments between them left out."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if plain.startswith("#") or (not plain and not parts):
            continue
        start = start if parts else number
        parts.append(plain.removesuffix("\\").strip())
        if not plain.endswith("\\"):
            yield _Instruction(text=" ".join(parts), line=start)
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
            name = re.split(r"[=<>~]", word)[0]
            if _PACKAGE.fullmatch(name) and (debian := ALPINE.get(name, name) if is_alpine else name):
                yield debian
