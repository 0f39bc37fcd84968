"""The example projects as a newcomer meets them: `nuages up` on a copy, then a visit with a browser's habits.

Their locked dependencies come from the index that pip is configured with on this machine.
"""

from __future__ import annotations

import asyncio
import http.cookiejar
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.process.harness import Server
from websockets.asyncio.client import connect

from nuages.environment import interpreters

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")
INSTALLED = 240.0  # seconds: locked dependencies over the network, and mysqlclient compiled

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of all runs: one home, so that an example is installed once."""
    return {**os.environ, "NUAGES_HOME": str(tmp_path_factory.mktemp("home")), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def bookshop(tmp_path: Path) -> Path:
    return copy("bookshop", tmp_path)


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return copy("chat", tmp_path)


@pytest.fixture
def stockroom(tmp_path: Path) -> Path:
    if not any(found.series == (3, 11) for found in interpreters.find(os.environ)):
        pytest.skip("this machine has no Python 3.11, which the stockroom's lock is for")
    if not (shutil.which("pkg-config") and Path("/usr/include/mariadb/mysql.h").exists()):
        pytest.skip("mysqlclient cannot be compiled: apt-get install gcc pkg-config libmariadb-dev")
    return copy("stockroom", tmp_path)


def copy(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=WRITTEN))


@contextmanager
def up(project: Path, variables: dict[str, str], *options: str) -> Iterator[Server]:
    """Run `nuages up` until the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nuages", "up", str(project), "--bind", "127.0.0.1:0", "--management", "off", *options],
        env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    server = Server(process)
    try:
        server.wait_for("ready", within=INSTALLED)
        yield server
        assert server.stop() == 0
    finally:
        server.close()


