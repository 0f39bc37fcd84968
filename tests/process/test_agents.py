"""Monitoring agents, really installed: what they record of one request never holds anything of another.

Sentry's Django integration and OpenTelemetry's, patching and wrapping Django as their own documentation says, under
every kind of entry point. Two users are in their views at the same moment, on threads and a loop that are used again
and again; what the agents would send is read from a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import pytest
from tests.process.harness import Server, serving, wait_until
from tests.process.sites import Answer, talking, write_site
from tests.process.test_matrix import RUNTIME, environment

ROOT = Path(__file__).resolve().parents[2]
AGENTS = (
    "sentry-sdk[django]>=2,<3", "opentelemetry-sdk>=1,<2", "opentelemetry-instrumentation-django",
    "opentelemetry-instrumentation-wsgi", "opentelemetry-instrumentation-asgi",
)  # fmt: skip
ROUNDS = 5

URLS = '''
import os

TAG = contextvars.ContextVar("tag", default=None)
rooms, async_rooms = {}, {}
guard = threading.Lock()


def meet(room):
    """Wait in a thread until the other one is here too."""
    with guard:
        barrier = rooms.setdefault(room, threading.Barrier(2))
    barrier.wait(20)


async def meet_async(room):
    """Wait on the loop until the other one is here too."""
    count, event = async_rooms.setdefault(room, ([], asyncio.Event()))
    count.append(1)
    if len(count) == 2:
        event.set()
    await asyncio.wait_for(event.wait(), 20)


if os.environ["AGENT"] == "sentry":
    import sentry_sdk

    def enter(user):
        found = seen()
        sentry_sdk.set_user({"id": user})
        sentry_sdk.set_tag("user", user)
        return found

    def seen():
        scope = sentry_sdk.get_isolation_scope()
        return [TAG.get(), (scope._user or {}).get("id"), scope._tags.get("user")]

    def tell(user):
        sentry_sdk.capture_message(f"here is {user}")

else:
    from opentelemetry import baggage, context, trace

    def enter(user):
        found = seen()
        trace.get_current_span().set_attribute("user", user)
        context.attach(baggage.set_baggage("user", user))
        return found

    def seen():
        span = trace.get_current_span()
        return [TAG.get(), baggage.get_baggage("user"), (getattr(span, "attributes", None) or {}).get("user")]

    def tell(user):
        with trace.get_tracer("pages").start_as_current_span(f"here is {user}"):
            pass


def answer(user, before):
    return JsonResponse({"before": before, "after": seen(), "thread": threading.current_thread().name})


def sync_page(request, user, room):
    before = enter(user)
    TAG.set(user)
    meet(room)
    tell(user)
    return answer(user, before)


async def async_page(request, user, room):
    before = enter(user)
    TAG.set(user)
    await meet_async(room)
    tell(user)
    return answer(user, before)


def sync_stream(request, user, room):
    before = enter(user)
    TAG.set(user)
    def pieces():
        yield json.dumps({"before": before})
        meet(room)
        tell(user)
        yield "\\n" + json.dumps({"after": TAG.get()})
    return StreamingHttpResponse(pieces())


async def async_stream(request, user, room):
    before = enter(user)
    TAG.set(user)
    async def pieces():
        yield json.dumps({"before": before})
        await meet_async(room)
        tell(user)
        yield "\\n" + json.dumps({"after": TAG.get()})
    return StreamingHttpResponse(pieces())


def sync_async_stream(request, user, room):
    before = enter(user)
    TAG.set(user)
    async def pieces():
        yield json.dumps({"before": before})
        await meet_async(room)
        tell(user)
        yield "\\n" + json.dumps({"after": TAG.get()})
    return StreamingHttpResponse(pieces())


class Broken(Exception):
    pass


def sync_broken(request, user, room):
    enter(user)
    meet(room)
    raise Broken(user)


async def async_broken(request, user, room):
    enter(user)
    await meet_async(room)
    raise Broken(user)


def bare(request):
    return answer(None, seen())


async def async_bare(request):
    return answer(None, seen())


import json
urlpatterns += [
    path("sync-page/<str:user>/<str:room>/", sync_page), path("async-page/<str:user>/<str:room>/", async_page),
    path("sync-stream/<str:user>/<str:room>/", sync_stream),
    path("async-stream/<str:user>/<str:room>/", async_stream),
    path("sync-async-stream/<str:user>/<str:room>/", sync_async_stream),
    path("sync-broken/<str:user>/<str:room>/", sync_broken),
    path("async-broken/<str:user>/<str:room>/", async_broken), path("bare/", bare), path("async-bare/", async_bare),
]
'''

SENTRY = """
import json as _json
import os as _os
import sentry_sdk
from sentry_sdk.transport import Transport


class ToFile(Transport):
    def capture_envelope(self, envelope):
        lines = [
            {"kind": item.type, **item.payload.json} for item in envelope.items if item.payload.json is not None
        ]
        with open(_os.environ["AGENT_FILE"], "ab", buffering=0) as file:
            for line in lines:
                file.write(_json.dumps(line, default=str).encode() + b"\\n")


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1", transport=ToFile, traces_sample_rate=1.0, auto_session_tracking=False,
)
"""

OPENTELEMETRY = """
import json as _json
import os as _os

