"""Behind nginx and HAProxy, over connections that are kept and shared: Django is given only what the proxy saw."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import socket
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.process.corpus.echo import write_echo
from tests.process.corpus.requests import CORPUS
from tests.process.corpus.smuggling import attacks
from tests.process.fronts import nginx, running
from tests.process.harness import DEADLINE, Server, serving
from tests.process.sites import Talk

ATTACKS = tuple(attacks())
BATCH = 300  # connections at a time
CLIENT = "203.0.113.9"

# The second variant of each lets through what the first one stops itself; every request is stamped with its target.
NGINX = nginx("""\
    client_header_timeout 500ms; client_body_timeout 500ms; keepalive_timeout 500ms; lingering_timeout 500ms;
    client_max_body_size 0;
    upstream nuages {{ server {server}; keepalive 4; }}
    server {{
        listen unix:{folder}/socket;
        {extra}
        location / {{
            proxy_pass http://nuages;
            proxy_http_version 1.1;
            proxy_read_timeout 2s;
            proxy_next_upstream off;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For {client};
            proxy_set_header X-Stamp "$request_id $request_uri";
        }}
    }}
""")
NGINX_EXTRA = {
    "nginx": "",
    "nginx unbuffered": "proxy_request_buffering off; ignore_invalid_headers off; underscores_in_headers on;",
}
HAPROXY = """\
global
    maxconn 512
defaults
    mode http
    timeout connect 5s
    timeout client 500ms
    timeout server 2s
    timeout http-request 500ms
    timeout http-keep-alive 500ms
    option http-keep-alive
    http-reuse always
frontend front
    bind unix@{folder}/socket
    {extra}
    http-request set-header X-Forwarded-For {client}
    http-request set-header X-Stamp "%[uuid] %[url]"
    default_backend back
backend back
    server nuages {server}
"""
HAPROXY_EXTRA = {"haproxy": "", "haproxy lenient": "option accept-invalid-http-request"}
PROXIES = (*NGINX_EXTRA, *HAPROXY_EXTRA)


@dataclass
class Proxied:
    """A server behind a proxy, and what became of the attacks."""

    path: str
    server: Server
    given: list[tuple[str, str]] = field(default_factory=list)

    def connect(self) -> Talk:
        """Open a connection to the proxy."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise
        return Talk(sock)

    def get(self, path: str) -> dict[str, object]:
        """Return what the echo says of a request through the proxy."""
        talk = self.connect()
        with talk.socket:
            answer = talk.get(path, "Connection: close\r\n")
        assert answer.status == 200, (path, answer)
        found: dict[str, object] = json.loads(answer.text)
        return found

    def fire(self, texts: Iterable[bytes]) -> None:
        """Send each text over a connection of its own, all at once, and wait until the proxy has closed them all."""
        with contextlib.ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            for text in texts:
                sock = stack.enter_context(self.connect().socket)
                with contextlib.suppress(ConnectionError):
                    sock.sendall(text)
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                events = selector.select(DEADLINE)
                assert events, "the proxy leaves a connection open"
                for key, _ in events:
                    sock = key.fileobj  # type: ignore[assignment]
                    try:
                        more = sock.recv(1 << 16)
                    except ConnectionError:
                        more = b""
                    if not more:
                        selector.unregister(sock)

    def batches(self, texts: list[bytes]) -> None:
        """Fire in batches, with innocent requests over the shared connections behind each."""
        for start in range(0, len(texts), BATCH):
            self.fire(texts[start : start + BATCH])
            for number in range(8):
                path = f"/innocent-{start}-{number}"
                assert self.get(path)["path"] == path
        self.given = [(target, stamp) for target, stamp in json.loads(self.server.get("/stamps/"))]


