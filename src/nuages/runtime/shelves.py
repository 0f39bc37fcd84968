"""Where a URL's file is found: listed by a manifest or a scan, looked for in a folder, or by Django's finders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nuages.runtime.conditional import Variant
from nuages.runtime.folder import is_served, look, walk
from nuages.runtime.manifest import CODINGS, Item, Manifest, listed
from nuages.runtime.media_types import media_type
from nuages.runtime.stored import Entry, live, stat_tag

YEAR = 31_536_000
# What Django's own hashing writes, and WhiteNoise's test for it: name.0123456789ab.ext
HASHED = re.compile(r"^.+\.[0-9a-f]{12}(\.[^/]*)?$")
NEWER_SECONDS = 2  # how much older than its file a compressed form may be: copying does not keep the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the files of a shelf are served: `plain_age` is in seconds, None says nothing of it.

    `extra` are the header lines that each of them gets. `tune` has the last word on a new entry, given its URL path.
    """

    plain_age: int | None
    extra: bytes = b""
    tune: Callable[[Entry, str], None] | None = None

    def cache_control(self, *, is_hashed: bool) -> str:
        """Return the Cache-Control of a file."""
        if is_hashed:
            return f"max-age={YEAR}, public, immutable"
        return "" if self.plain_age is None else f"max-age={self.plain_age}, public"


class Shelf(Protocol):
    """Files under one URL prefix; `prefix` ends in a slash."""

    prefix: bytes
    manner: Manner

    def find(self, path: str) -> Entry | None:
        """Return a new entry for a path below the prefix."""

    def has(self, path: str) -> bool:
        """Return whether there is such a file."""


class Listed:
    """The files that a manifest or a scan of a folder lists."""

    def __init__(self, prefix: bytes, root: str, manifest: Manifest, manner: Manner) -> None:
        self.prefix = prefix
        self.root = root
        self.manifest = manifest
        self.manner = manner

    def has(self, path: str) -> bool:
        """Return whether a file is listed."""
        return path in self.manifest

    def find(self, path: str) -> Entry | None:
        """Return the entry of a listed file; raises ValueError for a broken row of the manifest."""
        if path not in self.manifest:
            return None
        item = self.manifest[path]
        place = f"{self.root}/{path}"
        variants = [Variant(coding="identity", size=item.size, etag=item.etag, path=place)]
        for coding, size in item.codings.items():
            tag = f'{item.etag[:-1]}-{coding}"'
            variants.append(Variant(coding=coding, size=size, etag=tag, path=place + CODINGS[coding]))
        entry = Entry(
            variants=tuple(variants), modified=item.modified, media=item.media, root=self.root,
            cache_control=self.manner.cache_control(is_hashed=item.is_hashed), extra=self.manner.extra,
        )  # fmt: skip
        if self.manner.tune is not None:
            self.manner.tune(entry, self.prefix.decode() + path)
        return entry


class Live:
    """The files of a folder as they are now, looked for at each request."""

    def __init__(self, prefix: bytes, root: str, manner: Manner) -> None:
        self.prefix = prefix
        self.root = os.path.realpath(root)
        self.manner = manner

    def place(self, path: str) -> tuple[str, os.stat_result] | None:
        """Return where a file lies and what it is now."""
        return look(self.root, path)

    def has(self, path: str) -> bool:
        """Return whether there is such a file now."""
        return self.place(path) is not None

    def find(self, path: str) -> Entry | None:
        """Return the entry of a file that is there now."""
        found = self.place(path)
        if found is None:
            return None
        control = self.manner.cache_control(is_hashed=False) or "no-cache"
        entry = live(
            *found, cache_control=control, extra=self.manner.extra, media=media_type(path), root=self.root
        )
        if self.manner.tune is not None:
            self.manner.tune(entry, self.prefix.decode() + path)
        return entry


class Found(Live):
    """What Django's finders find now, for DEBUG: an edit is seen at once."""

    def __init__(self, prefix: bytes, finder: Callable[[str], str | None], manner: Manner) -> None:
        super().__init__(prefix, "/", manner)
        self.root = ""  # they lie anywhere
        self.finder = finder

    def place(self, path: str) -> tuple[str, os.stat_result] | None:
        """Return where a file lies and what it is now."""
        if not is_served(path):
            return None
        try:
            found = self.finder(path)
        except Exception:  # noqa: BLE001 - Django refuses suspicious names by an exception of its own
            return None
        if not found or not Path(found).is_file():
            return None
        real = os.path.realpath(found)
        return real, os.stat(real)  # noqa: PTH116


def scan(root: str, hashed: Callable[[str], bool] = lambda _: False) -> Manifest:
    """Return what a walk through a folder finds; compressed forms belong to the files that they are forms of."""
    found = walk(root)
    items = []
    for path, facts in found.items():
        base, dot, suffix = path.rpartition(".")
        if dot and f".{suffix}" in CODINGS.values() and base in found:
            continue
        codings = {
            coding: found[path + ending].st_size
            for coding, ending in CODINGS.items()
            # A form that is older than its file belongs to another version of it.
            if path + ending in found and found[path + ending].st_mtime >= facts.st_mtime - NEWER_SECONDS
        }
        items.append(
            Item(
                path=path, size=facts.st_size, modified=int(facts.st_mtime), etag=stat_tag(facts),
                media=media_type(path), is_hashed=hashed(path), codings=codings,
            )
        )  # fmt: skip
    return listed(items)


def hashed_test(django_manifest: Mapping[str, str]) -> Callable[[str], bool]:
    """Return the test for paths that carry a hash: those of Django's manifest, and older ones of the same make."""
    if not django_manifest:
        return lambda _: False
    names = frozenset(django_manifest.values())
    return lambda path: path in names or HASHED.match(path) is not None
