"""The head of an HTTP/1.1 response: which fields frame the body, and whether the connection goes on (RFC 9112)."""

from __future__ import annotations

import http
import re
from dataclasses import dataclass

from nuages.runtime.xsendfile import FIELDS

# What the connection owns; an application's are dropped (PEP 3333, «Other HTTP Features»).
_HOP_BY_HOP = frozenset({"keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
_OWN = frozenset({"x-request-id", "date", "server"})
_SPECIAL = _HOP_BY_HOP | _OWN | FIELDS | {"content-length", "connection"}
_BODILESS = frozenset({204, 304})


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_MOST_KNOWN = 1000
_LONGEST_KNOWN = 200
_names: dict[str, str] = {}
_codes: dict[str, int] = {}
# Whole fields of earlier responses, checked and as they are sent: most of a response's were in the one before.
_fields: dict[tuple[str, str], str] = {}


class BadHeaderError(ValueError):
    """A header of the application's that would break the message apart."""


@dataclass(slots=True)
class Head:
    """`data` is the whole head. `length` is how many body bytes must follow, None: until the last chunk or close.

    `file` is the field, and its value, by which an application names a file for the server to send instead.
    """

    data: bytes
    status: int
    length: int | None
    chunked: bool
    has_body: bool
    keep_alive: bool
    file: tuple[str, str] | None = None

    @property
    def is_endless(self) -> bool:
        """Whether only the connection's end tells that of the body: HTTP/1.0 has no chunks."""
        return self.has_body and self.length is None and not self.chunked


def render(  # noqa: C901 - one pass over the fields is what makes it fast
    status: str,
    headers: list[tuple[str, str]],
    *,
    method: str,
    version: str,
    keep_alive: bool,
    size: int | None,
    defaults: list[tuple[bytes, bytes]],
    request_id: str,
) -> Head:
    """Return the head for what a WSGI application gave to start_response.

    `size` is the body's size where it is known without the application's word. `defaults` are fields such as Date
    that are added where the application has not set them. Raises BadHeaderError for a status, a name or a value that
    would make another message of it.
    """
    code = _codes.get(status) or _checked_code(status)
    bodiless = code in _BODILESS
    lines = [f"HTTP/1.1 {status}"]
    length: int | None = None
    own = ""
    file = None
    for name, value in headers:
        line = _fields.get((name, value))
        if line is not None:
            lines.append(line)
            continue
        lower = _names.get(name) or _checked_name(name)
        if lower not in _SPECIAL:
            line = _checked_line(name, value)
            if lower != "set-cookie" and type(value) is str and len(line) <= _LONGEST_KNOWN:
                _remember(name, value, line)  # 1 and True are the same key, and not the same text
            lines.append(line)
        elif lower == "content-length":
            # Neither 1xx nor 204 may have one, and a 304's would be that of the 200 (RFC 9110, section 8.6).
            if not bodiless:
                length = int(value)
                if length < 0:
                    raise BadHeaderError("the response's Content-Length is negative")
        elif lower == "connection":
            keep_alive = keep_alive and "close" not in value.lower()
        elif lower in _OWN:
            own += lower
            lines.append(_checked_line(name, value))
        elif lower in FIELDS:
            file = (lower, value)
            lines.append(_checked_line(name, value))
    if "x-request-id" not in own:
        lines.append(f"x-request-id: {request_id}")
    for field, line in _decoded(defaults):
        if field not in own:
            lines.append(line)
    has_body = not bodiless and method != "HEAD"
    chunked = False
    # An empty body of a HEAD says nothing of the GET's (RFC 9110, section 8.6).
    if length is None and size is not None and not bodiless and (size or has_body):
        length = size
    if length is not None:
        lines.append(f"Content-Length: {length}")
    elif size is None and has_body:
        chunked = version == "1.1"
        keep_alive = keep_alive and chunked
        if chunked:
            lines.append("transfer-encoding: chunked")
    if not keep_alive:
        lines.append("connection: close")
    elif version == "1.0":
        lines.append("connection: keep-alive")
    lines.append("\r\n")
    data = "\r\n".join(lines).encode("latin-1")
    return Head(data, code, length if has_body else 0, chunked, has_body, keep_alive, file)


def _checked_line(name: str, value: str) -> str:
    """Return a field as it is sent; a value that is no text is made one."""
    line = f"{name}: {value}"
    if "\n" in line or "\r" in line or "\0" in line:
        raise BadHeaderError("a header field of the response holds a line break or NUL")
    return line


def _remember(name: str, value: str, line: str) -> None:
    """Keep a field that has come; who sends ever new ones has them forgotten, all at once."""
    if len(_fields) >= _MOST_KNOWN:
        _fields.clear()
    _fields[(name, value)] = line


_defaults: tuple[list[tuple[bytes, bytes]], list[tuple[str, str]]] = ([], [])


def _decoded(defaults: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return the names and the lines of the default fields, which change once a second."""
    global _defaults
    known, lines = _defaults
    if known is not defaults:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in defaults]
        lines = [(name, f"{name}: {value}") for name, value in pairs]
        _defaults = (defaults, lines)
    return lines


def _checked_name(name: str) -> str:
    """Return a field's name in lower case, and remember it: the same few come with every response."""
    if not _TOKEN.fullmatch(name):
        raise BadHeaderError(f"{name!r} is no name of a header field")
    lower = name.lower()
    if len(_names) < _MOST_KNOWN:
        _names[name] = lower
    return lower


def _checked_code(status: str) -> int:
    """Return the code of a status line; an interim one (RFC 9110, section 15.2) is no answer."""
    code = status[:3]
    if "\n" in status or "\r" in status or "\0" in status:
        raise BadHeaderError("the status of the response holds a line break or NUL")
    if not (code.isascii() and code.isdigit()) or status[3:4] not in ("", " ") or int(code) < 200:
        raise BadHeaderError(f"{status!r} is no status of a response")
    if len(_codes) < _MOST_KNOWN:
        _codes[status] = int(code)
    return int(code)


def status_line(code: int) -> str:
    """Return `404 Not Found`."""
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} "


def plain(
    code: int, *, keep_alive: bool, defaults: list[tuple[bytes, bytes]], extra: str = "", body: bool = True
) -> bytes:
    """Return a whole small response of our own, such as 400 or 503; `extra` are header lines with their CRLF."""
    line = status_line(code)
    text = line[4:].encode() + b"\n"
    head = f"HTTP/1.1 {line}\r\n{extra}content-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n"
    head += "" if keep_alive else "connection: close\r\n"
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in defaults)
    return head.encode("latin-1") + fields + b"\r\n" + (text if body else b"")
