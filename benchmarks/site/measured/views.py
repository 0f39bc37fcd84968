"""The views that are measured; each does one thing."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from measured.models import Record

ROWS = 20
PAGE_ROWS = 80
CHUNK_BYTES = 1 << 20


class Busy:
    """How many threads are inside a view, the most there ever were, and how often the view was left."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.served = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the calling thread while the block runs."""
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self.lock:
                self.now -= 1
                self.served += 1


busy = Busy()


def process(_request: HttpRequest) -> HttpResponse:
    """Say which process it is."""
    return HttpResponse(str(os.getpid()))


def plain(request: HttpRequest) -> HttpResponse:
    """Answer at once."""
    return HttpResponse("Nuages", content_type="text/plain")


def query(request: HttpRequest) -> HttpResponse:
    """Answer with some rows of one query."""
    records = Record.objects.order_by("-pk")[:ROWS]
    return HttpResponse("\n".join(record.title for record in records), content_type="text/plain")


def page(request: HttpRequest) -> HttpResponse:
    """Compute a page of 11 to 16 ms: session, user, some rows and a template."""
    with busy.counted():
        return render(request, "measured/page.html", {"records": Record.objects.all()[:PAGE_ROWS]})


def most_busy(request: HttpRequest) -> HttpResponse:
    """Tell how many pages were computed, and the most threads that did so at one time."""
    return HttpResponse(f"{busy.served} {busy.most}", content_type="text/plain")


def wait(request: HttpRequest) -> HttpResponse:
    """Wait 50 ms for something that is not there."""
    time.sleep(0.05)
    return HttpResponse("Nuages", content_type="text/plain")


async def plain_async(request: HttpRequest) -> HttpResponse:
    """Answer at once, on the event loop."""
    return HttpResponse("Nuages", content_type="text/plain")


async def query_async(request: HttpRequest) -> HttpResponse:
    """Answer with some rows of one query, on the event loop."""
    records = Record.objects.order_by("-pk")[:ROWS]
    return HttpResponse("\n".join([record.title async for record in records]), content_type="text/plain")


def _burn(seconds: float) -> None:
    """Compute for so many seconds of the calling thread's own CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def short_async(request: HttpRequest) -> HttpResponse:
    """Compute 1 ms on the event loop."""
    _burn(0.001)
    return HttpResponse("Nuages", content_type="text/plain")


def spin(request: HttpRequest) -> HttpResponse:
    """Compute 1 s in a thread."""
    _burn(1.0)
    return HttpResponse("Nuages", content_type="text/plain")


def database_wait(request: HttpRequest) -> HttpResponse:
    """Wait 50 ms for PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
    return HttpResponse("Nuages", content_type="text/plain")


async def database_wait_async(request: HttpRequest) -> HttpResponse:
    """Wait 50 ms for PostgreSQL in an async view, through the async ORM."""
    record = await Record.objects.extra(select={"slept": "SELECT pg_sleep(0.05)::text"}).aget(pk=1)
    return HttpResponse(record.title, content_type="text/plain")


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """Answer with the number of bytes that came: as a form's files, or as the body itself."""
    if request.content_type == "multipart/form-data":
        return HttpResponse(str(sum(file.size or 0 for file in request.FILES.values())))
    length = 0
    while chunk := request.read(CHUNK_BYTES):
        length += len(chunk)
    return HttpResponse(str(length), content_type="text/plain")
