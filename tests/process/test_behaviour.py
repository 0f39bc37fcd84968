"""Nothing of one request is left for the next on the same thread: contexts, URLconf, prefixes, transactions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, serving
from tests.process.sites import Talk, talking, write_site

URLS = '''
import functools
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.test import Client
from django.urls import get_script_prefix, get_urlconf, reverse, set_script_prefix, set_urlconf
from django.utils import timezone


def look():
    return {
        "mark": MARK.get(), "language": translation.get_language(), "zone": timezone.get_current_timezone_name(),
        "urlconf": get_urlconf(), "prefix": get_script_prefix(), "reversed": reverse("leave-nothing"),
        "atomic": connection.in_atomic_block, "autocommit": connection.get_autocommit(),
        "thread": threading.current_thread().name, "extra": getattr(threading.local(), "extra", None),
    }


def dirty():
    MARK.set("dirty")
    translation.activate("de")
    timezone.activate(ZoneInfo("Pacific/Auckland"))
    set_script_prefix("/elsewhere/")
    set_urlconf("pages.other")


def leave(request):
    found = look()
    dirty()
    return JsonResponse(found)


async def leave_async(request):
    found = await sync_to_async(look)()
    dirty()
    await sync_to_async(dirty)()
    return JsonResponse(found)


def other(request):
    """Answer through another URLconf, that of the request."""
    return HttpResponse("the usual")


def enter():
    connection.ensure_connection()
    transaction.atomic().__enter__()


def in_atomic_left(request):
    enter()
    return HttpResponse("left")


def in_error(request):
    block = transaction.atomic()
    block.__enter__()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nonsense FROM nowhere")
    except DatabaseError:
        connection.needs_rollback = True
    return HttpResponse("left")


def without_autocommit(request):
    transaction.set_autocommit(False)
    return HttpResponse("left")


async def in_atomic_left_async(request):
    await sync_to_async(enter)()
    return HttpResponse("left")


def asks_itself(request):
    """Ask another page with Django's test client, inside a transaction."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE asked (page TEXT)")
        before = connection.connection
        answer = Client(SERVER_NAME="127.0.0.1").get("/leave-nothing/")
        kept = connection.connection is before and connection.in_atomic_block
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO asked VALUES (%s)", [str(answer.status_code)])
            cursor.execute("SELECT page FROM asked")
            seen = cursor.fetchone()[0]
        transaction.set_rollback(True)
    return HttpResponse(f"{kept} {seen}")


async def asks_itself_async(request):
    return await sync_to_async(asks_itself)(request)


def in_atomic_and_raise(request):
    enter()
    raise SystemError("not caught by anybody")


def streams_atomic(request):
    def pieces():
        yield "one"
        enter()
        yield "two"
    return StreamingHttpResponse(pieces())


