"""What views raise is in the log of a real server, once: by the project's own logging, or else by ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.harness import serving, write_project

VIEWS = """
from django.http import HttpResponseServerError


def breaks(request):
    raise LookupError("no such shelf")


async def breaks_later(request):
    raise LookupError("no such shelf")


def says(request):
    return HttpResponse(request.get_host())


urlpatterns += [
    path("breaks/", breaks), path("breaks-later/", breaks_later), path("says/", says),
    path("fails/", lambda request: HttpResponseServerError("out of order")),
]
"""
ASGI = """
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
application = get_asgi_application()
"""
CONSOLE = """
LOGGING = {
    "version": 1, "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
"""
NONE_OF_DJANGO = """
LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"pages": {"handlers": ["console"]}},
}
"""


@pytest.mark.parametrize("settings", ["", NONE_OF_DJANGO], ids=["default", "disabled"])
def test_what_views_raise_is_logged_where_the_projects_logging_writes_it_nowhere(
    tmp_path: Path, settings: str
) -> None:
    project = write_project(tmp_path / "project", settings=settings, urls=VIEWS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    with serving(project, "--workers", "1", "--app", "pages.asgi:application") as server:
        server.wait_for("ready")
        for number, path in enumerate(["/breaks/", "/breaks-later/"], 1):
            answer = server.begin(path).answer()
            assert answer.status == 500
            event = server.wait_for("application", count=number)
            first, *trace = event["text"].splitlines()
            assert (event["level"], first) == ("error", f"Internal Server Error: {path}")
            assert trace[0] == "Traceback (most recent call last):"
            assert trace[-1] == "LookupError: no such shelf"
            assert event["request_id"] == answer.getheader("X-Request-ID")
        assert len([one for one in server.found("settings") if "errors of views" in one["text"]]) == 1
        assert server.begin("/nowhere/").answer().status == 404
        assert server.stop() == 0
    assert len(server.found("application")) == 2
    assert server.said.count("LookupError: no such shelf") == 2


def test_what_no_view_has_raised_is_logged_without_a_traceback(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", settings="ALLOWED_HOSTS = ['shop.example']", urls=VIEWS)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        assert server.begin("/fails/").answer().status == 500
        assert server.wait_for("application")["text"] == "Internal Server Error: /fails/"
        assert server.begin("/says/").answer().status == 400
        event = server.wait_for("application", count=2)
        assert event["level"] == "warning"
        assert "ALLOWED_HOSTS" in event["text"]
        assert "Traceback" not in event["text"]


def test_a_project_that_logs_to_the_console_is_left_alone(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", settings=CONSOLE, urls=VIEWS)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        server.begin("/breaks/").answer()
        server.wait_for_line("LookupError: no such shelf")
        assert server.stop() == 0
    assert server.found("application") == []
    assert server.said.count("no such shelf\n") == 1
    assert not [one for one in server.found("settings") if "errors of views" in one["text"]]


def test_nothing_is_brought_in_where_settings_are_not_filled(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", urls=VIEWS)
    with serving(project, "--workers", "1", "--fill-settings", "off") as server:
        server.wait_for("ready")
        assert server.begin("/breaks/").answer().status == 500
        assert server.stop() == 0
    assert server.found("application") == []
