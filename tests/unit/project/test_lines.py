"""The lines that facts are said to stand on, and files of blank lines and blanks without end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nuages.errors import Origin
from nuages.project import python
from nuages.project.requirements import parse_line
from nuages.project.tree import Tree

BLANKS = 200_000


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pyproject.toml", '[project]\nname = "shop"\n\n\nrequires-python = ">=3.12"\n', 5),
        ("pyproject.toml", '[tool.poetry.dependencies]\n\npython = "^3.12"\n', 3),
        ("setup.cfg", "[options]\n\npython_requires = >=3.12\n", 3),
        ("Pipfile", '[packages]\n\n[requires]\n\npython_version = "3.12"\n', 5),
    ],
)
def test_a_fact_stands_on_its_own_line_and_not_on_a_blank_one_before_it(
    name: str, text: str, line: int, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    found = python.find(Tree(tmp_path), (".",)).everything
    assert [str(fact.origin) for fact in found] == [f"{name}:{line}"]


def test_blanks_without_end_are_passed_over_in_no_time(tmp_path: Path) -> None:
    begun = time.process_time()
    (tmp_path / "setup.cfg").write_text("[options]\n" + "\n" * BLANKS)
    python.find(Tree(tmp_path), (".",))
    assert parse_line("django" + " " * BLANKS + "x", Origin("requirements.txt", 1)) is not None
    assert time.process_time() - begun < 20  # each took half a minute
