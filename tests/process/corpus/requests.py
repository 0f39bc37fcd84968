"""Requests that break RFC 9110 or RFC 9112, or look as if they did, and what each must be answered with.

Gathered from the two RFCs, from what the test suites of public servers and parsers cover, and from the literature on
request smuggling. A row is a name, the bytes that are sent, and either the status of the one refusal that is expected
(then the connection closes and nothing reaches Django), or the requests that Django must be given.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_TARGET = 16 << 10
LONGEST_HEAD = 64 << 10


@dataclass(frozen=True, slots=True)
class Refused:
    """One answer with `status` and the end of the connection; `before` requests are answered in front of it."""

    name: str
    data: bytes
    status: int
    before: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What Django must be given: `path` is the decoded one; `meta` are some of its META."""

    path: str
    method: str = "GET"
    body: bytes = b""
    query: str = ""
    host: str = "a"
    meta: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served:
    """Answered with 200, each request in order; `closes` when the connection must end after the last."""

    name: str
    data: bytes
    seen: tuple[Seen, ...]
    closes: bool = False


def head(line: bytes, *fields: bytes, host: bytes = b"Host: a\r\n") -> bytes:
    """Return a head with these field lines, which bring their own line ends."""
    return line + b"\r\n" + host + b"".join(fields) + b"\r\n"


def get(*fields: bytes) -> bytes:
    """Return `GET /` with these field lines."""
    return head(b"GET / HTTP/1.1", *fields)


def chunked(body: bytes, *fields: bytes) -> bytes:
    """Return a chunked POST to /c with this body as it is."""
    return head(b"POST /c HTTP/1.1", b"Transfer-Encoding: chunked\r\n", *fields) + body


def sized(length: bytes, body: bytes, *fields: bytes) -> bytes:
    """Return a POST to /s with this Content-Length as it is."""
    return head(b"POST /s HTTP/1.1", b"Content-Length:" + length + b"\r\n", *fields) + body


# What must not be taken for a request of its own; it stands in place of a body in some rows.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
TLS_HELLO = (
    bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + b"\0\0\x02\x13\x01\x01\0\0\x99" + bytes(120)
)

