"""Which changed files make the server load the project anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.reloading import matters, named

ROOT = Path("/home/me/.cache/media/shop")  # what its own folders are called says nothing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop/views.py", True), ("templates/base.html", True), ("locale/fr/LC_MESSAGES/django.mo", True),
        (".env", True), (".env.local", True), ("pyproject.toml", True), ("shop/__pycache__/views.py", False),
        (".git/HEAD.py", False), ("node_modules/x/a.html", False), ("media/a.html", False), ("db.sqlite3", False),
        ("debug.log", False), ("shop/views.py~", False), (".venv/lib/a.py", False), ("static/site.css", False),
    ],
)  # fmt: skip
def test_code_and_templates_matter(name: str, expected: bool) -> None:
    assert matters(ROOT / name, ROOT) is expected


def test_a_few_changed_files_are_named() -> None:
    assert named([ROOT / "b.py", ROOT / "a.py", ROOT / "a.py"], ROOT) == "a.py, b.py"
    assert named([ROOT / f"{number}.py" for number in range(5)], ROOT) == "0.py, 1.py, 2.py and 2 more"
