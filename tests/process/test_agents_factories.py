"""Agents that replace Django's factories of applications, as ddtrace 4 does with `get_asgi_application`, by a
sitecustomize on PYTHONPATH: what they put around Django's handler stays there, under every kind of entry point."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.process.harness import serving
from tests.process.sites import talking, write_site
from tests.process.test_requests_entries import ASGI, ASGI_APP, WRAPPED_ASGI, WSGI_APP

AGENT = """
import functools
import django.core.asgi
import django.core.wsgi


class TraceASGI:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-traced", b"asgi")]
            await send(message)
        await self.app(scope, receive, marked)


class TraceWSGI:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        def marked(status, headers, *rest):
            return start_response(status, [*headers, ("x-traced", "wsgi")], *rest)
        return self.app(environ, marked)


def traced(function, wrapper):
    @functools.wraps(function)
    def make():
        return wrapper(function())
    return make


django.core.asgi.get_asgi_application = traced(django.core.asgi.get_asgi_application, TraceASGI)
django.core.wsgi.get_wsgi_application = traced(django.core.wsgi.get_wsgi_application, TraceWSGI)
"""

# asgi.py, the entry points, who traces a sync and an async page, and whether the project's wrapper is asked too
KINDS = {
    "wsgi": (None, [WSGI_APP], ("wsgi", "asgi"), None),
    "asgi": (ASGI, [ASGI_APP], ("wsgi", "asgi"), None),
    "both": (ASGI, [WSGI_APP, ASGI_APP], ("wsgi", "asgi"), None),
    "wrapped-asgi": (WRAPPED_ASGI, [ASGI_APP], ("asgi", "asgi"), "asgi"),
    "wrapped-both": (WRAPPED_ASGI, [WSGI_APP, ASGI_APP], ("wsgi", "asgi"), "asgi"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_agent_puts_around_djangos_handler_stays(tmp_path: Path, kind: str) -> None:
    asgi, apps, traced, wrapped = KINDS[kind]
    project = write_site(tmp_path / "site")
    if asgi:
        (project / "pages" / "asgi.py").write_text(asgi)
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "sitecustomize.py").write_text(AGENT)
    path = os.pathsep.join(filter(None, (str(tmp_path / "agent"), os.environ.get("PYTHONPATH", ""))))
    more = [word for app in apps[1:] for word in ("--app", app)]
    with serving(project, *more, app=apps[0], environ={"PYTHONPATH": path}) as server:
        server.wait_for("ready")
        with talking(server.address) as talk:
            sync, asynchronous = talk.get("/thread/"), talk.get("/async/")
        assert (sync.fields.get("x-traced"), asynchronous.fields.get("x-traced")) == traced
        assert sync.text.startswith("nuages-")
        assert asynchronous.text == "on the loop: True"
        assert asynchronous.fields.get("x-wrapped-by") == wrapped
        assert server.wait_for_request(path="/async/")["route"] == "async/"
        assert server.wait_for_request(path="/thread/")["route"] == "thread/"
        assert server.stop() == 0
