"""Health checks and status, answered by the supervisor in its own loop: no uvicorn, no Django, no Host check.

They are answered even while every worker is busy or still loading. The listener is a Unix socket in the user's
runtime directory, where `nuages status` finds it, or HOST:PORT for a kubelet. One short request per connection.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from nuages.errors import Origin, OutsideError
from nuages.runtime.address import Address, parse_address
from nuages.runtime.container import OWNER, owner
from nuages.runtime.sockets import LONGEST_PATH, Listener, listen

_MOST_BYTES = 8192  # of a request's head
_SECONDS = 5.0  # for a whole request
_MOST_CLIENTS = 64
# Why accept(2) fails and the client is still there.
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 1.0  # seconds until one that could not be accepted is tried again
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request an answer may depend on: its Accept fields."""

    accept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status code and a body: text of some kind, or what becomes JSON."""

    status: int
    body: str | Mapping[str, Any]
    kind: str = "text/plain; charset=utf-8"


Answers = Mapping[str, Callable[[Asked], Answer]]


class _Client:
    def __init__(self, sock: socket.socket, until: float) -> None:
        self.socket, self.until = sock, until
        self.received = b""
        self.to_send = b""


class Management:
    """The management socket inside a selectors loop: the loop calls `data()` of each key, and `expire`."""

    def __init__(self, listener: Listener, selector: selectors.BaseSelector, answers: Answers) -> None:
        self.address = listener.address
        self._listener, self._selector, self._answers = listener, selector, answers
        self._clients: set[_Client] = set()
        self._paused_until = inf
        selector.register(listener.socket, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Close every connection and the socket, and remove its file."""
        for client in list(self._clients):
            self._drop(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(self._listener.socket)
        self._listener.close()

    def next_deadline(self) -> float:
        """Return when `expire` has something to do, in monotonic seconds."""
        return min(self._paused_until, *(client.until for client in self._clients), inf)

    def expire(self, now: float) -> None:
        """Drop clients that took too long, and accept again after a pause."""
        if self._paused_until <= now:
            self._paused_until = inf
            self._selector.register(self._listener.socket, selectors.EVENT_READ, self._accept)
        for client in [client for client in self._clients if client.until <= now]:
            self._drop(client)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.socket.accept()
        except OSError as error:
            if error.errno in _SHORT:
                self._pause()
            return  # else it went away
        sock.setblocking(False)
        if len(self._clients) >= _MOST_CLIENTS:
            # Whoever answers in time has long gone: a probe is not to fail for those that only connect.
            self._drop(min(self._clients, key=lambda client: client.until))
        client = _Client(sock, time.monotonic() + _SECONDS)
        self._clients.add(client)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._read(client))

    def _pause(self) -> None:
        """Look away for a moment: who waits keeps the listener readable, and the loop would spin."""
        self._selector.unregister(self._listener.socket)
        self._paused_until = time.monotonic() + _PAUSE

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        if b"\r\n\r\n" in client.received or b"\n\n" in client.received:
            client.to_send = respond(client.received, self._answers)
            self._selector.modify(client.socket, selectors.EVENT_WRITE, lambda: self._write(client))
            self._write(client)
        elif not data or len(client.received) > _MOST_BYTES:
            self._drop(client)

    def _write(self, client: _Client) -> None:
        try:
            client.to_send = client.to_send[client.socket.send(client.to_send) :]
        except BlockingIOError:
            return
        except OSError:
            client.to_send = b""
        if not client.to_send:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._clients.discard(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.socket)
        client.socket.close()


def respond(head: bytes, answers: Answers) -> bytes:
    """Return the whole response to a request's head; pure but for what the answers read.

    Never raises: an answer that fails is one with the status 500, and no end of the server.
    """
    words = head.partition(b"\n")[0].decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _response(Answer(status=400, body="not an HTTP/1 request\n"), with_body=True)
    method, target, _ = words
    found = answers.get(target.partition("?")[0])
    if method not in {"GET", "HEAD"}:
        answer = Answer(status=405, body="only GET and HEAD\n")
    elif found is None:
        answer = Answer(status=404, body="there is " + ", ".join(sorted(answers)) + "\n")
    else:
        try:
            return _response(found(Asked(_accept(head))), with_body=method != "HEAD")
        except Exception as error:  # noqa: BLE001 - whatever it is, those who are served are not to pay for it
            answer = Answer(status=500, body=f"{error!a}\n")
    return _response(answer, with_body=method != "HEAD")