@pytest.fixture(scope="module", params=PROXIES)
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    name: str = request.param
    project = write_echo(tmp_path_factory.mktemp("echo"))
    with contextlib.ExitStack() as stack:
        # A short path: the address of a Unix socket has 107 bytes.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="proxy-"))
        server = stack.enter_context(
            serving(project, "--workers", "1", "--max-body", "8M", "--body-timeout", "500ms")
        )
        server.wait_for("ready")
        text, extra = (NGINX, NGINX_EXTRA) if name in NGINX_EXTRA else (HAPROXY, HAPROXY_EXTRA)
        configured = text.format(folder=folder, server=server.address, extra=extra[name], client=CLIENT)
        stack.enter_context(running(name.split()[0], configured, folder))
        yield Proxied(f"{folder}/socket", server)
        assert server.found("worker-died") == []
        assert "Traceback" not in server.said


@pytest.fixture(scope="module")
def attacked(proxied: Proxied) -> Proxied:
    proxied.batches([attack.data for attack in ATTACKS])
    return proxied


def test_a_request_arrives_with_its_client(proxied: Proxied) -> None:
    found = proxied.get("/a%20b?c=d")
    assert (found["path"], found["query"]) == ("/a b", "c=d")
    assert found["meta"]["REMOTE_ADDR"] == CLIENT  # type: ignore[index]


def test_a_client_cannot_name_itself_in_the_field_that_its_proxy_does_not_write(proxied: Proxied) -> None:
    talk = proxied.connect()
    with talk.socket:
        found = json.loads(talk.get("/", "Forwarded: for=198.51.100.7;proto=https\r\n").text)
    assert found["meta"]["HTTP_FORWARDED"] == "for=198.51.100.7;proto=https"  # the proxy passes it on
    assert (found["meta"]["REMOTE_ADDR"], found["meta"]["wsgi.url_scheme"]) == (CLIENT, "http")


def test_connections_of_a_proxy_are_kept_and_shared(proxied: Proxied) -> None:
    ports = [proxied.get("/")["meta"]["HTTP_X_STAMP"] for _ in range(3)]  # type: ignore[index]
    assert len(set(ports)) == 3
    (worker,) = proxied.server.workers()
    for _ in range(50):
        proxied.get("/")
    sockets = [link for link in Path(f"/proc/{worker}/fd").iterdir() if "socket:" in os.readlink(link)]  # noqa: PTH115
    assert len(sockets) < 20


@pytest.mark.parametrize("path", ["/s", "/async/s"])
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_a_body_arrives_whole(proxied: Proxied, path: str, chunked: bool) -> None:
    body = os.urandom(3_000_000)
    talk = proxied.connect()
    with talk.socket:
        talk.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n")
        if chunked:
            talk.send("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % len(body), body, "\r\n0\r\n\r\n")
        else:
            talk.send(f"Content-Length: {len(body)}\r\n\r\n", body)
        found = json.loads(talk.answer().text)
    assert (found["length"], found["digest"]) == (len(body), hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize(
    "path", ["/large/?blocks=40", "/large-async/?blocks=40", "/static/large.bin", "/whole/?blocks=40"]
)
def test_an_answer_arrives_whole(proxied: Proxied, path: str) -> None:
    talk = proxied.connect()
    with talk.socket:
        answer = talk.get(path)
    expected = bytes(range(256)) * 4096 if "static" in path else b"x" * (40 << 16)
    assert answer.body == expected


def test_nothing_is_smuggled(attacked: Proxied) -> None:
    """The proxy stamps what it sees with its target: a hidden request has no stamp, or the stamp of another."""
    names = {attack.hidden: attack.name for attack in ATTACKS}
    smuggled = [
        (names.get(target), target, stamp)
        for target, stamp in attacked.given
        if stamp.partition(" ")[2] != target
    ]
    assert smuggled == []
    stamps = Counter(stamp.partition(" ")[0] for _, stamp in attacked.given)
    assert [stamp for stamp, count in stamps.items() if count > 1] == []
    # What proxies refuse proves nothing of us: enough of it has to come through, in requests the proxy did see.
    assert len([target for target, _ in attacked.given if "innocent" not in target]) > 50


def test_the_corpus_of_invalid_requests_does_no_harm(proxied: Proxied) -> None:
    proxied.batches([row.data for row in CORPUS])
    without = [(target, stamp) for target, stamp in proxied.given if " " not in stamp]
    assert without == []
