"""The head of an HTTP/1.1 response: which fields frame the body, and whether the connection goes on (RFC 9112)."""

from __future__ import annotations

import http
from dataclasses import dataclass

HOP_BY_HOP = frozenset({"keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})


class BadHeaderError(ValueError):
    """A header of the application's that would break the message apart."""


@dataclass(slots=True)
class Head:
    """`data` is the whole head. `length` is how many body bytes must follow, None: until the last chunk or close."""

    data: bytes
    status: int
    length: int | None
    chunked: bool
    has_body: bool
    keep_alive: bool


def render(
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
    that are added where the application has not set them. Raises BadHeaderError for line breaks in a field.
    """
    code = int(status[:3])
    bodiless = code in (204, 304) or code < 200
    lines, length, closes = _application_lines(headers, bodiless=bodiless)
    seen = {line.partition(":")[0].lower() for line in lines}
    lines.insert(0, f"HTTP/1.1 {status}")
    if "x-request-id" not in seen:
        lines.append(f"x-request-id: {request_id}")
    for default, text in defaults:
        name = default.decode("latin-1")
        if name not in seen:
            lines.append(f"{name}: {text.decode('latin-1')}")
    has_body = method != "HEAD" and not bodiless
    keep_alive = keep_alive and not closes
    chunked = False
    if length is None and size is not None and not bodiless:
        # An empty body of a HEAD says nothing of the GET's (RFC 9110, section 8.6).
        if size or has_body:
            length = size
    elif length is None and has_body:
        chunked = version == "1.1"
        keep_alive = keep_alive and chunked
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if chunked:
        lines.append("transfer-encoding: chunked")
    if not keep_alive:
        lines.append("connection: close")
    elif version == "1.0":
        lines.append("connection: keep-alive")
    text_head = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text_head.count("\n") != breaks or text_head.count("\r") != breaks or "\0" in text_head:
        raise BadHeaderError("a header field of the response holds a line break or NUL")
    data = f"{text_head}\r\n\r\n".encode("latin-1")
    return Head(data, code, length if has_body else 0, chunked, has_body, keep_alive)


def _application_lines(
    headers: list[tuple[str, str]], *, bodiless: bool
) -> tuple[list[str], int | None, bool]:
    """Return the application's fields but those that frame the message, the length, and whether it wants to close."""
    lines: list[str] = []
    length: int | None = None
    closes = False
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            # Neither 1xx nor 204 may have one, and a 304's would be that of the 200 (RFC 9110, section 8.6).
            if not bodiless:
                length = int(value)
        elif lower == "connection":
            closes = closes or "close" in value.lower()
        elif lower not in HOP_BY_HOP:
            lines.append(f"{name}: {value}")
    return lines, length, closes


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
