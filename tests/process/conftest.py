"""What many process tests begin with: a minimal project, a talk with a server, a home of environments, a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.environments import prepare_home, wheel
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


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that `up` and `run` keep environments in; the runtime lies there already."""
    return prepare_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder that packages are installed from, in place of an index; it has a Django."""
    folder = tmp_path / "links"
    wheel(folder, "django", "5.2")
    return folder


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
