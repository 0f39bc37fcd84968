"""Agents that a sitecustomize on PYTHONPATH begins: they find the project's settings, and stay around its handlers.

ddtrace 4 replaces `get_asgi_application`, under every kind of entry point; OpenTelemetry's Django instrumentation reads
the settings before the server has begun, and once took its folder off PYTHONPATH then.
"""

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

READS_SETTINGS = """
import os
import pathlib

here = str(pathlib.Path(__file__).parent)
entries = os.environ["PYTHONPATH"].split(os.pathsep)
os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry != here)

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

try:
    settings.MIDDLEWARE
except (ImproperlyConfigured, ModuleNotFoundError):
    settings.configure()
settings.TRACED = True
"""
TRACED = """
from django.conf import settings
urlpatterns += [path("traced/", lambda request: HttpResponse(str(getattr(settings, "TRACED", False))))]
"""

# asgi.py, the entry points, who traces a sync and an async page, and whether the project's wrapper is asked too
KINDS = {
    "wsgi": (None, [WSGI_APP], ("wsgi", "asgi"), None),
    "asgi": (ASGI, [ASGI_APP], ("wsgi", "asgi"), None),
    "both": (ASGI, [WSGI_APP, ASGI_APP], ("wsgi", "asgi"), None),
    "wrapped-asgi": (WRAPPED_ASGI, [ASGI_APP], ("asgi", "asgi"), "asgi"),
    "wrapped-both": (WRAPPED_ASGI, [WSGI_APP, ASGI_APP], ("wsgi", "asgi"), "asgi"),
}


def _path(folder: Path, sitecustomize: str) -> str:
    """Return PYTHONPATH with an agent's folder in front."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(sitecustomize)
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_agent_puts_around_djangos_handler_stays(tmp_path: Path, kind: str) -> None:
    asgi, apps, traced, wrapped = KINDS[kind]
    project = write_site(tmp_path / "site")
    if asgi:
        (project / "pages" / "asgi.py").write_text(asgi)
    path = _path(tmp_path / "agent", AGENT)
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


def test_an_agent_that_begins_before_the_server_finds_the_settings(tmp_path: Path) -> None:
    project = write_site(tmp_path / "site", urls=TRACED)
    with serving(project, environ={"PYTHONPATH": _path(tmp_path / "agent", READS_SETTINGS)}) as server:
        server.wait_for("ready")
        assert server.get("/traced/") == "True"
        assert server.get("/") == "hello"
        assert server.stop() == 0


PATCHES = """
from django.core.handlers import base
LOADED = []
_load = base.BaseHandler.load_middleware
def load_middleware(self, *arguments, **keywords):
    LOADED.append(type(self).__name__)
    return _load(self, *arguments, **keywords)
base.BaseHandler.load_middleware = load_middleware
"""
LOADED = """
from django.conf import settings
urlpatterns += [path("loaded/", lambda request: HttpResponse(" ".join(sorted(settings.LOADED))))]
"""


@pytest.mark.parametrize("app", [WSGI_APP, ASGI_APP])
def test_an_agent_that_the_settings_begin_sees_middleware_loaded(tmp_path: Path, app: str) -> None:
    """sentry-sdk patches BaseHandler.load_middleware: the settings are loaded by the factory that makes the handler."""
    project = write_site(tmp_path / "site", settings=PATCHES, urls=LOADED)
    (project / "pages" / "asgi.py").write_text(ASGI)
    with serving(project, app=app) as server:
        server.wait_for("ready")
        assert server.get("/loaded/") == "ASGIHandler WSGIHandler"
        assert server.stop() == 0
