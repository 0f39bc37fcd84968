"""Monitoring agents in the served project: each request's data stays its own. Run by test_matrix.py, where they are."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.process.harness import WSGI, serving
from tests.process.sites import talking, write_site
from tests.process.test_requests_entries import KINDS

SENTRY = """
import json, pathlib
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration

OUT = pathlib.Path(__file__).with_name("told.jsonl")


def tell(event, hint):
    crumbs = [crumb.get("message") for crumb in (event.get("breadcrumbs") or {}).get("values", [])]
    told = {"user": event.get("user"), "tags": event.get("tags"), "name": event.get("transaction"),
            "url": (event.get("request") or {}).get("url"), "crumbs": [crumb for crumb in crumbs if crumb]}
    with OUT.open("a") as file:
        file.write(json.dumps(told) + "\\n")


sentry_sdk.init(dsn="http://public@127.0.0.1:9/1", before_send=tell, before_send_transaction=tell,
                traces_sample_rate=1.0, integrations=[DjangoIntegration()], default_integrations=False)
"""

SENTRY_VIEWS = """
import sentry_sdk


def note(name):
    sentry_sdk.set_user({"id": name})
    sentry_sdk.set_tag("who", name)
    sentry_sdk.add_breadcrumb(message=name)


def who(request, name):
    note(name)
    time.sleep(0.05)
    raise ValueError(name)


async def awho(request, name):
    note(name)
    await asyncio.sleep(0.05)
    raise ValueError(name)


urlpatterns += [path("who/<str:name>/", who), path("awho/<str:name>/", awho)]
"""

TELEMETRY = """
import json, os, pathlib
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

OUT = pathlib.Path(__file__).with_name("told.jsonl")


class Teller(SpanExporter):
    def export(self, spans):
        with OUT.open("a") as file:
            for span in spans:
                told = {"name": span.name, "parent": span.parent and span.parent.span_id,
                        "id": span.context.span_id, "attributes": dict(span.attributes)}
                file.write(json.dumps(told, default=str) + "\\n")
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Teller()))
trace.set_tracer_provider(provider)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
DjangoInstrumentor().instrument()
"""

TELEMETRY_VIEWS = """
from opentelemetry import trace


def who(request, name):
    with trace.get_tracer("test").start_as_current_span(f"inner {name}"):
        time.sleep(0.05)
    return HttpResponse(name)


async def awho(request, name):
    with trace.get_tracer("test").start_as_current_span(f"inner {name}"):
        await asyncio.sleep(0.05)
    return HttpResponse(name)


urlpatterns += [path("who/<str:name>/", who), path("awho/<str:name>/", awho)]
"""

CLIENTS, EACH = 8, 5


def told(
    folder: Path, kind: str, *, settings: str = "", urls: str = "", prelude: str = ""
) -> list[dict[str, Any]]:
    """Ask sync and async views from several clients at once; return what the agent told."""
    wsgi, asgi, apps = KINDS[kind]
    project = write_site(folder, settings=settings, urls=urls, wsgi=prelude + (wsgi or WSGI))
    if asgi:
        (project / "pages" / "asgi.py").write_text(prelude + asgi)
    more = [word for app in apps[1:] for word in ("--app", app)]
    with serving(project, "--workers", "1", *more, app=apps[0]) as server:
        address = server.address
        server.wait_for("ready")

        def ask(number: int) -> None:
            with talking(address) as talk:
                for turn in range(EACH):
                    talk.get(f"/{'a' if number % 2 else ''}who/{number}-{turn}/")

        clients = [threading.Thread(target=ask, args=[number]) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert server.stop() == 0
    return [json.loads(line) for line in (project / "pages" / "told.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_sentry_keeps_the_users_apart(tmp_path: Path, kind: str) -> None:
    events = [event for event in told(tmp_path, kind, settings=SENTRY, urls=SENTRY_VIEWS) if event["user"]]
    assert len(events) == 2 * CLIENTS * EACH  # an error and a transaction each
    assert {event["name"] for event in events} == {"/who/{name}/", "/awho/{name}/"}
    for event in events:
        user = event["user"]["id"]
        assert f"who/{user}/" in event["url"]
        assert event["tags"]["who"] == user
        assert event["crumbs"] in ([user], [])  # only errors have them


@pytest.mark.parametrize("kind", KINDS)
def test_opentelemetry_gives_each_span_its_own_request(tmp_path: Path, kind: str) -> None:
    spans = told(tmp_path, kind, urls=TELEMETRY_VIEWS, prelude=TELEMETRY)
    requests = {span["id"]: span for span in spans if not span["name"].startswith("inner ")}
    inner = [span for span in spans if span["name"].startswith("inner ")]
    assert len(inner) == len(requests) == CLIENTS * EACH
    assert {span["name"] for span in requests.values()} == {"GET who/<str:name>/", "GET awho/<str:name>/"}
    for span in inner:
        assert f"who/{span['name'].removeprefix('inner ')}/" in json.dumps(
            requests[span["parent"]]["attributes"]
        )
