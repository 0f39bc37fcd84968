"""A real `nuages serve` under test: started, listened to, asked, signalled; waits have a deadline, never a fixed time.

The server's two logs are pipes here, so both are JSON, one object a line: events on stderr, requests on stdout.
Tests wait for events: `server.wait_for("worker-ready", count=2)`. What does not come within the deadline fails with the
whole transcript.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE = 30.0  # seconds; generous, for machines that do ten other things

SETTINGS = """\
SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "pages.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles"]
STATIC_URL = "/static/"
USE_TZ = True
"""

URLS = '''\
import os
import subprocess
import sys

from django.http import HttpResponse
from django.urls import path


def hello(request):
    return HttpResponse("hello")


def pid(request):
    return HttpResponse(str(os.getpid()))


def hold(request):
    """Answer when somebody opens the named pipe, writes into it and closes it."""
    with open(request.GET["pipe"], "rb") as pipe:
        return HttpResponse(b"released " + pipe.read())


def spin(request):
    while True:
        pass


def leave(request):
    os._exit(7)


def orphan(request):
    """Start a program whose parent ends before it: it becomes an orphan, and ends when the pipe is closed."""
    program = "import os, sys; os.fork() or (open(sys.argv[1]).read(), os._exit(0))"
    subprocess.run([sys.executable, "-c", program, request.GET["pipe"]], check=True)
    return HttpResponse("left alone")


def leave_behind(request):
    """Start a program that inherits what it can and outlives the server, until the pipe is closed."""
    program = "import sys; open(sys.argv[1]).read()"
    quiet = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, "-c", program, request.GET["pipe"]], close_fds=False, stdout=quiet, stderr=quiet
    )
    return HttpResponse("left behind")


def environ(request):
    return HttpResponse(os.environ.get(request.GET["name"], ""))


urlpatterns = [
    path("", hello), path("pid/", pid), path("hold/", hold), path("spin/", spin), path("leave/", leave),
    path("orphan/", orphan), path("environ/", environ),
    path("leave-behind/", leave_behind),
]
'''

WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
application = get_wsgi_application()
"""

APP = "pages.wsgi:application"


def write_project(folder: Path, *, settings: str = "", urls: str = "", wsgi: str = "") -> Path:
    """Write a minimal Django project; the texts are appended to (settings, urls) or replace (wsgi) the usual ones."""
    package = folder / "pages"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "settings.py").write_text(SETTINGS + settings)
    (package / "urls.py").write_text(URLS + urls)
    (package / "wsgi.py").write_text(wsgi or WSGI)
    return folder


def wait_until(found: Callable[[], T | None], what: str, *, within: float = DEADLINE) -> T:
    """Return the first result of `found` that is true; fail when none comes within the deadline."""
    deadline = time.monotonic() + within
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within:g} s")
        time.sleep(0.01)


