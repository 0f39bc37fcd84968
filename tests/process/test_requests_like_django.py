"""The same requests to nuages and to Django's own server: status, fields and bodies must not differ."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, Server, serving
from tests.process.sites import Answer, Talk, talking, write_site

# What belongs to the server and not to the application.
SERVERS_OWN = {"date", "server", "connection", "x-request-id", "transfer-encoding", "content-length"}
# In META: what two connections and two servers cannot have in common.
OWN_META = re.compile(
    r"REMOTE_PORT|REMOTE_HOST|SERVER_(SOFTWARE|PORT|NAME|PROTOCOL)|GATEWAY_INTERFACE|REQUEST_URI|RAW_URI|wsgi\..*"
    r"|HTTP_CONNECTION|CONTENT_(TYPE|LENGTH)"
)

MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xc3\xa4\r\n--xx\r\n'
    b'Content-Disposition: form-data; name="f"; filename="p \xc3\xa4.png"\r\nContent-Type: image/png\r\n\r\n'
    + b"p" * 200_000 + b"\r\n--xx--\r\n"
)  # fmt: skip
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"

REQUESTS: dict[str, tuple[str, str, str, bytes]] = {
    "page": ("GET", "/", "", b""),
    "head": ("HEAD", "/", "", b""),
    "options": ("OPTIONS", "/", "", b""),
    "stream": ("GET", "/stream/", "", b""),
    "file": ("GET", "/download/", "", b""),
    "file-head": ("HEAD", "/download/", "", b""),
    "async": ("GET", "/status/200/?a=b", "", b""),
    "not-found": ("GET", "/nowhere/", "", b""),
    "append-slash": ("GET", "/meta?a=b", "", b""),
    "error": ("GET", "/explode/", "", b""),
    "no-content": ("GET", "/status/204/", "", b""),
    "not-modified": ("GET", "/status/304/", "", b""),
    "teapot": ("GET", "/status/418/", "", b""),
    "strange-status": ("GET", "/status/599/", "", b""),
    "cookies": ("GET", "/cookies/", "Cookie: a=1; b=2\r\n", b""),
    "csrf": ("POST", "/guarded/", FORM, b"a=b"),
    "form": ("POST", "/form/?x=%C3%A4&x=2", FORM, b"a=b&c=%C3%A4+d"),
    "empty-form": ("POST", "/form/", FORM, b""),
    "upload": ("POST", "/form/", "Content-Type: multipart/form-data; boundary=xx\r\n", MULTIPART),
    "put": ("PUT", "/form/", "Content-Type: application/json\r\n", b"{}"),
    "delete": ("DELETE", "/form/", "", b""),
    "meta": ("GET", "/meta/?q=%20%C3%A4&empty=", "Accept-Language: de\r\nX-One: 1\r\nX_Two: 2\r\n", b""),
    "unicode": ("GET", "/meta/%C3%A4%20b%2Fc/", "", b""),
    "percent": ("GET", "/meta/100%25/", "", b""),
    "plus": ("GET", "/meta/a+b/", "", b""),
    "double-slash": ("GET", "/meta//x/", "", b""),
    "dots": ("GET", "/meta/../meta/", "", b""),
    "broken-utf8": ("GET", "/meta/%ff%fe/", "", b""),
    "semicolon": ("GET", "/meta/a;b=c/", "", b""),
    "auth": ("GET", "/meta/", "Authorization: Basic YTpi\r\n", b""),
    "empty-field": ("GET", "/meta/", "X-Empty:\r\n", b""),
    "latin1-field": ("GET", "/meta/", "X-Name: caf\xe9\r\n", b""),
    "script": ("GET", "/inner/deep/7/", "", b""),
}


def ask(talk: Talk, name: str) -> Answer:
    method, path, headers, body = REQUESTS[name]
    length = f"Content-Length: {len(body)}\r\n" if body or method in ("POST", "PUT") else ""
    talk.send(f"{method} {path} HTTP/1.1\r\nHost: testserver\r\n{headers}{length}\r\n", body)
    return talk.answer(method)


@pytest.fixture(scope="module", params=["", 'FORCE_SCRIPT_NAME = "/app"\nUSE_X_FORWARDED_HOST = True\n'])
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=request.param)
    run = [sys.executable, "manage.py", "runserver", "--noreload", "--nothreading", "127.0.0.1:0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        serving(project, "--workers", "1") as server,
        subprocess.Popen(
            run, cwd=project, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
    ):
        try:
            server.wait_for("ready")
            yield server, f"127.0.0.1:{listening(process.pid)}"
        finally:
            process.kill()


def listening(pid: int) -> int:
    """Return the port that a process listens on, as the kernel tells it (proc(5), /proc/net/tcp)."""
    import time

    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        inodes = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            row = line.split()
            if row[3] == "0A" and row[9] in inodes:
                return int(row[1].partition(":")[2], 16)
        time.sleep(0.02)
    raise AssertionError("runserver does not listen")


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_django_s_own(servers: tuple[Server, str], name: str) -> None:
    server, django = servers
    with talking(server.address) as ours, talking(django) as theirs:
        found, expected = ask(ours, name), ask(theirs, name)
    assert found.status == expected.status
    assert comparable(found) == comparable(expected)
    if found.fields.get("content-type", "").startswith("application/json") and b'"meta"' in found.body:
        assert meta(found) == meta(expected)
    else:
        assert without_tokens(found.body) == without_tokens(expected.body)
    for name_of_length in ("content-length",):
        if (
            expected.status not in (204, 304)
            and name_of_length in expected.fields
            and b'"meta"' not in found.body
        ):
            assert found.fields[name_of_length] == expected.fields[name_of_length]


def comparable(answer: Answer) -> list[tuple[str, str]]:
    fields = [(name.lower(), without_tokens(value.encode()).decode()) for name, value in answer.all]
    return sorted(pair for pair in fields if pair[0] not in SERVERS_OWN)


def without_tokens(text: bytes) -> bytes:
    return re.sub(rb"expires=[^;]*", b"expires=then", text)


def meta(answer: Answer) -> dict[str, object]:
    found = json.loads(answer.text)
    # runserver's META holds the environment of its process.
    kept = {k: v for k, v in found["meta"].items() if not OWN_META.fullmatch(k) and k not in os.environ}
    kept = {
        k: v
        for k, v in kept.items()
        if k not in ("DJANGO_SETTINGS_MODULE", "TZ", "PYTHONUNBUFFERED", "RUN_MAIN")
    }
    return {**found, "meta": kept}
