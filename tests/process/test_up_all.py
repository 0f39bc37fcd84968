"""`nuages up --all` and `nuages run PROCESS`: the server and the processes beside it, started, renewed and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.process.environments import DEADLINE, environ, nuages, project, start
from tests.process.harness import children

T = TypeVar("T")

WORKER = """\
import os, pathlib, signal, sys, time
from django.conf import settings
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--own")

    def handle(self, name, own, **options):
        def stop(number, frame):
            print(name, "stops by", signal.Signals(number).name)
            time.sleep(0 if name != "slow" else 600)
            sys.exit(0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        print(name, "works with", settings.SETTINGS_MODULE, own, os.getpid())
        if name == "brief":
            sys.exit(3)
        while True:
            signal.pause()
"""

PYPROJECT = """
[tool.nuages.processes]
worker = { command = "python manage.py work worker --own /tmp/state", stop-signal = "INT" }
brief = "python manage.py work brief"
slow = { command = "python manage.py work slow", grace = "500ms" }
yearly = { command = "python manage.py work yearly", schedule = "@yearly" }
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project(tmp_path_factory.mktemp("projects") / "shop", "Django>=4.2,<5.3\n")
    commands = folder / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "work.py").write_text(WORKER)
    settings = folder / "shop" / "settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", 'INSTALLED_APPS = ["shop", '))
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


class Company:
    """A running `nuages up --all` and everything it has said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    def wait(self, found: Callable[[list[str]], T | None]) -> T:
        deadline = time.monotonic() + DEADLINE
        with self.news:
            while (answer := found(self.lines)) is None:
                assert self.news.wait(deadline - time.monotonic()), "\n".join(self.lines)
        return answer

    def wait_for(self, text: str, times: int = 1) -> str:
        def found(lines: list[str]) -> str | None:
            fitting = [line for line in lines if text in line]
            return fitting[times - 1] if len(fitting) >= times else None

        return self.wait(found)

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        def found(lines: list[str]) -> dict[str, Any] | None:
            for line in lines:
                event = json.loads(line) if line.startswith("{") else {}
                if all(event.get(key) == value for key, value in {"event": name, **fields}.items()):
                    return event  # type: ignore[no-any-return]
            return None

        return self.wait(found)


@contextlib.contextmanager
def all_up(shop: Path, home: Path, *arguments: str) -> Iterator[Company]:
    process = start(
        "up",
        str(shop),
        "--all",
        "--bind",
        "127.0.0.1:0",
        "--workers",
        "1",
        "--json",
        *arguments,
        variables=environ(home, None),
    )
    try:
        yield Company(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)
        process.stderr and process.stderr.close()
        process.stdout and process.stdout.close()


def server_of(company: Company) -> int:
    pid = company.process.pid
    (server,) = [each for each in children(pid) if b"serve" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return server


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110


def test_server_and_processes_run_are_renewed_and_stop_as_each_wants(home: Path, shop: Path) -> None:
    with all_up(shop, home) as company:
        first = company.wait_for("worker | worker works with shop.settings")
        state = first.split()[-2]
        assert state.endswith("/processes/state")
        assert str(home) in state
        (address,) = company.event("listening")["addresses"]
        with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
            assert answer.read() == b"the shop"
        # What ends by itself is started again, later each time.
        assert "again in 1 s" in company.event("company", process="brief", code=3)["text"]
        company.wait_for("brief | brief works with", times=2)
        assert not [line for line in company.lines if line.startswith("yearly |")]

        company.process.send_signal(signal.SIGHUP)
        company.wait_for("worker | worker stops by SIGINT")
        second = company.wait_for("worker | worker works with shop.settings", times=2)
        company.wait_for("slow | slow stops by SIGTERM")

        company.process.send_signal(signal.SIGTERM)
        company.wait_for("worker | worker stops by SIGINT", times=2)
        company.wait_for("slow did not end within 0 s: killed")
        assert company.process.wait(DEADLINE) == 0
        assert [alive(int(line.split()[-1])) for line in (first, second)] == [False, False]


def test_with_reload_what_is_saved_reaches_the_server_and_the_processes(home: Path, shop: Path) -> None:
    urls = shop / "shop" / "urls.py"
    before = urls.read_text()
    with all_up(shop, home, "--reload") as company:
        (address,) = company.event("listening")["addresses"]
        company.event("ready")
        company.wait_for("worker | worker works with")
        company.wait_for("again in 4 s")  # by now `brief` is left alone for a while
        begun = len([line for line in company.lines if line.startswith("brief | brief works")])
        saved = urls.with_name("urls.py.new")  # as editors do that write beside a file and rename
        saved.write_text(before.replace("the shop", "the new shop"))
        saved.replace(urls)
        try:
            assert company.event("changed")["text"] == "shop/urls.py changed"
            company.wait_for("worker | worker stops by SIGINT")
            company.wait_for("worker | worker works with", times=2)
            company.wait_for("brief | brief works with", times=begun + 1)
            assert company.event("worker-ended")
            with urllib.request.urlopen(address, timeout=DEADLINE) as answer:
                assert answer.read() == b"the new shop"
        finally:
            urls.write_text(before)


def test_when_it_is_killed_all_that_it_started_ends(home: Path, shop: Path) -> None:
    with all_up(shop, home) as company:
        worker = int(company.wait_for("worker | worker works with").split()[-1])
        company.event("ready")
        server = server_of(company)
        company.process.kill()
        company.process.wait(DEADLINE)
        deadline = time.monotonic() + DEADLINE
        while alive(server) or alive(worker):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        stopped = company.event("signal")
        assert stopped["signal"] == "SIGTERM"


def test_when_the_server_ends_the_others_end_with_it(home: Path, shop: Path) -> None:
    with all_up(shop, home) as company:
        pid = int(company.wait_for("worker | worker works with").split()[-1])
        company.event("ready")
        os.kill(server_of(company), signal.SIGKILL)
        company.wait_for("the server ended with -9: the others are stopped")
        assert company.process.wait(DEADLINE) == 128 + signal.SIGKILL
        assert not alive(pid)


def test_run_becomes_a_process_of_the_project_by_its_name(home: Path, shop: Path) -> None:
    answer = nuages("run", str(shop), "brief", variables=environ(home, None))
    assert answer.code == 3
    assert answer.out.startswith("brief works with shop.settings")


def test_a_process_that_there_is_not_is_told_with_those_that_there_are(home: Path, shop: Path) -> None:
    answer = nuages("run", "wroker", variables=environ(home, None), cwd=shop)
    assert answer.code == 2
    assert answer.error.endswith(
        "error: the project has no process 'wroker'\n"
        "  given on the command line\n"
        "  it has worker, brief, slow, yearly\n"
        "\n"
        "hint: nuages run -- wroker, for a management command or a program"
    )


def test_a_process_without_its_program_is_told_before_anything_starts(home: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", "Django>=4.2,<5.3\n")
    (folder / "Procfile").write_text("worker: celery -A shop worker\n")
    answer = nuages("up", str(folder), "--all", "--bind", "127.0.0.1:0", variables=environ(home, None))
    assert answer.code == 1
    assert "error: the process 'worker' cannot be run: there is no celery\n  Procfile:1\n" in answer.error
    assert answer.error.endswith(
        "hint: add what brings celery to the dependencies, or leave it out:\n"
        "      [tool.nuages.processes]\n"
        "      worker = false"
    )
