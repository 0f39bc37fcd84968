"""Newer Pythons than this machine has, from newer Debians: Django 6.1, nuages' wheel and its own hashed requirements.

What a project's image would hold is installed with uv into an environment of that Python: the wheel as it is built
from this tree, and every runtime dependency with the hash that the wheel itself carries.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.image.debian import SOURCES, Root, debian
from tests.process.harness import Server
from tests.process.test_examples import Browser, events
from tests.process.test_matrix import KINDS, TOOLS

from nuages.environment import indexes
from nuages.environment import uv as installer

# Debian's suites and the Python that each of them has.
PYTHONS = {"trixie": "3.13", "forky": "3.14"}
DJANGO = "6.1"
WORK = "/home/visitor"
PYTHON = f"{WORK}/environment/bin/python"
SHOP = f"{WORK}/nuages/examples/bookshop"

pytestmark = pytest.mark.timeout(900)


@dataclass
class ServerInRoot(Server):
    """A server in a process namespace of its own; `inside` is its number out here."""

    inside: int = 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server, not to what keeps the namespace."""
        os.kill(self.inside, number)


@pytest.fixture(scope="module", params=PYTHONS, ids=[f"python{series}" for series in PYTHONS.values()])
def newer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root whose Python has Django, nuages and pytest in an environment."""
    folder = tmp_path_factory.mktemp("roots")
    wheel = build_wheel(folder)
    packages = ("base-files", "coreutils", "dash", "python3")
    with debian(request.param, folder, packages, variant="extract") as root:
        shutil.copy2(wheel, root.folder / WORK[1:] / wheel.name)
        uv = installer.find(os.environ, {}, folder).program
        shutil.copy2(uv, root.folder / "usr/bin/uv")
        locked = f"{WORK}/nuages/src/nuages/environment/runtime-requirements.txt"
        install(root, "venv", "--python", "/usr/bin/python3", f"{WORK}/environment")
        into = ("pip", "install", "--python", PYTHON)
        install(root, *into, "--require-hashes", "--no-build", "-r", locked)
        install(root, *into, "--no-deps", f"{WORK}/{wheel.name}")
        install(root, *into, f"django=={DJANGO}.*", *TOOLS)
        shown = root.run(PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        assert shown.stdout.strip() == PYTHONS[request.param], shown.stderr
        yield root


def build_wheel(folder: Path) -> Path:
    """Build nuages' wheel with its build backend, which is in the lock."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=SOURCES, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return next(folder.glob("nuages-*.whl"))


def install(root: Root, *arguments: str) -> None:
    """Run uv inside; packages come from where pip takes them on this machine."""
    places = indexes.uv_variables(indexes.read(os.environ), os.environ)
    places.pop("UV_CONSTRAINT", None)  # a file of this machine, which the root has not
    places = {**places, "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}
    done = root.run("env", *(f"{name}={text}" for name, text in places.items()), "uv", *arguments)
    assert done.returncode == 0, done.stderr


def manage(root: Root, *words: str) -> None:
    """Run a management command of the bookshop."""
    done = root.run("env", "SECRET_KEY=only for tests", PYTHON, f"{SHOP}/manage.py", *words)
    assert done.returncode == 0, done.stderr


@contextmanager
def serving(root: Root) -> Iterator[ServerInRoot]:
    """Serve the bookshop with the installed wheel, as process 1 of a namespace, as in an image."""
    command = root.command(
        "env", "SECRET_KEY=only for tests", PYTHON, "-W", "error::DeprecationWarning:nuages", "-m", "nuages",
        "serve", SHOP, "--bind", "127.0.0.1:0", "--management", "off",
    )  # fmt: skip
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [command[0], "--as-pid-1", "--info-fd", str(writer), *command[1:]], pass_fds=(writer,),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    with open(reader, encoding="utf-8") as told:  # noqa: PTH123 (a descriptor)
        text = told.read()
    server = ServerInRoot(process, inside=json.loads(text)["child-pid"] if text else 0)
    try:
        yield server
    finally:
        server.close()


def test_requests_are_answered(newer: Root) -> None:
    done = newer.run(
        "env", f"PYTHONPATH={WORK}/nuages/src:{WORK}/nuages", PYTHON, "-m", "pytest", "-q", "--confcutdir",
        "tests/process", "-W", "default", "-k", KINDS, "tests/process/test_requests_entries.py",
    )  # fmt: skip
    print(done.stdout[-6000:], done.stderr[-2000:], file=sys.stderr)
    assert done.returncode == 0
    assert " passed" in done.stdout


def test_the_installed_wheel_serves_the_bookshop_and_ends_with_0(newer: Root) -> None:
    manage(newer, "migrate", "--verbosity", "0")
    manage(newer, "collectstatic", "--noinput", "--verbosity", "0")
    account = ("env", "DJANGO_SUPERUSER_PASSWORD=correct horse", "SECRET_KEY=only for tests", PYTHON)
    made = newer.run(
        *account,
        f"{SHOP}/manage.py",
        "createsuperuser",
        "--noinput",
        "--username",
        "mara",
        "--email",
        "m@example.org",
    )
    assert made.returncode == 0, made.stderr
    with serving(newer) as server:
        server.wait_for("ready", within=60)
        browser = Browser(server)
        shelves = browser.get("/")
        assert shelves.text.count('class="cover"') == 64
        style = browser.get(shelves.find(r'href="(/static/shop/shop\.\w{12}\.css)"'))
        assert "immutable" in style.headers["Cache-Control"]

        form = browser.get("/admin/")
        entered = browser.submit(
            form, "/admin/login/?next=/admin/", username="mara", password="correct horse"
        )
        assert "Site administration" in entered.text
        assert "Admin (mara)" in browser.get("/author/1/").text  # an async view with the ORM
        first, second = events(browser.open("/events/", Last_Event_ID="7"), 2)
        assert (first["id"], second["id"]) == ("8", "9")
        assert server.stop() == 0, server.said
