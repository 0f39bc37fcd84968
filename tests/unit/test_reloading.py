"""Which changed files make the server load the project anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles

from nuages import reloading
from nuages.reloading import is_static, matters, named
from nuages.runtime.manifest import NAME

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


def test_static_files_matter_to_who_collects_them_and_what_was_collected_does_not(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / NAME).touch()
    wanted = ("static/site.css", "shop/static/shop/a.js", "logo.svg")
    others = (
        "public/css/site.css",
        "node_modules/x/a.js",
        ".git/a.js",
        "shop/views.py",
        "staticfiles/a.css",
        "a.png",
    )
    found = [name for name in (*wanted, *others) if is_static(tmp_path / name, tmp_path)]
    assert found == list(wanted)
    assert not is_static(tmp_path.parent / "a.css", tmp_path)


def test_a_few_changed_files_are_named() -> None:
    assert named([ROOT / "b.py", ROOT / "a.py", ROOT / "a.py"], ROOT) == "a.py, b.py"
    assert named([ROOT / f"{number}.py" for number in range(5)], ROOT) == "0.py, 1.py, 2.py and 2 more"


@pytest.mark.parametrize("error", [OSError("OS file watch limit reached"), RuntimeError("limit reached")])
def test_that_changes_cannot_be_watched_is_said_in_a_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def watch(*_: object, **__: object) -> Iterator[object]:
        yield set()
        raise error

    monkeypatch.setattr(watchfiles, "watch", watch)
    monkeypatch.setattr(reloading, "_end_with_parent", lambda: None)
    assert reloading.main([str(os.getppid()), str(ROOT)]) == 1
    said = capsys.readouterr().err
    assert "changes are not noticed any more" in said
    assert str(error) in said
    assert "Traceback" not in said
