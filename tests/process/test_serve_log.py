"""The access log of a real server: a line for each request, soon, and none lost at the end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.process.harness import APP, DEADLINE, Lines, named_pipe, serving, wait_until

# What a shell does with `nuages serve &` in a terminal that its user has told to stop who writes in the background.
BACKGROUND = """
import os, sys, termios
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)
modes = termios.tcgetattr(terminal)
modes[3] |= termios.TOSTOP
termios.tcsetattr(terminal, termios.TCSANOW, modes)
pid = os.fork()
if not pid:
    os.setpgid(0, 0)
    os.dup2(terminal, 2)
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
print(pid, flush=True)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_request_is_logged_with_its_identity_and_without_its_query(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        exchange = server.begin("/pid/?token=secret", headers="X-Request-ID: abc-123\r\n")
        response = exchange.answer()
        assert response.getheader("X-Request-ID") == "abc-123"
        line = server.wait_for_request(request_id="abc-123")
        assert (line["method"], line["path"], line["status"]) == ("GET", "/pid/?…", 200)
        assert line["bytes"] == len(response.text)  # type: ignore[attr-defined]
        assert line["client"] == "127.0.0.1"
        assert line["route"] == "pid/"
        assert 0 <= line["queued_ms"] <= line["duration_ms"]
        assert server.stop() == 0
    assert "secret" not in "\n".join(server.requests.all()) + server.said


def test_no_line_is_lost_when_the_server_ends(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        for _ in range(20):
            server.get("/")
        assert server.stop() == 0
        assert len(server.requests.objects()) == 20


def test_a_server_whose_access_log_nobody_reads_serves_and_ends(project: Path, tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    unread = ("sh", "-c", 'exec "$@" >"$PIPE"', "sh")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb", buffering=0) as full:
        while full.write(bytes(4096)):
            pass
        options = ("--workers", "1", "--access-log", "json", "--grace", f"{int(DEADLINE)}s")
        with serving(project, *options, wrapper=unread, environ={"PIPE": str(pipe)}) as server:
            server.wait_for("ready")
            assert server.get("/") == "hello"
            server.signal(signal.SIGTERM)
            assert server.wait(within=DEADLINE / 2) == 0
            assert server.found("worker-killed") == []


def test_where_stdout_is_closed_no_file_or_socket_takes_its_place_and_gets_the_access_log(
    project: Path,
) -> None:
    closed = ("sh", "-c", 'exec "$@" >&-', "sh")
    with serving(project, "--workers", "1", "--access-log", "json", wrapper=closed) as server:
        server.wait_for("ready")
        server.get("/")
        (worker,) = server.workers()
        assert os.readlink(f"/proc/{worker}/fd/1") == os.devnull  # noqa: PTH115
        assert server.stop() == 0


def test_a_server_whose_output_is_closed_serves(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    serve = f'exec "$@" --settings pages.settings --app {APP} --bind 127.0.0.1:{port} >&- 2>&- <&-'
    command = ["sh", "-c", serve, "sh", sys.executable, "-m", "nuages", "serve", str(project)]
    with subprocess.Popen(command, cwd=project) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(port), "it answers, or has ended")
        finally:
            process.terminate()
    assert process.returncode == 0


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with contextlib.suppress(ConnectionRefusedError), contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    return False


def test_a_server_in_the_background_writes_to_a_terminal_that_would_stop_it(project: Path) -> None:
    """It was signalled at each try, tried again, and did nothing else."""
    ours, theirs = os.openpty()
    serve = ["-m", "nuages", "serve", str(project), "--settings", "pages.settings", "--app", APP]
    command = [sys.executable, "-c", BACKGROUND, os.ttyname(theirs), *serve, "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        said = bytearray()

        def has_said(text: str) -> bool:
            said.extend(os.read(ours, 1 << 16))  # pytest's own limit of time ends who waits in vain
            return text in said.decode()

        assert process.stdout
        server = int(process.stdout.readline())
        lines = Lines(process.stdout)
        try:
            wait_until(lambda: has_said("ready to serve at http://127.0.0.1:"), "the server is ready")
            os.kill(server, signal.SIGTTIN)
            wait_until(lambda: has_said("SIGTTIN came: "), "it obeys")
            os.kill(server, signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                os.kill(server, signal.SIGKILL)
            os.close(ours)
            lines.join()


def test_the_access_log_as_text_and_off(project: Path) -> None:
    with serving(project, "--workers", "1", "--access-log", "text") as server:
        server.wait_for_line("ready to serve at http://127.0.0.1:")
        server.stop()
    with serving(project, "--workers", "1", "--access-log", "off") as server:
        server.wait_for("ready")
        server.get("/")
        assert server.stop() == 0
        assert server.requests.all() == []
