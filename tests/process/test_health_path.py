"""--health-path and --ready-database: what balancers see, on the main address and on the management socket."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.process.harness import Server, held, named_pipe, serving, wait_until, write_project
from tests.process.test_serve_metrics import address, values

from nuages.runtime.management import ask

STRICT = "ALLOWED_HOSTS = ['shop.example']\nMIDDLEWARE = ['django.middleware.common.CommonMiddleware']\n"
GATED = """
import sqlite3
from django.db.backends.sqlite3.base import DatabaseWrapper

DATABASES = {"default": {"ENGINE": "pages.gated", "NAME": ":memory:"}}
"""
# A real SQLite that answers while a file is there.
BACKEND = """
import os, sqlite3
from django.db.backends.sqlite3 import base

class DatabaseWrapper(base.DatabaseWrapper):
    def create_cursor(self, name=None):
        if not os.path.exists("{gate}"):
            raise sqlite3.OperationalError("the gate is closed\\nand stays so")
        return super().create_cursor(name)
"""


def status(server: Server, path: str, method: str = "GET") -> tuple[int, str]:
    exchange = server.connect()
    with exchange.socket as sock:
        sock.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        head, _, body = b"".join(iter(lambda: sock.recv(4096), b"")).decode().partition("\r\n\r\n")
        return int(head.split()[1]), body


def until(found: Callable[[], object]) -> None:
    wait_until(found, "the answer changes")


def test_it_answers_before_django_and_its_hosts_and_counts_for_nothing(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", settings=STRICT)
    options = ["--health-path", "/healthz", "--management", "127.0.0.1:0", "--recycle-requests", "3"]
    with serving(project, "--workers", "1", "--drain", "60s", *options) as server:
        server.wait_for("ready")
        for _ in range(10):
            assert status(server, "/healthz") == (200, "OK\n")
        assert status(server, "/healthz?full=1", "HEAD") == (200, "")
        assert status(server, "/healthz/")[0] == 400  # Django's answer to a Host that it does not know
        server.wait_for_request(path="/healthz/", status=400)
        kept = server.begin("/healthz")
        assert kept.answer().status == 200
        kept.send("/healthz")
        assert kept.answer().getheader("cache-control") == "no-store"
        assert (
            sum(value for name, value in values(server).items() if name.startswith("nuages_requests_total"))
            == 1
        )
        assert not server.found("worker-retires")
        assert [line["path"] for line in server.requests.objects()] == ["/healthz/"]
        server.signal(signal.SIGTERM)
        until(lambda: status(server, "/healthz") == (503, "Service Unavailable\n"))


def test_a_path_of_the_projects_own_is_not_touched_without_the_option(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        assert status(server, "/healthz")[0] == 404


def test_ready_follows_the_database_when_asked_to(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = write_project(tmp_path / "project", settings=GATED)
    package = project / "pages" / "gated"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text(BACKEND.format(gate=gate))
    options = ["--ready-database", "on", "--health-path", "/healthz", "--management", "127.0.0.1:0"]
    with serving(project, "--workers", "2", *options) as server:
        server.wait_for("worker-ready", count=2)
        why = b"the database does not answer: OperationalError: the gate is closed\n"
        until(lambda: ask(address(server), "/-/ready") == (503, why))
        until(lambda: status(server, "/healthz")[0] == 503)
        assert values(server)["nuages_database_up"] == 0
        assert values(server)["nuages_ready"] == 0
        assert ask(address(server), "/-/live")[0] == 200
        assert server.get("/") == "hello"
        gate.touch()
        until(lambda: ask(address(server), "/-/ready") == (200, b"ready\n"))
        until(lambda: status(server, "/healthz")[0] == 200)
        found = values(server)
        assert (found["nuages_database_up"], found["nuages_database_connections"]) == (1, 1)
        for pid in server.workers():
            assert pid  # both live: a database that is away replaces nobody
        assert not server.found("worker-died")


def test_a_database_that_never_answers_makes_it_unready_and_stops_no_request(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    hanging = f"""
import django.db.backends.sqlite3.base as base
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
def connect(self, params, wrapped=base.DatabaseWrapper.get_new_connection):
    open("{pipe}").read()
    return wrapped(self, params)
base.DatabaseWrapper.get_new_connection = connect
"""
    project = write_project(tmp_path / "project", settings=hanging)
    with serving(
        project, "--workers", "1", "--ready-database", "on", "--management", "127.0.0.1:0"
    ) as server:
        server.wait_for("ready")
        with held(pipe):
            assert ask(address(server), "/-/ready") == (503, b"no worker has asked the database yet\n")
            assert server.get("/") == "hello"
        until(lambda: ask(address(server), "/-/ready")[0] == 200)


MIGRATED = """
INSTALLED_APPS = [*INSTALLED_APPS, "pages.shelf"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "{path}"}}}}
"""
MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    operations = []
"""


def test_a_server_whose_migrations_are_missing_gets_ready_when_they_are_applied(tmp_path: Path) -> None:
    """And stays so when the database goes away later: that is what --ready-database is for."""
    database = tmp_path / "shop.sqlite3"
    project = write_project(tmp_path / "project", settings=MIGRATED.format(path=database))
    package = project / "pages" / "shelf" / "migrations"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py"):
        path.write_text("")
    (package / "0001_initial.py").write_text(MIGRATION)
    options = ["--ready-migrations", "on", "--management", "127.0.0.1:0"]
    with serving(project, "--workers", "2", *options) as server:
        server.wait_for("worker-ready", count=2)
        missing = b"not migrated yet: contenttypes.0001_initial and 2 more\n"
        until(lambda: ask(address(server), "/-/ready") == (503, missing))
        assert ask(address(server), "/-/startup")[0] == 200
        command = [sys.executable, "-m", "nuages", "migrate", str(project), "--settings", "pages.settings"]
        subprocess.run([*command, "--app", "pages.wsgi:application"], check=True, timeout=60)
        until(lambda: ask(address(server), "/-/ready") == (200, b"ready\n"))
        database.unlink()
        server.signal(signal.SIGHUP)
        server.wait_for("worker-ready", count=4)
        assert ask(address(server), "/-/ready") == (200, b"ready\n")
