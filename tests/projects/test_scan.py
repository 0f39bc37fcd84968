"""What `scan` says of each example and of small projects named by their trouble, compared with a file each.

A project in troubles/ is one text: each of its files begins with a line `--- path`.

A change that is wanted: remove the file in snapshots/ and run the test, which writes it anew and fails once; then
read the difference.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from nuages.errors import NuagesError
from nuages.project.model import Project, to_json
from nuages.project.scan import examine, scan

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TROUBLES = Path(__file__).parent / "troubles"
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


def unpack(text: str, folder: Path) -> Path:
    """Write the files of a trouble and return their folder."""
    for section in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        path, _, content = section.partition("\n")
        file = folder / path.strip()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return folder


def compare(name: str, found: Any) -> None:
    """Compare with the snapshot of that name; write it where there is none."""
    snapshot = SNAPSHOTS / f"{name}.json"
    if not snapshot.exists():
        snapshot.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        pytest.fail(f"{snapshot.name} was written anew: read it, and run the test again")
    assert found == json.loads(snapshot.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_an_example_is_found_as_it_was(name: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=WRITTEN))
    compare(name, facts(scan(project, environ={})))


@pytest.mark.parametrize("name", sorted(path.stem for path in TROUBLES.iterdir()))
def test_a_trouble_is_told_as_it_was(name: str, tmp_path: Path) -> None:
    project = unpack((TROUBLES / f"{name}.project").read_text(encoding="utf-8"), tmp_path / name)
    try:
        found: Any = facts(examine(project, environ={}))
    except NuagesError as error:
        found = error.render().replace(str(project), "PROJECT").splitlines()
    compare(name, found)


def test_every_snapshot_has_its_project() -> None:
    names = {path.name for path in EXAMPLES.iterdir()} | {path.stem for path in TROUBLES.iterdir()}
    assert {path.stem for path in SNAPSHOTS.iterdir()} <= names
