"""Database connections of sync views: as many as the server has for us, and kept from request to request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from tests.process.databases import Database, postgresql
from tests.process.harness import serving, write_project

URLS = """
import threading
from asgiref.sync import sync_to_async
from django.db import connection
def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05), pg_backend_pid()")
        return HttpResponse(str(cursor.fetchone()[1]))
async def slow_async(request):
    return await sync_to_async(slow)(request)
barrier = threading.Barrier(6)
def meet(request):
    barrier.wait(30)
    return HttpResponse("met")
urlpatterns += [path("slow/", slow), path("meet/", meet)]
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
            assert len(set(answers)) <= 10
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
            # No connection of so few is closed between requests: as many as there ever were are open at once.
            assert len(set(burst + mixed)) <= 10


def test_a_burst_before_anybody_knows_what_the_server_has_is_never_refused(tmp_path: Path) -> None:
    with postgresql(max_connections=20) as database:
        settings = f"DATABASES = {{'default': {dict(database.settings, USER=_role(database))!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS + ASYNC)
        with serving(project, "--workers", "4") as server, ThreadPoolExecutor(60) as clients:
            server.wait_for("worker-ready", count=4)
            assert {server.get("/") for _ in range(50)} == {"hello"}  # these have no use for a database
            answers = list(clients.map(server.get, ["/slow-async/", "/slow/"] * 200))
            assert all(answer.isdigit() for answer in answers)
            assert server.found("application") == []


def test_views_that_need_no_database_do_not_wait_for_what_its_server_would_say(tmp_path: Path) -> None:
    with postgresql(max_connections=20) as database:
        settings = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS)
        with serving(project, "--workers", "1") as server, ThreadPoolExecutor(6) as clients:
            server.wait_for("ready")
            assert list(clients.map(server.get, ["/meet/"] * 6)) == ["met"] * 6


def _role(database: Database) -> str:
    """Make a role that has no use of the connections reserved for superusers, and return its name."""
    given = database.settings
    place = f"host={given['HOST']} port={given['PORT']} dbname={given['NAME']} user={given['USER']}"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE ROLE visitor LOGIN")
    return "visitor"
