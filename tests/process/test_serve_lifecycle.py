"""Start, stop, crash: what happens to processes and to the requests that they are at."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from tests.process.harness import (
    Server,
    alive,
    children,
    held,
    named_pipe,
    serving,
    wait_until,
    write_project,
)

from nuages.runtime.address import parse_address
from nuages.runtime.management import ask


def test_it_starts_serves_and_stops_with_status_0(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"
        assert server.stop() == 0
    assert "worker-killed" not in server.said


def test_what_the_project_has_registered_for_the_end_of_a_process_is_done(tmp_path: Path) -> None:
    ends = """
import atexit, os, threading, time

def end():
    open("ended", "a").write(f"{os.getpid()} ")
    print("without a newline", end="")

atexit.register(end)

class Late(threading.Thread):
    def run(self):
        threading.main_thread().join()
        open("thread", "w").write("ended")

def begin():
    Late().start()
"""
    project = write_project(tmp_path / "project", settings="import pages.ends\n")
    (project / "pages" / "ends.py").write_text(ends)
    with serving(project, "--workers", "1", "--after-fork", "pages.ends:begin") as server:
        server.wait_for("ready")
        (worker,) = server.workers()
        assert server.stop() == 0
    assert (project / "ended").read_text() == f"{worker} "
    assert (project / "thread").read_text() == "ended"
    assert "without a newline" in server.requests.all()


def test_sigterm_lets_a_request_in_flight_finish(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe) as writer:
            server.signal(signal.SIGTERM)
            server.wait_for("worker-retires")
            wait_until(lambda: _refuses(server.address), "new connections are refused")
            os.write(writer, b"late")
        response = exchange.answer()
        assert (response.status, response.text) == (200, "released late")  # type: ignore[attr-defined]
        assert response.getheader("Connection") == "close"
        assert server.wait() == 0


def test_a_second_signal_ends_at_once_and_says_what_it_cut_off(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.signal(signal.SIGTERM)
            server.wait_for("worker-retires")
            server.signal(signal.SIGINT)
            assert server.wait() == 128 + signal.SIGINT
        assert exchange.closed()
    lost = server.wait_for("request-lost")
    assert (lost["method"], lost["path"]) == ("GET", "/hold/")
    assert lost["age"] >= 0


def test_requests_that_outlast_the_grace_are_cut_off_and_named(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--grace", "500ms") as server:
        server.wait_for("ready")
        server.begin(f"/hold/?pipe={pipe}", headers="X-Request-ID: abc-123\r\n")
        with held(pipe):
            assert server.stop() == 1
    lost = server.wait_for("request-lost")
    assert lost["request_id"] == "abc-123"
    assert "not finished within 0.5 s" in lost["text"]


def test_an_idle_connection_is_answered_once_more_while_the_server_stops(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        idle = server.begin("/")
        assert idle.answer().status == 200
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.signal(signal.SIGTERM)
            wait_until(lambda: not _listens(server.address), "the worker heard of it")
            idle.send("/pid/")
            response = idle.answer()
            assert response.status == 200
            assert response.getheader("Connection") == "close"
        assert server.wait() == 0


def test_an_idle_connection_does_not_delay_ctrl_c(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        idle = server.begin("/")
        assert idle.answer().status == 200
        server.signal(signal.SIGINT)
        # Its keep-alive is 75 s, its grace 30.
        assert idle.closed(within=15)
        assert server.wait(within=15) == 0


def test_while_it_drains_it_accepts_and_ends_connections(project: Path) -> None:
    with serving(project, "--workers", "1", "--drain", "60s") as server:
        server.wait_for("ready")
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        # The worker hears of it a moment after the event.
        wait_until(lambda: _ends_connection(server), "answers end their connections")
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_a_worker_that_comes_while_it_drains_ends_connections_too(project: Path) -> None:
    with serving(project, "--workers", "1", "--drain", "60s") as server:
        server.wait_for("ready")
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("worker-ready", count=2)
        wait_until(lambda: _ends_connection(server), "answers end their connections")
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_a_killed_worker_is_replaced_and_its_requests_are_logged(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        exchange = server.begin(f"/hold/?pipe={pipe}", headers="X-Request-ID: doomed\r\n")
        with held(pipe):
            killed = _holder(pipe, server.workers())
            os.kill(killed, signal.SIGKILL)
            died = server.wait_for("worker-died")
            assert died["pid"] == killed
            assert "was killed by SIGKILL: perhaps out of memory" in died["text"]
        lost = server.wait_for("request-lost")
        assert (lost["method"], lost["path"], lost["request_id"]) == ("GET", "/hold/", "doomed")
        assert exchange.closed()
        server.wait_for("worker-ready", count=3)
        assert killed not in server.workers()
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_worker_that_leaves_by_itself_is_replaced(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        assert server.begin("/leave/").closed()
        assert "exited with status 7" in server.wait_for("worker-died")["text"]
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"


def test_sigterm_to_a_worker_replaces_it_before_it_retires(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        first = server.wait_for("worker-ready")["pid"]
        os.kill(first, signal.SIGTERM)
        second = server.wait_for("worker-ready", count=2)["pid"]
        assert server.wait_for("worker-ended")["pid"] == first
        assert int(server.get("/pid/")) == second


def test_killing_the_supervisor_ends_the_workers_and_frees_the_port(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        workers, port = server.workers(), int(server.address.rpartition(":")[2])
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.begin("/spin/")
            server.signal(signal.SIGKILL)
            server.wait()
            wait_until(lambda: not any(map(alive, workers)), "the workers end")
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_killing_the_supervisor_during_the_start_ends_the_workers(project: Path) -> None:
    pipe = named_pipe(project)
    write_project(project, settings=f'open("{pipe}").read()\n')
    with serving(project, "--workers", "1") as server, held(pipe):
        server.signal(signal.SIGKILL)
        server.wait()


def test_orphans_of_workers_are_reaped(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        assert server.get(f"/orphan/?pipe={pipe}") == "left alone"
        with held(pipe):
            ours = {*server.workers(), server.wait_for("preloaded")["pid"]}
            orphan = wait_until(lambda: set(children(server.pid)) - ours, "the supervisor adopts it")
        wait_until(lambda: orphan.isdisjoint(children(server.pid)), "it is reaped")
        assert server.stop() == 0


def test_ctrl_c_in_a_terminal_reaches_the_whole_group_and_still_finishes_requests(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            for pid in (server.pid, *server.workers()):
                os.kill(pid, signal.SIGINT)
            server.wait_for("worker-retires")
        assert exchange.answer().status == 200
        assert server.wait() == 0


def _ends_connection(server: Server) -> bool:
    exchange = server.begin("/")
    response = exchange.answer()
    assert response.status == 200
    return response.getheader("Connection") == "close" and exchange.closed()


def test_sigusr1_shows_the_stacks_of_every_worker_whatever_it_is_at(project: Path) -> None:
    with serving(project, "--workers", "1", "--grace", "100ms") as server:
        server.wait_for("ready")
        server.begin("/spin/")
        server.wait_for_line("in spin", signal.SIGUSR1)


def test_sigusr1_says_whose_stacks_those_of_a_stalled_worker_are(tmp_path: Path) -> None:
    urls = "import time\nasync def nap(request):\n    time.sleep(600)\nurlpatterns += [path('nap/', nap)]\n"
    project = write_project(tmp_path / "project", urls=urls)
    options = ("--workers", "2", "--grace", "100ms", "--management", "127.0.0.1:0")
    with serving(project, *options) as server:
        server.wait_for("worker-ready", count=2)
        address = parse_address(server.wait_for("management")["address"])
        server.begin("/nap/")

        def napping() -> int:
            workers = json.loads(ask(address, "/-/status")[1])["workers"]
            return next((one["pid"] for one in workers if one["in_flight"]), 0)

        pid = wait_until(napping, "a worker naps")
        server.signal(signal.SIGUSR1)
        server.wait_for("worker-silent", pid=pid)
        stacks = server.wait_for("stacks", pid=pid)["text"]
        assert stacks.startswith(f"stacks of process {pid}\n")
        assert "in nap\n" in stacks
        (other,) = {*server.workers()} - {pid}
        assert server.found("stacks")[0]["text"].startswith(f"stacks of process {other}\n")
        assert all(line.startswith("{") for line in server.events.all())


def test_programs_that_the_project_starts_do_not_hold_the_port(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        address = server.address
        server.get(f"/leave-behind/?pipe={pipe}")
        with held(pipe):
            assert server.stop() == 0
            assert _refuses(address)


def _listens(address: str) -> bool:
    """Whether somebody listens; who tried it might come just when the socket ends, and try again a second later.

    proc_pid_net(5): the local address in hexadecimal digits, the state; 0A is LISTEN.
    """
    port = int(address.rpartition(":")[2])
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


def _refuses(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True  # reset: it came between the last look at the queue and the end of the socket
    return False


def _holder(pipe: Path, pids: list[int]) -> int:
    """The process of these that has the pipe open."""

    def found() -> int | None:
        return next((pid for pid in pids if str(pipe) in _open_files(pid)), None)

    return wait_until(found, f"one of {pids} opens {pipe}")


def _open_files(pid: int) -> set[str]:
    return {str(descriptor.resolve()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
