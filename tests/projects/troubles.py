"""Small projects named by their trouble, and the files that hold what is said of them.

A project in troubles/ is one text: each of its files begins with a line `--- path`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "troubles"
TROUBLES = sorted(path.stem for path in FOLDER.iterdir())


def unpack(name: str, folder: Path) -> Path:
    """Write the files of a trouble into a folder of its name, and return that."""
    project = folder / name
    text = (FOLDER / f"{name}.project").read_text(encoding="utf-8")
    for section in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
        path, _, content = section.partition("\n")
        file = project / path.strip()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return project


def compare(snapshot: Path, found: str) -> None:
    """Compare a text with the file that holds what it was; write it where there is none."""
    if not snapshot.exists():
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(found, encoding="utf-8")
        pytest.fail(f"{snapshot.name} was written anew: read it, and run the test again")
    assert found == snapshot.read_text(encoding="utf-8")
