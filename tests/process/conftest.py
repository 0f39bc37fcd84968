"""The minimal Django project that most process tests serve."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.process.harness import write_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the views of `harness.URLS`."""
    return write_project(tmp_path / "project")
