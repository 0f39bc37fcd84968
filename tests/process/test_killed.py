"""SIGKILL of a worker, of the zygote, of the supervisor, under load: only what was inside a killed worker may fail."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from tests.process.clients import asking
from tests.process.harness import (
    APP,
    DEADLINE,
    Exchange,
    Server,
    alive,
    held,
    named_pipe,
    serving,
    wait_until,
    write_project,
)
from tests.process.sites import write_site
from tests.process.test_nothing_is_lost import SLOW_IMPORT
from tests.process.test_stopping import ASGI
from tests.process.test_stopping import URLS as STOPPING_URLS
from websockets.sync.client import connect

from nuages.runtime.application import Application
from nuages.runtime.child import Assignment, Child
from nuages.runtime.scoreboard import Scoreboard
from nuages.runtime.settings import Settings, to_json

INSIDE = {f"{kind} {how}" for kind in ("fresh", "kept") for how in ("reset", "closed", "stale", "cut")}
READY_SECONDS = 0.2
IMPORT_SECONDS = 1.5
SETTLED_SECONDS = 5.5
ROUNDS = 2  # a third that has hardly begun to serve is replaced a little later: it might die at every start


def test_a_killed_worker_is_replaced_at_once_and_nothing_else_fails(tmp_path: Path) -> None:
    """Its import takes 1.5 s; the replacement is forked from what is loaded."""
    project = write_project(tmp_path / "project", settings=SLOW_IMPORT)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with asking(server.address, "--clients", "1") as clients:
            for number in range(1, ROUNDS + 1):
                clients.more(20)
                os.kill(server.workers()[0], signal.SIGKILL)
                server.wait_for("worker-ready", count=2 + number)
                clients.more(20)
        # One client has one request out, and one connection to be used again.
        failures = clients.tally.failures
        assert set(failures) <= INSIDE, clients.tally
        assert sum(failures.values()) <= 2 * ROUNDS, clients.tally
        assert _gaps(server)[0] < IMPORT_SECONDS
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_what_a_worker_was_at_is_named_when_it_is_killed_or_for_its_silence(
    tmp_path: Path, number: signal.Signals
) -> None:
    project = write_site(tmp_path / "site", urls=STOPPING_URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    pipe = named_pipe(project)
    options = ("--app", "pages.asgi:application", "--workers", "1", "--stall-timeout", "1s")
    with serving(project, *options) as server:
        killed = server.wait_for("worker-ready")["pid"]
        server.begin(f"/hold/?pipe={pipe}")
        with (
            held(pipe),
            connect(f"ws://{server.address}/chat/") as chat,
            connect(f"ws://{server.address}/left/") as left,
        ):
            for one in (chat, left):
                one.send("hello")
                assert one.recv(timeout=DEADLINE) == "HELLO"
            left.close()
            os.kill(killed, number)
            assert server.wait_for("request-lost")["path"] == "/hold/"
            assert server.wait_for("websocket-lost")["path"] == "/chat/"
            server.wait_for("worker-ready", count=2)
            wait_until(lambda: not alive(killed), "it has ended")
        assert server.stop() == 0
        assert len(server.found("websocket-lost")) == len(server.found("request-lost")) == 1


def test_uploads_that_were_coming_in_are_named_when_their_worker_is_killed(tmp_path: Path) -> None:
    """They had no thread yet. One that came whole is none, nor is one whose client had gone."""
    project = write_site(tmp_path / "site", urls=STOPPING_URLS)
    (project / "pages" / "asgi.py").write_text(ASGI)
    options = ("--app", "pages.asgi:application", "--workers", "1")
    head = "POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n{}\r\n"
    with serving(project, *options) as server:
        killed = server.wait_for("worker-ready")["pid"]
        gone, whole, cut = (server.connect().socket for _ in range(3))
        gone.sendall(head.format("/gone/", "Expect: 100-continue\r\n").encode())
        assert gone.recv(100).startswith(b"HTTP/1.1 100 ")
        gone.close()
        server.wait_for_request(path="/gone/", status=499)
        whole.sendall(head.format("/size/", "").encode() + b"a")
        whole.sendall(b"a" * 89_999)
        assert Exchange(whole).answer().text == "90000"  # type: ignore[attr-defined]
        cut.sendall(head.format("/size/", "Expect: 100-continue\r\nX-Request-ID: cut-off\r\n").encode())
        assert cut.recv(100).startswith(b"HTTP/1.1 100 ")
        os.kill(killed, signal.SIGKILL)
        lost = server.wait_for("request-lost")
        assert (lost["method"], lost["path"], lost["request_id"]) == ("POST", "/size/", "cut-off")
        assert lost["text"].startswith("POST /size/ had not come whole when its worker died, after ")
        server.wait_for("worker-ready", count=2)
        assert server.stop() == 0
    assert len(server.found("request-lost")) == 1


@pytest.mark.long
def test_a_killed_worker_is_replaced_within_200_ms(tmp_path: Path) -> None:
    """On a machine that has time: whoever was ready for long enough is replaced at once, however often that happens."""
    project = write_project(tmp_path / "project", settings=SLOW_IMPORT)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        for number in range(1, 6):
            time.sleep(SETTLED_SECONDS)  # what is tested is that it has served for a while
            os.kill(server.workers()[0], signal.SIGKILL)
            server.wait_for("worker-ready", count=2 + number)
        assert max(_gaps(server)) < READY_SECONDS
        assert server.stop() == 0


def _gaps(server: Server) -> list[float]:
    """Seconds from each death until the replacement is ready."""
    died = [_time(seen["time"]) for seen in server.found("worker-died")]
    ready = [_time(seen["time"]) for seen in server.found("worker-ready")][2:]
    return [after - before for before, after in zip(died, ready, strict=True)]


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_killed_zygote_is_followed_by_another_and_nothing_fails(project: Path) -> None:
    with serving(project, "--workers", "2", "--recycle-requests", "200") as server:
        server.wait_for("worker-ready", count=2)
        first = server.wait_for("preloaded")["pid"]
        with asking(server.address, "--clients", "4") as clients:
            clients.more(20)
            os.kill(first, signal.SIGKILL)
            assert server.wait_for("zygote-died")["pid"] == first
            # Whether it comes at once or when it is needed: workers are forked from it.
            second = server.wait_for("preloaded", count=2)["pid"]
            before = len(server.found("worker-ended"))
            server.wait_for("worker-ended", count=before + 2)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert second != first
        assert alive(second)
        assert server.found("worker-died") == []
        assert server.stop() == 0


def test_a_worker_whose_number_nobody_told_tells_it_itself_and_is_followed_when_it_dies(
    tmp_path: Path,
) -> None:
    """As when the process between it and the zygote is killed before it has sent what it was to send."""
    silent = """
