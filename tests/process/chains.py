"""Async middleware chains, side by side: Django's own handler and ours see the same hooks, answers and errors.

Run by test_async_chain.py in a process of its own, and by test_matrix.py under each Django: it configures Django.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="a secret", USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:chains?mode=memory&cache=shared",
                               "CONN_MAX_AGE": 60}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                        "django.contrib.messages"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}], LOGGING_CONFIG=None,
    )  # fmt: skip
    django.setup()

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.template import engines
from django.template.response import TemplateResponse
from django.test import override_settings
from django.urls import path
from django.utils.decorators import async_only_middleware, sync_only_middleware
from django.utils.deprecation import MiddlewareMixin

from nuages.runtime.handlers import watch_asgi
from nuages.runtime.loans import Lender, Loan
from nuages.runtime.proxies import Proxies
from nuages.runtime.segments import Segment, sharing

STARTPROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DEADLINE = 20.0
trace: list[str] = []
threads: list[int] = []


class _Told(MiddlewareMixin):
    """Says when each hook is called, and does there what the query asks for: `?Outer.request=raise`."""

    def _at(self, request: Any, hook: str) -> Any:
        place = f"{type(self).__name__}.{hook}"
        trace.append(place)
        threads.append(threading.get_ident())
        match request.GET.get(place):
            case "raise":
                raise ValueError(place)
            case "deny":
                raise PermissionDenied(place)
            case "answer":
                return HttpResponse(f"answered by {place}", status=202)
            case "nothing":
                return False
        return None

    def process_request(self, request: Any) -> Any:
        return self._at(request, "request")

    def process_view(self, request: Any, view: Any, arguments: Any, keywords: Any) -> Any:
        request.resolver_match.noted = True
        return self._at(request, "view")

    def process_exception(self, request: Any, error: Exception) -> Any:
        return self._at(request, "exception")

    def process_template_response(self, request: Any, response: Any) -> Any:
        self._at(request, "template")
        return response

    def process_response(self, request: Any, response: Any) -> Any:
        answer = self._at(request, "response") or response
        answer[f"X-{type(self).__name__}"] = str(len(trace))
        return answer


class Outer(_Told):
    pass


class Middle(_Told):
    pass


class Inner(_Told):
    pass


class OnlyResponse(MiddlewareMixin):
    def process_response(self, request: Any, response: Any) -> Any:
        trace.append("OnlyResponse.response")
        return response


class OwnCall(Outer):
    async def __acall__(self, request: Any) -> Any:
        trace.append("OwnCall in")
        response = await super().__acall__(request)
        trace.append("OwnCall out")
        return response


class Framed(XFrameOptionsMiddleware):
    def get_xframe_options_value(self, request: Any, response: Any) -> str:
        trace.append("Framed")
        threads.append(threading.get_ident())
        return "FRAMED"


@async_only_middleware
def async_function(get_response: Any) -> Any:
    async def middleware(request: Any) -> Any:
        trace.append("async in")
        response = await get_response(request)
        trace.append("async out")
        return response

    return middleware


@sync_only_middleware
def sync_function(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        trace.append("sync in")
        response = get_response(request)
        trace.append("sync out")
        return response

    return middleware


def name(kind: Any) -> str:
    return f"{__name__}.{kind.__name__}"


async def plain(request: Any) -> Any:
    trace.append(f"view {getattr(request.resolver_match, 'noted', False)}")
    match request.GET.get("view"):
        case "raise":
            raise ValueError("view")
        case "missing":
            raise Http404("view")
        case "none":
            return None
        case "template":
            template = engines["django"].from_string("{{ word }}")
            return TemplateResponse(request, template, {"word": "templated"})
        case "stream":
            return StreamingHttpResponse([b"a", b"b"])
    return HttpResponse("plain")


def sync_view(request: Any) -> Any:
    trace.append("sync view")
    return HttpResponse("sync")


async def session(request: Any) -> Any:
    request.session["seen"] = True
    messages.info(request, "hello")
    return HttpResponse("session")


async def query(request: Any) -> Any:
    def ask() -> int:
        threads.append(threading.get_ident())
        with connection.cursor() as cursor:
            cursor.execute("SELECT 7")
            return int(cursor.fetchone()[0])

    return HttpResponse(str(await sync_to_async(ask)()))


urlpatterns = [path("", plain), path("sync/", sync_view), path("session/", session), path("query/", query)]


def made(middleware: list[str], *, ours: bool) -> Any:
    with override_settings(MIDDLEWARE=middleware):
        if not ours:
            return ASGIHandler()
        with sharing():
            handler = ASGIHandler()
        return watch_asgi(handler)


async def _ask(app: Any, target: str, method: str, cookie: str) -> list[Any]:
    place, _, text = target.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": place,
        "query_string": text.encode(), "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
        "server": ("testserver", 80), "client": ("127.0.0.1", 1), "scheme": "http",
    }  # fmt: skip
    first = iter([{"type": "http.request", "body": b"", "more_body": False}])
    sent: list[Any] = []

    async def receive() -> Any:
        for message in first:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), DEADLINE)
    return sent


def ask(handler: Any, target: str = "/", *, method: str = "GET", cookie: str = "", ours: bool) -> Any:
    """Return status, fields, body and what the hooks said."""
    trace.clear()
    lender = Lender(Proxies(()))
    app = lender.lending(handler) if ours else handler
    try:
        sent = asyncio.run(_ask(app, target, method, cookie))
    except Exception as error:  # noqa: BLE001 - compared with what the other handler raises
        return type(error), str(error), list(trace)
    finally:
        lender.reserve.close()
    body = b"".join(message.get("body", b"") for message in sent[1:])
    if sent[0]["status"] >= 500:
        body = b""
    return sent[0]["status"], sorted(sent[0]["headers"]), body, list(trace)


CHAINS = {
    "three classes": [name(Outer), name(Middle), name(Inner)],
    "a hook that is missing": [name(Outer), name(OnlyResponse), name(Inner)],
    "an async function between": [name(Outer), name(async_function), name(Middle), name(Inner)],
    "a sync function between": [name(Outer), name(Middle), name(sync_function), name(Inner)],
    "a function outside": [name(async_function), name(Outer), name(Middle)],
    "functions inside": [name(Outer), name(Middle), name(async_function), name(sync_function)],
    "a class with a call of its own": [name(OwnCall), name(Middle), name(Inner)],
    "with Django's": [*STARTPROJECT[:4], name(Outer), *STARTPROJECT[4:], name(Inner)],
    "none": [],
}
PLACES = [
    f"{kind}.{hook}" for kind in ("Outer", "Middle", "Inner") for hook in ("request", "view", "response")
]
QUERIES = (
    "", *(f"{place}={what}" for place in PLACES for what in ("raise", "answer", "deny")), "Outer.request=nothing",
    "view=raise", "view=missing", "view=none", "view=template", "view=stream",
    "view=raise&Inner.exception=answer", "view=raise&Middle.exception=answer", "view=raise&Outer.exception=raise",
    "view=template&Middle.template=raise", "Inner.request=answer&Middle.response=raise",
    "view=raise&Inner.response=raise&Outer.response=answer",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chain", CHAINS)
def test_hooks_run_in_djangos_order_and_answer_as_there(chain: str) -> None:
    stock, ours = made(CHAINS[chain], ours=False), made(CHAINS[chain], ours=True)
    differ = {}
    for place, text in itertools.product(("/", "/sync/", "/missing/"), QUERIES):
        expected = ask(stock, f"{place}?{text}", ours=False)
        seen = ask(ours, f"{place}?{text}", ours=True)
        if expected != seen:
            differ[f"{place}?{text}"] = (expected, seen)
    assert not differ, "\n".join(f"{target}\n  {one}\n  {other}" for target, (one, other) in differ.items())


class Hops:
    """How often sync code was called in a thread."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def counting() -> Iterator[Hops]:
    """Count the hops of the block, as asgiref makes them."""
    call, hops = SyncToAsync.__call__, Hops()

    async def counted(instance: Any, *arguments: Any, **keywords: Any) -> Any:
        hops.count += 1
        return await call(instance, *arguments, **keywords)

    SyncToAsync.__call__ = counted  # type: ignore[method-assign, assignment]
    try:
        yield hops
    finally:
        SyncToAsync.__call__ = call  # type: ignore[method-assign]


