"""Why workers are replaced: requests, age, memory, a loop that stands still, death. The others go on."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from datetime import datetime
from pathlib import Path

import pytest
from tests.process.harness import Exchange, Server, held, named_pipe, serving, wait_until, write_project
from tests.process.sites import talking
from tests.process.test_serve_limits import MB, group_of, limited

from nuages.runtime.address import parse_address
from nuages.runtime.management import ask

URLS = """
import asyncio
import ctypes
import signal
import subprocess
import sys
import threading
import time

from django.http import StreamingHttpResponse

kept = []


def leak(request):
    kept.append(bytearray(int(request.GET["bytes"])))
    return HttpResponse(str(os.getpid()))


def huge(request):
    size = int(request.GET["bytes"])
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    return HttpResponse("it did fit")


def huge_program(request):
    program = f"block = b'x' * {request.GET['bytes']}"
    return HttpResponse(str(subprocess.run([sys.executable, "-c", program]).returncode))


def crash(request):
    ctypes.string_at(0)


def trickle(request):
    def pieces():
        yield "first"
        with open(request.GET["pipe"]) as pipe:
            pipe.read()
        yield "last"
    return StreamingHttpResponse(pieces())


def mail(request):
    threading.Thread(target=lambda: open(request.GET["pipe"]).read(), name="mail").start()
    return HttpResponse("on its way")


async def block(request):
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("blocked")


async def own_pid(request):
    return HttpResponse(str(os.getpid()))


urlpatterns += [
    path("leak/", leak), path("huge/", huge), path("crash/", crash), path("block/", block), path("own-pid/", own_pid),
    path("trickle/", trickle), path("huge-program/", huge_program),
    path("mail/", mail),
]
"""
ASGI = """\
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.asgi import get_asgi_application

application = get_asgi_application()
"""
WRAPPED = """
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
django = get_asgi_application()


async def application(scope, receive, send):
    await django(scope, receive, send)
