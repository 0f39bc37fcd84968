"""The process that loads a project for `nuages up`, where the project waits while it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, held, named_pipe, wait_until, write_project

from nuages.environment import lateness

STARTER = """\
import json, os, subprocess, sys
asked, *more = sys.argv[1:]
request = json.load(open(asked))
json.dump({**request, "parent": os.getpid()}, open(asked, "w"))
subprocess.run([sys.executable, "-m", "nuages.runtime.probe", asked, *more])
"""


def asked(folder: Path, project: Path) -> list[str]:
    """Write the request for a project, and return the three files that the process is told."""
    application = {"directory": str(project), "settings": "pages.settings", "apps": []}
    request = {
        "application": application, "static_root": str(folder / "static"), "fills": True, "debug": False,
        "word": "serve", "parent": os.getpid(), "patience": 0.05,
    }  # fmt: skip
    (folder / "request").write_text(json.dumps(request))
    return [str(folder / name) for name in ("request", "answer", "stack")]


def test_it_writes_its_stacks_where_loading_takes_long(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path / "project", settings=f'\nopen("{pipe}").read()\n')
    files = asked(tmp_path, project)
    probe = [sys.executable, "-m", "nuages.runtime.probe", *files]
    with subprocess.Popen(probe, cwd=project) as running:
        with held(pipe):
            stack = Path(files[2])
            own = 'nuages/runtime/probe.py", line'
            wait_until(lambda: stack.exists() and own in stack.read_text(), "the stacks are there")
        assert running.wait(DEADLINE) == 0
    assert "error" not in json.loads((tmp_path / "answer").read_text())


def test_what_takes_long_is_told_while_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "PATIENCE", 0.01)
    monkeypatch.setattr(lateness, "_WRITING", 0.01)
    (tmp_path / "stack").write_text(f'  File "{tmp_path}/shop/wait.py", line 12 in wait\n')
    said: list[tuple[str, str]] = []
    heard = threading.Event()

    def hear(name: str, text: str = "", **_: object) -> None:
        said.append((name, text))
        heard.set()

    with lateness.watched(tmp_path / "stack", tmp_path, hear):
        assert heard.wait(DEADLINE)
    assert said == [("loading", "the project is still loading after 0 s: it is at shop/wait.py:12")]


def test_it_ends_with_whoever_asked_and_was_killed(tmp_path: Path) -> None:
    """Else it would hold the lock of the project for as long as it waits."""
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path / "project", settings=f'\nopen("{pipe}").read()\n')
    argv = [sys.executable, "-c", STARTER, *asked(tmp_path, project)]
    with subprocess.Popen(argv, cwd=project, stderr=subprocess.PIPE) as starter:
        assert starter.stderr
        with held(pipe):
            starter.kill()
            starter.wait(DEADLINE)
            assert starter.stderr.read() == b""  # its end: nobody is left who has it
