"""Database connections of sync views: as many as the server has for us, and kept from request to request."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.process.databases import Database, mariadb, postgresql
from tests.process.harness import Exchange, serving, wait_until, write_project

URLS = """
import threading, time
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.http import StreamingHttpResponse
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
def meet_connected(request):
    number = once()
    barrier.wait(30)
    return HttpResponse(str(number))
def others(cursor):
    if connection.vendor == "postgresql":
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'shop' AND pid <> pg_backend_pid()")
    else:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'shop' AND id <> connection_id()")
    return [row[0] for row in cursor.fetchall()]
def end_others(request):
    with connection.cursor() as cursor:
        end = "SELECT pg_terminate_backend(%s)" if connection.vendor == "postgresql" else "KILL %s"
        for number in others(cursor):
            cursor.execute(end, [number])
        return HttpResponse("done")
def once():
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ("pg_backend_pid()" if connection.vendor == "postgresql" else "connection_id()"))
        return cursor.fetchone()[0]
def events(request):
    once()
    def tell():
        while True:
            yield "data: on\\n\\n"
            time.sleep(0.1)
    return StreamingHttpResponse(tell(), content_type="text/event-stream")
def polls(request):
    once()
    def tell():
        while True:
            yield f"data: {once()}\\n\\n"
            time.sleep(0.1)
    return StreamingHttpResponse(tell(), content_type="text/event-stream")
def rows(request):
    cursor = connection.cursor()
    cursor.execute("SELECT n FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) AS numbers ORDER BY n")
    kind = request.GET.get("type", "text/csv")
    return StreamingHttpResponse((f"{row[0]}," for row in cursor), content_type=kind)
def locked(request):
    def tell():
        with transaction.atomic():
            first = once()
            yield "first,"
            yield str(once() == first)
    return StreamingHttpResponse(tell(), content_type="text/event-stream")
def again(request):
    first = once()
    def tell():
        yield f"{once() == first}"
    kind = request.GET.get("type", "text/csv")
    return StreamingHttpResponse(tell(), content_type=kind)
urlpatterns += [
    path("slow/", slow), path("meet/", meet), path("events/", events), path("polls/", polls), path("rows/", rows),
    path("locked/", locked), path("again/", again), path("meet-connected/", meet_connected),
    path("end-others/", end_others),
]
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
            texts = [seen["text"] for seen in server.found("allowance")]
            assert len(texts) == len(set(texts))  # of both workers
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


@pytest.mark.parametrize("path", ["/events/", "/polls/"])
def test_open_streams_leave_connections_to_pages_and_never_take_more_than_the_server_has(
    tmp_path: Path, path: str
) -> None:
    with postgresql(max_connections=20) as database, contextlib.ExitStack() as stack:
        settings = f"DATABASES = {{'default': {dict(database.settings, USER=_role(database))!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS)
        server = stack.enter_context(serving(project, "--workers", "2"))
        clients = stack.enter_context(ThreadPoolExecutor(60))
        server.wait_for("worker-ready", count=2)
        streams = [server.begin(path) for _ in range(30)]
        for stream in streams:
            _read_event(stream)
        answers = list(clients.map(server.get, ["/slow/", "/rows/"] * 200))
        assert all(answer.isdigit() or answer == "1,2,3," for answer in answers)
        for stream in streams:  # all of them are served on
            _read_event(stream)
        assert server.found("application") == []


@pytest.mark.parametrize("kind", [postgresql, mariadb])
def test_a_stream_keeps_the_connection_that_something_is_open_on(tmp_path: Path, kind: Any) -> None:
    with kind() as database:
        settings = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS)
        events = "?type=text/event-stream"
        with serving(project) as server:
            server.wait_for("ready")
            assert server.get("/rows/") == server.get("/rows/" + events) == "1,2,3,"
            assert server.get("/locked/") == "first,True"
            assert server.get("/again/") == "True"
            assert server.get("/again/" + events) == "False"
            assert server.found("application") == []


@pytest.mark.parametrize("kind", [postgresql, mariadb])
def test_connections_that_the_server_has_ended_meanwhile_fail_nobody(tmp_path: Path, kind: Any) -> None:
    with kind() as database:
        kept = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": False}  # as dj-database-url writes it
        settings = f"DATABASES = {{'default': {dict(database.settings) | kept!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=URLS)
        with serving(project) as server, ThreadPoolExecutor(6) as clients:
            server.wait_for("ready")
            before = set(clients.map(server.get, ["/meet-connected/"] * 6))
            assert len(before) == 6
            assert server.get("/end-others/") == "done"
            wait_until(lambda: _ended(database.port) == 5, "the connections have ended")
            after = set(clients.map(server.get, ["/meet-connected/"] * 6))
            assert len(after) == 6
            assert len(after & before) == 1  # of the thread that has ended the others'
            assert server.found("application") == []


def _ended(port: int) -> int:
    """Return how many connections to a port its server has ended, and nobody here: CLOSE_WAIT; proc_net_tcp(5)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "08" for row in rows)


def _read_event(stream: Exchange) -> None:
    data = b""
    while b"data: " not in data:
        piece = stream.socket.recv(1 << 16)
        assert piece, "the stream has ended"
        data += piece


def _role(database: Database) -> str:
    """Make a role that has no use of the connections reserved for superusers, and return its name."""
    given = database.settings
    place = f"host={given['HOST']} port={given['PORT']} dbname={given['NAME']} user={given['USER']}"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE ROLE visitor LOGIN")
    return "visitor"
