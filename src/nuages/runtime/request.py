"""One parsed request head: its fields, its limits, and the identifier it goes by in the logs."""

from __future__ import annotations

import random
import re

import httptools

LONGEST_TARGET = 16 << 10  # bytes of the request target; 414 beyond
LONGEST_HEAD = 64 << 10  # bytes of the whole head; 431 beyond
MOST_FIELDS = 256
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
# Fields of which a second one is an attack or a mistake (RFC 9112, sections 3.2 and 6.3).
_SINGLE = frozenset({b"host", b"content-length", b"content-type", b"authorization"})


class BadRequestError(Exception):
    """A request that is answered with `status` and nothing else."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """The head of one request. `headers` are the pairs in order, names in lower case; `fields` joins repeated ones.

    `path` and `query` are raw, as sent. `length` is the declared length of the body, None for chunked or none.
    """

    __slots__ = (
        "chunked",
        "fields",
        "headers",
        "keep_alive",
        "length",
        "method",
        "path",
        "query",
        "target",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        version: str,
        headers: list[tuple[bytes, bytes]],
        *,
        keep_alive: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        fields = dict(headers)
        if len(fields) != len(headers):
            fields = _joined(headers)
        self.fields = fields
        if target.startswith(b"/"):
            self.path, _, self.query = target.partition(b"?")
            if b"#" in target:
                raise BadRequestError(400)
        else:
            self.path, self.query = _absolute(method, target)
        if version == "1.1" and b"host" not in fields:
            raise BadRequestError(400)
        length = fields.get(b"content-length")
        self.length = int(length) if length is not None else None
        coding = fields.get(b"transfer-encoding")
        self.chunked = coding is not None
        if coding is not None and (coding.strip().lower() != b"chunked" or version == "1.0"):
            raise BadRequestError(501 if version == "1.1" else 400)

    @property
    def has_body(self) -> bool:
        """Return whether a body follows the head."""
        return self.chunked or bool(self.length)

    @property
    def expects_continue(self) -> bool:
        """Return whether the client waits for «100 Continue» (RFC 9110, section 10.1.1)."""
        expect = self.fields.get(b"expect")
        return expect is not None and expect.lower() == b"100-continue" and self.version == "1.1"

    def upgrade(self) -> bytes | None:
        """Return the protocol that the client wants to change to, or None."""
        wanted = self.fields.get(b"upgrade")
        if wanted is None:
            return None
        tokens = self.fields.get(b"connection", b"").lower().split(b",")
        return wanted.lower() if b"upgrade" in (token.strip() for token in tokens) else None


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in fields:
            fields[name] = value
        elif name in _SINGLE:
            raise BadRequestError(400)
        else:
            # RFC 9110, section 5.3; cookies have their own separator (RFC 6265, section 5.4).
            fields[name] += (b"; " if name == b"cookie" else b",") + value
    return fields


def _absolute(method: str, target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a target in absolute or asterisk form (RFC 9112, section 3.2)."""
    if target == b"*" and method == "OPTIONS":
        return b"*", b""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise BadRequestError(400) from None
    if url.schema not in (b"http", b"https") or not url.host or url.userinfo:
        raise BadRequestError(400)
    return url.path or b"/", url.query or b""


def request_id(fields: dict[bytes, bytes]) -> str:
    """Return the request's identifier: X-Request-ID, the trace id of traceparent, or a new one."""
    given = fields.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    trace = fields.get(b"traceparent")
    if trace is not None:
        match = _TRACEPARENT.fullmatch(trace.strip())
        if match:
            return match[1].decode("ascii")
    return f"{random.getrandbits(128):032x}"