def _accept(head: bytes) -> str:
    """Return the Accept fields of a request's head as one (RFC 9110, section 5.3)."""
    fields = (line.partition(b":") for line in head.splitlines()[1:])
    return ", ".join(
        value.decode("latin-1").strip() for name, _, value in fields if name.lower() == b"accept"
    )


def _response(answer: Answer, *, with_body: bool) -> bytes:
    if isinstance(answer.body, str):
        kind, body = answer.kind, answer.body.encode()
    else:
        kind, body = "application/json", json.dumps(answer.body).encode() + b"\n"
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


def folder(environ: Mapping[str, str]) -> Path:
    """Return where the sockets of this user's servers lie.

    $RUNTIME_DIRECTORY where systemd made one for the service (systemd.exec(5)), $XDG_RUNTIME_DIR, else the temporary
    directory.
    """
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for base in (given, environ.get("XDG_RUNTIME_DIR")):
        if base and os.access(base, os.W_OK):
            return Path(base) / "nuages"
    return Path(environ.get("TMPDIR") or "/tmp") / f"nuages-{os.getuid()}"


def places(environ: Mapping[str, str]) -> list[Path]:
    """Return the folders in which sockets of running servers are looked for.

    One's own, also of servers that were started without a session, and those of services; root looks into all.
    """
    temporary = environ.get("TMPDIR") or "/tmp"
    found = [folder(environ), Path(temporary) / f"nuages-{os.getuid()}"]
    patterns = [("/run", "*/nuages")]
    if os.getuid() == 0:
        patterns += [("/run/user", "*/nuages"), (temporary, "nuages-[0-9]*")]
    for base, pattern in patterns:
        with contextlib.suppress(OSError):
            found += sorted(Path(base).glob(pattern))
    return list(dict.fromkeys(found))


def open_listener(option: str, environ: Mapping[str, str], *, origin: Origin | str) -> Listener | None:
    """Return the management socket that `--management` asks for; None for `off`.

    Raises NuagesError when the address is taken. `auto` never fails for want of a writable folder: it returns None.
    """
    if option == "off":
        return None
    if option != "auto":
        return listen([parse_address(option)], origin=origin, option="--management")[0]
    place = folder(environ)
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        # The temporary directory is everybody's: a folder that another user made first is not ours to use.
        if place.stat().st_uid != os.getuid() or place.is_symlink():
            return None
        _remove_dead(place)
        path = str(place / f"{owner()}.sock")
        if len(os.fsencode(path)) > LONGEST_PATH:
            path = str(place / f"{os.getpid()}.sock")
        return listen([Address(path=path)], origin=origin)[0]
    except (OSError, OutsideError):
        return None


def running(environ: Mapping[str, str]) -> list[Address]:
    """Return the management sockets of the running servers that this user may ask, the oldest first of each place."""
    found = [path for place in places(environ) for path in _sockets(place)]
    return [Address(path=str(path)) for path in found if _connects(str(path))]


def ask(address: Address, path: str, *, accept: str = "", timeout: float = _SECONDS) -> tuple[int, bytes]:
    """Return the status code and body that a management socket answers; raise OSError when nobody does."""
    sock = (
        socket.socket(socket.AF_UNIX)
        if address.path
        else socket.create_connection((address.host, address.port), timeout)
    )
    with sock:
        sock.settimeout(timeout)
        if address.path:
            sock.connect(address.path)
        field = f"Accept: {accept}\r\n" if accept else ""
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: nuages\r\n{field}Connection: close\r\n\r\n".encode())
        received = b""
        while data := sock.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError(f"{address} does not speak HTTP")
    return int(words[1]), body


def _sockets(place: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        found = (
            path for path in place.glob("*.sock") if path.stem.isdecimal() or re.fullmatch(OWNER, path.stem)
        )
        return sorted(found, key=lambda path: path.stat().st_mtime)
    return []


def _remove_dead(place: Path) -> None:
    """Remove what servers left behind that were killed."""
    for path in _sockets(place):
        if not _connects(str(path)):
            path.unlink(missing_ok=True)


def _connects(path: str) -> bool:
    """Return whether somebody listens; so does who is too busy to accept."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True
