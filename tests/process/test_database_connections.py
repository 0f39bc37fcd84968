"""Database connections of sync views: as many as the server has for us, and kept from request to request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.process.databases import postgresql
from tests.process.harness import serving, write_project

URLS = """
from asgiref.sync import sync_to_async
from django.db import connection
def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05), pg_backend_pid()")
        return HttpResponse(str(cursor.fetchone()[1]))
async def slow_async(request):
    return await sync_to_async(slow)(request)
urlpatterns += [path("slow/", slow)]
"""
ASYNC = """
urlpatterns += [path("slow-async/", slow_async)]
"""


def test_more_requests_than_connections_wait_for_each_other_and_never_fail(tmp_path: Path) -> None:
    with postgresql(max_connections=20) as database:
        settings = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS)
        with serving(project, "--workers", "2") as server, ThreadPoolExecutor(60) as clients:
            server.wait_for("ready")
            answers = list(clients.map(lambda _: server.get("/slow/"), range(600)))
            assert all(answer.isdigit() for answer in answers)
            # 20 less 3 for superusers, in three parts: one is for a worker that is being started.
            said = server.wait_for("allowance")["text"]
            assert "grants 17 connections: at most 5 threads of 64 in each of 2 workers" in said
            assert len(set(answers)) <= 17
            assert server.found("application") == []


def test_async_requests_and_sync_ones_share_what_the_server_has(tmp_path: Path) -> None:
    with postgresql(max_connections=20) as database:
        settings = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS + ASYNC)
        with serving(project, "--workers", "2") as server, ThreadPoolExecutor(60) as clients:
            server.wait_for("worker-ready", count=2)
            burst = list(clients.map(lambda _: server.get("/slow-async/"), range(200)))  # the first of all
            paths = ["/slow/", "/slow-async/"] * 200
            mixed = list(clients.map(server.get, paths))
            assert all(answer.isdigit() for answer in burst + mixed)
            assert server.found("application") == []
            assert len(set(mixed)) <= 17
