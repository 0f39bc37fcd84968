"""The static files of a site: which URL is which file, its bytes in memory, and whether it still is what was listed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes

from nuages.runtime import stored
from nuages.runtime.conditional import Variant
from nuages.runtime.folder import is_below, look, open_file
from nuages.runtime.pieces import Stamp, stamp
from nuages.runtime.request import PERCENT
from nuages.runtime.shelves import Shelf
from nuages.runtime.stored import Entry, Reply, stat_tag

PREPARED_BYTES = 64 << 10  # up to this size a body is kept in memory
MEMORY_BYTES = 64 << 20  # the most that all kept bodies take in one worker
DIGEST_BYTES = 8 << 20  # up to this size a file whose time was lost on the way is compared by its content
MOST_REPLIES = 32  # remembered for one file
GONE = Reply(404, b"content-type: text/plain\r\ncontent-length: 14\r\n", b"404 Not Found\n")


def content_tag(descriptor: int) -> str:
    """Return a strong entity tag from a file's content."""
    digest = hashlib.blake2b(digest_size=12)
    position = 0
    while block := os.pread(descriptor, 1 << 20, position):
        digest.update(block)
        position += len(block)
    return f'"{digest.hexdigest()}"'


class Files:
    """Every static file of the site by its URL path."""

    def __init__(self, shelves: Sequence[Shelf] = (), *, index: str = "") -> None:
        """`index` is the file that stands for its folder, `index.html` or none; earlier shelves come first."""
        self.report: Callable[[str], None] = lambda _: None  # the worker's log, once there is one
        self._shelves = tuple(shelves)
        self._entries: dict[bytes, Entry] = {}
        self._index = index
        self._kept = 0
        prefixes = {shelf.prefix for shelf in self._shelves}
        self._prefixes = tuple(prefixes | {prefix.rstrip(b"/") for prefix in prefixes} if index else prefixes)

    def find(self, raw: bytes) -> Entry | None:
        """Return the entry of a request's raw path, as sent and without its query, or None: Django's turn."""
        path = unquote_to_bytes(raw) if PERCENT in raw else raw
        entry = self._entries.get(path)
        if entry is not None:
            return entry
        if not path.startswith(self._prefixes):
            return None
        try:
            found = self._look(path)
        except ValueError as error:
            self.report(f"{error}; run nuages collect")
            return None
        if found is not None and not found.is_live:
            self._entries[path] = found
        return found

    def _look(self, path: bytes) -> Entry | None:
        for shelf in self._shelves:
            if path.startswith(shelf.prefix):
                name = path[len(shelf.prefix) :].decode("utf-8", "surrogateescape")
                found = self._look_in(shelf, name)
                if found is not None:
                    return found
            elif self._index and path + b"/" == shelf.prefix and shelf.has(self._index):
                return _redirect(shelf, path.rpartition(b"/")[2].decode("utf-8", "surrogateescape") + "/")
        return None

    def _look_in(self, shelf: Shelf, name: str) -> Entry | None:
        index = self._index
        if index and (name == index or name.endswith("/" + index)) and shelf.has(name):
            return _redirect(shelf, "./")
        if index and (not name or name.endswith("/")):
            return shelf.find(name + index)
        found = shelf.find(name)
        if found is None and index and shelf.has(f"{name}/{index}"):
            return _redirect(shelf, name.rpartition("/")[2] + "/")
        return found

    def answer(self, entry: Entry, method: str, fields: Mapping[bytes, bytes]) -> Reply:
        """Return the answer to a request for `entry`; `fields` are its header fields in lower case.

        A reply with pieces owns a descriptor of the file, which is the caller's to close.
        """
        key = _key(method, fields)
        if key is not None:
            known = entry.replies.get(key)
            if known is not None:
                # A large file is opened for each answer: only what is said of it is known.
                filled = known if known.variant is None else self._filled(entry, known, known.variant)
                if filled is not None:
                    return filled
            reply = self._answer(entry, method, fields)
            if reply is not GONE and not entry.is_live and len(entry.replies) < MOST_REPLIES:
                lasting = reply if reply.descriptor < 0 else replace(reply, descriptor=-1, expected=None)
                entry.replies[key] = lasting
            return reply
        return self._answer(entry, method, fields)

    def unchanged(self, entry: Entry, method: str, fields: Mapping[bytes, bytes]) -> bytes | None:
        """Return the head of the 304 that such a request was answered with before, None where it was not."""
        key = _key(method, fields)
        known = entry.replies.get(key) if key is not None else None
        return known.head if known is not None and known.status == 304 else None

    def large(self, entry: Entry, fields: Mapping[bytes, bytes]) -> tuple[bytes, Stamp] | None:
        """Return the head that a GET was answered with before and how its file was; None where it is not large.

        Or where the file is not that any more: it is looked at, not opened.
        """
        # Nearly all are small, and their forms are no larger than themselves.
        if not entry.variants or entry.variants[0].size <= PREPARED_BYTES:
            return None
        key = _key("GET", fields)
        known = entry.replies.get(key) if key is not None else None
        if known is None or known.variant is None or known.variant.size <= PREPARED_BYTES:
            return None
        path = known.variant.path
        expected = entry.stamps.get(path)
        try:
            is_same = expected is not None and stamp(os.lstat(path)) == expected
        except OSError:
            return None
        return (known.head, expected) if expected is not None and is_same else None

    def _answer(self, entry: Entry, method: str, fields: Mapping[bytes, bytes]) -> Reply:
        for _ in range(3):
            reply = stored.answer(entry, method, fields)
            variant = reply.variant
            if variant is None or method == "HEAD":
                return reply
            filled = self._filled(entry, reply, variant)
            if filled is not None:
                return filled
            if not self._renew(entry):
                break
        return GONE

    def _filled(self, entry: Entry, reply: Reply, variant: Variant) -> Reply | None:
        """Return the reply with its body or its open file; None when the file is not what was listed."""
        body = entry.bodies.get(variant.path)
        if body is None:
            try:
                descriptor = _open(entry, variant.path)
            except OSError:
                return None
            try:
                facts = os.fstat(descriptor)
                if not _is_as_listed(entry, variant, descriptor, facts) or not _is_of_its_file(
                    entry, variant
                ):
                    os.close(descriptor)
                    return None
                if variant.size > PREPARED_BYTES:
                    return Reply(
                        reply.status, reply.head, b"", variant, reply.pieces, descriptor, stamp(facts)
                    )
                body = os.pread(descriptor, variant.size, 0)
                is_same = stamp(os.fstat(descriptor)) == stamp(facts)
            except OSError:
                os.close(descriptor)
                return None
            os.close(descriptor)
            if len(body) != variant.size or not is_same:
                return None
            if not entry.is_live and self._kept + len(body) <= MEMORY_BYTES:
                entry.bodies[variant.path] = body
                self._kept += len(body)
        if reply.status == 206:
            parts = (one if isinstance(one, bytes) else body[one[0] : one[1]] for one in reply.pieces)
            body = b"".join(parts)
        return Reply(reply.status, reply.head, body)

    def _renew(self, entry: Entry) -> bool:
        """Make the entry what its file is now; return whether there is one."""
        path = entry.variants[0].path
        found = look(os.path.realpath(entry.root), path[len(entry.root) + 1 :]) if entry.root else None
        if not entry.is_live:
            what = "has changed since it was listed" if found else "is no longer there"
            self.report(f"the static file {path} {what}; run nuages collect, then reload")
        if found is None:
            return False
        for variant in entry.variants:
            self._kept -= len(entry.bodies.pop(variant.path, b""))
        place, facts = found
        entry.variants = (Variant(coding="identity", size=facts.st_size, etag=stat_tag(facts), path=place),)
        entry.modified = int(facts.st_mtime)
        entry.cache_control = "no-cache"
        entry.is_live = True
        for memory in (entry.heads, entry.stamps, entry.replies):
            memory.clear()
        return True