from opentelemetry import trace as _trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class _ToFile(SpanExporter):
    def export(self, spans):
        with open(_os.environ["AGENT_FILE"], "ab", buffering=0) as file:
            for span in spans:
                file.write(_json.dumps({
                    "kind": span.kind.name, "name": span.name, "attributes": dict(span.attributes),
                    "id": span.context.span_id, "trace": span.context.trace_id,
                    "parent": span.parent and span.parent.span_id,
                    "errors": [event.attributes.get("exception.message") for event in span.events],
                }, default=str).encode() + b"\\n")
        return SpanExportResult.SUCCESS


if not isinstance(_trace.get_tracer_provider(), TracerProvider):
    _provider = TracerProvider()
    _provider.add_span_processor(SimpleSpanProcessor(_ToFile()))
    _trace.set_tracer_provider(_provider)

    from opentelemetry.instrumentation.django import DjangoInstrumentor

    DjangoInstrumentor().instrument()
"""

ENTRY = """\
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
{agent}
from django.core.{kind} import get_{kind}_application

application = get_{kind}_application()
{wrap}
"""

WRAP = {
    "wsgi": "from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware\n"
    "application = OpenTelemetryMiddleware(application)\n",
    "asgi": "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\n"
    "application = OpenTelemetryMiddleware(application)\n",
}
WSGI_APP, ASGI_APP = "pages.wsgi:application", "pages.asgi:application"

# agent, entry points, whether they are wrapped
SETUPS = {
    "sentry-wsgi": ("sentry", (WSGI_APP,), False),
    "sentry-both": ("sentry", (WSGI_APP, ASGI_APP), False),
    "sentry-asgi": ("sentry", (ASGI_APP,), False),
    "sentry-inside-a-wrapper": ("sentry", (ASGI_APP,), True),
    "opentelemetry-both": ("opentelemetry", (WSGI_APP, ASGI_APP), False),
    "opentelemetry-wrapped-both": ("opentelemetry", (WSGI_APP, ASGI_APP), True),
    "opentelemetry-wrapped-asgi": ("opentelemetry", (ASGI_APP,), True),
}
NEUTRAL_WRAP = """\
django = application
async def application(scope, receive, send):
    await django(scope, receive, send)