def run(project: Path, variables: dict[str, str], *command: str, options: tuple[str, ...] = ()) -> str:
    """Run `nuages run` to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "nuages", "run", str(project), *options, "--", *command],
        env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=INSTALLED,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Page:
    """An answer, read whole."""

    def __init__(self, response: Any) -> None:
        with response:
            self.status: int = response.status
            self.url: str = response.url
            self.headers = response.headers
            self.content: bytes = response.read()

    @property
    def text(self) -> str:
        return self.content.decode()

    def find(self, pattern: str) -> str:
        """Return the first group of a pattern in the text."""
        match = re.search(pattern, self.text)
        assert match, f"no {pattern} in {self.text}"
        return match[1]


class Browser:
    """Follows redirects, keeps cookies, sends a form with its token."""

    def __init__(self, server: Server) -> None:
        self.root = f"http://{server.address}"
        self.cookies = http.cookiejar.CookieJar()
        handlers = (urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def open(self, path: str, data: bytes | None = None, **headers: str) -> Any:
        """Return the response, still to be read."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.root + path, data, sent)
        try:
            return self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            return error

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.open(path, **headers))

    def submit(self, page: Page, action: str, **fields: str) -> Page:
        """Send the form of a page."""
        return Page(self.open(action, urlencode({**token(page), **fields}).encode(), Referer=page.url))

    def upload(self, page: Page, action: str, name: str, content: bytes, **fields: str) -> Page:
        """Send the form of a page with a file in its field `picture`."""
        parts = [f'name="{key}"\r\n\r\n{value}'.encode() for key, value in {**token(page), **fields}.items()]
        parts.append(
            f'name="picture"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode() + content
        )
        body = b"".join(b"--edge\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        kind = "multipart/form-data; boundary=edge"
        return Page(self.open(action, body + b"--edge--\r\n", Content_Type=kind, Referer=page.url))


def token(page: Page) -> dict[str, str]:
    return {"csrfmiddlewaretoken": page.find(r'name="csrfmiddlewaretoken" value="(\w+)"')}


def events(response: Any, count: int) -> list[dict[str, str]]:
    """Read server-sent events as they come, and go away after the last one wanted."""
    seen: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    with response:
        while len(seen) < count:
            line = response.readline().decode()
            assert line, f"the stream ended after {seen}"
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif fields:
                seen.append(fields)
                fields = {}
    return seen


def test_the_bookshop_opens_with_full_shelves(bookshop: Path, variables: dict[str, str]) -> None:
    with up(bookshop, variables) as server:
        browser = Browser(server)
        shelves = browser.get("/")
        assert shelves.text.count('class="cover"') == 64

        style = browser.get(shelves.find(r'href="(/static/shop/shop\.\w{12}\.css)"'))
        assert "immutable" in style.headers["Cache-Control"]
        picture = style.find(r'url\("(shelf\.\w{12}\.svg)"\)')
        assert browser.get(f"/static/shop/{picture}").headers["Content-Type"] == "image/svg+xml"
        assert browser.get("/static/admin/css/base.css").status == 200

        emma = shelves.find(r'href="(/book/\d+/)">Emma<')
        book = browser.get(emma)
        assert "by <a" in book.text
        assert browser.get(book.find(r'href="(/author/\d+/)"')).text.count('class="cover"') == 5
        assert "Not on our shelves" in browser.get("/book/0/").text
        assert browser.get("/plain/").text == "Good morning!\n"
        assert browser.get("/slow/").text == "The wholesaler has it.\n"


def test_the_bookshop_keeps_a_basket_takes_an_upload_and_streams(
    bookshop: Path, variables: dict[str, str]
) -> None:
    with up(bookshop, variables) as server:
        browser = Browser(server)
        book = browser.get("/book/1/")
        into = book.find(r'action="(/basket/\d+/)"')
        browser.submit(book, into)
        basket = browser.submit(book, into)
        assert basket.url.endswith("/basket/")
        assert re.search(r"\s2\s+<button", basket.text)
        assert "It is empty" in Browser(server).get("/basket/").text
        assert Page(Browser(server).open(into, b"")).status == 403

        picture = os.urandom(300_000)
        thanks = browser.upload(
            browser.get("/suggest/"), "/suggest/", "cover.png", picture, title="Ulysses", reason=""
        )
        assert thanks.url.endswith("/suggest/thanks/")
        assert (bookshop / "media" / "suggestions" / "cover.png").read_bytes() == picture

        rows = browser.get("/export.csv").text.splitlines()
        assert rows[0] == "title,author,year,price"
        assert len(rows) == 65
        first, second = events(browser.open("/events/", Last_Event_ID="7"), 2)
        assert (first["id"], second["id"]) == ("8", "9")
        assert json.loads(first["data"])["url"].startswith("/book/")


def test_the_bookshop_has_an_admin(bookshop: Path, variables: dict[str, str]) -> None:
    account = {"DJANGO_SUPERUSER_PASSWORD": "correct horse", "DJANGO_SUPERUSER_EMAIL": "mara@example.org"}
    with up(bookshop, variables) as server:
        run(bookshop, {**variables, **account}, "createsuperuser", "--noinput", "--username", "mara")
        browser = Browser(server)
        form = browser.get("/admin/")
        assert "/admin/login/" in form.url
        entered = browser.submit(
            form, "/admin/login/?next=/admin/", username="mara", password="correct horse"
        )
        assert "Site administration" in entered.text
        assert "Admin (mara)" in browser.get("/author/1/").text
        assert browser.get("/admin/shop/book/?q=melville").text.count('class="field-author') == 2


def test_the_chat_carries_words_to_the_room_and_to_the_lobby(chat: Path, variables: dict[str, str]) -> None:
    with up(chat, variables, "--workers", "1") as server:
        browser = Browser(server)
        assert browser.get(browser.get("/").find(r'src="(/static/rooms/lobby\.\w{12}\.js)"')).status == 200
        lobby = browser.open("/events/")
        assert lobby.readline() == b": welcome\n"

        async def talk() -> list[dict[str, str]]:
            room = f"ws://{server.address}/room/jazz/"
            async with connect(room, origin=browser.root) as ann, connect(room, origin=browser.root) as bob:
                await ann.send(json.dumps({"name": "Ann", "text": "Nuages?"}))
                heard = [json.loads(await asyncio.wait_for(each.recv(), 30)) for each in (ann, bob)]
                await ann.send(json.dumps({"name": "Ann"}))
                assert "error" in json.loads(await asyncio.wait_for(ann.recv(), 30))
            return heard

        heard = asyncio.run(talk())
        assert [message["text"] for message in heard] == ["Nuages?", "Nuages?"]
        assert json.loads(events(lobby, 1)[0]["data"])["room"] == "jazz"
        assert "<b>Ann</b> Nuages?" in browser.get("/room/jazz/").text


def test_the_stockroom_is_served_through_its_own_wsgi_application(
    stockroom: Path, variables: dict[str, str]
) -> None:
    with up(stockroom, variables) as server:
        browser = Browser(server)
        items = browser.get("/")
        assert items.headers["X-Served-By"] == "stockroom"
        assert items.text.count('class="short"') == 5
        assert browser.get(items.find(r'href="(/static/stock/stock\.\w{12}\.css)"')).status == 200
        assert "Toner, black: 1 of 2" in browser.get("/report/").text
        assert "/admin/login/" in browser.get("/item/toner-black/book/").url
        assert "toner-black\t1\tToner, black\n" in run(stockroom, variables, "reorder")


@pytest.mark.parametrize("name", ["bookshop", "chat"])
def test_examples_pass_their_own_tests(name: str, tmp_path: Path, variables: dict[str, str]) -> None:
    project = copy(name, tmp_path)
    assert "\nOK\n" in run(project, variables, "test")
    assert "No changes detected" in run(project, variables, "makemigrations", "--check", "--dry-run")


def test_the_stockroom_passes_its_own_tests(stockroom: Path, variables: dict[str, str]) -> None:
    desk = ("--settings", "stockroom.settings.development")
    assert "\nOK\n" in run(stockroom, variables, "test", "apps", options=desk)
    assert "No changes detected" in run(stockroom, variables, "makemigrations", "--check", "--dry-run")
