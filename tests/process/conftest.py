"""The minimal Django project that most process tests serve, and a conversation with a server."""

from __future__ import annotations

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