"""


@dataclass
class Watched:
    """A server with an agent; `setup` names it, `file` is where the agent writes."""

    setup: str
    agent: str
    wrapped: bool
    server: Server
    file: Path

    def records(self) -> list[dict[str, Any]]:
        """All that the agent has sent so far."""
        if not self.file.exists():
            return []
        whole, _, _ = self.file.read_text().rpartition("\n")  # the last line may be half written
        return [json.loads(line) for line in whole.splitlines()]

    def both(self, page: str, number: int) -> list[Answer]:
        """Let two users ask for a page; neither is answered before both are in their views."""
        with contextlib.ExitStack() as stack:
            talks = {
                user: stack.enter_context(talking(self.server.address))
                for user in (f"ann{number}", f"bob{number}")
            }
            for user, talk in talks.items():
                talk.send(f"GET /{page}/{user}/{page}-{number}/ HTTP/1.1\r\nHost: testserver\r\n\r\n")
            return [talk.answer() for talk in talks.values()]


@pytest.fixture(scope="module", params=SETUPS)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    agent, apps, is_wrapped = SETUPS[request.param]
    python = environment(sys.executable, f"django=={django.__version__}", *RUNTIME, *AGENTS)
    folder = tmp_path_factory.mktemp("agents")
    project = write_site(folder / "site", urls=URLS, settings=SENTRY if agent == "sentry" else "")
    for kind in ("wsgi", "asgi"):
        wrap = WRAP[kind] if agent == "opentelemetry" else NEUTRAL_WRAP
        (project / "pages" / f"{kind}.py").write_text(ENTRY.format(
            kind=kind, agent=OPENTELEMETRY if agent == "opentelemetry" else "", wrap=wrap if is_wrapped else "",
        ))  # fmt: skip
    more = [word for app in apps[1:] for word in ("--app", app)]
    environ = {
        "AGENT": agent, "AGENT_FILE": str(folder / "sent"), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }  # fmt: skip
    with serving(
        project, "--workers", "1", *more, app=apps[0], environ=environ, python=str(python)
    ) as server:
        server.wait_for("ready")
        yield Watched(request.param, agent, is_wrapped, server, folder / "sent")


PAGES = ("sync-page", "async-page", "sync-stream", "async-stream", "sync-async-stream")


def test_nothing_of_one_request_reaches_another(watched: Watched) -> None:
    nothing = [None, None, None]
    threads: Counter[str] = Counter()
    for page in PAGES:
        for number in range(ROUNDS):
            for user, answer in zip(
                (f"ann{number}", f"bob{number}"), watched.both(page, number), strict=True
            ):
                assert answer.status == 200
                if page.endswith("stream"):
                    first, second = (json.loads(line) for line in answer.text.splitlines())
                    assert (page, number, first["before"], second["after"]) == (page, number, nothing, user)
                else:
                    found = json.loads(answer.text)
                    assert (page, number, found["before"], found["after"]) == (
                        page,
                        number,
                        nothing,
                        [user] * 3,
                    )
                    threads[found["thread"]] += 1
            with talking(watched.server.address) as talk:
                assert json.loads(talk.get("/bare/").text)["before"] == nothing
                assert json.loads(talk.get("/async-bare/").text)["before"] == nothing
    assert max(threads.values()) > 1  # threads were used again, or this has shown nothing


def test_each_request_is_recorded_once_with_its_own_user(watched: Watched) -> None:
    room = 100
    for page in PAGES:
        watched.both(page, room)
    users = {f"ann{room}", f"bob{room}"}
    if watched.agent == "sentry":
        _sentry_records_are_whole(watched, room, users)
    else:
        _spans_are_whole(watched, room, users)


def _sentry_records_are_whole(watched: Watched, room: int, users: set[str]) -> None:
    def of(page: str, kind: str) -> list[dict[str, Any]]:
        return [
            each for each in watched.records()
            if each["kind"] == kind and f"/{page}-{room}/" in each.get("request", {}).get("url", "")
        ]  # fmt: skip

    for page in PAGES:
        wait_until(
            lambda page=page: len(of(page, "transaction")) >= 2, f"{watched.setup}: transactions of {page}"
        )
        wait_until(lambda page=page: len(of(page, "event")) >= 2, f"{watched.setup}: messages of {page}")
        transactions, messages = of(page, "transaction"), of(page, "event")
        assert len(transactions) == len(messages) == 2, page
        for each in (*transactions, *messages):
            user = each["request"]["url"].split("/")[4]
            assert each["user"]["id"] == each["tags"]["user"] == user, page
        assert {each["message"] for each in messages} == {f"here is {user}" for user in users}
        assert {each["transaction"] for each in transactions} == {f"/{page}/{{user}}/{{room}}/"}
        assert len({each["contexts"]["trace"]["trace_id"] for each in transactions}) == 2
        for message in messages:
            mine = [t for t in transactions if t["user"]["id"] == message["user"]["id"]]
            assert message["contexts"]["trace"]["trace_id"] == mine[0]["contexts"]["trace"]["trace_id"]


def _spans_are_whole(watched: Watched, room: int, users: set[str]) -> None:
    def servers(page: str) -> list[dict[str, Any]]:
        return [
            each for each in watched.records()
            if each["kind"] == "SERVER" and f"/{page}-{room}/" in str(each["attributes"])
        ]  # fmt: skip

    for page in PAGES:
        wait_until(lambda page=page: len(servers(page)) >= 2, f"{watched.setup}: spans of {page}")
        spans = servers(page)
        assert len(spans) == 2, page
        assert all(span["parent"] is None for span in spans)
        assert len({span["trace"] for span in spans}) == 2
        for span in spans:
            user = (
                str(span["attributes"].get("http.target") or span["attributes"].get("http.url"))
                .split(f"/{page}/")[1]
                .split("/")[0]
            )
            assert user in users
            mine = [each for each in watched.records() if each["trace"] == span["trace"]]
            named = {each["name"] for each in mine if each["name"].startswith("here is")}
            assert named <= {f"here is {user}"}, page
            if page.endswith("page"):
                assert named == {f"here is {user}"}, page
            assert {each["attributes"]["user"] for each in mine if "user" in each["attributes"]} == {user}


def test_an_error_is_captured_once_with_its_own_user(watched: Watched) -> None:
    room = 200
    for page in ("sync-broken", "async-broken"):
        assert [answer.status for answer in watched.both(page, room)] == [500, 500]
    users = (f"ann{room}", f"bob{room}")
    if watched.agent == "sentry":
        for page in ("sync-broken", "async-broken"):

            def errors(page: str = page) -> list[dict[str, Any]]:
                return [
                    each for each in watched.records()
                    if "exception" in each and f"/{page}/" in each.get("request", {}).get("url", "")
                ]  # fmt: skip

            wait_until(lambda: len(errors()) >= 2, f"{watched.setup}: the errors of {page}")
            assert sorted(each["user"]["id"] for each in errors()) == sorted(users)
            assert sorted(each["exception"]["values"][-1]["value"] for each in errors()) == sorted(users)
            assert all(each["user"]["id"] == each["exception"]["values"][-1]["value"] for each in errors())
        others = [each for each in watched.records() if "exception" in each and "request" not in each]
        # A wrapper that hands lifespans on to Django gets Django's error, as under every server.
        assert [each["exception"]["values"][-1]["value"] for each in others if not watched.wrapped] == []
    else:

        def spans() -> list[dict[str, Any]]:
            return [each for each in watched.records() if set(each["errors"]) & set(users)]

        wait_until(lambda: len(spans()) >= 4, f"{watched.setup}: the spans of the errors")
        assert sorted(each["errors"][0] for each in spans()) == sorted(users * 2)
        assert all(len(each["errors"]) == 1 for each in spans())
        assert all(each["attributes"]["user"] == each["errors"][0] for each in spans())
