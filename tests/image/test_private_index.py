"""A package index with a password: its packages are in the image, its password is nowhere in it."""

from __future__ import annotations

import base64
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.image.containers import Engine
from tests.image.test_images import EXAMPLES, SECRET, WRITTEN

PASSWORD = "hunter-twenty-two"
WHEEL = "private_melody-1.0-py3-none-any.whl"

pytestmark = pytest.mark.timeout(900)


def _wheel() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("private_melody.py", "KEY = 'B flat'\n")
        folder = "private_melody-1.0.dist-info"
        archive.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: private-melody\nVersion: 1.0\n")
        archive.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{folder}/RECORD", "private_melody.py,,\n")
    return made.getvalue()


class Index(BaseHTTPRequestHandler):
    """The simple repository API (PEP 503) behind basic authentication."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"mara:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self._answer(401, b"")
        elif self.path == "/simple/private-melody/":
            self._answer(200, f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode())
        elif self.path == f"/files/{WHEEL}":
            self._answer(200, _wheel(), "application/octet-stream")
        else:
            self._answer(404, b"")

    do_HEAD = do_GET  # noqa: N815 - http.server names it

    def _answer(self, status: int, body: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":  # in another network: prints its port
    elsewhere = ThreadingHTTPServer(("0.0.0.0", 0), Index)
    print(elsewhere.server_port, flush=True)
    elsewhere.serve_forever()


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://mara:{PASSWORD}@127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


def test_the_password_of_an_index_is_in_no_layer(engine: Engine, tmp_path: Path, address: str) -> None:
    project = Path(shutil.copytree(EXAMPLES / "chat", tmp_path / "chat", ignore=WRITTEN))
    (project / "requirements.txt").write_text("django==5.2.*\nchannels\nprivate-melody==1.0\n")
    archive = tmp_path / "image.tar"
    engine.environ["UV_INDEX"] = address
    try:
        out, said = engine.build(project, "test-private", "--output", str(archive))
    finally:
        del engine.environ["UV_INDEX"]
    assert out.startswith("sha256:")
    told = engine.once("test-private", "-c", "import private_melody as m; print(m.KEY)", environ=SECRET)
    assert told == "B flat\n"
    assert PASSWORD not in said
    assert_no_password(archive)


def assert_no_password(archive: Path) -> None:
    """Read every file of every layer, and what describes them."""
    with tarfile.open(archive) as whole:
        for member in whole:
            stream = whole.extractfile(member)
            data = stream.read() if stream else b""
            assert PASSWORD.encode() not in data
            if member.isfile() and (data[:2] == b"\x1f\x8b" or data[257:262] == b"ustar"):
                with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                    for inner in layer:
                        content = layer.extractfile(inner) if inner.isfile() else None
                        assert content is None or PASSWORD.encode() not in content.read(), inner.name
