"""MariaDB as Debian has it, and MySQL out of Debian's unstable suite, each on a port of its own on loopback."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.image.containers import free_port
from tests.image.debian import debian
from tests.process.harness import wait_until


@contextmanager
def mariadb(folder: Path, *statements: str) -> Iterator[int]:
    """Run a MariaDB server with the ed25519 plugin; yield its port after it has carried out the statements."""
    if not shutil.which("mariadbd"):
        pytest.skip("the database tests take MariaDB: apt-get install mariadb-server")
    data = folder / "mariadb"
    # As root the server wants to be told so; its files are ours.
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db",
         "--auth-root-authentication-method=normal"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    started = _start(folder, statements)
    port = free_port()
    command = [
        "mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--port={port}", "--bind-address=127.0.0.1",
        f"--socket={folder}/mariadb.sock", "--plugin-load-add=auth_ed25519", f"--init-file={started}",
        "--innodb-flush-log-at-trx-commit=0",
    ]  # fmt: skip
    with _running(command, folder / "mariadb.log", port):
        yield port


@contextmanager
def mysql(folder: Path, *statements: str) -> Iterator[int]:
    """Run Oracle's MySQL server, whose users have caching_sha2_password; yield its port."""
    packages = ("base-files", "mysql-server-core")
    with debian("sid", folder, packages, variant="extract") as root:
        data = root.folder / "data"
        data.mkdir()
        _start(data, statements)
        program = (
            "/usr/sbin/mysqld",
            "--no-defaults",
            "--user=root",
            "--datadir=/data/files",
            "--secure-file-priv=",
        )
        made = root.run(*program, "--initialize-insecure", timeout=300)
        assert made.returncode == 0, made.stderr
        port = free_port()
        command = root.command(
            *program, f"--port={port}", "--bind-address=127.0.0.1", "--socket=/data/mysql.sock", "--mysqlx=OFF",
            "--init-file=/data/first.sql", "--innodb-buffer-pool-size=32M",
        )  # fmt: skip
        with _running(command, folder / "mysql.log", port):
            yield port


def _start(folder: Path, statements: Sequence[str]) -> Path:
    path = folder / "first.sql"
    path.write_text("".join(f"{statement};\n" for statement in statements))
    return path


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[None]:
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def listens() -> bool:
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        return f"port: {port} " in log.read_text(errors="replace")

    try:
        wait_until(listens, "the database listens", within=120)
        yield
    finally:
        server.terminate()
        server.wait(60)
