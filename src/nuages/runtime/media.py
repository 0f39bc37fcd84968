"""MEDIA_ROOT at MEDIA_URL: what people have uploaded, given out so that nothing in it can act in the site's name.

Every answer has `nosniff` and a Content-Security-Policy that lets a document do nothing; whatever a browser could run
comes as a download (MDN, «CSP: sandbox»; OWASP, «File Upload Cheat Sheet»).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from nuages.runtime import livefile
from nuages.runtime.beneath import names_of
from nuages.runtime.delivery import FileExchange
from nuages.runtime.media_types import media_type

if TYPE_CHECKING:
    import asyncio

    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request
    from nuages.runtime.stored import Entry, Reply

# What browsers only show: everything else, known or not, is a download.
_SHOWN = ("audio/", "font/", "image/", "video/", "text/plain")
_SAFE = b"x-content-type-options: nosniff\r\ncontent-security-policy: sandbox; default-src 'none'\r\n"
_DOWNLOAD = _SAFE + b"content-disposition: attachment\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A folder of uploads. `prefixes` are its URL paths, each ending in a slash."""

    root: str
    prefixes: tuple[bytes, ...]
    cache_control: str

    def path(self, raw: bytes) -> bytes | None:
        """Return the decoded path below MEDIA_URL that a request's raw path asks for; None for another's."""
        path = unquote_to_bytes(raw) if b"%" in raw else raw
        for prefix in self.prefixes:
            if path.startswith(prefix):
                return path[len(prefix) :]
        return None

    def entry(self, name: str, facts: os.stat_result) -> Entry:
        """Return the entry of an upload by its name and its facts."""
        kind = media_type(name)
        extra = _SAFE if is_shown(kind) else _DOWNLOAD
        return livefile.entry_of(facts, media=kind, cache_control=self.cache_control, extra=extra)


def is_shown(media: str) -> bool:
    """Return whether a browser can show a media type without running anything of it: SVG and its like are programs."""
    return media.startswith(_SHOWN) and "xml" not in media


class MediaExchange(FileExchange):
    """A request for an upload. `path` is decoded and relative to MEDIA_ROOT."""

    readers = livefile.threads.executor

    def __init__(
        self, connection: Connection, request: Request, client: Client, identity: str, path: bytes
    ) -> None:
        super().__init__(connection, request, client, identity)
        self.path = path
        self.asked_at = 0.0

    def start(self) -> None:
        """Let a thread look for the file."""
        media, request = self.hub.site.media, self.request
        assert media is not None
        try:
            names = names_of(self.path.decode())
        except UnicodeDecodeError:
            names = None
        if names is None:
            self.send(livefile.MISSING)
            return
        look = partial(
            livefile.reply_of,
            media.root,
            names,
            partial(media.entry, names[-1]),
            request.method,
            request.fields,
        )
        future = livefile.threads.submit(self.loop, look)
        if future is None:
            self.send(livefile.BUSY)
            return
        self.asked_at = time.monotonic()
        future.add_done_callback(self._found)

    def _found(self, future: asyncio.Future[Reply]) -> None:
        try:
            reply = future.result()
        except OSError as error:
            self.hub.log.event(
                "error", "media", f"an upload cannot be read: {error}", request_id=self.request_id
            )
            reply = livefile.BROKEN
        if self.lost or self.status:
            if reply.descriptor >= 0:
                os.close(reply.descriptor)
            return
        self.send(reply)

    def expired(self, now: float) -> bool:
        """Answer 504 where the file system has not."""
        if not self.asked_at or self.status or now - self.asked_at <= self.hub.settings.timeout:
            return False
        self.hub.log.event(
            "error", "media", "the file system of MEDIA_ROOT does not answer", request_id=self.request_id
        )
        self.send(livefile.LATE)
        return True
