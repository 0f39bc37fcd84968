"""HTTPS by --tls-cert and --tls-key: handshakes, pages, large answers, WebSockets, reloads, and what can be wrong."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process import certificates, test_stopping
from tests.process.certificates import Pair
from tests.process.harness import DEADLINE, Server, held, named_pipe, serving, wait_until, write_project
from tests.process.sites import Talk, talking, write_site
from tests.process.test_serve_asgi import ASGI
from tests.process.test_stopping import CLOSE_1012, fill, open_socket
from websockets.sync.client import connect

MB = 1 << 20
MORE_VIEWS = """
def whole(request):
    return HttpResponse(b"w" * (6 << 20))


def scheme(request):
    return HttpResponse(f"{request.scheme} {request.is_secure()} {request.build_absolute_uri()}")


urlpatterns += [path("whole/", whole), path("scheme/", scheme)]
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificates.make(tmp_path_factory.mktemp("tls") / "pair")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("site"), urls=MORE_VIEWS)


@pytest.fixture(scope="module")
def server(project: Path, pair: Pair) -> Iterator[Server]:
    with serving(
        project, "--workers", "1", "--max-body", "8M", *pair.options, tls=pair.trusting()
    ) as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


@pytest.fixture
def talk(server: Server) -> Iterator[Talk]:
    with talking(server.address, server.tls) as talk:
        yield talk


def test_a_page_knows_that_it_is_secure(server: Server, talk: Talk) -> None:
    assert server.wait_for("listening")["addresses"][0].startswith("https://127.0.0.1:")
    assert talk.get("/scheme/").text == "https True https://testserver/scheme/"
    assert talk.get("/").text == "hello"


def test_it_speaks_http_1_1_by_alpn_and_tls_1_2_at_least(server: Server, pair: Pair) -> None:
    context = pair.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        with talking(server.address, context) as talk:
            assert isinstance(talk.socket, ssl.SSLSocket)
            assert talk.socket.selected_alpn_protocol() == "http/1.1"
            assert talk.get("/").text == "hello"


def test_a_worker_is_replaced_also_while_the_certificate_is_just_being_changed(
    project: Path, tmp_path: Path
) -> None:
    pair, other = certificates.make(tmp_path / "one"), certificates.make(tmp_path / "two")
    with serving(project, "--workers", "1", *pair.options, tls=pair.trusting()) as server:
        server.wait_for("ready")
        pair.key.write_bytes(other.key.read_bytes())
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("worker-ready", count=2)
        assert "the TLS key does not belong to the certificate" in server.wait_for("tls")["text"]
        assert server.get("/") == "hello"  # with the one that its zygote has read
        server.signal(signal.SIGHUP)
        server.wait_for("reload-failed")
        pair.certificate.write_bytes(other.certificate.read_bytes())
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("worker-ready", count=3)
        server.tls = other.trusting()
        assert server.get("/") == "hello"


