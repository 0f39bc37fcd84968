"""How soon a server answers: below 1.5 times `django.setup()` plus 300 ms, on the example shop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.process.harness import DEADLINE, serving, wait_until

SHOP = Path(__file__).resolve().parents[2] / "examples" / "bookshop"


def _environ(place: Path) -> dict[str, str]:
    """Return the shop's variables: what it writes goes into `place`."""
    return {
        "SECRET_KEY": "only for tests " * 4,
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "STATIC_ROOT": str(place / "static"),
        "DATABASE_PATH": str(place / "db.sqlite3"),
    }


def _run(place: Path, *words: str) -> None:
    environ = {**os.environ, **_environ(place)}
    subprocess.run([sys.executable, *words], cwd=SHOP, env=environ, check=True, stdout=subprocess.DEVNULL)


def _setup_seconds(place: Path) -> float:
    begun = time.perf_counter()
    _run(place, "-c", "import django; django.setup()")
    return time.perf_counter() - begun


def _first_answer_seconds(place: Path) -> float:
    # Not a port that was free a moment ago: somebody else may have it by now.
    path = place / "shop.sock"
    begun = time.perf_counter()
    app = "bookshop.wsgi:application"
    with serving(SHOP, app=app, settings="bookshop.settings", bind=f"unix:{path}", environ=_environ(place)):
        wait_until(lambda: _answers(path), "the first answer", within=DEADLINE)
        return time.perf_counter() - begun


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        try:
            sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        sock.sendall(b"GET /plain/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return sock.recv(12) == b"HTTP/1.1 200"


def test_the_first_answer_comes_soon_after_the_start(tmp_path: Path) -> None:
    _run(tmp_path, "manage.py", "collectstatic", "--noinput")
    _setup_seconds(tmp_path), _first_answer_seconds(tmp_path)  # bytecode and the disk's cache
    seen = []
    # Other work on the machine makes single rounds long; it does not make one short that would be long otherwise.
    for _ in range(6):
        setup, first = _setup_seconds(tmp_path), _first_answer_seconds(tmp_path)
        seen.append((round(setup, 3), round(first, 3)))
        if first < 1.5 * setup + 0.3:
            return
    raise AssertionError(f"django.setup() and first answer, in seconds: {seen}")
