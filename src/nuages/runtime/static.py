"""The index of static files: which URL is which file, and the answer to each request for one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from nuages.runtime.conditional import Variant, decide
from nuages.runtime.manifest import CODINGS, Item
from nuages.runtime.media_types import media_type

YEAR = 31_536_000
WEEK = 604_800
PREPARED_BYTES = 64 << 10  # up to this size a body is kept in memory
MEMORY_BYTES = 64 << 20  # the most that all kept bodies take in one worker
# What the project's own hashing writes, and WhiteNoise's test for it: name.0123456789ab.ext
_HASHED = re.compile(r"^.+\.[0-9a-f]{12}(\.[^/]*)?$")


@dataclass(slots=True)
class Entry:
    """One file under one URL. `forms` are the stored forms, identity first, each with its path.

    `tune` completes the entry when it is first asked for.
    """

    forms: tuple[tuple[Variant, str], ...]
    modified: int
    media: str
    cache_control: str
    extra: bytes = b""
    tune: Callable[[Entry], None] | None = None
    heads: dict[tuple[int, str], bytes] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The stored forms without their paths."""
        return tuple(variant for variant, _ in self.forms)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer from the index: `head` lacks the status line's date and server fields and the empty line.

    `body` is the whole body, or None for bytes `start` to `stop` of the file at `path`.
    """

    status: int
    head: bytes
    body: bytes | None = b""
    path: str = ""
    start: int = 0
    stop: int = 0


class Files:
    """Every static file of the site by its URL path, as decoded bytes."""

    def __init__(
        self,
        entries: Mapping[bytes, Entry] | None = None,
        *,
        prefixes: tuple[bytes, ...] = (),
        finder: Callable[[str], str | None] | None = None,
        common: bytes = b"",
    ) -> None:
        self._entries: dict[bytes, Entry] = dict(entries or {})
        self._prefixes = prefixes
        self._finder = finder
        self._common = common
        self._kept = 0

    def __len__(self) -> int:
        return len(self._entries)

    @classmethod
    def of_project(cls, settings: Any, *, max_age: float | None, report: Callable[[str, str], None]) -> Files:
        """Return the files that the project's settings describe; raises ProjectError for an uncollected manifest."""
        from nuages.runtime.collected import files_of_project

        return files_of_project(cls, settings, max_age=max_age, report=report)

    def find(self, raw: bytes) -> Entry | None:
        """Return the entry of a request's raw path, as sent and without its query, or None: Django's turn."""
        entry = self._entries.get(raw)
        if entry is not None:
            return entry
        if b"%" in raw:
            raw = unquote_to_bytes(raw)
            entry = self._entries.get(raw)
            if entry is not None:
                return entry
        if self._finder is not None and raw.startswith(self._prefixes):
            return self._look(raw)
        return None

    def _look(self, path: bytes) -> Entry | None:
        """Ask the finders, for DEBUG: nothing is kept, so that an edit is seen at once."""
        assert self._finder is not None
        prefix = next(prefix for prefix in self._prefixes if path.startswith(prefix))
        try:
            found = self._finder(path[len(prefix) :].decode())
        except (UnicodeDecodeError, ValueError):
            return None
        except Exception:  # noqa: BLE001 - Django refuses suspicious names by an exception of its own
            return None
        if not found or not Path(found).is_file():
            return None
        status = Path(found).stat()
        variant = Variant(coding="identity", size=status.st_size, etag=stat_tag(status))
        return Entry(
            forms=((variant, found),), modified=int(status.st_mtime), media=media_type(found),
            cache_control="no-cache", extra=self._common,
        )  # fmt: skip

    def answer(self, entry: Entry, method: str, fields: Mapping[bytes, bytes]) -> Reply:
        """Return the answer to a request for `entry`; `fields` are its header fields in lower case."""
        if method not in ("GET", "HEAD"):
            text = b"405 Method Not Allowed\n"
            head = b"allow: GET, HEAD\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n" % len(text)
            return Reply(405, head, text)
        if entry.tune is not None:
            # At the first request: the project's own function may be slow, and most files are never asked for.
            tune, entry.tune = entry.tune, None
            tune(entry)
        decision = decide(fields, entry.variants, entry.modified)
        coding, status = decision.variant.coding, decision.status
        if status == 206:
            head = self._head(entry, decision.variant, 206, decision.stop - decision.start)
            head += b"content-range: bytes %d-%d/%d\r\n" % (
                decision.start, decision.stop - 1, decision.variant.size,
            )  # fmt: skip
        else:
            head = entry.heads.get((status, coding), b"")
            if not head:
                head = self._head(entry, decision.variant, status, decision.variant.size)
                entry.heads[(status, coding)] = head
        if status not in (200, 206) or method == "HEAD":
            return Reply(status, head)
        path = next(path for variant, path in entry.forms if variant.coding == coding)
        if decision.variant.size > PREPARED_BYTES:
            return Reply(status, head, None, path, decision.start, decision.stop)
        body = entry.bodies.get(coding)
        if body is None:
            body = self._read(entry, decision.variant, path)
            if body is None:
                return Reply(404, b"content-length: 0\r\n")
        return Reply(status, head, body if status == 200 else body[decision.start : decision.stop])

    def _read(self, entry: Entry, variant: Variant, path: str) -> bytes | None:
        """Return a small file's bytes, kept while there is room; None when it is no longer what was indexed."""
        try:
            body = Path(path).read_bytes()
        except OSError:
            return None
        if len(body) != variant.size:
            return None
        if self._finder is None and self._kept + len(body) <= MEMORY_BYTES:
            entry.bodies[variant.coding] = body
            self._kept += len(body)
        return body

    def _head(self, entry: Entry, variant: Variant, status: int, length: int) -> bytes:
        lines = [f"etag: {variant.etag}", f"cache-control: {entry.cache_control}"]
        lines.append(f"last-modified: {formatdate(entry.modified, usegmt=True)}")
        if len(entry.forms) > 1:
            lines.append("vary: Accept-Encoding")
        if status == 416:
            lines += [f"content-range: bytes */{variant.size}", "content-length: 0"]
        elif status == 412:
            lines.append("content-length: 0")
        elif status in (200, 206):
            lines += [f"content-type: {entry.media}", f"content-length: {length}", "accept-ranges: bytes"]
            if variant.coding != "identity":
                lines.append(f"content-encoding: {variant.coding}")
        return "".join(line + "\r\n" for line in lines).encode("latin-1") + entry.extra


