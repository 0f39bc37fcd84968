"""The README's two commands on fresh Debian machines: python3, make, git, and nothing else."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.image.debian import USER, Root, debian

NEWCOMER = ("python3", "make", "git", "ca-certificates")
# The suites that are newer than the machines this is developed on bring the newer Pythons.
SUITES = ("bookworm", "trixie", "forky")
SERVER_FILES = ("test_requests_entries.py", "test_serve_lifecycle.py", "test_serve_asgi.py")

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", params=SUITES)
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    with debian(request.param, tmp_path_factory.mktemp("roots"), NEWCOMER) as root:
        yield root


def test_who_is_not_root_is_told_what_to_install(fresh: Root) -> None:
    done = fresh.run("make", "up", user=USER)
    assert done.returncode == 2
    distutils = " python3-distutils" if "bookworm" in str(fresh.folder) else ""
    error = done.stderr[done.stderr.index("error:") : done.stderr.index("make:")]
    assert error == (
        "error: no installer for Python packages\n"
        f"  where: Debian packages: python3-pip-whl{distutils}\n"
        "  why:   this Python has neither pip nor ensurepip, and uv is not on PATH, and only root can install "
        "packages\n"
        f"  hint:  sudo apt-get install python3-pip-whl{distutils}\n"
    )


def test_make_up_serves_the_bookshop(fresh: Root) -> None:
    def seconds_to_first_page() -> float:
        port = _free_port()
        began = time.monotonic()
        making = subprocess.Popen(
            fresh.command("make", "up", f"PORT={port}"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            page = _page(f"http://127.0.0.1:{port}/", making)
            took = time.monotonic() - began
            assert page.count(b'class="cover"') == 64
            style = re.search(rb'href="(/static/shop/shop\.\w{12}\.css)"', page)
            assert style
            assert b"{" in _page(f"http://127.0.0.1:{port}{style[1].decode()}", making)
            assert b"Django administration" in _page(f"http://127.0.0.1:{port}/admin/login/", making)
            return took
        finally:
            making.kill()  # ends all in its process namespace
            making.communicate()

    seconds_to_first_page()
    assert seconds_to_first_page() < 10  # 1.1 to 1.4 s on a quiet machine; the first one takes 15


def test_make_test_passes(fresh: Root) -> None:
    done = fresh.run(
        "make",
        "test",
        "TESTS=" + " ".join(["tests/unit", *(f"tests/process/{name}" for name in SERVER_FILES)]),
    )
    print(done.stdout[-6000:], done.stderr[-3000:])
    assert done.returncode == 0
    assert re.search(r"\d+ passed", done.stdout)
    began = time.monotonic()
    assert fresh.run("python3", "scripts/bootstrap.py", "test").stderr == ""
    assert time.monotonic() - began < 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _page(url: str, server: subprocess.Popen[bytes], within: float = 300) -> bytes:
    """Return a page as soon as there is one."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + within
    while True:
        try:
            with opener.open(url, timeout=30) as response:
                content: bytes = response.read()
                return content
        except ConnectionRefusedError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
        assert server.poll() is None, server.communicate()[1].decode()[-3000:]
        assert time.monotonic() < deadline, f"nothing answers at {url}"
        time.sleep(0.05)