def hops(middleware: list[str], target: str = "/", **keywords: Any) -> int:
    handler = made(middleware, ours=True)
    with counting() as counted:
        assert ask(handler, target, ours=True, **keywords)[0] in (200, 302, 403)
    return counted.count


def test_startprojects_middleware_needs_no_thread() -> None:
    assert hops(STARTPROJECT) == 0


def test_any_middleware_classes_need_three_hops_at_most() -> None:
    assert hops([name(Outer), name(Middle), name(Inner)]) <= 3
    assert hops([*STARTPROJECT, name(Outer)]) <= 3
    assert hops([name(Outer), *STARTPROJECT]) <= 3


def test_djangos_own_handler_needs_fifteen() -> None:
    handler = made(STARTPROJECT, ours=False)
    with counting() as counted:
        ask(handler, ours=False)
    assert counted.count >= 13


def test_a_receiver_of_the_projects_shares_the_first_hop_and_is_called_first() -> None:
    called: list[tuple[str, int]] = []

    def started(**_: Any) -> None:
        called.append(("started", len(trace)))

    def finished(**_: Any) -> None:
        called.append(("finished", len(trace)))

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        assert hops([name(Outer), *STARTPROJECT]) <= 3
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    assert called == [("started", 0), ("finished", len(trace))]