"""
BOTH = ("--app", "pages.asgi:application")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write_project(tmp_path / "project", urls=URLS)
    (folder / "pages" / "asgi.py").write_text(ASGI)
    return folder


def test_a_worker_is_replaced_after_its_requests_and_static_files_do_not_count(tmp_path: Path) -> None:
    static = f'STATIC_ROOT = "{tmp_path}/static"\n'
    project = write_project(tmp_path / "project", settings=static)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").write_text("a{}")
    with serving(project, "--workers", "1", "--recycle-requests", "10") as server:
        first = server.wait_for("worker-ready")["pid"]
        for _ in range(40):
            server.get("/static/a.css")
        for _ in range(8):
            assert server.get("/pid/") == str(first)
        assert server.found("worker-retires") == []
        for _ in range(3):
            server.get("/")
        assert " requests" in server.wait_for("worker-retires")["reason"]
        second = server.wait_for("worker-ready", count=2)["pid"]
        assert server.wait_for("worker-ended")["pid"] == first
        assert server.get("/pid/") == str(second)


def test_workers_are_replaced_after_different_numbers_of_requests(project: Path) -> None:
    with serving(project, "--workers", "1", "--recycle-requests", "100") as server:
        server.wait_for("ready")
        numbers = set()
        for count in range(1, 5):
            while len(server.found("worker-retires")) < count:
                server.get("/")
            numbers.add(int(server.found("worker-retires")[-1]["reason"].split()[3]))
    assert len(numbers) > 1
    assert all(90 <= number <= 110 for number in numbers)


def test_a_busy_worker_is_not_replaced_in_its_first_minute_unless_a_number_is_given(project: Path) -> None:
    with serving(project, "--workers", "1", "--access-log", "off") as server:
        server.wait_for("ready")
        with talking(server.address) as talk:
            for _ in range(120):
                talk.socket.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
                for _ in range(100):
                    assert talk.answer().status == 200
        assert server.found("worker-retires") == []


def test_a_worker_is_replaced_at_its_age(project: Path) -> None:
    with serving(project, "--workers", "2", "--recycle-age", "2s") as server:
        server.wait_for("worker-ended", count=2)
        assert " s old" in server.wait_for("worker-retires")["reason"]
        assert server.get("/") == "hello"


def test_a_worker_that_takes_too_much_memory_is_replaced_and_nothing_fails(project: Path) -> None:
    with serving(project, "--workers", "1", "--recycle-memory", "150M") as server:
        first = server.wait_for("worker-ready")["pid"]
        server.get(f"/leak/?bytes={200 * MB}")
        wait_until(lambda: server.found("worker-retires") or not server.get("/"), "it is due")
        assert "; 150 are --recycle-memory" in server.wait_for("worker-retires")["reason"]
        assert server.wait_for("worker-ended")["pid"] == first
        assert server.get("/pid/") != str(first)


def test_a_leaking_view_stays_within_the_limit_and_nothing_fails(project: Path) -> None:
    with (
        limited(400 * MB) as wrapper,
        serving(project, "--workers", "2", "--recycle-requests", "off", wrapper=wrapper) as server,
    ):
        server.wait_for("worker-ready", count=2)
        # 900 MB in all, of which each worker may keep some 150 MB.
        for _ in range(9000):
            server.get("/leak/?bytes=100000")
        assert len(server.found("worker-retires")) >= 3
        assert server.found("out-of-memory") == server.found("worker-died") == []
        assert server.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_200000_requests_that_leak_20_kb_each_stay_within_the_limit(project: Path) -> None:
    with (
        limited(400 * MB) as wrapper,
        serving(
            project, "--workers", "2", "--recycle-requests", "off", "--access-log", "off", wrapper=wrapper
        ) as server,
    ):
        server.wait_for("worker-ready", count=2)
        talk = server.connect()
        for _ in range(200_000):
            talk.send("/leak/?bytes=20000")
            response = talk.answer()
            assert response.status == 200
            if response.getheader("Connection") == "close":
                talk.socket.close()
                talk = server.connect()
        assert len(server.found("worker-retires")) >= 5
        assert server.found("out-of-memory") == server.found("worker-died") == []
        assert server.stop() == 0


def test_a_view_that_takes_2_gb_ends_its_worker_alone(project: Path) -> None:
    with limited(300 * MB) as wrapper, serving(project, "--workers", "2", wrapper=wrapper) as server:
        server.wait_for("worker-ready", count=2)
        exchange = server.begin(f"/huge/?bytes={2048 * MB}")
        assert exchange.closed()
        assert server.wait_for("request-lost")["path"] == "/huge/"
        assert "300 MB is the limit" in server.wait_for("out-of-memory")["text"]
        server.wait_for("worker-ready", count=3)
        assert server.get("/") == "hello"
        assert server.stop() == 0


TAKES = "HUGE = bytearray({size})\nHUGE[::4096] = b'x' * len(HUGE[::4096])\n"


@pytest.mark.parametrize("what", ["a view", "a program of a view", "new code"])
def test_who_takes_the_last_of_the_memory_is_ended_before_the_kernel_ends_anybody(
    project: Path, what: str
) -> None:
    """As in Kubernetes, where the kernel would end the whole container: here nothing sets memory.oom.group."""
    with (
        group_of(300 * MB) as group,
        serving(project, "--workers", "2", "--memory-guard", "on", wrapper=group.wrapper) as server,
    ):
        server.wait_for("worker-ready", count=2)
        if what == "new code":
            settings = project / "pages" / "settings.py"
            settings.write_text(settings.read_text() + TAKES.format(size=2048 * MB))
            server.signal(signal.SIGHUP)
            guarded = server.wait_for("memory-guard")
            assert guarded["text"].startswith("the process that loads the code is killed: it took ")
            server.wait_for("reload-failed")
        elif what == "a program of a view":
            assert server.get(f"/huge-program/?bytes={2048 * MB}") == "-9"
            guarded = server.wait_for("memory-guard")
            assert guarded["text"].startswith(f"process {guarded['pid']} (python")
        else:
            exchange = server.begin(f"/huge/?bytes={2048 * MB}")
            assert exchange.closed()
            guarded = server.wait_for("memory-guard")
            assert guarded["requests"] == ["GET /huge/"]
            assert server.wait_for("worker-died")["pid"] == guarded["pid"]
            assert server.wait_for("request-lost")["path"] == "/huge/"
            server.wait_for("worker-ready", count=3)
        assert "of 300 MB by" in guarded["text"]
        assert server.get("/") == "hello"
        assert group.kills() == 0
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("path", "how"), [("/leave/", "exited with status 7"), ("/crash/", "was killed by SIGSEGV")]
)
def test_a_view_that_ends_its_process_is_named_and_the_others_go_on(
    project: Path, path: str, how: str
) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        assert server.begin(path).closed()
        assert how in server.wait_for("worker-died")["text"]
        assert server.wait_for("request-lost")["path"] == path
        server.wait_for("worker-ready", count=3)
        assert server.get("/") == "hello"


def test_a_view_that_ends_its_process_again_and_again_leaves_the_others_soon_served(project: Path) -> None:
    """Each death is an early one, and the longest back-off had pages wait for half a minute."""
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        for number in range(1, 9):
            assert server.get("/") == "hello"
            assert server.begin("/leave/").closed()
            server.wait_for("worker-died", count=number)
        assert server.get("/") == "hello"
        ready = [datetime.fromisoformat(seen["time"].rstrip("Z")) for seen in server.found("worker-ready")]
        assert (ready[-1] - ready[0]).total_seconds() < 15, "half a second each"


def test_a_blocked_loop_is_found_named_and_replaced_before_it_is_ended(project: Path) -> None:
    with serving(project, *BOTH, "--workers", "2", "--stall-timeout", "2s") as server:
        server.wait_for("worker-ready", count=2)
        exchange = server.begin("/block/?seconds=3600")
        stalled = server.wait_for("worker-stalled")
        assert stalled["requests"] == ["GET /block/"]
        assert "in block\n" in server.wait_for("stacks", pid=stalled["pid"])["text"]
        died = server.wait_for("worker-killed")
        assert died["pid"] == stalled["pid"]
        assert exchange.closed()
        assert server.wait_for("request-lost")["path"] == "/block/"
        ready = [seen["time"] for seen in server.found("worker-ready")]
        assert ready[2] < died["time"]
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_loop_that_goes_on_in_time_loses_nothing(project: Path) -> None:
    # Its replacement takes longer to load than the loop stands still.
    slow = "import pathlib, time\nif pathlib.Path('slow').exists(): time.sleep(6)\n"
    write_project(project, urls=URLS, settings=slow)
    with serving(project, *BOTH, "--workers", "1", "--stall-timeout", "1s", "--preload", "off") as server:
        server.wait_for("worker-ready")
        (project / "slow").touch()
        exchange = server.begin("/block/?seconds=4.5")
        server.wait_for("worker-stalled")
        assert exchange.answer().status == 200
        exchange.socket.close()
        server.wait_for("worker-ended")
        assert server.found("request-lost") == []


def test_a_server_that_was_stopped_for_a_while_kills_nobody_for_it(project: Path) -> None:
    with serving(project, "--workers", "2", "--stall-timeout", "1s") as server:
        server.wait_for("worker-ready", count=2)
        pids = [server.pid, *server.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3)  # what is tested is that time passes
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        _asked_for(server, 3)
        assert server.found("worker-stalled") == []


def test_a_worker_that_stalls_while_it_goes_is_cut_and_holds_up_no_new_code(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--stall-timeout", "1s") as server:
        first = server.wait_for("worker-ready")["pid"]
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.signal(signal.SIGHUP)
            server.wait_for("worker-retires")
            os.kill(first, signal.SIGSTOP)
            server.signal(signal.SIGHUP)
            server.wait_for("worker-ready", count=3)
        assert "has stood still" in server.wait_for("worker-cut", pid=first)["text"]
        assert server.wait_for("request-lost")["path"] == "/hold/"
        assert server.get("/") == "hello"


def test_a_worker_whose_loop_is_over_has_its_time_for_what_is_left(project: Path) -> None:
    pipe = named_pipe(project)
    options = ("--workers", "1", "--stall-timeout", "1s", "--management", "127.0.0.1:0")
    with serving(project, *options) as server:
        first = server.wait_for("worker-ready")["pid"]
        address = parse_address(server.wait_for("management")["address"])
        assert server.get(f"/mail/?pipe={pipe}") == "on its way"
        with held(pipe):
            # It closes the connection itself: the answer may come before the worker knows that it retires.
            other = named_pipe(project, "other")
            exchange = server.begin(f"/hold/?pipe={other}", headers="Connection: close\r\n")
            with held(other):
                wait_until(
                    lambda: json.loads(ask(address, "/-/status")[1])["workers"][0]["connections"],
                    "it has said that it has a connection",
                )
                os.kill(first, signal.SIGTERM)
                server.wait_for("worker-retires")
            assert exchange.answer().status == 200
            assert server.wait_for("exit")["text"] == "the process waits for its threads: mail"
            # Whoever stands still from now on is found later than the first would be.
            second = server.wait_for("worker-ready", count=2)["pid"]
            os.kill(second, signal.SIGSTOP)
            assert server.wait_for("worker-stalled")["pid"] == second
        server.wait_for("worker-ended", pid=first)
        assert server.found("worker-cut", pid=first) == []


def _asked_for(server: Server, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert server.get("/") == "hello"
        time.sleep(0.05)


def test_a_view_that_never_returns_is_named_and_its_worker_replaced(project: Path) -> None:
    options = ("--workers", "2", "--timeout", "1s", "--stuck-timeout", "1s", "--grace", "2s")
    with serving(project, *options) as server:
        server.wait_for("worker-ready", count=2)
        exchange = server.begin("/spin/", headers="X-Request-ID: for-ever\r\n")
        assert exchange.answer().status == 504
        assert "GET /spin/ has not answered" in server.wait_for("timeout")["text"]
        retires = server.wait_for("worker-retires")
        assert retires["reason"].startswith("GET /spin/ has kept its thread for ")
        third = server.found("worker-ready")[2]
        assert third["time"] <= retires["time"]
        assert server.get("/") == "hello"
        lost = server.wait_for("request-lost")
        assert (lost["path"], lost["request_id"], lost["pid"]) == ("/spin/", "for-ever", retires["pid"])
        server.wait_for("worker-ended", pid=retires["pid"])
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_view_that_never_returns_is_named_behind_an_asgi_application_too(project: Path) -> None:
    (project / "pages" / "asgi.py").write_text(WRAPPED)
    pipe = named_pipe(project)
    options = ("--workers", "1", "--timeout", "1s", "--stuck-timeout", "0s", "--grace", "1s")
    with serving(project, *options, app="pages.asgi:application") as server:
        server.wait_for("worker-ready")
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            assert server.wait_for("worker-retires")["reason"].startswith(
                "GET /hold/ has kept its thread for "
            )
            found = server.wait_for("timeout")["text"]
            assert found.startswith("GET /hold/ has not answered in ")
            assert "in hold" in found


def test_a_view_that_never_returns_is_found_when_its_client_has_gone(project: Path) -> None:
    pipe = named_pipe(project)
    options = ("--workers", "2", "--timeout", "1s", "--stuck-timeout", "0s", "--grace", "1s")
    with serving(project, *options) as server:
        server.wait_for("worker-ready", count=2)
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            reset = struct.pack("ii", 1, 0)  # socket(7): closing resets the connection
            exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            exchange.socket.close()
            found = server.wait_for("timeout")["text"]
            assert found.startswith("GET /hold/ has no client any more; its thread is at")
            assert "in hold" in found
            assert "GET /hold/" in server.wait_for("worker-retires")["reason"]
            assert server.wait_for("request-lost")["path"] == "/hold/"
        assert server.get("/") == "hello"


def test_a_view_that_is_late_may_still_finish_what_it_does(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--timeout", "1s", "--stuck-timeout", "0s") as server:
        first = server.wait_for("worker-ready")["pid"]
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            assert exchange.answer().status == 504
            assert server.wait_for("worker-retires")["pid"] == first
        server.wait_for("worker-ended", pid=first)
        assert server.found("request-lost") == []
        assert server.stop() == 0


def test_an_answer_that_takes_long_is_no_view_that_never_returns(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--timeout", "1s", "--stuck-timeout", "0s") as server:
        server.wait_for("ready")
        exchange = server.begin(f"/trickle/?pipe={pipe}")
        with held(pipe):
            assert exchange.socket.recv(4096).startswith(b"HTTP/1.1 200 ")
            _asked_for(server, 3)
        assert exchange.socket.recv(4096)
        assert server.found("worker-retires") == server.found("timeout") == []


def test_a_path_may_have_a_time_limit_of_its_own(project: Path) -> None:
    pipe = named_pipe(project)
    options = ("--workers", "1", "--timeout", "1s", "--timeout-path", "/hold=1m")
    with serving(project, *options) as server:
        server.wait_for("ready")
        patient = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            spinning = server.begin("/spin/")
            assert spinning.answer().status == 504
        assert patient.answer().status == 200


def test_threads_that_one_slow_upstream_holds_do_not_cost_every_worker(project: Path) -> None:
    pipe = named_pipe(project)
    options = ("--workers", "2", "--timeout", "1s", "--stuck-timeout", "0s", "--grace", "1s")
    with serving(project, *options) as server:
        server.wait_for("worker-ready", count=2)

        def ask() -> list[Exchange]:  # the workers take turns: both have some
            return [server.begin(f"/hold/?pipe={pipe}") for _ in range(6)]

        asked = ask()
        with held(pipe):
            assert [one.answer().status for one in asked] == [504] * 6
            replaced = server.wait_for("worker-retires")["pid"]
            server.wait_for("worker-ended", pid=replaced)
            assert [one.answer().status for one in ask()] == [504] * 6
            spared = server.wait_for("worker-spared")
            assert spared["pid"] != replaced
            assert "GET /hold/ has kept its thread" in spared["reason"]
            assert server.get("/") == "hello"
            assert len(server.found("worker-retires")) == 1
