"""Database servers of our own for tests: PostgreSQL, PgBouncer in front of it, MariaDB; each in a folder of its own.

What is not installed is skipped, loudly: `make test-all` installs it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DEADLINE = 60.0
_PROGRAMS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database on 127.0.0.1 in Django's words; `process` is its server's."""

    settings: Mapping[str, Any]
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.settings["PORT"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _unprivileged() -> str | None:
    """Return the user to run as when this is root, whom these servers refuse."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory(prefix="nuages-test-") as name:
        folder = Path(name)
        if user := _unprivileged():
            shutil.chown(folder, user)
        yield folder


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path], folder: Path, port: int, *, stop: int = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block runs; it is there when its port answers."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, user=_unprivileged(), cwd=folder, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + DEADLINE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} did not start: {log.read_text(errors='replace')}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(stop)
        process.wait(DEADLINE)


@contextlib.contextmanager
def postgresql(port: int | None = None, **options: str | int) -> Iterator[Database]:
    """A new PostgreSQL; `options` are lines of its configuration."""
    folders = sorted(_PROGRAMS.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not folders:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    programs, port = folders[-1].parent, port or free_port()
    with _folder() as folder:
        made = ["-A", "trust", "-U", "shop", "--no-sync", "--locale=C", "--encoding=UTF8"]
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", *made],
            check=True, user=_unprivileged(), cwd=folder, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        given = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off",
            **options,
        }  # fmt: skip
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        command = [programs / "postgres", "-D", folder / "data", *words]
        with _running(command, folder, port, stop=signal.SIGINT) as process:
            probe = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            deadline = time.monotonic() + DEADLINE
            while subprocess.run(probe, check=False).returncode and time.monotonic() < deadline:
                time.sleep(0.05)
            place = {"HOST": "127.0.0.1", "PORT": str(port), "NAME": "postgres", "USER": "shop"}
            yield Database(settings={"ENGINE": "django.db.backends.postgresql", **place}, process=process)


@contextlib.contextmanager
def pgbouncer(database: Database, *, pool_size: int) -> Iterator[Database]:
    """PgBouncer in transaction mode in front of a PostgreSQL."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no PgBouncer here: apt-get install pgbouncer")
    port = free_port()
    with _folder() as folder:
        (folder / "users.txt").write_text('"shop" ""\n')
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"postgres = host=127.0.0.1 port={database.port} dbname=postgres user=shop\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = {pool_size}\n"
        )
        with _running([program, folder / "pgbouncer.ini"], folder, port) as process:
            yield Database(
                settings={**database.settings, "PORT": str(port), "DISABLE_SERVER_SIDE_CURSORS": True},
                process=process,
            )


@contextlib.contextmanager
def mariadb() -> Iterator[Database]:
    """A new MariaDB with an empty database."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        pytest.skip("no MariaDB here: apt-get install mariadb-server")
    port = free_port()
    with _folder() as folder:
        where = ["--no-defaults", f"--datadir={folder / 'data'}"]
        (folder / "init.sql").write_text(
            "CREATE DATABASE shop CHARACTER SET utf8mb4;\n"
            "CREATE USER shop@'127.0.0.1' IDENTIFIED BY 'shop';\nGRANT ALL ON *.* TO shop@'127.0.0.1';\n"
        )
        subprocess.run(
            [install, *where, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, user=_unprivileged(), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        words = [
            f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}", "--skip-name-resolve",
            f"--pid-file={folder / 'pid'}", f"--init-file={folder / 'init.sql'}", "--innodb-flush-log-at-trx-commit=0",
        ]  # fmt: skip
        with _running([server, *where, *words], folder, port) as process:
            place = {
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "NAME": "shop",
                "USER": "shop",
                "PASSWORD": "shop",
            }
            yield Database(settings={"ENGINE": "django.db.backends.mysql", **place}, process=process)
