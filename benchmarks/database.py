"""The databases: an SQLite file, and a PostgreSQL that is made for the benchmark in a temporary folder."""

from __future__ import annotations

import contextlib
import importlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.running import free_port

PROGRAMS = Path("/usr/lib/postgresql")
READY_SECONDS = 20.0
PERSISTENT: dict[str, Any] = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": False}


def sqlite(path: Path) -> dict[str, Any]:
    """Return the Django settings of a database file, with persistent connections."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), **PERSISTENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """A server of our own on 127.0.0.1."""

    port: int
    user: str

    def settings(self, *, port: int | None = None, persistent: bool = True) -> dict[str, Any]:
        """Return the Django settings; `port` is another one that leads here, persistent False leaves the defaults."""
        place = {"HOST": "127.0.0.1", "PORT": port or self.port, "NAME": "postgres", "USER": self.user}
        return {"ENGINE": "django.db.backends.postgresql", **place, **(PERSISTENT if persistent else {})}

    def address(self, *, port: int | None = None) -> str:
        """Return what psycopg connects to."""
        return f"host=127.0.0.1 port={port or self.port} dbname=postgres user={self.user}"


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL programs here, or None."""
    folders = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return folders[-1].parent if folders else None


def _unprivileged() -> str | None:
    """Return the user to run as when this is root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def postgresql(folder: Path, *, core: int | None, max_connections: int = 300) -> Iterator[PostgreSQL]:
    """Run a new PostgreSQL while the block runs, on the core of the load: only the server's CPU is measured."""
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL programs here: apt-get install postgresql")
    user, port = _unprivileged(), free_port()
    data = folder / f"postgresql-{port}"
    data.mkdir(mode=0o700)
    if user:
        shutil.chown(data, user)
    options = ["-A", "trust", "-U", "bench", "--no-sync", "--locale=C", "--encoding=UTF8"]
    subprocess.run(
        [programs / "initdb", "-D", data, *options],
        check=True,
        user=user,
        stdout=subprocess.DEVNULL,
        cwd=data,
    )
    given = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": data, "fsync": "off",
        "max_connections": max_connections, "log_min_messages": "fatal", "autovacuum": "off",
    }  # fmt: skip
    pin = [] if core is None else ["taskset", "-c", str(core)]
    words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [*pin, programs / "postgres", "-D", data, *words], user=user, stdout=log, stderr=log, cwd=data
        )
    try:
        _until_ready(
            process, [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)], data / "log"
        )
        yield PostgreSQL(port=port, user="bench")
    finally:
        process.send_signal(signal.SIGINT)  # «fast shutdown»: it does not wait for clients to leave
        process.wait()


def _until_ready(process: subprocess.Popen[bytes], probe: list[str], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while subprocess.run(probe, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise ChildProcessError(f"PostgreSQL did not start: {log.read_text(errors='replace').strip()}")
        time.sleep(0.1)


@contextlib.contextmanager
def delayed(target: PostgreSQL, seconds: float, *, core: int | None) -> Iterator[int]:
    """Run the proxy of latency.py in front of a database while the block runs; yield its port."""
    port = free_port()
    pin = [] if core is None else ["taskset", "-c", str(core)]
    script = str(Path(__file__).with_name("latency.py"))
    process = subprocess.Popen(
        [*pin, sys.executable, script, str(port), str(target.port), str(seconds)], stdout=subprocess.PIPE
    )
    try:
        if process.stdout is None or not process.stdout.readline():
            raise ChildProcessError("the latency proxy did not start")
        yield port
    finally:
        process.terminate()
        process.wait()


def connect(address: str) -> Any:
    """Return a psycopg connection that commits by itself; psycopg is there where the benchmarks run, not where they
    are linted."""
    return importlib.import_module("psycopg").connect(address, autocommit=True)


def round_trip(address: str, times: int = 50) -> float:
    """Return the median seconds of a `SELECT 1` on one connection."""
    taken = []
    with connect(address) as connection:
        for _ in range(times):
            began = time.perf_counter()
            connection.execute("SELECT 1")
            taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2]
