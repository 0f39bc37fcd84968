"""Git's index, read without git."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.check.repository import _paths, tracked


def index(paths: list[str], version: int = 2, *, extended: bool = False) -> bytes:
    """Return an index as git writes it: gitformat-index."""
    data = struct.pack(">4sII", b"DIRC", version, len(paths))
    for path in sorted(paths):
        name = path.encode()
        flags = min(len(name), 0xFFF) | (0x4000 if extended else 0)
        entry = struct.pack(">10I20sH", *range(10), b"\1" * 20, flags) + (b"\0\0" if extended else b"") + name
        data += entry + b"\0" * (8 - len(entry) % 8)
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


@given(st.lists(st.text("abc/._-é", min_size=1, max_size=40), unique=True), st.booleans())
def test_every_path_of_an_index_is_read(paths: list[str], extended: bool) -> None:
    found = _paths(index(paths, 3 if extended else 2, extended=extended))
    assert sorted(found) == sorted(paths)


def test_a_project_below_its_repository_has_its_own_files(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_bytes(index(["README", "site/manage.py", "site/.env", "sites/other"]))
    (tmp_path / "site").mkdir()
    assert tracked(tmp_path / "site") == {"manage.py", ".env"}
    assert tracked(tmp_path) == {"README", "site/manage.py", "site/.env", "sites/other"}


def test_a_worktree_names_the_folder_of_its_index(tmp_path: Path) -> None:
    folder = tmp_path / "repository" / "worktrees" / "one"
    folder.mkdir(parents=True)
    (folder / "index").write_bytes(index(["manage.py"]))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ".git").write_text("gitdir: ../repository/worktrees/one\n")
    assert tracked(tmp_path / "one") == {"manage.py"}


@pytest.mark.parametrize("data", [b"", b"DIRC", index(["a"], version=4), index(["abc"])[:40]])
def test_an_index_that_cannot_be_read_tells_nothing(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_bytes(data)
    assert tracked(tmp_path) is None
