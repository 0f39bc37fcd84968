"""What `scan` says of each example and of small projects named by their trouble, compared with a file each.

A change that is wanted: remove the file in snapshots/ and run the test, which writes it anew and fails once; then
read the difference.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.projects.troubles import TROUBLES, compare, unpack

from nuages.errors import NuagesError
from nuages.project.document import to_json
from nuages.project.model import Project
from nuages.project.scan import examine, scan

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")


def facts(project: Project) -> dict[str, Any]:
    """Return what scan finds, without the absolute path; settings by name."""
    found: dict[str, Any] = to_json(project)
    del found["root"]
    for problem in found["problems"]:
        if problem["id"] == "source-unreadable":
            # What the parser says differs from one Python to the next.
            del problem["why"]
    found["assignments"] = {row["name"]: f"{row['text']} ({row['origin']})" for row in found["assignments"]}
    return found


def _text(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_an_example_is_found_as_it_was(name: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=WRITTEN))
    compare(SNAPSHOTS / f"{name}.json", _text(facts(scan(project, environ={}))))


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_told_as_it_was(name: str, tmp_path: Path) -> None:
    project = unpack(name, tmp_path)
    try:
        found: Any = facts(examine(project, environ={}))
    except NuagesError as error:
        found = error.render().replace(str(project), "PROJECT").splitlines()
    compare(SNAPSHOTS / f"{name}.json", _text(found))


def test_every_snapshot_has_its_project() -> None:
    names = {path.name for path in EXAMPLES.iterdir()} | set(TROUBLES)
    assert {path.stem for path in SNAPSHOTS.iterdir()} <= names
