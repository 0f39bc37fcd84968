"""What the planner decides of its own; what it makes of whole projects stands in tests/projects/plans."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.image.test_state import project

from nuages.image.options import ImageOptions
from nuages.image.planner import port
from nuages.project.scan import scan


@pytest.mark.parametrize(
    ("exposed", "asked", "value", "origin"),
    [
        ("", None, 8000, "default"),
        ("EXPOSE 8080", None, 8080, "Dockerfile:3"),
        ("EXPOSE 8080", 5000, 5000, "--port"),
        ("EXPOSE 80", None, 8000, "default"),
        ("EXPOSE 9000", None, 8000, "default"),
    ],
)
def test_an_image_serves_where_the_projects_own_one_did(
    tmp_path: Path, exposed: str, asked: int | None, value: int, origin: str
) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.13\nWORKDIR /app\n{exposed}\n")
    found = port(scan(tmp_path, environ={}), ImageOptions(port=asked))
    assert (found.value, str(found.origin)) == (value, origin)
