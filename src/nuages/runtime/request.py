"""One parsed request head: its fields, its limits, and the identifier it goes by in the logs."""

from __future__ import annotations

import random
import re
from functools import lru_cache

import httptools

LONGEST_TARGET = 16 << 10  # bytes of the request target; 414 beyond
LONGEST_HEAD = 64 << 10  # bytes of the whole head; 431 beyond
MOST_FIELDS = 256
# Looking for an int in bytes is ten times as fast as looking for bytes.
HASH, PERCENT, UNDERSCORE = b"#%_"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_LINE = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\x00-\x20\x7f]+ HTTP/(\d\.\d)\r\n")
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")  # RFC 3986, section 3.2.2, without looking closer
_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# What the parser knows and HTTP or an origin server does not: RTSP, Icecast, tunnels (RFC 9110, section 15.6.2).
_NOT_SERVED = frozenset(
    {"CONNECT", "SOURCE", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER",
     "SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH", "PRI"}
)  # fmt: skip
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
        if version not in ("1.1", "1.0"):
            raise BadRequestError(505)
        if method in _NOT_SERVED:
            raise BadRequestError(501)
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        fields = dict(headers)
        if len(fields) != len(headers):
            fields = _joined(headers)
        self.fields = fields
        host = fields.get(b"host")
        if host is None:
            if version == "1.1":
                raise BadRequestError(400)
        elif not _HOST.fullmatch(host):
            raise BadRequestError(400)
        if target.startswith(b"/"):
            self.path, _, self.query = target.partition(b"?")
        else:
            authority, self.path, self.query = _absolute(method, target)
            if authority:
                # The Host field does not count then, not even a different one (RFC 9112, section 3.2.2).
                fields[b"host"] = authority
                self.headers = [pair for pair in headers if pair[0] != b"host"] + [(b"host", authority)]
        if HASH in target or (PERCENT in self.path and _BROKEN_PERCENT.search(self.path)):
            raise BadRequestError(400)
        length = fields.get(b"content-length")
        self.length = int(length) if length is not None else None
        coding = fields.get(b"transfer-encoding")
        self.chunked = coding is not None
        if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
            raise BadRequestError(_status_of_coding(coding.lower(), version))

    @property
    def has_body(self) -> bool:
        """Return whether a body follows the head."""
        return self.chunked or bool(self.length)

    @property
    def expects_continue(self) -> bool:
        """Return whether the client waits for «100 Continue» (RFC 9110, section 10.1.1)."""
        expect = self.fields.get(b"expect")
        return expect is not None and expect.lower() == b"100-continue" and self.version == "1.1"

    def head(self, *, without: bytes = b"") -> bytes:
        """Return the head as it would be sent, for another parser; `without` is a field to leave out."""
        lines = [name + b": " + value + b"\r\n" for name, value in self.headers if name != without]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (
            self.method.encode(), self.target, self.version.encode(), b"".join(lines),
        )  # fmt: skip

    def upgrade(self) -> bytes | None:
        """Return the protocol that the client wants to change to, or None."""
        wanted = self.fields.get(b"upgrade")
        if wanted is None:
            return None
        tokens = self.fields.get(b"connection", b"").lower().split(b",")
        return wanted.lower() if b"upgrade" in (token.strip() for token in tokens) else None


@lru_cache(maxsize=64)
def method_name(method: bytes) -> str:
    """Return a method's name as text: always the same object, for the few that the parser knows."""
    return method.decode("ascii")


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


def _status_of_coding(coding: bytes, version: str) -> int:
    """Return the status for a transfer coding that is not just «chunked» (RFC 9112, sections 6.1 and 6.3)."""
    codings = [item.strip(b" \t") for item in coding.split(b",")]
    understood = codings[-1] == b"chunked" and codings.count(b"chunked") == 1 and all(codings)
    return 501 if version == "1.1" and understood else 400


def status_of_line(data: bytes, *, unknown_method: bool) -> int:
    """Return the status for data that the parser does not take, from the request line that it begins with.

    501 for a method nobody knows and 505 for a version that is not served are for lines that are well formed.
    """
    line = _LINE.match(data)
    if line is None:
        return 400
    if unknown_method:
        return 501
    return 400 if line[1] in (b"1.1", b"1.0") else 505


def _absolute(method: str, target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return authority, path and query of a target in absolute or asterisk form (RFC 9112, section 3.2)."""
    if target == b"*" and method == "OPTIONS":
        return b"", b"*", b""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise BadRequestError(400) from None
    if (url.schema or b"").lower() not in (b"http", b"https") or not url.host or url.userinfo:
        raise BadRequestError(400)
    authority = re.split(rb"[/?]", target.partition(b"://")[2], maxsplit=1)[0]
    if not _HOST.fullmatch(authority):
        raise BadRequestError(400)
    return authority, url.path or b"/", url.query or b""


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
