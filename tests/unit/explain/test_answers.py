"""What is printed for whole files, as a person reads it; `python tests/unit/explain/test_answers.py` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.explain import conclusion, report
from nuages.explain.reading import read

HERE = Path(__file__).parent
FILES = sorted((HERE / "files").iterdir())


def answer(path: Path) -> str:
    reading = read(path.read_text(), path.name, lambda _name: None)
    return report.text(reading.kind, *conclusion.explained(reading.parts))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_answer_for_a_whole_file_is_as_it_was_read_last(path: Path) -> None:
    assert answer(path) == (HERE / "answers" / f"{path.name}.txt").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_answer_has_lines_of_at_most_a_hundred_columns_and_no_secret(path: Path) -> None:
    lines = answer(path).splitlines()
    assert [line for line in lines if len(line) > report.WIDTH] == []
    assert not any("not-for-the-log" in line or "not for the log" in line for line in lines)


if __name__ == "__main__":
    for each in FILES:
        (HERE / "answers" / f"{each.name}.txt").write_text(answer(each))