def stat_tag(status: os.stat_result) -> str:
    """Return a strong entity tag from a file's time and size, where no manifest has its digest."""
    return f'"{status.st_mtime_ns // 1_000_000:x}-{status.st_size:x}"'


def url_prefixes(static_url: str | None, script_name: str | None) -> tuple[str, ...]:
    """Return the URL paths under which static files are asked for, each ending in a slash.

    A full URL (a CDN that fetches from here) counts by its path. Behind a proxy that strips FORCE_SCRIPT_NAME the
    path comes without it. None at all where the files would lie at the root of the site.
    """
    if not static_url:
        return ()
    path = urlsplit(static_url).path
    if not path.startswith("/"):
        path = f"/{path}"
    if not path.endswith("/"):
        path += "/"
    found = [path]
    script = (script_name or "").rstrip("/")
    if script and path.startswith(script + "/"):
        found.append(path[len(script) :])
    return tuple(one for one in found if one != "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long browsers may keep a file: `hashed` are the paths whose names carry a hash; `plain` is in seconds."""

    hashed: frozenset[str]
    plain: int

    def cache_control(self, path: str, *, immutable: bool = False) -> str:
        """Return the Cache-Control of a file by its path below the static root."""
        if immutable or path in self.hashed:
            return f"max-age={YEAR}, public, immutable"
        return f"max-age={self.plain}, public"


def hashed_names(manifest: Mapping[str, str], paths: Iterable[str]) -> frozenset[str]:
    """Return the paths that carry a hash: those of Django's manifest, and older ones of the same make."""
    if not manifest:
        return frozenset()
    return frozenset(manifest.values()) | {path for path in paths if _HASHED.match(path)}


def index(
    items: Iterable[Item], root: str, prefixes: tuple[str, ...], ages: Ages, common: bytes = b""
) -> dict[bytes, Entry]:
    """Return the entries for collected files under each URL prefix."""
    entries: dict[bytes, Entry] = {}
    for item in items:
        forms = [(Variant(coding="identity", size=item.size, etag=item.etag), os.path.join(root, item.path))]  # noqa: PTH118
        for coding, size in item.codings.items():
            tag = f'{item.etag[:-1]}-{coding}"'
            forms.append(
                (
                    Variant(coding=coding, size=size, etag=tag),
                    os.path.join(root, item.path + CODINGS[coding]),  # noqa: PTH118
                )
            )
        entry = Entry(
            forms=tuple(forms), modified=item.modified, media=media_type(item.path),
            cache_control=ages.cache_control(item.path), extra=common,
        )  # fmt: skip
        for prefix in prefixes:
            entries[(prefix + item.path).encode("utf-8", "surrogateescape")] = entry
    return entries


def scan(root: str) -> tuple[Item, ...]:
    """Return the files below a folder; links that lead out of it are left out, as are compressed forms."""
    real = os.path.realpath(root)
    found: dict[str, os.stat_result] = {}
    for directory, folders, names in os.walk(real):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)  # noqa: PTH118
            try:
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    target = os.path.realpath(path)
                    if not target.startswith(real + os.sep):
                        continue
                    status = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[os.path.relpath(path, real)] = status
    items = []
    for relative, status in found.items():
        base, dot, suffix = relative.rpartition(".")
        if dot and f".{suffix}" in CODINGS.values() and base in found:
            continue
        codings = {
            coding: found[relative + ending].st_size
            for coding, ending in CODINGS.items()
            # A compressed form that is older than its file belongs to another version of it.
            if relative + ending in found and found[relative + ending].st_mtime >= status.st_mtime - 2
        }
        items.append(
            Item(
                path=relative, size=status.st_size, modified=int(status.st_mtime), etag=stat_tag(status),
                codings=codings,
            )
        )  # fmt: skip
    return tuple(items)
