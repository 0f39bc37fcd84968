"""WSGI (PEP 3333): the environ of a request, and what runs in the thread that answers it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from nuages.runtime.proxies import Client
from nuages.runtime.request import PERCENT, UNDERSCORE, Request

_keys: dict[bytes, str | None] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_PROTOCOLS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
MOST_KEYS = 1000
BLOCK_BYTES = 256 << 10


def environ_key(name: bytes) -> str | None:
    """Return the CGI name of a field, None for one with an underscore: `x_y` and `x-y` would be the same."""
    try:
        return _keys[name]
    except KeyError:
        key = None if UNDERSCORE in name else "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        if len(_keys) < MOST_KEYS:
            _keys[name] = key
        return key


class FileWrapper:
    """The optional `wsgi.file_wrapper`: a file that is sent in larger blocks than the application would read."""

    def __init__(self, file: IO[bytes], block_size: int = 8192) -> None:
        self.file = file
        self.block_size = max(block_size, BLOCK_BYTES)
        if hasattr(file, "close"):
            self.close = file.close
        if hasattr(file, "fileno"):
            self.fileno = file.fileno  # agents leave a result alone that has one, and wrap all others

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(self.block_size):
            yield block


class Errors:
    """`wsgi.errors`: whatever sys.stderr is when it is written to."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Write to stderr."""
        return sys.stderr.write(text)

    def writelines(self, lines: list[str]) -> None:
        """Write lines to stderr."""
        sys.stderr.writelines(lines)

    def flush(self) -> None:
        """Flush stderr."""
        sys.stderr.flush()


class EmptyBody:
    """The body of a request that has none."""

    def read(self, size: int = -1) -> bytes:
        """Return nothing."""
        del size
        return b""

    readline = read

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return nothing."""
        del hint
        return []

    def __iter__(self) -> Any:
        return iter(())

    def close(self) -> None:
        """Do nothing."""


_errors, _empty = Errors(), EmptyBody()


@lru_cache(maxsize=64)
def _constants(server: tuple[str, int]) -> dict[str, Any]:
    """Return what every request to one local address has in its environ."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_SOFTWARE": "nuages",
        "wsgi.version": (1, 0),
        "wsgi.input_terminated": True,
        "wsgi.errors": _errors,
        "wsgi.input": _empty,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }


def build_environ(
    request: Request,
    *,
    client: Client,
    server: tuple[str, int],
    size: int,
    ssl_header: str,
) -> dict[str, Any]:
    """Return the environ of a request without its body. `server` is the local address, `size` the body's length.

    `ssl_header` is the WSGI name of a header that only a trusted peer may send (SECURE_PROXY_SSL_HEADER).
    """
    path, target = request.path, request.target.decode("latin-1")
    environ = _constants(server).copy()
    environ["REQUEST_METHOD"] = request.method
    if PERCENT in path:
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    else:
        environ["PATH_INFO"] = target if len(path) == len(target) else path.decode("latin-1")
    environ["QUERY_STRING"] = request.query.decode("latin-1")
    environ["REQUEST_URI"] = environ["RAW_URI"] = target
    environ["SERVER_PROTOCOL"] = _PROTOCOLS[request.version]
    environ["REMOTE_ADDR"] = client.address
    environ["wsgi.url_scheme"] = client.scheme
    if client.port:
        environ["REMOTE_PORT"] = str(client.port)
    for name, value in request.fields.items():
        key = _keys.get(name) or environ_key(name)
        if key is not None:
            environ[key] = value.decode("latin-1")
    if request.chunked:
        # The body is whole by now: its length is known, and Django reads only as much as this says.
        environ["CONTENT_LENGTH"] = str(size)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    if ssl_header and not client.is_trusted:
        environ.pop(ssl_header, None)
    return environ


class Started:
    """What the application gave to start_response, and the `write` that PEP 3333 still has."""

    __slots__ = ("headers", "status", "written")

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Take status and headers; a second call is right only with `exc_info`."""
        if self.status and exc_info is None:
            raise AssertionError("start_response was called twice")
        self.status = status
        self.headers = headers
        return self.written.append


class Flow:
    """Lets a thread that streams wait until the client has taken what was sent."""

    HIGH = 256 << 10

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pending = 0
        self.lost = False

    def wait(self, size: int) -> bool:
        """Wait in the thread for room; return False when the client is gone."""
        with self._changed:
            while self._pending > self.HIGH and not self.lost:
                self._changed.wait()
            self._pending += size
            return not self.lost

    def taken(self, size: int) -> None:
        """Note on the loop that the client has taken bytes."""
        with self._changed:
            self._pending -= size
            self._changed.notify_all()

    def lose(self) -> None:
        """Note on the loop that the client is gone."""
        with self._changed:
            self.lost = True
            self._changed.notify_all()


def with_written(iterator: Iterable[bytes], started: Started) -> Iterable[bytes]:
    """Yield what was given to `write` before each piece of the result."""
    for chunk in iterator:
        if started.written:
            written, started.written[:] = b"".join(started.written), []
            yield written
        yield chunk
    if started.written:
        yield b"".join(started.written)
