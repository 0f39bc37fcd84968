"""The Django projects that the request tests serve, and raw conversations with a server."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.process.harness import APP, DEADLINE, write_project

SETTINGS = """
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
import pathlib
BASE = pathlib.Path(__file__).resolve().parent
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE / "db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = []
"""

URLS = '''
import asyncio
import contextvars
import pathlib
import threading
import time

from django.contrib import messages
from django.core.signals import request_finished
from django.db import connection, transaction
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

HERE = pathlib.Path(__file__).resolve().parent
MARK = contextvars.ContextVar("mark", default="none")
closed = []


def meta(request, **kwargs):
    keep = {k: v for k, v in request.META.items() if isinstance(v, str)}
    return JsonResponse({"meta": keep, "path": request.path, "info": request.path_info, "secure": request.is_secure(),
                         "full": request.get_full_path(), "host": request.get_host()})


@csrf_exempt
def form(request):
    return JsonResponse({
        "method": request.method, "post": request.POST.dict(), "get": request.GET.dict(),
        "files": {k: [f.name, f.size, f.content_type] for k, f in request.FILES.items()},
    })


@csrf_exempt
def size(request):
    total = 0
    while chunk := request.read(65536):
        total += len(chunk)
    return HttpResponse(str(total))


def guarded(request):
    return HttpResponse("never reached without a token")


def cookies(request):
    response = HttpResponse("two cookies")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", max_age=60)
    return response


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    messages.info(request, "welcome")
    return HttpResponse(str(request.session["visits"]))


def noted(request):
    return HttpResponse("|".join(str(m) for m in messages.get_messages(request)))


def stream(request):
    def pieces():
        yield "one "
        yield b"two "
        yield ""
        yield "three"
    return StreamingHttpResponse(pieces())


def endless(request):
    """Stream until closed; note where it was closed."""
    class Pieces:
        def __init__(self):
            self.thread = threading.get_ident()
        def __iter__(self):
            return self
        def __next__(self):
            return b"x" * 65536
        def close(self):
            closed.append(self.thread == threading.get_ident())
    return StreamingHttpResponse(Pieces())


def what_closed(request):
    return JsonResponse(closed, safe=False)


def download(request):
    return FileResponse(open(HERE / "large.bin", "rb"), as_attachment=True)


def sync_with_async_stream(request):
    async def pieces():
        for number in range(3):
            yield f"{number} "
            await asyncio.sleep(0)
    return StreamingHttpResponse(pieces())


def sync_with_endless_async_stream(request):
    async def pieces():
        try:
            while True:
                yield b"tick\\n"
                await asyncio.sleep(0.01)
        finally:
            closed.append("async")
    return StreamingHttpResponse(pieces())


async def asynchronous(request):
    task = asyncio.current_task()
    return HttpResponse(f"on the loop: {task is not None and threading.current_thread() is threading.main_thread()}")


async def live(request):
    async def events():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            await asyncio.sleep(0)
    return StreamingHttpResponse(events(), content_type="text/event-stream")


def explode(request):
    raise RuntimeError("the view exploded")


def status(request, code):
    return HttpResponse("" if code in (204, 304) else "body", status=code)


def leak(request):
    before = MARK.get() + translation.get_language()
    MARK.set("dirty")
    translation.activate("de")
    return HttpResponse(before)


def leave_atomic(request):
    transaction.atomic().__enter__()
    return HttpResponse(str(connection.in_atomic_block))


def in_atomic(request):
    return HttpResponse(str(connection.in_atomic_block))


def database(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse(f"{id(connection.connection)}")


def nap(request):
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("slept")


def split(request):
    response = HttpResponse("x")
    response.headers._store["bad"] = ("Bad", "a\\r\\nSet-Cookie: evil=1")
    return response


def thread(request):
    return HttpResponse(threading.current_thread().name)


app = ([path("deep/<int:number>/", meta, name="deep")], "inner")
urlpatterns += [
    path("meta/", meta), path("meta/<str:name>/", meta), path("form/", form), path("size/", size),
    path("guarded/", guarded), path("cookies/", cookies), path("visits/", visits), path("noted/", noted),
    path("stream/", stream), path("endless/", endless), path("closed/", what_closed), path("download/", download),
    path("sync-async/", sync_with_async_stream), path("sync-async-endless/", sync_with_endless_async_stream),
    path("async/", asynchronous), path("live/", live), path("explode/", explode), path("status/<int:code>/", status),
    path("leak/", leak), path("leave-atomic/", leave_atomic), path("in-atomic/", in_atomic),
    path("database/", database), path("nap/", nap), path("split/", split), path("thread/", thread),
    path("inner/", include(app)),
]
'''

MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def write_site(folder: Path, *, settings: str = "", urls: str = "", wsgi: str = "") -> Path:
    """Write the project that has one view of every kind."""
    project = write_project(folder, settings=SETTINGS + settings, urls=URLS + urls, wsgi=wsgi)
    (project / "manage.py").write_text(MANAGE)
    (project / "pages" / "large.bin").write_bytes(bytes(range(256)) * 8192)
    return project


@dataclass
class Answer:
    """One response as it came over the wire; `fields` are in lower case, `all` keeps repeated ones in order."""

    status: int
    fields: dict[str, str]
    all: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Talk:
    """A connection over which bytes are sent as they are, and answers are read one by one."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(DEADLINE)
        self._left = b""

    def send(self, *parts: bytes | str) -> Talk:
        """Send bytes; text is latin-1."""
        self.socket.sendall(b"".join(p if isinstance(p, bytes) else p.encode("latin-1") for p in parts))
        return self

    def line(self) -> bytes:
        """Read one line without its end."""
        while b"\r\n" not in self._left:
            self._more()
        line, _, self._left = self._left.partition(b"\r\n")
        return line

    def take(self, size: int) -> bytes:
        """Read that many bytes."""
        while len(self._left) < size:
            self._more()
        data, self._left = self._left[:size], self._left[size:]
        return data

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        assert data, f"the server closed the connection after {self._left[:200]!r}"
        self._left += data

    def rest(self) -> bytes:
        """Read until the server closes."""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(1 << 16):
                self._left += data
        data, self._left = self._left, b""
        return data

    def answer(self, method: str = "GET") -> Answer:
        """Read one whole response, framed as RFC 9112 says."""
        version, _, rest = self.line().decode("latin-1").partition(" ")
        assert version == "HTTP/1.1", version
        status = int(rest[:3])
        found = []
        while line := self.line().decode("latin-1"):
            name, _, value = line.partition(":")
            found.append((name, value.strip()))
        fields = {name.lower(): value for name, value in found}
        assert not ("content-length" in fields and "transfer-encoding" in fields)
        if method == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == b""
            assert self.line() == b""
        elif "content-length" in fields:
            body = self.take(int(fields["content-length"]))
        else:
            body = self.rest()
        return Answer(status, fields, found, body)

    def get(self, path: str, headers: str = "", method: str = "GET") -> Answer:
        """Send a request without a body and read its answer."""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: testserver\r\n{headers}\r\n")
        return self.answer(method)

    def closed(self) -> bool:
        """Wait until the server closes; return whether nothing came before."""
        return self.rest() == b""


def collect(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `nuages collect` for such a project to its end."""
    return subprocess.run(
        [sys.executable, "-m", "nuages", "collect", str(project), "--settings", "pages.settings", "--app", APP,
         *arguments],
        cwd=project, capture_output=True, text=True, check=False, timeout=100, env={**os.environ, **environ},
    )  # fmt: skip


@contextlib.contextmanager
def talking(address: str, tls: ssl.SSLContext | None = None) -> Iterator[Talk]:
    """Open a connection to `HOST:PORT`, under TLS if a context is given."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=DEADLINE) as sock:
        if tls is None:
            yield Talk(sock)
            return
        with tls.wrap_socket(sock, server_hostname="localhost") as secure:
            yield Talk(secure)