def _key(method: str, fields: Mapping[bytes, bytes]) -> tuple[bytes | str | None, ...] | None:
    """Return what the answer depends on, None where that is more than browsers send again and again."""
    if b"range" in fields or b"if-match" in fields or b"if-unmodified-since" in fields:
        return None
    get = fields.get
    tags = get(b"if-none-match")
    since = get(b"if-modified-since") if tags is None else None  # RFC 9110, section 13.1.3
    return (method, get(b"accept-encoding"), tags, since)


def _is_as_listed(entry: Entry, variant: Variant, descriptor: int, facts: os.stat_result) -> bool:
    """Return whether an open file is what the index says of it, so that its tag does not lie."""
    now = stamp(facts)
    known = entry.stamps.get(variant.path)
    if known is not None:
        return known == now
    if not stat.S_ISREG(facts.st_mode) or facts.st_size != variant.size:
        return False
    if entry.root and not is_below(os.path.realpath(variant.path), os.path.realpath(entry.root)):
        return False
    if variant is entry.variants[0] and int(facts.st_mtime) != entry.modified:
        # Building an image may have taken the time away. What a scan listed is recognised by nothing else.
        is_digest = "-" not in variant.etag and facts.st_size <= DIGEST_BYTES
        if is_digest and content_tag(descriptor) != variant.etag:
            return False
    if "-" in entry.variants[0].etag and variant is entry.variants[0] and variant.etag != stat_tag(facts):
        return False
    entry.stamps[variant.path] = now
    return True


def _is_of_its_file(entry: Entry, variant: Variant) -> bool:
    """Return whether the file that a coded form was made of is what the index says; looked at once for each file."""
    file = entry.variants[0]
    if variant is file or file.path in entry.stamps:
        return True
    descriptor = _open(entry, file.path)
    try:
        return _is_as_listed(entry, file, descriptor, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _redirect(shelf: Shelf, location: str) -> Entry:
    """Return an entry that leads elsewhere, as WhiteNoise does between a folder and its index file."""
    control = shelf.manner.cache_control(is_hashed=False)
    return Entry(
        variants=(), modified=0, media="", cache_control=control, location=quote(location, errors="replace")
    )


def _open(entry: Entry, path: str) -> int:
    """Open a form of a file; it may be a link that stays below its root, which a scan has seen. Raises OSError."""
    try:
        return open_file(path)
    except OSError as error:
        if error.errno != errno.ELOOP or not entry.root:
            raise
    return open_file(os.path.realpath(path))
