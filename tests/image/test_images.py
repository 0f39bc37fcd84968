"""The examples as images: built by buildah, run by podman as strictly as a platform does, looked at as by a browser."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from tests.image.containers import PYTHON, Container, Engine
from tests.image.databases import mariadb, mysql
from tests.process.harness import wait_until
from tests.process.test_examples import Browser

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")
SECRET = {"SECRET_KEY": "only for tests, and long enough to be no warning, 0123456789"}
FORMS = """\
from pathlib import Path
(manifest,) = Path("/app").rglob("nuages-static.json")
print(sorted({path.suffix for path in manifest.parent.rglob("*")} & {".br", ".zst", ".gz"}), manifest.is_file())
"""
"""Prints which forms of static files lie in an image, beside their manifest."""

PAGES = {
    "bookshop": ("/", 'class="cover"', r'href="(/static/shop/shop\.\w{12}\.css)"'),
    "chat": ("/", "room", r'href="(/static/rooms/chat\.\w{12}\.css)"'),
    "stockroom": ("/", "item", r'href="(/static/stock/stock\.\w{12}\.css)"'),
}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", params=PAGES)
def built(request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    name = request.param
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path_factory.mktemp("work") / name, ignore=WRITTEN))
    (project / ".env").write_text("SECRET_KEY=never in an image\n")
    # What was collected on the machine of the person who builds, some time ago.
    (project / "staticfiles").mkdir()
    (project / "staticfiles" / "nuages-static.json").write_text("of another day")
    (project / "staticfiles" / "staticfiles.json").write_text('{"paths": {}, "version": "1.1", "hash": ""}')
    out, said = engine.build(project, f"test-{name}")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", out)
    assert "it serves with a read-only root, as user 54321, without network" in said
    return name


def test_an_image_serves_its_pages_and_static_files_as_anybody_and_ends_with_0(
    built: str, engine: Engine
) -> None:
    path, marker, style = PAGES[built]
    tag = f"test-{built}"
    engine.once(tag, "manage.py", "migrate", "--noinput", environ=SECRET, volume=tag)
    asked = ("-m", "nuages", "run", "--", "shell", "-c", "import sys; print(sys.executable)")
    assert engine.once(tag, *asked, environ=SECRET, volume=tag).strip().endswith(PYTHON)
    assert engine.once(tag, "-c", FORMS, environ=SECRET) == "['.br', '.gz', '.zst'] True\n"
    with engine.serving(tag, environ=SECRET, volume=tag) as container:
        browser = Browser(container)  # type: ignore[arg-type]
        page = browser.get(path)
        assert marker in page.text
        sheet = browser.get(page.find(style))
        assert sheet.text
        assert "max-age" in sheet.headers["Cache-Control"]
        users = {line.split()[0] for line in container.processes().splitlines()[1:]}
        assert users == {"54321"}

        with _half_a_request(container) as connection:
            container.stop_with(signal.SIGTERM)
            wait_until(lambda: '"event": "stopping"' in container.said(), "the server stops")
            connection.sendall(b"5678")
            assert re.match(rb"HTTP/1\.1 \d{3} ", connection.recv(1000))
        assert container.wait() == 0, container.said()


def _half_a_request(container: Container) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", container.port), timeout=30)
    connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n1234")
    return connection


def test_an_image_is_examined(built: str, engine: Engine) -> None:
    shown = engine.nuages("check", "--image", f"test-{built}")
    for part in (
        "layers",
        "by package",
        "by kind",
        "django ",
        "read-only root",
        "nuages.variables=SECRET_KEY=secret",
    ):
        assert part in shown.stdout
    assert "error" not in shown.stdout.replace("errors", "")
    assert "I003" not in shown.stdout
    assert "I004" not in shown.stdout
    assert "I005" not in shown.stdout


def test_what_is_wrong_with_an_image_is_found(engine: Engine, tmp_path: Path, built: str) -> None:
    if built != "stockroom":
        pytest.skip("once is enough")
    (tmp_path / "Dockerfile").write_text(
        f"FROM test-{built}\nUSER 0\nRUN rm /usr/lib/x86_64-linux-gnu/libmariadb.so.3 && chmod 4777 /usr/bin/env"
        " && mkdir /srv/open && chmod 777 /srv/open && echo SECRET_KEY=x > /app/.env"
        "\nRUN rm /app/.env\nUSER 65532\n"
    )
    engine.run("buildah", "build", "--layers", "--isolation=chroot", "--tag", "test-broken", str(tmp_path))
    done = engine.nuages("check", "--image", "test-broken", check=False)
    assert done.returncode == 1
    assert "I002 error: a shared library is missing: libmariadb.so.3" in done.stdout
    assert "/usr/bin/env (4777)" in done.stdout
    assert "/srv/open (0777)" in done.stdout
    assert "/app/.env (layer 9, deleted or replaced later: it is in the layer)" in done.stdout


def test_a_change_of_code_installs_nothing_again(engine: Engine, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / "chat", tmp_path / "chat", ignore=WRITTEN))
    first, _ = engine.build(project, "test-change", "--check", "off")
    views = project / "rooms" / "views.py"
    views.write_text(views.read_text() + "\nCHANGED = True\n")
    began = time.monotonic()
    second, said = engine.build(project, "test-change", "--check", "off")
    assert first != second
    print(f"a code-only change: {time.monotonic() - began:.1f} s")
    steps = re.findall(r"STEP \d+/\d+: (RUN .*)\n(--> Using cache)?", said)
    assert [cached for step, cached in steps if "uv pip install" in step] == ["--> Using cache"] * 2
    assert [cached for step, cached in steps if "apt-get" in step] == ["--> Using cache"]
    assert [cached for step, cached in steps if "collect . --sealed" in step] == [""]
    assert engine.build(project, "test-change", "--check", "off")[0] == second


def test_images_of_the_same_input_are_the_same(engine: Engine, tmp_path: Path) -> None:
    digests = []
    for place in ("here", "there"):
        project = Path(shutil.copytree(EXAMPLES / "chat", tmp_path / place / "chat", ignore=WRITTEN))
        digests.append(engine.build(project, "test-same", "--check", "off")[0])
    assert digests[0] == digests[1]


def test_a_pinned_base_is_what_the_image_starts_from(engine: Engine, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / "chat", tmp_path / "chat", ignore=WRITTEN))
    engine.build(project, "test-pinned", "--check", "off", "--lock", "--output", str(tmp_path / "chat.tar"))
    lock = (project / "nuages.lock").read_text()
    pinned = re.search(r'"(python:[\w.-]+)" = "(sha256:\w+)"', lock)
    assert pinned
    assert f"ARG BASE={pinned[1]}@{pinned[2]}\n" in engine.nuages("dockerfile", str(project)).stdout
    engine.build(project, "test-pinned", "--check", "off")
    engine.nuages("check", "--image", str(tmp_path / "chat.tar"))


def test_stockroom_logs_in_to_mariadb_and_mysql_by_each_plugin(
    engine: Engine, tmp_path: Path, built: str
) -> None:
    if built != "stockroom":
        pytest.skip("the other two have no database server")
    rights = "GRANT ALL ON stock.* TO {0}@'%'"
    maria = [
        "INSTALL SONAME 'auth_ed25519'", "CREATE DATABASE stock CHARACTER SET utf8mb4",
        "CREATE USER edwards@'%' IDENTIFIED VIA ed25519 USING PASSWORD('pass word')", rights.format("edwards"),
        "CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('pass word')",
        rights.format("native"),
    ]  # fmt: skip
    oracle = [
        "CREATE DATABASE stock CHARACTER SET utf8mb4",
        "CREATE USER caching@'%' IDENTIFIED WITH caching_sha2_password BY 'pass word'", rights.format("caching"),
        "CREATE USER sha@'%' IDENTIFIED WITH sha256_password BY 'pass word'", rights.format("sha"),
    ]  # fmt: skip
    tag = "test-stockroom"
    with mariadb(tmp_path, *maria[1:]) as one, mysql(tmp_path, *oracle) as other:
        for user, port in (("edwards", one), ("native", one), ("caching", other), ("sha", other)):
            environ = {**SECRET, "DATABASE_URL": f"mysql://{user}:pass%20word@127.0.0.1:{port}/stock"}
            engine.once(tag, "manage.py", "migrate", "--noinput", environ=environ)
            asked = (
                "from django.db import connection as c; u = c.cursor(); u.execute('select current_user()'); "
            )
            asked += "print(u.fetchone()[0])"
            assert engine.once(tag, "manage.py", "shell", "-c", asked, environ=environ).strip() == f"{user}@%"
            with engine.serving(tag, environ=environ) as container:
                assert "item" in Browser(container).get("/").text  # type: ignore[arg-type]
