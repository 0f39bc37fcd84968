"""What is said of a project that takes long to load, from its stacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.environment.lateness import told

OTHER = """\
Timeout (0:00:10)!
Thread 0x00007f0000000001 (most recent call first):
  File "{root}/shop/poll.py", line 3 in run

"""
MAIN = """\
Thread 0x00007f0000000002 (most recent call first):
  File "/usr/lib/python3.13/socket.py", line 849 in create_connection
  File "{root}/.venv/lib/python3.13/site-packages/redis/connection.py", line 5 in connect
  File "{root}/shop/wait.py", line 12 in wait
  File "{root}/shop/settings.py", line 27 in <module>
  File "/home/runtime/nuages/runtime/probe.py", line 65 in answer
"""
ASKING = """\
Thread 0x00007f0000000002 (most recent call first):
  File "/home/django/db/backends/postgresql/base.py", line 288 in get_new_connection
  File "/home/runtime/nuages/runtime/probe.py", line 126 in _database
  File "/home/runtime/nuages/runtime/probe.py", line 65 in answer
  File "<frozen runpy>", line 88 in _run_code
"""


def test_the_innermost_line_of_the_project_is_told_of_the_main_thread(tmp_path: Path) -> None:
    stacks = (OTHER + MAIN).format(root=tmp_path)
    assert told(stacks, tmp_path, 10) == "the project is still loading after 10 s: it is at shop/wait.py:12"


def test_a_project_that_is_reached_through_a_link_is_known(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    said = told(MAIN.format(root=tmp_path / "real"), tmp_path / "link", 10)
    assert said.endswith("it is at shop/wait.py:12")


def test_a_database_that_is_asked_is_what_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told(ASKING, tmp_path, 10) == "the default database has not answered after 10 s"


def test_without_stacks_the_time_alone_is_told(tmp_path: Path) -> None:
    assert told("", tmp_path, 10) == "the project is still loading after 10 s"
