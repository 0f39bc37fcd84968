"""A Django project that tells what reached it: every request is answered with what Django was given."""

from __future__ import annotations

from pathlib import Path

from tests.process.harness import write_project

SETTINGS = """
import pathlib
STATIC_ROOT = str(pathlib.Path(__file__).resolve().parent.parent / "collected")
MIDDLEWARE = []
"""

URLS = '''
import gc
import hashlib

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import re_path

seen = []
stamps = []


def told(request):
    body = request.read()
    target = request.META.get("REQUEST_URI") or request.get_full_path()
    seen.append(target)
    stamps.append([target, request.META.get("HTTP_X_STAMP", "")])
    try:
        host = request.get_host()
    except Exception as error:
        host = type(error).__name__
    return {
        "method": request.method, "path": request.path_info, "query": request.META.get("QUERY_STRING", ""),
        "host": host, "length": len(body), "digest": hashlib.sha256(body).hexdigest(),
        "meta": {name: value for name, value in request.META.items() if isinstance(value, str)},
    }


def echo(request):
    return JsonResponse(told(request))


async def echo_async(request):
    return JsonResponse({**told(request), "async": True})


def what_was_seen(request):
    gc.collect()  # Django leaves an async generator to the collector when its client is gone
    return JsonResponse(seen, safe=False)


def count(request):
    total = 0
    while piece := request.read(1 << 16):
        total += len(piece)
    return HttpResponse(str(total))


def form(request):
    return JsonResponse({name: file.size for name, file in request.FILES.items()})


def what_was_stamped(request):
    return JsonResponse(stamps, safe=False)


def large(request):
    """Stream as many blocks of 64 KiB as are asked for; note how far it came."""
    blocks = int(request.GET["blocks"])
    def pieces():
        try:
            for number in range(blocks):
                yield b"x" * 65536
        finally:
            seen.append(f"streamed {number + 1} of {blocks}")
    return StreamingHttpResponse(pieces())


async def large_async(request):
    blocks = int(request.GET["blocks"])
    async def pieces():
        number = -1
        try:
            for number in range(blocks):
                yield b"x" * 65536
        finally:
            seen.append(f"streamed {number + 1} of {blocks}")
    return StreamingHttpResponse(pieces())


def whole(request):
    return HttpResponse(b"x" * (int(request.GET["blocks"]) << 16))


urlpatterns = urlpatterns[1:] + [
    path("seen/", what_was_seen), path("stamps/", what_was_stamped), path("count/", count), path("uploads/", form),
    path("large/", large), path("large-async/", large_async), path("whole/", whole),
    re_path("^async/", echo_async), re_path("^(?!static/)", echo),
]
'''


def write_echo(folder: Path, *, settings: str = "") -> Path:
    """Write the project; `/hold/`, `/pid/` and the like of the harness are there too."""
    project = write_project(folder, settings=SETTINGS + settings, urls=URLS)
    collected = project / "collected"
    collected.mkdir(exist_ok=True)
    (collected / "small.txt").write_bytes(b"a static file")
    (collected / "large.bin").write_bytes(bytes(range(256)) * 4096)
    return project
