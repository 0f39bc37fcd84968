"""Health checks and status: answered by the supervisor, whatever the workers are at."""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import socket
import time
from pathlib import Path

from tests.process.harness import Server, held, named_pipe, serving, wait_until, write_project

from nuages.runtime.address import Address, parse_address
from nuages.runtime.container import container
from nuages.runtime.management import Answer, Management, ask, open_listener, running
from nuages.runtime.sockets import listen


def _address(server: Server) -> Address:
    return parse_address(server.wait_for("management")["address"])


def test_live_ready_and_startup_follow_the_server(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path / "project", settings=f'open("{pipe}").read()\n')
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0", "--drain", "60s") as server:
        address = _address(server)
        with held(pipe):
            assert ask(address, "/-/live") == (200, b"alive\n")
            assert ask(address, "/-/ready") == (503, b"no worker is ready\n")
            assert ask(address, "/-/startup") == (503, b"the application is still loading\n")
        server.wait_for("ready")
        assert ask(address, "/-/ready") == (200, b"ready\n")
        assert ask(address, "/-/startup") == (200, b"started\n")
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        assert ask(address, "/-/ready") == (503, b"the server is draining\n")
        assert ask(address, "/-/live") == (200, b"alive\n")
        assert ask(address, "/-/startup") == (200, b"started\n")


def test_it_is_not_ready_while_the_only_worker_stands_still(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    waits = f"import pathlib\nif pathlib.Path('slow').exists(): open('{pipe}').read()\n"
    project = write_project(tmp_path / "project", settings=waits)
    options = ("--workers", "1", "--stall-timeout", "1s", "--preload", "off", "--management", "127.0.0.1:0")
    with serving(project, *options) as server:
        first = server.wait_for("worker-ready")["pid"]
        address = _address(server)
        (project / "slow").touch()
        os.kill(first, signal.SIGSTOP)
        server.wait_for("worker-stalled")
        still = (503, b"no worker is ready: the event loop of each stands still\n")
        with held(pipe):
            assert ask(address, "/-/ready") == still
            assert json.loads(ask(address, "/-/status")[1])["ready"] is False
        server.wait_for("worker-ready", count=2)
        assert ask(address, "/-/ready") == (200, b"ready\n")


def test_status_tells_what_the_workers_do(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--management", f"unix:{project}/m.sock") as server:
        server.wait_for("ready")
        address = _address(server)
        server.begin(f"/hold/?pipe={pipe}", headers="X-Request-ID: abc\r\n")
        with held(pipe):
            code, body = ask(address, "/-/status")
        status = json.loads(body)
        assert (code, status["ready"], status["stage"], status["pid"]) == (200, True, "running", server.pid)
        (worker,) = status["workers"]
        assert worker["pid"] == server.workers()[0]
        assert worker["phase"] == "ready"
        (request,) = worker["in_flight"]
        assert (request["method"], request["path"], request["request_id"]) == ("GET", "/hold/", "abc")
        assert server.stop() == 0
    assert not (project / "m.sock").exists()


def test_what_to_do_about_a_taken_address_is_said_of_the_option_that_gave_it(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with serving(project, "--workers", "1", "--management", f"127.0.0.1:{taken}") as server:
            error = server.error()
    assert "given by --management\n" in error
    assert f"hint: --management 127.0.0.1:{taken + 1}" in error


def test_it_answers_while_every_worker_spins(project: Path) -> None:
    with serving(project, "--workers", "1", "--management", "127.0.0.1:0", "--grace", "100ms") as server:
        server.wait_for("ready")
        server.begin("/spin/")
        wait_until(lambda: b"/spin/" in ask(_address(server), "/-/status")[1], "the view runs")
        assert ask(_address(server), "/-/ready") == (200, b"ready\n")
        assert ask(_address(server), "/-/nothing")[0] == 404
        assert server.stop() == 1


def test_the_socket_in_the_runtime_directory_is_found(project: Path, tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    with serving(project, "--workers", "1", "--management", "auto", environ=environ) as server:
        server.wait_for("management")
        assert running(environ) == [
            Address(path=str(tmp_path / "nuages" / f"{server.pid}-{container()}.sock"))
        ]
        assert (tmp_path / "nuages").stat().st_mode & 0o777 == 0o700
        server.signal(signal.SIGKILL)
        server.wait()
        assert running(environ) == []


def test_a_runtime_directory_that_is_not_ours_turns_it_off_and_says_so(project: Path, tmp_path: Path) -> None:
    (tmp_path / "nuages").write_text("not a folder")
    with serving(
        project, "--workers", "1", "--management", "auto", environ={"XDG_RUNTIME_DIR": str(tmp_path)}
    ) as server:
        server.wait_for("management-off")
        assert server.get("/") == "hello"


def test_clients_that_say_nothing_or_too_much_are_dropped_and_hold_nobody_up() -> None:
    listener = listen([Address(host="127.0.0.1", port=0)])[0]
    with selectors.DefaultSelector() as selector:
        management = Management(listener, selector, {"/": lambda _: Answer(status=200, body="x" * 5_000_000)})
        place = (listener.address.host, listener.address.port)
        with (
            socket.create_connection(place) as silent,
            socket.create_connection(place) as greedy,
            socket.create_connection(place) as unread,
        ):
            greedy.sendall(b"x" * 9000)
            unread.sendall(b"GET / HTTP/1.1\r\n\r\n")
            _turn(selector, 10)
            assert _is_closed(greedy)
            assert management.next_deadline() < time.monotonic() + 6
            management.expire(time.monotonic() + 6)
            assert _is_closed(silent)
            assert management.next_deadline() == math.inf
        management.close()


def test_a_probe_is_answered_however_many_only_connect() -> None:
    listener = listen([Address(host="127.0.0.1", port=0)])[0]
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        management = Management(listener, selector, {"/-/live": lambda _: Answer(status=200, body="alive")})
        place = (listener.address.host, listener.address.port)
        silent = [stack.enter_context(socket.create_connection(place)) for _ in range(80)]
        _turn(selector, 80)
        probe = stack.enter_context(socket.create_connection(place))
        probe.sendall(b"GET /-/live HTTP/1.1\r\n\r\n")
        _turn(selector, 3)
        probe.settimeout(5)
        assert probe.recv(100).startswith(b"HTTP/1.1 200 ")
        assert _is_closed(silent[0])  # the one that has been silent for longest
        management.close()


def test_the_socket_of_a_server_that_is_too_busy_to_accept_is_found_and_left_alone(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    place = tmp_path / "nuages"
    place.mkdir(mode=0o700)
    busy, dead = place / "7.sock", place / "8.sock"
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.socket(socket.AF_UNIX)).bind(str(dead))
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(busy))
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(busy))
        assert running(environ) == [Address(path=str(busy))]
        own = open_listener("auto", environ, origin="here")
        assert own is not None
        own.close()
        assert busy.exists()
        assert not dead.exists()


def _turn(selector: selectors.BaseSelector, times: int) -> None:
    for _ in range(times):
        for key, _ in selector.select(0.1):
            key.data()


def _is_closed(sock: socket.socket) -> bool:
    sock.settimeout(5)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