urlpatterns += [
    path("leave-nothing/", leave, name="leave-nothing"), path("leave-nothing-async/", leave_async),
    path("asks/", asks_itself), path("asks-async/", asks_itself_async),
    path("other/", other), path("atomic/", in_atomic_left), path("error/", in_error),
    path("manual/", without_autocommit), path("atomic-async/", in_atomic_left_async),
    path("atomic-raise/", in_atomic_and_raise), path("atomic-stream/", streams_atomic),
]
'''

OTHER = """
from django.http import HttpResponse
from django.urls import path

from pages.urls import leave


async def asynchronous(request):
    return HttpResponse("the other one")

urlpatterns = [path("other/", asynchronous), path("leave/", leave, name="leave-nothing")]
"""

MIDDLEWARE = """
def other_urlconf(get_response):
    def middleware(request):
        if "X-Other" in request.headers:
            request.urlconf = "pages.other"
        return get_response(request)
    return middleware
"""

SETTINGS = """
MIDDLEWARE = ["pages.middleware.other_urlconf", *MIDDLEWARE]
TIME_ZONE = "Europe/Rome"
"""

ASGI = """\
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_asgi_application()


async def application(scope, receive, send):
    await django(scope, receive, send)
"""

WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_wsgi_application()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise-behind/":
        from django.db import connection, transaction

        connection.ensure_connection()
        transaction.atomic().__enter__()
        raise RuntimeError("the wrapper failed")
    return django(environ, start_response)
"""

KINDS = {
    "both": ("pages.wsgi:application",),
    "asgi": ("pages.asgi:application",),
    "wsgi": ("pages.wrapped:application",),
}


def write(folder: Path) -> Path:
    project = write_site(folder, urls=URLS, settings=SETTINGS)
    package = project / "pages"
    (package / "asgi.py").write_text(ASGI)
    (package / "wrapped.py").write_text(WSGI)
    (package / "other.py").write_text(OTHER)
    (package / "middleware.py").write_text(MIDDLEWARE)
    return project


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        write(tmp_path_factory.mktemp("site")), "--workers", "1", app=KINDS[request.param][0]
    ) as started:
        started.wait_for("ready")
        yield started


CLEAN = {
    "mark": "none", "language": "en-us", "zone": "Europe/Rome", "prefix": "/", "reversed": "/leave-nothing/",
    "atomic": False, "autocommit": True, "extra": None,
}  # fmt: skip


def clean(talk: Talk, page: str = "/leave-nothing/") -> str:
    """Ask what a request finds, which must be nothing; return the thread."""
    found = json.loads(talk.get(page).text)
    assert found.pop("urlconf") in (None, "pages.urls")
    thread: str = found.pop("thread")
    assert found == CLEAN
    return thread


@pytest.mark.parametrize("page", ["/leave-nothing/", "/leave-nothing-async/"])
def test_what_a_view_sets_for_its_thread_is_gone_with_it(talk: Talk, page: str) -> None:
    threads = [clean(talk, page) for _ in range(10)]
    assert len(set(threads)) < len(threads)  # threads were used again, or this has shown nothing


def test_the_requests_own_urlconf_holds_for_it_alone(talk: Talk) -> None:
    for _ in range(3):
        assert talk.get("/other/").text == "the usual"
        # It was taken for a sync view, and is an async one.
        assert talk.get("/other/", "X-Other: 1\r\n").text == "the other one"
        found = json.loads(talk.get("/leave/", "X-Other: 1\r\n").text)
        assert (found["urlconf"], found["reversed"]) == ("pages.other", "/leave/")
        clean(talk)


@pytest.mark.parametrize(
    "page", ["/atomic/", "/error/", "/manual/", "/atomic-async/", "/atomic-raise/", "/atomic-stream/"]
)
def test_a_transaction_that_a_view_leaves_open_is_closed_and_said(
    server: Server, talk: Talk, page: str
) -> None:
    before = len(server.found("database"))
    answer = talk.get(page)
    assert answer.status == (500 if "raise" in page else 200)
    said = server.wait_for("database", count=before + 1)
    assert "left the connection 'default' inside a transaction" in said["text"]
    for _ in range(3):
        clean(talk)
        clean(talk, "/leave-nothing-async/")
    assert len(server.found("database")) == before + 1


@pytest.mark.parametrize("page", ["/asks/", "/asks-async/"])
def test_a_test_client_inside_a_transaction_leaves_it_open(server: Server, talk: Talk, page: str) -> None:
    before = len(server.found("database"))
    assert talk.get(page).text == "True 200"
    clean(talk)
    assert len(server.found("database")) == before


def test_a_wrapper_that_fails_leaves_nothing_open(
    server: Server, talk: Talk, request: pytest.FixtureRequest
) -> None:
    if "wsgi" not in request.node.callspec.params.values():
        pytest.skip("only this WSGI wrapper fails")
    before = len(server.found("database"))
    with talking(server.address) as other:
        assert other.get("/raise-behind/").status == 500
    server.wait_for("database", count=before + 1)
    clean(talk)