def test_a_subclass_of_djangos_is_called_in_a_thread() -> None:
    threads.clear()
    assert hops([*STARTPROJECT[:6], name(Framed)]) >= 1
    assert threads
    assert threading.get_ident() not in threads


def test_a_patched_class_of_djangos_is_called_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = made(STARTPROJECT, ours=True)
    seen = []

    def process_response(self: Any, request: Any, response: Any) -> Any:
        seen.append(threading.get_ident())
        return response

    monkeypatch.setattr(XFrameOptionsMiddleware, "process_response", process_response)
    ask(handler, ours=True)
    assert seen
    assert seen != [threading.get_ident()]


@pytest.mark.parametrize("engine", ["db", "cache", "signed_cookies"])
def test_sessions_are_saved_and_messages_kept_as_by_django(engine: str) -> None:
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
        if engine == "db":
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
        for ours in (False, True):
            status, fields, _, _ = ask(made(STARTPROJECT, ours=ours), "/session/", ours=ours)
            assert status == 200
            cookies = [value for field, value in fields if field == b"Set-Cookie"]
            assert {cookie.partition(b"=")[0] for cookie in cookies} == {b"messages", b"sessionid"}


def test_a_form_without_a_token_is_refused() -> None:
    for ours in (False, True):
        assert ask(made(STARTPROJECT, ours=ours), method="POST", ours=ours)[0] == 403


def test_requests_share_a_thread_and_its_connection() -> None:
    handler = made(STARTPROJECT, ours=True)
    lender = Lender(Proxies(()))
    app = lender.lending(handler)
    threads.clear()

    async def several() -> None:
        for _ in range(5):
            sent = await _ask(app, "/query/", "GET", "")
            assert sent[1]["body"] == b"7"
        assert len(lender.reserve.threads) == 1
        await asyncio.gather(*(_ask(app, "/query/", "GET", "") for _ in range(4)))

    asyncio.run(several())
    assert len(set(threads[:5])) == 1
    assert 1 <= len(lender.reserve.threads) <= 4
    lender.reserve.close()


