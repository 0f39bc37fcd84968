"""X-Sendfile and X-Accel-Redirect: a view decides who may read, the server sends the file.

`X-Sendfile` (Apache, lighttpd) names a file by its absolute path, as it is. `X-Accel-Redirect` (nginx) names an
internal URI, percent-encoded, that a location maps to a folder. Both reach only what lies below these folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from nuages.kinds import Kind
from nuages.runtime.beneath import names_of

BY_PATH, BY_URI = "x-sendfile", "x-accel-redirect"
FIELDS = frozenset({BY_PATH, BY_URI})
_MOST_UNKNOWN = 100
# What tells of the body that the view has left away, or is the server's; nginx drops more, all but six fields.
_OF_THE_BODY = FIELDS | {
    "accept-ranges", "content-encoding", "content-length", "content-range", "content-type", "etag", "last-modified",
    "transfer-encoding", "x-accel-buffering", "x-accel-charset", "x-accel-expires", "x-accel-limit-rate",
}  # fmt: skip
# Settings of packages that answer with these fields: the folder, the internal URI.
_KNOWN_SETTINGS = (
    ("SENDFILE_ROOT", "SENDFILE_URL", ""),  # django-sendfile2
    (
        "PRIVATE_STORAGE_ROOT",
        "PRIVATE_STORAGE_INTERNAL_URL",
        "/private-x-accel-redirect/",
    ),  # django-private-storage
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A folder that views may send from. `uri` is the internal URI of it and ends in a slash; "" for none."""

    folder: str
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The file that a view named: `names` below `folder`, None for what can name no file."""

    folder: str
    names: tuple[str, ...] | None


def _location(text: str) -> str:
    uri, equals, folder = text.partition("=") if "=" in text else ("", "", text)
    if equals and (not uri.startswith("/") or "?" in uri):
        raise ValueError("before the = stands the beginning of a path, such as /protected")
    if not folder.startswith("/"):
        raise ValueError(f"{folder or 'the folder'} is not an absolute path")
    return text


location: Kind[str] = Kind("[/URI=]DIR", _location)


def parse_location(text: str) -> Location:
    """Return the location that `[/URI=]DIR` stands for."""
    uri, _, folder = text.partition("=") if "=" in text else ("", "", text)
    return Location(folder=folder.rstrip("/") or "/", uri=uri.rstrip("/") + "/" if uri else "")


class Locations:
    """The folders of one site that views may send from; the longest that fits is taken."""

    def __init__(self, locations: Iterable[Location]) -> None:
        self._all = tuple(dict.fromkeys(locations))
        by_uri = {one.uri: one.folder for one in reversed(self._all) if one.uri}
        self._uris = sorted(by_uri.items(), key=lambda item: -len(item[0]))
        folders = {
            name: one.folder for one in self._all for name in (one.folder, os.path.realpath(one.folder))
        }
        self._folders = sorted(folders.items(), key=lambda item: -len(item[0]))
        self._unknown: set[tuple[str, str]] = set()

    def unknown(self, field: str, value: str) -> str:
        """Return what to say of a field that names no file of ours; "" where the like was said already."""
        place = (field, text_of(value).rpartition("/")[0])
        if place in self._unknown or len(self._unknown) >= _MOST_UNKNOWN:
            return ""
        self._unknown.add(place)
        name = "X-Sendfile" if field == BY_PATH else "X-Accel-Redirect"
        return (
            f"a view answered {name}: {value}, which lies in no folder that views may send from; the field was passed "
            f"on for a proxy in front. Without one, name it: --sendfile {'' if field == BY_PATH else '/URI='}DIR"
        )

    def find(self, field: str, value: str) -> Named | None:
        """Return the file that a response field names; None where no location holds it: it is meant for another.

        `field` is its name in lower case, `value` the text as WSGI has it.
        """
        path = text_of(value)
        if field == BY_URI:
            path = _decoded(path.partition("?")[0])
        known = self._uris if field == BY_URI else self._folders
        for start, folder in known:
            start = start.rstrip("/") + "/"
            if path.startswith(start):
                # Doubled slashes and dots come about where views put paths together.
                rest = re.sub(r"/(?:\.?/)+", "/", f"/{path[len(start) :]}")[1:]
                return Named(folder=folder, names=names_of(rest, hidden=True))
        return None


def text_of(value: str) -> str:
    """Return the text that was meant by a field's value, which WSGI has as latin-1 and Django may have as MIME."""
    if value.startswith("=?"):
        # Here, as the supervisor reads the options of this module and would keep it in memory.
        from email.errors import HeaderParseError
        from email.header import decode_header

        try:
            parts = decode_header(value)
            return "".join(
                part if isinstance(part, str) else part.decode(charset or "latin-1")
                for part, charset in parts
            )
        except (HeaderParseError, LookupError, ValueError):
            return value
    try:
        return value.encode("latin-1").decode()
    except ValueError:
        return value


def _decoded(path: str) -> str:
    if "%" not in path:
        return path
    return unquote_to_bytes(path).decode("utf-8", "surrogateescape")


def locations_of(settings: Any, given: Iterable[str], media: tuple[str, str] | None) -> Locations:
    """Return the locations of a site: those given as options, those of known packages' settings, and MEDIA_ROOT.

    `media` is MEDIA_ROOT and the path of MEDIA_URL, None where uploads are not kept in a folder.
    """
    found = [parse_location(text) for text in given]
    for folder_setting, uri_setting, uri_default in _KNOWN_SETTINGS:
        folder = getattr(settings, folder_setting, None)
        if folder and os.path.isabs(os.fspath(folder)):  # noqa: PTH117
            uri = str(getattr(settings, uri_setting, None) or uri_default)
            found.append(
                parse_location(
                    f"/{uri.strip('/')}={os.fspath(folder)}" if uri.strip("/") else os.fspath(folder)
                )
            )
    if media is not None:
        found.append(Location(folder=media[0], uri=media[1]))
    return Locations(found)


def kept_fields(headers: Iterable[tuple[str, str]], status: int) -> list[tuple[str, str]]:
    """Return the view's own fields that stay beside those of the file it named.

    Security headers, cookies, caching and disposition stay, as behind nginx; those that describe a body give way to
    the file's, whose type is the view's where it has one. What is no content has no disposition either.
    """
    gone = _OF_THE_BODY if status in (200, 206) else _OF_THE_BODY | {"content-disposition"}
    return [(name, value) for name, value in headers if name.lower() not in gone]


def conditions(fields: Mapping[bytes, bytes], method: str, *, ranges: bool) -> Mapping[bytes, bytes]:
    """Return the request's fields that count for the file: only reads have conditions, and a view may refuse ranges."""
    if method not in ("GET", "HEAD"):
        return {}
    return fields if ranges else {name: value for name, value in fields.items() if name != b"range"}


def takes_ranges(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether a view lets parts of its file be asked for (RFC 9110, section 14.3)."""
    return not any(
        name.lower() == "accept-ranges" and value.strip().lower() == "none" for name, value in headers
    )
