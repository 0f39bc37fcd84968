"""`nuages status` against running servers: it finds them by itself and fits one screen."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.process.harness import DEADLINE, held, named_pipe, serving, wait_until, write_project

from nuages import __version__
from nuages.runtime.container import container


def ask(*arguments: str, folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `nuages status`."""
    return subprocess.run(
        [sys.executable, "-m", "nuages", "status", *arguments],
        cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip


def test_it_finds_the_server_of_this_folder_and_lists_several(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    shop, blog = write_project(tmp_path / "shop"), write_project(tmp_path / "blog")
    pipe = named_pipe(tmp_path)
    with serving(shop, "--workers", "2", "--management", "auto", environ=environ) as server:
        server.wait_for("worker-ready", count=2)
        for _ in range(3):
            server.get("/")
        server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            found = ask(folder=tmp_path, environ=environ)
        assert (found.returncode, found.stderr) == (0, "")
        lines = found.stdout.splitlines()
        assert lines[0].startswith(f"shop (pid {server.pid})  ready  up ")
        rows = [line.split() for line in lines[lines.index("") + 1 :]]
        assert {row[1] for row in rows if row and row[0] in {"1", "2"}} == {
            str(pid) for pid in server.workers()
        }
        with serving(blog, "--workers", "1", "--management", "auto", environ=environ) as other:
            other.wait_for("ready")
            both = ask(folder=tmp_path, environ=environ).stdout
            assert f"shop (pid {server.pid})  ready" in both
            assert f"blog (pid {other.pid})  ready" in both
            assert f"--management unix:{tmp_path}/nuages/{other.pid}-{container()}.sock" in both
            one = ask(folder=blog, environ=environ)
            assert one.stdout.startswith(f"blog (pid {other.pid})")
            assert "1 more serves other projects" in one.stderr
            named = ask(
                "--json",
                "--management",
                f"unix:{tmp_path}/nuages/{server.pid}-{container()}.sock",
                folder=blog,
                environ=environ,
            )
            (status,) = json.loads(named.stdout)
            assert (status["pid"], status["project"], status["requests"]) == (server.pid, str(shop), 4)
        (tmp_path / "wiki").mkdir()
        elsewhere = ask("wiki", folder=tmp_path, environ=environ)
        assert (elsewhere.returncode, elsewhere.stdout) == (4, "")
        assert elsewhere.stderr == (
            "error: no server of this project is running\n"
            f"  {tmp_path}/wiki\n"
            f"  others serve {shop}\n"
            "\n"
            "hint: nuages status / shows all that run\n"
        )
        with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as database:
            for sock, name in ((silent, "1.sock"), (database, "mariadb.sock")):
                sock.bind(str(tmp_path / "nuages" / name))
                sock.listen()
            thread = threading.Thread(target=lambda: silent.accept()[0].close() or silent.accept()[0].close())
            thread.start()
            beside = ask(folder=tmp_path, environ=environ)
            thread.join(DEADLINE)
        assert (beside.returncode, beside.stdout.startswith("shop (pid ")) == (0, True)
        assert beside.stderr.startswith("warning: the server does not answer, asked at unix:")
        assert "mariadb" not in beside.stderr


def test_what_to_do_when_there_is_none(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    none = ask(folder=tmp_path, environ=environ)
    assert (none.returncode, none.stdout) == (4, "")
    assert none.stderr.startswith(f"error: no server is running\n  looked into {tmp_path}/nuages\n")
    assert "hint: start one, or name where it answers: nuages status --management HOST:PORT" in none.stderr
    gone = ask("--management", f"unix:{tmp_path}/gone.sock", folder=tmp_path, environ=environ)
    assert gone.returncode == 4
    assert f"asked at unix:{tmp_path}/gone.sock\n  No such file or directory\n" in gone.stderr
    off = ask(folder=tmp_path, environ={**environ, "NUAGES_MANAGEMENT": "off"})
    assert off.returncode == 4
    assert "given by NUAGES_MANAGEMENT" in off.stderr


def test_what_answers_but_is_no_management_socket_is_named(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        found = ask("--management", server.address, folder=project, environ={})
    assert found.returncode == 4
    assert "not the management socket of a nuages server" in found.stderr


def test_the_answer_of_another_release_that_cannot_be_shown_is_an_error(project: Path) -> None:
    body = json.dumps({"workers": [{}], "project": str(project), "pid": 7, "version": "9.1.0"}).encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as asking:
                asking.recv(65536)
                asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        found = ask("--management", address, folder=project, environ={})
        thread.join(DEADLINE)
    assert (found.returncode, found.stdout) == (4, "")
    assert found.stderr == (
        "error: the server's answer cannot be read\n"
        f"  asked at {address}\n"
        f"  it is nuages 9.1.0, and this is {__version__}\n"
        "\n"
        "hint: ask with the nuages of its own environment; --json shows what it says\n"
    )


def test_watch_shows_rates_until_it_is_interrupted_and_says_when_the_server_ends(project: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(project), "TMPDIR": str(project)}
    with serving(project, "--workers", "1", "--management", "auto", environ=environ) as server:
        server.wait_for("ready")
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "nuages", "status", "--watch"]
        with subprocess.Popen(
            command, cwd=project, env={**os.environ, **environ}, stdout=theirs, stderr=theirs
        ) as watching:
            os.close(theirs)
            shown = ""

            def rates() -> bool:
                nonlocal shown
                shown += os.read(ours, 65536).decode()
                return "requests/s" in shown

            wait_until(rates, "rates")
            watching.send_signal(signal.SIGINT)
            assert watching.wait(DEADLINE) == 0
            os.close(ours)
        assert shown.count("\033[H\033[J") >= 2
        assert "Traceback" not in shown
        json_lines = [*command, "--json"]
        with subprocess.Popen(
            json_lines, cwd=project, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        ) as watching:  # fmt: skip
            assert watching.stdout
            (status,) = json.loads(watching.stdout.readline())
            assert status["pid"] == server.pid
            server.stop()
            _, said = watching.communicate(timeout=DEADLINE)
            assert watching.returncode == 4
            assert json.loads(said)["what"] == "the server does not answer"