def test_a_query_needs_one_hop_beside_none() -> None:
    handler = made(STARTPROJECT, ours=True)
    lender = Lender(Proxies(()))
    app = lender.lending(handler)

    async def twice() -> int:
        await _ask(app, "/query/", "GET", "")
        with counting() as counted:
            await _ask(app, "/query/", "GET", "")
        return counted.count

    assert asyncio.run(twice()) == 1
    lender.reserve.close()


def test_requests_beyond_the_reserve_wait_for_a_thread() -> None:
    lender = Lender(Proxies(()))
    lender.reserve.room = lambda: 2
    inside, most = 0, 0
    lock = threading.Lock()
    gate = threading.Event()

    def work() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        gate.wait(DEADLINE)
        with lock:
            inside -= 1

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await sync_to_async(work)()
        await sync_to_async(work)()

    async def many() -> None:
        lending = lender.lending(app)
        tasks = [asyncio.ensure_future(lending({"type": "http"}, None, None)) for _ in range(6)]
        while inside < 2:  # noqa: ASYNC110 - it is threads that get there
            await asyncio.sleep(0)
        gate.set()
        await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE)

    asyncio.run(many())
    assert most == 2
    assert len(lender.reserve.threads) == 2
    lender.reserve.close()


def test_a_task_that_outlives_its_request_may_go_on_and_gives_its_thread_back() -> None:
    lender = Lender(Proxies(()))
    background: list[asyncio.Task[Any]] = []

    async def late(over: asyncio.Event) -> int:
        await over.wait()
        return await sync_to_async(threading.get_ident)()

    async def run() -> None:
        over = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await sync_to_async(threading.get_ident)()
            background.append(asyncio.ensure_future(late(over)))

        await lender.lending(app)({"type": "http"}, None, None)
        assert len(lender.reserve._idle) == 1
        over.set()
        assert await asyncio.wait_for(background.pop(), DEADLINE)

    asyncio.run(run())
    import gc

    gc.collect()
    assert len(lender.reserve._idle) == len(lender.reserve.threads) == 1
    lender.reserve.close()


@pytest.mark.filterwarnings("ignore")
def test_a_stream_gives_its_thread_back_when_it_begins() -> None:
    handler = made([name(Outer)], ours=True)
    lender = Lender(Proxies(()))
    idle: list[int] = []

    async def run() -> None:
        first = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            for message in first:
                return message
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                idle.append(len(lender.reserve._idle))

        scope = {
            "type": "http", "http_version": "1.1", "method": "GET", "path": "/", "query_string": b"view=stream",
            "headers": [(b"host", b"testserver")], "scheme": "http",
        }  # fmt: skip
        await lender.lending(handler)(scope, receive, send)

    asyncio.run(run())
    if django.VERSION >= (5, 0):
        assert idle == [1]
    lender.reserve.close()


def test_asgiref_finds_a_loan_as_the_thread_of_its_request() -> None:
    """The contract: a context variable names the context, and a mapping its executor, before and since asgiref 3.13."""
    lender = Lender(Proxies(()))
    found: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        context = SyncToAsync.thread_sensitive_context.get()
        assert isinstance(SyncToAsync.context_to_thread_executor[context], Loan)
        found.append(await sync_to_async(lambda: threading.current_thread().name)())

    asyncio.run(lender.lending(app)({"type": "http"}, None, None))
    assert found == ["nuages-async-1"]
    lender.reserve.close()


def test_the_chain_is_one_segment_where_all_are_classes() -> None:
    handler = made(STARTPROJECT, ours=True)
    assert isinstance(handler._middleware_chain, Segment)
    assert len(handler._middleware_chain.members) == 7
    assert handler._middleware_chain.views is not None
