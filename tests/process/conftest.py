"""The minimal Django project that most process tests serve, a conversation with a server, a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Server, write_project
from tests.process.sites import Talk, talking


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the views of `harness.URLS`."""
    return write_project(tmp_path / "project")


@pytest.fixture
def talk(server: Server) -> Iterator[Talk]:
    """A connection to the server that a test module has as its fixture."""
    with talking(server.address) as opened:
        yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KB."""
    if os.geteuid():
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
