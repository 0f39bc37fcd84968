"""As the first process of a container: a PID namespace of its own."""

from __future__ import annotations

import binascii
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
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
from tests.process.sites import Talk

from nuages.runtime.management import running

LENGTH = """
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def length(request):
    return HttpResponse(str(len(request.body)))


urlpatterns += [path("length/", length)]
"""
COUNTED = """
from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

ASKED = Counter("asked", "Asked.")


def count(request):
    ASKED.inc()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    lines = generate_latest(registry).decode().splitlines()
    return HttpResponse(next(str(int(float(line.split()[1]))) for line in lines if line.startswith("asked_total ")))


urlpatterns += [path("count/", count)]
"""
_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]


def _may_unshare() -> bool:
    try:
        return subprocess.run([*_NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not _may_unshare(), reason="needs root (or user namespaces) to make a PID namespace"
)


def _outside(server: Server) -> int:
    """The number that the server's process has outside its namespace."""
    return children(server.pid)[0]


def test_signals_reach_pid_1_and_it_finishes_requests(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2", wrapper=_NAMESPACE) as server:
        server.wait_for("worker-ready", count=2)
        assert server.wait_for("listening")["pid"] == 1
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            os.kill(_outside(server), signal.SIGTERM)
            server.wait_for("worker-retires")
        assert exchange.answer().status == 200
        assert server.wait() == 0


def test_pid_1_reaps_orphans(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", wrapper=_NAMESPACE) as server:
        server.wait_for("ready")
        init = _outside(server)
        before = set(children(init))
        server.get(f"/orphan/?pipe={pipe}")
        with held(pipe):
            orphans = wait_until(lambda: set(children(init)) - before, "PID 1 adopts it")
        wait_until(lambda: orphans.isdisjoint(children(init)), "it is reaped")


def test_a_second_signal_ends_pid_1_with_its_number(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", wrapper=_NAMESPACE) as server:
        server.wait_for("ready")
        init = _outside(server)
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            os.kill(init, signal.SIGTERM)
            server.wait_for("worker-retires")
            os.kill(init, signal.SIGINT)
            assert server.wait() == 130
    assert not alive(init)


def test_the_exit_code_says_how_it_ended(tmp_path: Path) -> None:
    """0: nothing was cut off; 1: something was, or the project is wrong; 128 and the second signal's number, if so."""
    project = write_project(tmp_path / "project")
    for number, (signals, code) in enumerate(
        {
            (signal.SIGTERM,): 0,
            (signal.SIGINT,): 0,
            (signal.SIGTERM, signal.SIGTERM): 128 + signal.SIGTERM,
            (signal.SIGTERM, signal.SIGINT): 128 + signal.SIGINT,
        }.items()
    ):
        pipe = named_pipe(project, f"pipe-{number}")
        with serving(project, "--workers", "1", wrapper=_NAMESPACE) as server:
            server.wait_for("ready")
            init = _outside(server)
            if len(signals) == 1:
                os.kill(init, signals[0])
                assert server.wait() == code, signals
                continue
            server.begin(f"/hold/?pipe={pipe}")
            with held(pipe):
                os.kill(init, signals[0])
                server.wait_for("worker-retires")
                time.sleep(0.3)  # the same signal at once is one: process managers send it to the whole group
                os.kill(init, signals[1])
                assert server.wait() == code, signals


def test_the_exit_code_says_what_is_cut_off_or_wrong(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--grace", "500ms", wrapper=_NAMESPACE) as server:
        server.wait_for("ready")
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            os.kill(_outside(server), signal.SIGTERM)
            assert server.wait() == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(project, bind=f"127.0.0.1:{port}", wrapper=_NAMESPACE) as server:
            assert server.wait() == 4
    with serving(project, "--wokers", "1", wrapper=_NAMESPACE) as server:
        assert server.wait() == 2
    with serving(write_project(tmp_path / "debug", settings="DEBUG = True\n"), wrapper=_NAMESPACE) as server:
        assert server.wait() == 1
    with serving(write_project(tmp_path / "broken", settings="1 / 0\n"), wrapper=_NAMESPACE) as server:
        assert server.wait() == 3


# A root that nobody can write to, but for a temporary directory; a user that owns nothing and is in no list.
_HARDENED = """
set -e
mount --make-rprivate /
mount -t proc none /proc
mount -t tmpfs -o mode=1777 none "$TMPDIR"
for point in $(awk '{print $5}' /proc/self/mountinfo | sort -u); do
    case "$point" in "$TMPDIR"|/proc*|/dev*|/sys*) ;; *) mount -o remount,bind,ro "$point" 2>/dev/null || : ;; esac
done
exec setpriv --reuid 12345 --regid 12345 --clear-groups --inh-caps=-all,+dac_read_search \
    --ambient-caps=-all,+dac_read_search "$@"
"""


def _container(outside: int) -> str:
    """What `container` returns to a process."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    return f"{binascii.crc32(boot + str(Path(f'/proc/{outside}/ns/pid').stat().st_ino).encode()):08x}"


def test_two_first_processes_that_share_the_temporary_folder_share_nothing_in_it(tmp_path: Path) -> None:
    """As the containers of a pod do with a volume for /tmp."""
    pytest.importorskip("prometheus_client")
    project = write_project(tmp_path / "project", urls=COUNTED)
    environ = {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": "", "HOME": str(tmp_path)}
    options = ("--workers", "1", "--management", "auto")
    with serving(project, *options, wrapper=_NAMESPACE, environ=environ) as first:
        first.wait_for("ready")
        assert first.get("/count/") == "1"
        with serving(project, *options, wrapper=_NAMESPACE, environ=environ) as second:
            second.wait_for("ready")
            for number in (1, 2, 3):
                assert second.get("/count/") == str(number)
            folders = [server.get("/environ/?name=PROMETHEUS_MULTIPROC_DIR") for server in (first, second)]
            sockets = [server.wait_for("management")["address"] for server in (first, second)]
            assert len(set(folders)) == len(set(sockets)) == 2
            assert {f"unix:{address.path}" for address in running(environ)} == set(sockets)
            os.kill(_outside(second), signal.SIGTERM)
            second.wait()
        assert first.get("/count/") == "2"
        assert [f"unix:{address.path}" for address in running(environ)] == sockets[:1]
        os.kill(_outside(first), signal.SIGTERM)
        first.wait()
    assert list(tmp_path.glob("nuages-*/*")) == []


def test_it_serves_as_any_user_on_a_root_that_is_read_only(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "project", urls=LENGTH, settings="DATA_UPLOAD_MAX_MEMORY_SIZE = None\n"
    )
    scratch = tmp_path / "s"  # a socket's path has 107 bytes
    scratch.mkdir()
    wrapper = [*_NAMESPACE, "--mount", "sh", "-c", _HARDENED, "sh"]
    environ = {"TMPDIR": str(scratch), "HOME": "/nowhere", "XDG_RUNTIME_DIR": ""}
    with serving(
        project, "--workers", "2", "--management", "auto", wrapper=wrapper, environ=environ
    ) as server:
        server.wait_for("worker-ready", count=2)
        assert (
            server.wait_for("management")["address"]
            == f"unix:{scratch}/nuages-12345/1-{_container(_outside(server))}.sock"
        )
        init = _outside(server)
        status = Path(f"/proc/{init}/status").read_text()  # outside, where it has another number
        assert "\nUid:\t12345\t12345\t" in status
        with Path(f"/proc/{init}/mountinfo").open() as mounts:
            root = next(line for line in mounts if line.split()[4] == "/")
        assert root.split()[5].startswith("ro")
        talk = Talk(server.connect().socket)
        # More than is kept in memory: the body goes to the temporary directory.
        body = b"x" * 3_000_000
        talk.send(f"POST /length/ HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n", body)
        assert talk.answer().text == f"{len(body)}"
        talk.socket.close()
        assert server.wait_for("preloaded")
        os.kill(init, signal.SIGHUP)
        server.wait_for("worker-ended", count=2)
        assert server.get("/") == "hello"
        os.kill(init, signal.SIGTERM)
        assert server.wait() == 0


def test_a_body_that_no_folder_can_take_is_507_and_says_so(tmp_path: Path) -> None:
    """A root that is read-only, and no volume for /tmp."""
    project = write_project(tmp_path / "project", urls=LENGTH)
    without = "\n".join(line for line in _HARDENED.splitlines() if "tmpfs" not in line).replace(
        '"$TMPDIR"|', ""
    )
    wrapper = [*_NAMESPACE, "--mount", "sh", "-c", without, "sh"]
    environ = {"TMPDIR": "/nowhere", "HOME": "/nowhere", "XDG_RUNTIME_DIR": ""}
    with serving(project, "--workers", "1", wrapper=wrapper, environ=environ) as server:
        server.wait_for("worker-ready")
        size = (1 << 20) + 1000  # more than is kept in memory
        head = f"POST /length/ HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        for sent in (size - 1, size):  # the rest of the body comes still, or it is there
            talk = Talk(server.connect().socket)
            talk.send(head, bytes(sent))
            assert talk.answer().status == 507
            talk.socket.close()
        said = server.wait_for("body")["text"]
        assert said.startswith(
            "the body of POST /length/ cannot be stored: [Errno 2] No usable temporary directory"
        )
        assert said.endswith("; let TMPDIR name a folder that can be written")
        os.kill(_outside(server), signal.SIGTERM)
        assert server.wait() == 0


_SMALLEST_DEV = """
set -e
mount --make-rprivate /
mount -t tmpfs none /dev
mknod -m 666 /dev/null c 1 3
exec "$@"
"""


def test_it_serves_where_dev_has_nothing_but_null(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    wrapper = ["unshare", "--mount", "sh", "-c", _SMALLEST_DEV, "sh"]
    with serving(project, "--workers", "1", wrapper=wrapper) as server:
        server.wait_for("worker-ready")
        assert server.get("/") == "hello"
        assert server.stop() == 0
