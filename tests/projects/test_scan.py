"""What `scan` says of each example project, every fact with its origin, compared with a file.

A change that is wanted: remove the file in snapshots/ and run the test, which writes it anew and fails once; then
read the difference.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nuages.project.model import to_json
from nuages.project.scan import scan

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")


def facts(project: Path) -> dict[str, Any]:
    """Return what scan finds, without the absolute path; settings by name."""
    found: dict[str, Any] = to_json(scan(project, environ={}))
    del found["root"]
    found["assignments"] = {row["name"]: f"{row['text']} ({row['origin']})" for row in found["assignments"]}
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_an_example_is_found_as_it_was(name: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=WRITTEN))
    snapshot = SNAPSHOTS / f"{name}.json"
    found = facts(project)
    if not snapshot.exists():
        snapshot.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        pytest.fail(f"{snapshot.name} was written anew: read it, and run the test again")
    assert found == json.loads(snapshot.read_text(encoding="utf-8"))
