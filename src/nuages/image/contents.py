"""What an image's file system holds in the end: the layers laid over each other, and whose each file is."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nuages.image.archive import Entry, Image

_LINKS = 40
"""How many symbolic links a path may lead through (path_resolution(7))."""

_PACKAGES = re.compile(r"(.*/(?:site|dist)-packages/|opt/(?:nuages|ahead|local)/)")

KINDS = (
    ("bytecode", r"\.pyc$"),
    ("translations", r"\.(mo|po|pot)$|/locale/.*\.js$|^usr/share/locale/"),
    ("documentation", r"^usr/share/(doc|man|info|doc-base|lintian)/"),
    ("compressed copies of static files", r"\.(gz|br|zst)$"),
    ("headers, sources and stubs", r"\.(h|hpp|c|cc|cpp|pyx|pxd|pyi)$|\.a$"),
    ("Python source", r"\.py$"),
    ("style sheets, scripts, fonts and images",
     r"\.(css|js|mjs|map|svg|png|jpe?g|gif|webp|avif|ico|woff2?|ttf|eot|otf|html)$"),
)  # fmt: skip
"""Kinds of files by their path, the first that fits; ELF files are told by their content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The merged file system: entries by path without a leading slash, the layer that each is from, texts."""

    entries: Mapping[str, Entry]
    layers: Mapping[str, int]
    texts: Mapping[str, str]
    hidden: Mapping[str, int]
    """Bytes of files that a later layer replaces or deletes: they are in the image and nobody can see them."""

    def resolve(self, path: str) -> str | None:
        """Return the path of the file or folder that a path leads to through all links, None where there is none."""
        parts = [part for part in path.split("/") if part]
        done: list[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part in {".", ".."}:
                done = done[:-1] if part == ".." else done
                continue
            here = "/".join((*done, part))
            entry = self.entries.get(here)
            if entry is not None and entry.kind == "link":
                links += 1
                if links > _LINKS:
                    return None
                done = [] if entry.target.startswith("/") else done
                parts = [*(one for one in entry.target.split("/") if one), *parts]
                continue
            done.append(part)
        found = "/".join(done)
        return found if found in self.entries else None


def merge(image: Image) -> Contents:
    """Lay the layers over each other."""
    entries: dict[str, Entry] = {}
    layers: dict[str, int] = {}
    texts: dict[str, str] = {}
    hidden: dict[str, int] = {}

    def drop(path: str) -> None:
        entry = entries.pop(path, None)
        layers.pop(path, None)
        texts.pop(path, None)
        if entry and entry.size:
            hidden[path] = hidden.get(path, 0) + entry.size

    for index, layer in enumerate(image.layers):
        for path in layer.deleted:
            below = path if path.endswith("/") else f"{path}/"
            for one in [one for one in entries if one == path or one.startswith(below)]:
                drop(one)
        for path, entry in layer.entries.items():
            drop(path)
            entries[path] = entry
            layers[path] = index
        texts.update(layer.texts)
    return Contents(entries=entries, layers=layers, texts=texts, hidden=hidden)


def owners(contents: Contents) -> dict[str, str]:
    """Return whose each file is: `libc6 (Debian)`, `Django 5.2.1`, `Python`, or the folder that it lies in."""
    found: dict[str, str] = {}
    for path, text in contents.texts.items():
        name = posixpath.basename(path)
        if path.startswith("var/lib/dpkg/info/"):
            package = name.removesuffix(".list").partition(":")[0]
            for line in text.splitlines():
                if place := contents.resolve(line):
                    found.setdefault(place, f"{package} (Debian)")
        elif name == "RECORD":
            folder = posixpath.dirname(path)
            distribution = posixpath.basename(folder).removesuffix(".dist-info").replace("-", " ")
            for line in text.splitlines():
                place = posixpath.normpath(posixpath.join(posixpath.dirname(folder), line.partition(",")[0]))
                found[place] = distribution
    return {
        path: found.get(path) or _owner(path, found) for path, entry in contents.entries.items() if entry.size
    }


def _owner(path: str, found: Mapping[str, str]) -> str:
    if cached := re.fullmatch(r"(.*/|)__pycache__/([^/]+)\.cpython-\d+[^/]*\.pyc", path):
        source = f"{cached[1]}{cached[2]}.py"
        return found.get(source) or _folder(source)
    return _folder(path)


def _folder(path: str) -> str:
    if re.match(r"usr/local/(lib|bin|include)/(lib)?python3[^/]*(/|$)", path) and "site-packages" not in path:
        return "Python"
    if match := _PACKAGES.match(path):
        return f"/{match[1]}{path.removeprefix(match[1]).partition('/')[0]}"
    parts = path.split("/")
    return "/" + "/".join(parts[: 2 if parts[0] in {"usr", "var", "opt", "app"} and len(parts) > 2 else 1])


def by_kind(contents: Contents) -> dict[str, int]:
    """Return bytes by kind of file, the largest first."""
    return _summed((_kind(path, entry), entry.size) for path, entry in contents.entries.items() if entry.size)


def by_owner(contents: Contents) -> dict[str, int]:
    """Return bytes by owner, the largest first."""
    return _summed((owner, contents.entries[path].size) for path, owner in owners(contents).items())


def _kind(path: str, entry: Entry) -> str:
    if entry.elf is not None:
        return "programs and shared libraries"
    return next((name for name, pattern in KINDS if re.search(pattern, path)), "everything else")


def _summed(pairs: Iterator[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, size in pairs:
        found[name] = found.get(name, 0) + size
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