import socket
from nuages.runtime.forking import Forks
fork, nobody = Forks.fork, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
Forks.fork = lambda self, control, message: fork(self, nobody, message)
"""
    project = write_project(tmp_path / "project", settings=silent)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        assert len({*server.workers()}) == 2
        killed = server.workers()[0]
        assert server.get("/")
        os.kill(killed, signal.SIGKILL)
        assert server.wait_for("worker-died")["pid"] == killed
        server.wait_for("worker-ready", count=3)
        assert server.stop() == 0


def test_a_worker_accepts_nobody_before_the_supervisor_says_so(tmp_path: Path) -> None:
    """It may have been given up meanwhile, as when its zygote was killed before it could tell of it."""
    project = write_project(tmp_path / "project")
    board, worker = Scoreboard(1), Child(1, 0, 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        os.set_inheritable(board.descriptor, True)
        assignment = Assignment(
            worker=1, generation=0, supervisor=os.getpid(), sys_path=tuple(sys.path),
            application=Application(directory=str(project), settings="pages.settings", apps=(APP,)).to_json(),
            settings=to_json(Settings()), sockets=(listener.fileno(),), lent=(), board=board.descriptor, slot=0,
            access_log="off", events_log="json",
        )  # fmt: skip
        worker.execute("worker-1", assignment, os.environ)
        try:
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
                exchange = Exchange(client)
                exchange.send("/")
                _wait_for(worker, "ready")
                for _ in range(3):  # turns of its loop, in which it looks for what has come
                    worker.order("stacks")
                    _wait_for(worker, "stacked")
                assert select.select([listener], [], [], 0)[0]
                worker.order("accept")
                assert exchange.answer().status == 200
            worker.order("cut")
            _, status = os.waitpid(worker.pid, 0)
            worker.pid = 0
            assert status == 0
        finally:
            if worker.pid:
                worker.signal(signal.SIGKILL)
                os.waitpid(worker.pid, 0)
            worker.close()
            board.close()


def _wait_for(worker: Child, word: str) -> None:
    """Wait until a worker has said something, in the supervisor's place."""
    wait_until(lambda: any(word in message for message in worker.messages() or ()), f"the worker says {word}")


def test_a_zygote_that_is_killed_while_it_loads_new_code_only_ends_that_reload(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "project", settings="import os\nif os.path.exists('dies'): os.kill(os.getpid(), 9)\n"
    )
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        with asking(server.address, "--rate", "100") as clients:
            (project / "dies").touch()
            server.signal(signal.SIGHUP)
            server.wait_for("reload-failed")
            (project / "dies").unlink()
            server.signal(signal.SIGHUP)
            server.wait_for("worker-ended", count=2)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert server.stop() == 0


def test_a_killed_supervisor_takes_its_workers_along_and_the_port_is_free(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        pids = [*server.workers(), server.wait_for("preloaded")["pid"]]
        port = int(server.address.rpartition(":")[2])
        with asking(server.address, "--rate", "100") as clients:
            clients.more(20)
            server.signal(signal.SIGKILL)
            server.wait()
            wait_until(lambda: not any(map(alive, pids)), "workers and zygote end")
            with socket.create_server(("127.0.0.1", port)):
                pass
        assert set(clients.tally.failures) <= INSIDE | {"fresh refused", "kept refused"}


def test_a_zygote_that_does_not_answer_is_replaced(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    with serving(project, "--workers", "1") as server:
        worker = server.wait_for("worker-ready")["pid"]
        zygote = server.wait_for("preloaded")["pid"]
        os.kill(zygote, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        assert server.wait_for("zygote-hangs", within=20)["pid"] == zygote
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"
        assert server.stop() == 0