class Lines:
    """The lines of a stream, read as they come by a thread of their own."""

    def __init__(self, stream: Any) -> None:
        self._lines: list[str] = []
        self._news = threading.Condition()
        self.ended = False
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            with self._news:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        stream.close()
        with self._news:
            self.ended = True
            self._news.notify_all()

    def join(self) -> None:
        """Wait until whoever wrote has closed the stream."""
        self._thread.join(DEADLINE)

    def all(self) -> list[str]:
        """What has come so far."""
        with self._news:
            return list(self._lines)

    def objects(self) -> list[dict[str, Any]]:
        """The lines that are JSON objects."""
        found = []
        for line in self.all():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
        return found

    def wait(self, found: Callable[[], T | None], what: str, within: float) -> T:
        """Return the first true result of `found`, asked at every new line."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                result = found()
                if result:
                    return result
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    why = "the stream has ended" if self.ended else f"not within {within:g} s"
                    raise AssertionError(f"{what}: {why}; what came:\n" + "\n".join(self._lines))
                self._news.wait(left)


@dataclass
class Exchange:
    """A request that was sent over a connection of its own, and its answer when that is wanted."""

    socket: socket.socket

    def answer(self, *, within: float = DEADLINE) -> http.client.HTTPResponse:
        """Return the whole response; the body is read: `response.text` is it."""
        self.socket.settimeout(within)
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        return response

    def send(self, path: str, *, headers: str = "") -> None:
        """Send another request over the same connection."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: testserver\r\n{headers}\r\n".encode())

    def closed(self, *, within: float = DEADLINE) -> bool:
        """Wait until the server closes the connection; return whether it did so without another byte."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    tls: ssl.SSLContext | None = None  # how to speak with it, where it has a certificate
    events: Lines = field(init=False)
    requests: Lines = field(init=False)
    _opened: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.events, self.requests = Lines(self.process.stderr), Lines(self.process.stdout)

    # Listening

    def found(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the events of that name and with these fields that have come so far."""
        wanted = {"event": event, **fields}.items()
        return [
            seen
            for seen in self.events.objects()
            if wanted <= {k: v for k, v in seen.items() if _plain(v)}.items()
        ]

    def wait_for(
        self, event: str, *, count: int = 1, within: float = DEADLINE, **fields: Any
    ) -> dict[str, Any]:
        """Wait for the `count`-th event of that name and with these fields."""

        def enough() -> dict[str, Any] | None:
            seen = self.found(event, **fields)
            return seen[count - 1] if len(seen) >= count else None

        return self.events.wait(enough, f"event {event} {fields or ''} number {count}", within)

    def wait_for_request(self, *, within: float = DEADLINE, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the access log with these fields."""

        def seen() -> dict[str, Any] | None:
            lines = (line for line in self.requests.objects() if fields.items() <= line.items())
            return next(lines, None)

        return self.requests.wait(seen, f"a request with {fields}", within)

    def wait_for_line(
        self, text: str, number: signal.Signals | None = None, *, within: float = DEADLINE
    ) -> None:
        """Wait for a line on stderr that has this text, sending a signal now and then if one is given.

        Not at every look: faulthandler reads the stacks of threads that go on running, and a storm of signals finds
        the moment in which that ends the worker.
        """
        sent = -1.0

        def seen() -> bool:
            nonlocal sent
            if number is not None and time.monotonic() - sent > 0.5:
                sent = time.monotonic()
                self.signal(number)
            return any(text in line for line in self.events.all())

        wait_until(seen, f"{text!r} in:\n{self.said}", within=within)

    @property
    def said(self) -> str:
        """All that was written to stderr so far."""
        return "\n".join(self.events.all())

    def error(self) -> str:
        """Wait for the end and return what was written to stderr that is not an event: the error block."""
        self.wait()
        return "\n".join(line for line in self.events.all() if not line.startswith("{"))

    # Asking

    @property
    def address(self) -> str:
        """The first address it listens on, as it says itself: `127.0.0.1:40123` or the path of a socket."""
        url: str = self.wait_for("listening")["addresses"][0]
        return url.removeprefix("http://").removeprefix("https://").removeprefix("unix:")

    def connect(self) -> Exchange:
        """Open a connection."""
        address = self.address
        if address.startswith("/"):
            sock = socket.socket(socket.AF_UNIX)
            self._opened.append(sock)
            sock.settimeout(DEADLINE)
            sock.connect(address)
        else:
            host, _, port = address.rpartition(":")
            sock = socket.create_connection((host.strip("[]"), int(port)), timeout=DEADLINE)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_hostname="localhost")
            self._opened.append(sock)
        return Exchange(sock)

    def begin(self, path: str, *, headers: str = "") -> Exchange:
        """Send a request and do not wait for the answer."""
        exchange = self.connect()
        exchange.send(path, headers=headers)
        return exchange

    def get(self, path: str = "/") -> str:
        """Return the body of a page, which must have status 200."""
        exchange = self.begin(path, headers="Connection: close\r\n")
        with exchange.socket:
            response = exchange.answer()
            assert response.status == 200, f"{path}: {response.status} {response.text}"  # type: ignore[attr-defined]
            return response.text  # type: ignore[attr-defined,no-any-return]

    # Signalling

    @property
    def pid(self) -> int:
        """The supervisor's process number."""
        return self.process.pid

    def workers(self) -> list[int]:
        """The process numbers of the workers that became ready and have not ended, as the events tell."""
        gone = {seen["pid"] for name in ("worker-died", "worker-ended") for seen in self.found(name)}
        return [seen["pid"] for seen in self.found("worker-ready") if seen["pid"] not in gone]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """End what is left: the processes, and our connections to them."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for sock in self._opened:
            sock.close()
        for lines in (self.events, self.requests):
            lines.join()

    def wait(self, *, within: float = DEADLINE) -> int:
        """Wait for the end of the server and of its output; return the exit status."""
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server has not ended within {within:g} s:\n{self.said}") from None
        wait_until(
            lambda: self.events.ended and self.requests.ended,
            "end of output (a worker lives on?)",
            within=within,
        )
        return status


def _plain(value: Any) -> bool:
    return not isinstance(value, list | dict)


@contextlib.contextmanager
def serving(
    project: Path, *arguments: str, environ: Mapping[str, str] | None = None, bind: str | None = "127.0.0.1:0",
    app: str = APP, settings: str = "pages.settings", wrapper: Sequence[str] = (), pass_fds: Sequence[int] = (),
    python: str = sys.executable, tls: ssl.SSLContext | None = None,
) -> Iterator[Server]:  # fmt: skip
    """Run `nuages serve` on a project and see that nothing of it is left at the end.

    `wrapper` is a command that runs the server as its argument; `bind` None leaves --bind away; `python` is that
    of another environment; `tls` is how to speak with a server that has a certificate.
    """
    command = [python, "-m", "nuages", "serve", str(project), "--settings", settings, "--app", app]
    command += [] if bind is None else ["--bind", bind]
    if "--management" not in arguments:
        command += ["--management", "off"]
    # One worker, where a test does not say: else it depends on the machine whether two requests meet in one process.
    whole = {**os.environ, "PYTHONUNBUFFERED": "1", "WEB_CONCURRENCY": "1", **(environ or {})}
    process = subprocess.Popen(
        [*wrapper, *command, *arguments], cwd=project, env=whole, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=pass_fds,
    )  # fmt: skip
    server = Server(process, tls)
    try:
        yield server
    finally:
        server.close()


# As `tini -g` and a shell's job control have it: a process group of its own that is no orphan.
IN_A_GROUP = (sys.executable, "-c", "import os, sys; os.setpgid(0, 0); os.execvp(sys.argv[1], sys.argv[1:])")


# What systemd does: LISTEN_PID is the process that it executes, the sockets are descriptors from 3 on.
_LIKE_SYSTEMD = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execvp(sys.argv[2], sys.argv[2:])
"""


def like_systemd(listener: socket.socket) -> dict[str, Any]:
    """Return what has `serving` hand a socket over as systemd does."""
    given = listener.fileno()
    return {"wrapper": [sys.executable, "-c", _LIKE_SYSTEMD, str(given)], "pass_fds": [given]}


def named_pipe(folder: Path, name: str = "pipe") -> Path:
    """Make a named pipe for the view `hold`."""
    path = folder / name
    os.mkfifo(path)
    return path


@contextlib.contextmanager
def held(path: Path) -> Iterator[int]:
    """Wait until somebody reads the pipe, that is until the view is entered; leaving the block lets it go on."""

    def opened() -> int | None:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # «nobody reads»
                raise
            return None

    descriptor = wait_until(opened, f"somebody reads {path}")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def children(pid: int) -> list[int]:
    """Return the children of a process's main thread, the oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