def test_an_older_tls_is_refused(server: Server) -> None:
    old = subprocess.run(
        ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect", server.address],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert old.returncode != 0
    assert server.get("/") == "hello"


def test_bodies_streams_and_files_of_all_sizes_arrive(server: Server, talk: Talk) -> None:
    assert talk.get("/whole/").body == b"w" * (6 << 20)
    assert talk.get("/download/").body == bytes(range(256)) * 8192
    assert talk.get("/stream/").text == "one two three"
    assert talk.get("/live/").text.count("data:") == 3
    talk.send(f"POST /size/ HTTP/1.1\r\nHost: testserver\r\nContent-Length: {5 * MB}\r\n\r\n")
    talk.send(bytes(5 * MB))
    assert talk.answer().text == str(5 * MB)
    assert talk.get("/").text == "hello"


def test_pipelined_requests_are_answered_in_order(talk: Talk) -> None:
    talk.send("".join(f"GET /meta/?n={n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(50)))
    for number in range(50):
        assert json.loads(talk.answer().text)["meta"]["QUERY_STRING"] == f"n={number}"


@pytest.mark.parametrize("path", ["/whole/", "/download/"])
def test_a_slow_client_gets_a_large_last_answer_whole(server: Server, path: str) -> None:
    expected = 6 << 20 if path == "/whole/" else 2 << 20
    with talking(server.address, server.tls) as talk:
        talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        talk.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert talk.line() == b"HTTP/1.1 200 OK"
        wait_until(lambda: waits(server), "the answer fills what is between us")
        while talk.line():
            pass
        assert len(talk.rest()) == expected


def waits(server: Server) -> bool:
    """Return whether the only worker has used no CPU time for a while."""
    (pid,) = server.workers()
    before = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    time.sleep(0.2)
    return Path(f"/proc/{pid}/schedstat").read_text().split()[0] == before


def test_who_sends_too_much_can_read_why_it_is_refused(server: Server, talk: Talk) -> None:
    talk.send(f"POST /size/ HTTP/1.1\r\nHost: a\r\nContent-Length: {64 * MB}\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(64):
            talk.send(bytes(MB))
    answer = talk.answer()
    assert (answer.status, answer.fields["connection"]) == (413, "close")


def test_plain_http_is_turned_away_at_once(server: Server) -> None:
    with talking(server.address) as talk:
        talk.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        began = time.monotonic()
        talk.rest()
        assert time.monotonic() - began < 5
    assert server.get("/") == "hello"


def test_a_handshake_that_is_not_finished_ends(project: Path, pair: Pair) -> None:
    with serving(project, "--workers", "1", "--header-timeout", "1s", *pair.options) as server:
        server.wait_for("ready")
        for sent in (b"", b"\x16\x03\x01"):
            began = time.monotonic()
            with talking(server.address) as talk:
                talk.send(sent)
                assert talk.closed()
            # Without the option it would be 15. The loop's clock is that of its last turn, which began earlier.
            assert 0.99 <= time.monotonic() - began < 10
        server.tls = pair.trusting()
        assert server.get("/") == "hello"


def test_a_client_that_vanishes_ends_its_stream(server: Server) -> None:
    before = len(json.loads(server.get("/closed/")))
    with talking(server.address, server.tls) as talk:
        talk.send("GET /endless/ HTTP/1.1\r\nHost: a\r\n\r\n")
        talk.take(300_000)
    wait_until(lambda: len(json.loads(server.get("/closed/"))) > before, "the stream is closed")


def test_many_clients_at_once_are_all_answered(server: Server) -> None:
    faults: list[object] = []

    def ask() -> None:
        try:
            for _ in range(5):
                with talking(server.address, server.tls) as talk:
                    assert talk.get("/download/").body[:256] == bytes(range(256))
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_unix_socket_beside_it_speaks_plain_http(project: Path, pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    addresses = ("--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--workers", "1")
    with serving(project, *addresses, *pair.options, bind=None, tls=pair.trusting()) as server:
        server.wait_for("ready")
        assert server.get("/scheme/").startswith("https ")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            assert Talk(sock).get("/scheme/").text.startswith("http ")


def test_web_sockets_over_tls(tmp_path: Path, pair: Pair) -> None:
    project = write_project(tmp_path / "project")
    (project / "pages/asgi.py").write_text(ASGI)
    environ = {"SHUTDOWN_FILE": str(tmp_path / "down")}
    with serving(
        project, "--workers", "1", *pair.options, app="pages.asgi:application", environ=environ, tls=pair.trusting()
    ) as server:  # fmt: skip
        server.wait_for("ready")
        with connect(
            f"wss://{server.address}/chat/", ssl=server.tls, server_hostname="localhost"
        ) as websocket:
            websocket.send("hello")
            assert websocket.recv(timeout=10) == "HELLO"
            websocket.send("x" * 500_000)
            assert websocket.recv(timeout=10) == "X" * 500_000
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_web_socket_whose_client_sends_more_than_is_read_is_told_why_it_ends(
    tmp_path: Path, pair: Pair
) -> None:
    project = write_site(tmp_path / "site")
    (project / "pages/asgi.py").write_text(test_stopping.ASGI)
    pipe = named_pipe(project)
    with serving(
        project, "--workers", "1", *pair.options, app="pages.asgi:application", tls=pair.trusting()
    ) as server:
        server.wait_for("ready")
        talk = open_socket(server, f"/deaf/?pipe={pipe}")
        with held(pipe):
            fill(talk)
            server.signal(signal.SIGTERM)
            assert talk.take(len(CLOSE_1012)) == CLOSE_1012
            assert talk.socket.recv(1) == b""  # and no reset
            talk.socket.close()
        assert server.wait() == 0


def test_a_request_in_flight_is_finished_on_sigterm(project: Path, pair: Pair, tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    with serving(project, "--workers", "1", *pair.options, tls=pair.trusting()) as server:
        server.wait_for("ready")
        idle = server.connect()
        idle.send("/")
        assert idle.answer().status == 200
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with socket.create_connection(server.address.split(":"), timeout=DEADLINE), held(pipe):  # type: ignore[arg-type]
            server.signal(signal.SIGTERM)
            server.wait_for("worker-retires")
        assert exchange.answer().text.startswith("released")  # type: ignore[attr-defined]
        exchange.socket.close()
        # Neither the idle client, which says nothing to our goodbye, nor the unfinished handshake is waited for.
        assert server.wait(within=12) == 0


def serial(server: Server) -> str:
    """Return the serial number of the certificate that the server shows."""
    host, _, port = server.address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, int(port)), timeout=DEADLINE) as sock,
        context.wrap_socket(sock) as secure,
    ):
        return (secure.getpeercert(binary_form=True) or b"").hex()


def test_sighup_reads_the_certificate_again_even_where_the_new_code_does_not_load(
    project: Path, tmp_path: Path
) -> None:
    site = write_site(tmp_path / "site")
    first = certificates.make(tmp_path / "first")
    with serving(site, "--workers", "1", *first.options, tls=first.trusting()) as server:
        server.wait_for("ready")
        before = serial(server)
        second = certificates.make(tmp_path / "second")
        (site / "pages" / "urls.py").write_text("this is no Python")
        first.key.write_bytes(second.key.read_bytes())
        # Half of a renewal: the worker keeps what fits together.
        server.signal(signal.SIGHUP)
        server.wait_for("tls", level="error")
        assert serial(server) == before
        first.certificate.write_bytes(second.certificate.read_bytes())
        server.signal(signal.SIGHUP)
        wait_until(lambda: serial(server) != before, "the new certificate")
        assert (
            second.certificate.read_text().strip()
            == ssl.DER_cert_to_PEM_cert(bytes.fromhex(serial(server))).strip()
        )
        server.tls = second.trusting()
        assert server.get("/") == "hello"


def test_an_expired_certificate_is_a_warning(project: Path, tmp_path: Path) -> None:
    old = certificates.make(tmp_path / "old", ends="20210101000000Z")
    with serving(project, "--workers", "1", *old.options) as server:
        said = server.wait_for("tls", level="warning")
        assert (
            said["text"]
            == f"the TLS certificate {old.certificate} has expired: it ended 2021-01-01 00:00 UTC"
        )
        server.wait_for("ready")
        assert serial(server)


def failed(project: Path, *options: str, wrapper: tuple[str, ...] = ()) -> str:
    """Return the error block of a server that does not start, and see that its exit status is that of wrong usage."""
    with serving(project, *options, wrapper=wrapper) as server:
        text = server.error()
        assert server.process.returncode == 2
        return text


def test_a_certificate_that_is_not_there(project: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert failed(project, "--tls-cert", str(missing)) == (
        f"error: the TLS certificate {missing} cannot be read\n"
        "  given by --tls-cert\n"
        "  there is no file of this name\n"
        "\n"
        "hint: name a file in PEM: --tls-cert FILE"
    )


def test_a_key_without_a_certificate(project: Path, pair: Pair) -> None:
    assert failed(project, "--tls-key", str(pair.key)) == (
        "error: there is a TLS key and no certificate\n"
        "  the key is given by --tls-key\n"
        "  TLS takes both\n"
        "\n"
        "hint: --tls-cert FILE, the certificate followed by its chain, in PEM"
    )


def test_a_key_of_another_certificate(project: Path, pair: Pair, tmp_path: Path) -> None:
    other = certificates.make(tmp_path / "other")
    assert failed(project, "--tls-cert", str(pair.certificate), "--tls-key", str(other.key)) == (
        "error: the TLS key does not belong to the certificate\n"
        f"  {pair.certificate} and {other.key}\n"
        "  given by --tls-cert and --tls-key\n"
        "  their public keys differ\n"
        "\n"
        "hint: the server's own certificate stands first in its file, those that signed it behind"
    )


def test_an_encrypted_key(project: Path, pair: Pair) -> None:
    key = certificates.encrypt(pair.key)
    assert failed(project, "--tls-cert", str(pair.certificate), "--tls-key", str(key)) == (
        f"error: the TLS key {key} is encrypted\n"
        "  given by --tls-key\n"
        "  a server starts without anybody who could type its password\n"
        "\n"
        f"hint: openssl pkey -in {key} -out KEY.pem, readable by the server alone"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user, who may not read root's key")
def test_a_key_that_this_user_may_not_read(project: Path, pair: Pair, tmp_path: Path) -> None:
    # A short program and not the whole server: another user may not read this Python, or this checkout.
    key = tmp_path / "key.pem"
    key.write_bytes(pair.key.read_bytes())
    key.chmod(0o600)
    program = (
        "import os, sys\n"
        "from nuages.errors import NuagesError\n"
        "from nuages.runtime import tls\n"
        "os.setresuid(1234, 1234, 1234)\n"
        "try:\n"
        "    tls._read(sys.argv[1], 'key', '--tls-key')\n"
        "except NuagesError as error:\n"
        "    print(error.render())\n"
    )
    for folder in key.parents:
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    said = subprocess.run(
        [sys.executable, "-c", program, str(key)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert said.stdout == (
        f"error: the TLS key {key} cannot be read\n"
        "  given by --tls-key\n"
        "  Permission denied: this is user 1234, the file is user 0's, with mode 0600\n"
        "\n"
        "hint: let user 1234 read it: a group of both and mode 0640; in Kubernetes fsGroup and defaultMode\n"
    ), said.stderr


def test_files_that_hold_something_else(project: Path, pair: Pair, tmp_path: Path) -> None:
    assert failed(project, "--tls-cert", str(pair.key)).startswith(
        f"error: there is no certificate in {pair.key}\n  given by --tls-cert\n"
    )
    assert failed(project, "--tls-cert", str(pair.certificate)).startswith(
        f"error: there is no private key in {pair.certificate}\n  given by --tls-cert\n"
    )
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + pair.key.read_text())
    assert "OpenSSL says: " in failed(project, "--tls-cert", str(broken))


def test_certificate_and_key_in_one_file_named_by_a_variable(
    project: Path, pair: Pair, tmp_path: Path
) -> None:
    (project / "both.pem").write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    # A relative name counts from the folder that the server was started in.
    with serving(project, "--workers", "1", environ={"NUAGES_TLS_CERT": "both.pem"}) as server:
        server.wait_for("ready")
        host, _, port = server.address.rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), context=pair.trusting(), timeout=DEADLINE)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
        connection.close()