REQUEST_LINES = (
    Refused("no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("no target but two spaces", b"GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("only a word", b"rubbish\r\n\r\n", 400),
    Refused("a line of spaces", b"    \r\n\r\n", 400),
    Refused("a space before the method", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a tab between the parts", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("line feeds between the parts", b"GET\n/\nHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a vertical tab after the method", b"GET\x0b / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("four parts", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("something after the version", b"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400),
    Refused("a bare line feed after the line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    Refused("a bare carriage return after the line", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    Refused("two carriage returns after the line", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
    Refused("a space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    Refused("a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    Refused("a PROXY protocol line", b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n" + get(), 400),
    Refused("a TLS hello", TLS_HELLO, 400),
    Refused("an SSH banner", b"SSH-2.0-client\r\n", 400),
    Refused("binary", bytes(range(256)), 400),
    Refused("a long line of NUL", bytes(4096), 400),
    # RFC 9110, section 15.6.2: 501 for a method nobody knows; one that is no token is a bad request.
    Refused("an unknown method", b"MKCOLA / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Refused("a method in lower case", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Refused("a method with a dash", b"-bl / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Refused("a method that begins like a known one", b"GETS / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Refused("a very long method", b"A" * 3000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Refused("a method with a colon", b"GET: / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a method with NUL", b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a method that is not ASCII", b"GET\xdf / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # Section 15.6.6: 505 for a version that is one but is not served.
    Refused("HTTP/0.9, without a version", b"GET /\r\n\r\n", 505),
    Refused("HTTP/0.9 written out", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    Refused("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    Refused("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    Refused("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    Refused("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    Refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 505),
    Refused("HTTP/1.10", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/11", b"GET / HTTP/11\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/1", b"GET / HTTP/1\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/1.", b"GET / HTTP/1.\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/.1", b"GET / HTTP/.1\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/-1.1", b"GET / HTTP/-1.1\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/1.1.1", b"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", 400),
    Refused("HTTP/ 1.1", b"GET / HTTP/ 1.1\r\nHost: a\r\n\r\n", 400),
    Refused("http/1.1 in lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a version of many digits", b"GET / HTTP/" + b"1" * 90 + b".1\r\nHost: a\r\n\r\n", 400),
    Refused("FTP/1.1", b"GET / FTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("ICE/1.0", b"GET / ICE/1.0\r\nHost: a\r\n\r\n", 400),
    Refused("SOURCE over ICE/1.0", b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n", 501),
    Refused("ANNOUNCE over RTSP/1.0", b"ANNOUNCE / RTSP/1.0\r\nHost: a\r\n\r\n", 501),
    Refused("ANNOUNCE over HTTP", b"ANNOUNCE / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
)

TARGETS = (
    Refused("a target too long", b"GET /" + b"x" * LONGEST_TARGET + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Refused("a query too long", b"GET /?" + b"x" * LONGEST_TARGET + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Refused("a relative target", b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a query alone", b"GET ?a=b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a backslash", b"GET \\ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a fragment behind a query", b"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("an asterisk for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("an asterisk and more for OPTIONS", b"OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("authority form for GET", b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("CONNECT", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501),
    Refused(
        "CONNECT and what would be tunnelled", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + HIDDEN, 501
    ),
    Refused("CONNECT with a path", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN, 501),
    Refused("absolute form without a host", b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with two slashes less", b"GET http:x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with user and password", b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with two ports", b"GET http://a:1:2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with a port too large", b"GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with an open bracket", b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with a fragment", b"GET http://a/x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("absolute form with file:", b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("no scheme at all", b"GET ://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("rubbish for a URL", b"PUT s://]ufd/: HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a bell in the target", b"GET /a\x07b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("DEL in the target", b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a carriage return in the target", b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a line feed in the target", b"GET /a\nb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a percent sign alone", b"GET /100% HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a percent sign and one digit", b"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a percent sign and no digits", b"GET /a%zz/b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Refused("a percent sign in absolute form", b"GET http://a/%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Served("a percent sign alone in a query", head(b"GET /q?100% HTTP/1.1"), (Seen("/q", query="100%"),)),
    Served("a path that is not UTF-8", head(b"GET /%ff%fe HTTP/1.1"), (Seen("/%FF%FE"),)),
    Served("an overlong slash", head(b"GET /%c0%af HTTP/1.1"), (Seen("/%C0%AF"),)),
    Served("an encoded NUL", head(b"GET /a%00b HTTP/1.1"), (Seen("/a\0b"),)),
    Served("encoded line ends", head(b"GET /a%0d%0ab HTTP/1.1"), (Seen("/a\r\nb"),)),
    Served("an encoded slash and dots", head(b"GET /a%2F..%2f../b HTTP/1.1"), (Seen("/a/../../b"),)),
    Served("two slashes", head(b"GET //evil.example/x HTTP/1.1"), (Seen("//evil.example/x"),)),
    Served("dots", head(b"GET /../../etc/passwd HTTP/1.1"), (Seen("/../../etc/passwd"),)),
    Served("brackets and bars", head(b'GET /a[1]|{}^`"<> HTTP/1.1'), (Seen('/a[1]|{}^`"<>'),)),
    Served("a URL in the query", head(b"GET /?u=http://b/?c HTTP/1.1"), (Seen("/", query="u=http://b/?c"),)),
    Served("an empty query", head(b"GET /e? HTTP/1.1"), (Seen("/e"),)),
    Served("absolute form", head(b"GET http://a/x?y=1 HTTP/1.1"), (Seen("/x", query="y=1"),)),
    Served("absolute form of https", head(b"GET https://a/x HTTP/1.1"), (Seen("/x"),)),
    Served("absolute form without a path", head(b"GET http://a HTTP/1.1"), (Seen("/"),)),
    Served(
        "absolute form without a path, with a query",
        head(b"GET http://a?b HTTP/1.1"),
        (Seen("/", query="b"),),
    ),
    Served("absolute form in capitals", head(b"GET HTTP://a/x HTTP/1.1"), (Seen("/x"),)),
    # RFC 9112, section 3.2.2: the Host field is ignored then.
    Served("absolute form for another host", head(b"GET http://b:81/x HTTP/1.1"), (Seen("/x", host="b:81"),)),
    Served("absolute form of IPv6", head(b"GET http://[::1]:8/x HTTP/1.1"), (Seen("/x", host="[::1]:8"),)),
    Served(
        "a target as long as allowed",
        head(b"GET /" + b"x" * 16000 + b" HTTP/1.1"),
        (Seen("/" + "x" * 16000),),
    ),
)

HOSTS = (
    Refused("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    Refused("two Hosts", get(b"Host: b\r\n"), 400),
    Refused("two equal Hosts", get(b"Host: a\r\n"), 400),
    Refused("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    Refused("Host with a space", head(b"GET / HTTP/1.1", host=b"Host: a b\r\n"), 400),
    Refused("Host with a path", head(b"GET / HTTP/1.1", host=b"Host: a/b\r\n"), 400),
    Refused("Host with a query", head(b"GET / HTTP/1.1", host=b"Host: a?b\r\n"), 400),
    Refused("Host with a user", head(b"GET / HTTP/1.1", host=b"Host: u@a\r\n"), 400),
    Refused("Host with quotes", head(b"GET / HTTP/1.1", host=b'Host: "a"\r\n'), 400),
    Refused("Host with a tab", head(b"GET / HTTP/1.1", host=b"Host: a\tb\r\n"), 400),
    Refused("Host that is not ASCII", head(b"GET / HTTP/1.1", host=b"Host: \xe4\r\n"), 400),
    Refused("Host with a script", head(b"GET / HTTP/1.1", host=b"Host: <script>\r\n"), 400),
    Refused("Host with a backslash", head(b"GET / HTTP/1.1", host=b"Host: a\\b\r\n"), 400),
    Refused("Host with a number sign", head(b"GET / HTTP/1.1", host=b"Host: a#b\r\n"), 400),
    Refused("a static file without a Host", b"GET /static/small.txt HTTP/1.1\r\n\r\n", 400),
    Served("no Host in HTTP/1.0", b"GET /o HTTP/1.0\r\n\r\n", (Seen("/o", host="*"),), closes=True),
    Served(
        "Host with a port", head(b"GET /p HTTP/1.1", host=b"Host: a:8000\r\n"), (Seen("/p", host="a:8000"),)
    ),
    Served(
        "Host of IPv6", head(b"GET /p HTTP/1.1", host=b"hOST:[::1]:80\r\n"), (Seen("/p", host="[::1]:80"),)
    ),
    Served("white space around Host", head(b"GET /p HTTP/1.1", host=b"Host: \t a \t\r\n"), (Seen("/p"),)),
)

FIELDS = (
    Refused("a field without a colon", get(b"no colon\r\n"), 400),
    Refused("a field without a name", get(b": x\r\n"), 400),
    Refused("a space before the colon", get(b"X : y\r\n"), 400),
    Refused("a tab before the colon", get(b"X\t: y\r\n"), 400),
    Refused("a space in the name", get(b"X Y: z\r\n"), 400),
    Refused("a space before the name", get(b" X: y\r\n"), 400),
    Refused("a space before a name after a field", get(b"X: y\r\n Z: 1\r\n"), 400),
    Refused("a folded field", get(b"X: one\r\n two\r\n"), 400),
    Refused("a field folded by a tab", get(b"X: one\r\n\ttwo\r\n"), 400),
    Refused("an empty field that is folded", get(b"X:\r\n two\r\n"), 400),
    Refused("a name folded", get(b"X\r\n : y\r\n"), 400),
    Refused("an at sign in the name", get(b"Fo@: x\r\n"), 400),
    Refused("brackets in the name", get(b"X[1]: x\r\n"), 400),
    Refused("a slash in the name", get(b"X/Y: x\r\n"), 400),
    Refused("quotes in the name", get(b'"X": x\r\n'), 400),
    Refused("NUL in the name", get(b"X\0Y: x\r\n"), 400),
    Refused("a control character in the name", get(b"X\x01Y: x\r\n"), 400),
    Refused("a name that is not ASCII", get(b"X\xdf: x\r\n"), 400),
    Refused("a non-breaking space in the name", get(b"X\xa0: x\r\n"), 400),
    Refused("a bare line feed in the name", get(b"X\nY: x\r\n"), 400),
    Refused("NUL in the value", get(b"X: a\0b\r\n"), 400),
    Refused("a bell in the value", get(b"X: a\x07b\r\n"), 400),
    Refused("DEL in the value", get(b"X: a\x7fb\r\n"), 400),
    Refused("a vertical tab in the value", get(b"X: a\x0bb\r\n"), 400),
    Refused("a bare carriage return in the value", get(b"X: a\rY: b\r\n"), 400),
    Refused("a bare carriage return before the end", get(b"X: a\r\r\n"), 400),
    Refused("an empty value and a bare carriage return", get(b"X:\rTransfer-Encoding: chunked\r\n"), 400),
    Refused("a bare line feed after a field", get(b"X: a\nY: b\r\n"), 400),
    Refused("an empty value and a bare line feed", get(b"X:\nTransfer-Encoding: chunked\r\n"), 400),
    Refused("a bare line feed after the last field", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n", 400),
    Refused("a bare line feed for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    Refused("only line feeds", b"GET / HTTP/1.1\nHost: a\nX: y\n\n", 400),
    Refused("only carriage returns", b"GET / HTTP/1.1\rHost: a\r\r", 400),
    Refused("something between the end's two characters", b"GET / HTTP/1.1\r\nHost: a\r\n\rZ" + HIDDEN, 400),
    Refused("a value too long", get(b"X: " + b"y" * (LONGEST_HEAD + 1) + b"\r\n"), 431),
    Refused("a name too long", get(b"X" * (LONGEST_HEAD + 1) + b": y\r\n"), 431),
    Refused("too many fields", get(b"X: y\r\n" * 300), 431),
    Refused("fields too long together", get((b"X: " + b"y" * 3000 + b"\r\n") * 25), 431),
    Refused("white space that never ends", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b" " * 1_000_000, 431),
    Refused("two content types", get(b"Content-Type: a/b\r\n", b"Content-Type: c/d\r\n"), 400),
    Refused("two credentials", get(b"Authorization: x\r\n", b"Authorization: y\r\n"), 400),
    Served("a value that is not ASCII", get(b"X: \xe4\xff\r\n"), (Seen("/", meta={"HTTP_X": "äÿ"}),)),
    Served("an empty value", get(b"X:\r\n"), (Seen("/", meta={"HTTP_X": ""}),)),
    Served("white space around a value", get(b"X:\t  a b\t \r\n"), (Seen("/", meta={"HTTP_X": "a b"}),)),
    Served("every character of a name", get(b"!#$%&'*+-.^`|~9: y\r\n"),
        (Seen("/", meta={"HTTP_!#$%&'*+_.^`|~9": "y"}),)),
    Served("a name with an underscore", get(b"X_Y: 1\r\n"), (Seen("/", meta={"HTTP_X_Y": None}),)),
    Served(
        "a name with an underscore beside its double", get(b"X_Y: evil\r\n", b"X-Y: good\r\n"),
        (Seen("/", meta={"HTTP_X_Y": "good"}),),
    ),
    Served("a repeated field", get(b"X: 1\r\n", b"x: 2\r\n"), (Seen("/", meta={"HTTP_X": "1,2"}),)),
    Served("empty lines in front", b"\r\n\r\n" + head(b"GET /f HTTP/1.1"), (Seen("/f"),)),
    Served("upgrade to h2c", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"), (Seen("/"),)),
    Served(
        "upgrade to a WebSocket that nobody serves",
        get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), (Seen("/"),),
    ),
    Served(
        "upgrade with a body and a request after it",
        head(b"POST /u HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n") + b"abc" + get(),
        (Seen("/u", "POST", b"abc"), Seen("/")),
    ),
    Served("an unknown expectation", get(b"Expect: nothing\r\n"), (Seen("/"),)),
)  # fmt: skip

LENGTHS = (
    Refused("both lengths", sized(b" 3", b"abc", b"Transfer-Encoding: chunked\r\n"), 400),
    Refused("both lengths, the other order", chunked(b"0\r\n\r\n" + HIDDEN, b"Content-Length: 5\r\n"), 400),
    Refused("two lengths", sized(b" 3", b"abc", b"Content-Length: 4\r\n"), 400),
    Refused("two equal lengths", sized(b" 3", b"abc", b"Content-Length: 3\r\n"), 400),
    Refused("a list of lengths", sized(b" 3, 3", b"abc"), 400),
    Refused("a list of different lengths", sized(b" 3,4", b"abcd"), 400),
    Refused("an empty length", sized(b"", b"abc"), 400),
    Refused("a length of spaces", sized(b"   ", b"abc"), 400),
    Refused("a negative length", sized(b" -3", b"abc"), 400),
    Refused("minus zero", sized(b" -0", b"abc"), 400),
    Refused("a length with a plus", sized(b" +3", b"abc"), 400),
    Refused("a hexadecimal length", sized(b" 0x3", b"abc"), 400),
    Refused("a length with an underscore", sized(b" 0_3", b"abc"), 400),
    Refused("a length with a fraction", sized(b" 3.0", b"abc"), 400),
    Refused("a length with an exponent", sized(b" 3e0", b"abc"), 400),
    Refused("a length with a space inside", sized(b" 0 3", b"abc"), 400),
    Refused("a length with a semicolon", sized(b" 3;x", b"abc"), 400),
    Refused("a length of words", sized(b" bla", b"abc"), 400),
    Refused("a length in other digits", sized(" ٣".encode(), b"abc"), 400),
    Refused("a length with a vertical tab", sized(b" \x0b3", b"abc"), 400),
    Refused("a length with NUL", sized(b" 3\0", b"abc"), 400),
    Refused("a length beyond 64 bits", sized(b" 18446744073709551619", b"abc"), 400),
    Refused("a length of a hundred digits", sized(b" " + b"9" * 100, b"abc"), 400),
    Refused("a length folded", sized(b"\r\n 3", b"abc"), 400),
    Refused("a length with a space before the colon", get(b"Content-Length : 33\r\n") + HIDDEN, 400),
    Refused("a length larger than allowed", sized(b" 8388609", b"abc"), 413),
    Refused("a length of nearly 64 bits", sized(b" 9223372036854775807", b"abc"), 413),
    Refused("a static file with both lengths", head(
        b"GET /static/small.txt HTTP/1.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
    Served("leading zeros", sized(b" 0003", b"abc"), (Seen("/s", "POST", b"abc"),)),
    Served("zero", sized(b" 0", b""), (Seen("/s", "POST"),)),
    Served("a space after the length", sized(b" 3 ", b"abc"), (Seen("/s", "POST", b"abc"),)),
    Served("a body for GET", head(b"GET /b HTTP/1.1", b"Content-Length: 33\r\n") + HIDDEN + get(),
        (Seen("/b", body=HIDDEN), Seen("/"))),
    Served("a body for HTTP/1.0", b"POST /b HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        (Seen("/b", "POST", b"abc", host="*"),), closes=True),
    Served("a length with an underscore in its name", get(b"Content_Length: 34\r\n") + head(b"GET /n HTTP/1.1"),
        (Seen("/"), Seen("/n"))),
    Served("a length named X-Content-Length", get(b"X-Content-Length: 34\r\n") + head(b"GET /n HTTP/1.1"),
        (Seen("/"), Seen("/n"))),
    Served("no body where none is declared", head(b"POST /s HTTP/1.1") + head(b"GET /n HTTP/1.1"),
        (Seen("/s", "POST"), Seen("/n"))),
)  # fmt: skip


def coded(value: bytes, body: bytes = b"3\r\nabc\r\n0\r\n\r\n", name: bytes = b"Transfer-Encoding:") -> bytes:
    """Return a POST with this transfer coding as it is."""
    return head(b"POST /c HTTP/1.1", name + value + b"\r\n") + body


CODINGS = (
    Refused("an empty coding", coded(b""), 400),
    Refused("identity", coded(b" identity", b"abc"), 400),
    Refused("an unknown coding", coded(b" pigeons", b"abc"), 400),
    Refused("xchunked", coded(b" xchunked"), 400),
    Refused("chunkedx", coded(b" chunkedx"), 400),
    Refused("chunkedchunked", coded(b" chunkedchunked"), 400),
    Refused("chunked twice", coded(b" chunked, chunked"), 400),
    Refused("chunked twice in two fields", coded(b" chunked\r\nTransfer-Encoding: chunked"), 400),
    Refused("chunked not the last", coded(b" chunked, gzip"), 400),
    Refused("chunked not the last in two fields", coded(b" chunked\r\nTransfer-Encoding: cow"), 400),
    Refused("chunked and identity", coded(b" chunked, identity"), 400),
    Refused("chunked, nothing", coded(b" chunked,"), 400),
    Refused("nothing, chunked", coded(b" , chunked"), 400),
    Refused("chunked with a parameter", coded(b" chunked;q=1"), 400),
    Refused("chunked in quotes", coded(b' "chunked"'), 400),
    Refused("chunked after a vertical tab", coded(b" \x0bchunked"), 400),
    Refused("chunked before a vertical tab", coded(b" chunked\x0b"), 400),
    Refused("chunked after NUL", coded(b" \0chunked"), 400),
    Refused("chunked after a non-breaking space", coded(b" \xa0chunked"), 400),
    Refused("chunked with a bare carriage return", coded(b" chunked\r"), 400),
    Refused("chunked folded", coded(b"\r\n chunked"), 400),
    Refused("chunked folded by a tab", coded(b"\r\n\tchunked"), 400),
    Refused("chunked and a fold", coded(b" chunked\r\n  abc"), 400),
    Refused("chunked and bare line feeds", coded(b"\n chunked"), 400),
    Refused("a space before the colon of a coding", coded(b" chunked", name=b"Transfer-Encoding :"), 400),
    Refused("a tab before the colon of a coding", coded(b" chunked", name=b"Transfer-Encoding\t:"), 400),
    Refused("a space before the name of a coding", coded(b" chunked", name=b" Transfer-Encoding:"), 400),
    Refused("a coding behind a bare line feed", coded(b" chunked", name=b"X: x\nTransfer-Encoding:"), 400),
    Refused("a coding behind a bare carriage return", coded(b" chunked", name=b"X: x\rTransfer-Encoding:"), 400),
    Refused("chunked in HTTP/1.0", head(b"POST /c HTTP/1.0", b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
    # RFC 9112, section 6.1: 501 for a coding that is well formed and not understood.
    Refused("gzip under chunked", coded(b" gzip, chunked"), 501),
    Refused("gzip under chunked in two fields", coded(b" gzip\r\nTransfer-Encoding: chunked"), 501),
    Refused("identity under chunked", coded(b" identity, chunked"), 501),
    Served("chunked in capitals", coded(b" CHUNKED"), (Seen("/c", "POST", b"abc"),)),
    Served("chunked after a tab", coded(b"\tchunked"), (Seen("/c", "POST", b"abc"),)),
    Served("chunked without a space", coded(b"chunked"), (Seen("/c", "POST", b"abc"),)),
    Served("chunked before white space", coded(b" chunked  "), (Seen("/c", "POST", b"abc"),)),
    Served("a coding with an underscore in its name",
        head(b"POST /c HTTP/1.1", b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n") + b"abc",
        (Seen("/c", "POST", b"abc", meta={"HTTP_TRANSFER_ENCODING": None}),)),
    Served("Content-Encoding is no transfer coding",
        head(b"POST /c HTTP/1.1", b"Content-Encoding: chunked\r\nContent-Length: 3\r\n") + b"abc",
        (Seen("/c", "POST", b"abc"),)),
    Served("TE is no transfer coding", get(b"TE: trailers, chunked\r\n") + head(b"GET /n HTTP/1.1"),
        (Seen("/"), Seen("/n"))),
)  # fmt: skip

CHUNKS = (
    Refused("a size that is no number", chunked(b"zz\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("no size", chunked(b"\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("an extension without a size", chunked(b";a=b\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a negative size", chunked(b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size with a plus", chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size with 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size with an underscore", chunked(b"0_3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size with a fraction", chunked(b"3.0\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a space before the size", chunked(b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a space after the size", chunked(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a tab after the size", chunked(b"3\t\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a space in the size", chunked(b"0 3\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("words after the size", chunked(b"3 abc\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a space after the last size", chunked(b"3\r\nabc\r\n0 \r\n\r\n"), 400),
    Refused("NUL after the size", chunked(b"3\0\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size beyond 64 bits", chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size of all bits and more", chunked(b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size and a bare line feed", chunked(b"3\nabc\r\n0\r\n\r\n"), 400),
    Refused("a size and a bare carriage return", chunked(b"3\rabc\r\n0\r\n\r\n"), 400),
    Refused("a size and two carriage returns", chunked(b"3\r\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("data and a bare line feed", chunked(b"3\r\nabc\n0\r\n\r\n"), 400),
    Refused("data and a bare carriage return", chunked(b"3\r\nabc\r0\r\n\r\n"), 400),
    Refused("data without an end", chunked(b"3\r\nabc0\r\n\r\n"), 400),
    Refused("data longer than its size", chunked(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    Refused("data shorter than its size", chunked(b"4\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("an end and a bare line feed", chunked(b"3\r\nabc\r\n0\n\r\n"), 400),
    Refused("an end and bare line feeds", chunked(b"3\r\nabc\r\n0\n\n"), 400),
    Refused("an end with a bare line feed behind it", chunked(b"3\r\nabc\r\n0\r\n\n"), 400),
    Refused("an end and no empty line", chunked(b"3\r\nabc\r\n0\r\n" + HIDDEN), 400),
    Refused("an extension and a bare line feed", chunked(b"3;\nabc\r\n0\r\n\r\n"), 400),
    Refused("a bare line feed in an extension", chunked(b"2;a\nxx\r\n4c\r\n0\r\n\r\n"), 400),
    Refused("a bare carriage return in an extension", chunked(b"3;a=b\rc\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("two carriage returns behind an extension", chunked(b"3;a\r\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("NUL in an extension", chunked(b"3;a\0b\r\nabc\r\n0\r\n\r\n"), 400),
    Refused("an open quote in an extension", chunked(b'3;a="b\r\nabc\r\n0\r\n\r\n'), 400),
    Refused("a quote that a line feed closes", chunked(b'3;a="b\nc"\r\nabc\r\n0\r\n\r\n'), 400),
    Refused("an extension that never ends", chunked(b"3;" + b"a" * 1_000_000), 400),
    Refused("a long extension for every byte", chunked((b"1;" + b"a" * 8000 + b"\r\nx\r\n") * 120), 400),
    Refused("a trailer without a colon", chunked(b"0\r\nno colon\r\n\r\n"), 400),
    Refused("a trailer with a space before the colon", chunked(b"0\r\nX : y\r\n\r\n"), 400),
    Refused("a trailer with a bad name", chunked(b"0\r\nX@: y\r\n\r\n"), 400),
    Refused("a trailer with NUL", chunked(b"0\r\nX: a\0b\r\n\r\n"), 400),
    Refused("a trailer with a bare line feed", chunked(b"0\r\nX: a\nY: b\r\n\r\n"), 400),
    Refused("a folded trailer", chunked(b"0\r\nX: a\r\n b\r\n\r\n"), 400),
    Refused("a trailer too long", chunked(b"0\r\nX: " + b"y" * (LONGEST_HEAD + 1) + b"\r\n\r\n"), 431),
    Refused("a trailer that never ends", chunked(b"0\r\nX: " + b"y" * 1_000_000), 400),
    Refused("too many trailers", chunked(b"0\r\n" + b"X: y\r\n" * 300 + b"\r\n"), 431),
    Served("leading zeros of a size", chunked(b"0003\r\nabc\r\n000\r\n\r\n"), (Seen("/c", "POST", b"abc"),)),
    Served("sizes in both cases", chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        (Seen("/c", "POST", b"0123456789" * 2),)),
    Served("no data", chunked(b"0\r\n\r\n"), (Seen("/c", "POST"),)),
    Served("chunks of one byte", chunked(b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n"), (Seen("/c", "POST", b"x" * 3000),)),
    Served("extensions", chunked(b'3;a;b=c;d="e;\\"f"\r\nabc\r\n0;z\r\n\r\n'), (Seen("/c", "POST", b"abc"),)),
    Served("an extension that looks like a size", chunked(b"3;5=6\r\nabc\r\n0\r\n\r\n"), (Seen("/c", "POST", b"abc"),)),
    Served("a body that looks like an end", chunked(b"7\r\n0\r\n\r\nab\r\n0\r\n\r\n"),
        (Seen("/c", "POST", b"0\r\n\r\nab"),)),
    Refused("a length in a trailer", chunked(b"0\r\nContent-Length: 33\r\n\r\n" + HIDDEN), 400),
    Refused("a coding in a trailer", chunked(b"0\r\nTransfer-Encoding: gzip\r\n\r\n" + HIDDEN), 400),
    Served("trailers are no fields", chunked(b"0\r\nX-Late: 1\r\nHost: evil\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        + head(b"GET /n HTTP/1.1"),
        (Seen("/c", "POST", meta={"HTTP_X_LATE": None, "REMOTE_ADDR": "127.0.0.1"}), Seen("/n"))),
    Served("chunked and then another", chunked(b"3\r\nabc\r\n0\r\n\r\n") + get(),
        (Seen("/c", "POST", b"abc"), Seen("/"))),
)  # fmt: skip

PIPELINES = (
    Refused("rubbish after a request", get() + b"rubbish\r\n\r\n", 400, before=1),
    Refused(
        "two Hosts behind an upgrade", get(b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + get(b"Host: b\r\n"), 400,
        before=1,
    ),
    Refused("a body that was not declared", head(b"POST /s HTTP/1.1") + b"abc=1\r\n", 400, before=1),
    Refused("a body longer than declared", sized(b" 3", b"abcd\r\n\r\n"), 400, before=1),
    Refused("a bad request after three good ones", get() * 3 + get(b"X : y\r\n"), 400, before=3),
    Refused("a large body after a good request", get() + sized(b" 8388609", b""), 413, before=1),
    Refused("a bad chunk after a good request", get() + chunked(b"zz\r\n"), 400, before=1),
    Refused("NUL after a request", get() + bytes(10), 400, before=1),
    Served("what follows Connection: close is ignored", get(b"Connection: close\r\n") + HIDDEN, (Seen("/"),),
        closes=True),
    Served("rubbish after Connection: close is ignored", get(b"Connection: close\r\n") + b"\0rubbish", (Seen("/"),),
        closes=True),
    Served("empty lines between requests", get() + b"\r\n\r\n" + head(b"GET /n HTTP/1.1"), (Seen("/"), Seen("/n"))),
    Served("HTTP/1.0 and keep-alive", b"GET /k HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" + get(),
        (Seen("/k"), Seen("/"))),
    Served("HTTP/1.0 and what follows", b"GET /k HTTP/1.0\r\nHost: a\r\n\r\n" + HIDDEN, (Seen("/k"),), closes=True),
)  # fmt: skip

CORPUS: tuple[Refused | Served, ...] = (
    *REQUEST_LINES, *TARGETS, *HOSTS, *FIELDS, *LENGTHS, *CODINGS, *CHUNKS, *PIPELINES,
)  # fmt: skip
