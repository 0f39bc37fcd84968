"""The folder that keeps several releases' hashed files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nuages.errors import ProjectError
from nuages.runtime.container import container, owner
from nuages.runtime.keeping import DAYS_SECONDS, LISTS, RELEASES, Kept, keep
from nuages.runtime.manifest import Manifest
from nuages.runtime.shelves import Manner, scan
from nuages.runtime.static import Files

MANNER = Manner(plain_age=60)


def release(folder: Path, number: int) -> tuple[str, Manifest]:
    """Return the root of a release: one file that all have, one of its own, one without a hash."""
    root = folder / f"release-{number}"
    root.mkdir(parents=True)
    (root / "all.0123456789ab.css").write_text("all")
    (root / f"own.{number:012x}.css").write_text(f"release {number}")
    (root / f"own.{number:012x}.css.gz").write_bytes(b"gz")
    (root / "plain.css").write_text("plain")
    for path in root.iterdir():
        os.utime(path, (1000, 1000))
    return str(root), scan(str(root), lambda path: path != "plain.css")


def silent(event: str, text: str) -> None:
    assert event == "static", text


def body(files: Files, path: bytes) -> bytes | None:
    entry = files.find(path)
    return None if entry is None else files.answer(entry, "GET", {}).body


def test_a_server_has_the_files_of_earlier_and_later_releases(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    keep(str(folder), *release(tmp_path, 1), silent)
    files = Files([Kept(b"/static/", str(folder), MANNER)])
    assert body(files, b"/static/own.000000000001.css") == b"release 1"
    assert body(files, b"/static/own.000000000002.css") is None
    keep(str(folder), *release(tmp_path, 2), silent)
    assert body(files, b"/static/own.000000000002.css") == b"release 2"
    assert body(files, b"/static/own.000000000001.css") == b"release 1"
    for path in (b"plain.css", b".nuages/lock", b"../release-1/plain.css", b"own.000000000001.css.gz"):
        assert body(files, b"/static/" + path) is None
    entry = files.find(b"/static/own.000000000001.css")
    assert entry is not None
    reply = files.answer(entry, "GET", {b"accept-encoding": b"gzip"})
    assert reply.body == b"gz"
    assert b"immutable" in reply.head


def test_only_releases_that_are_neither_new_nor_young_are_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    long_ago = time.time() - DAYS_SECONDS - 100
    for number in range(1, RELEASES + 3):
        keep(str(folder), *release(tmp_path, number), silent)
        newest = max((folder / LISTS).glob("*.json"), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (long_ago + number, long_ago + number))
    keep(str(folder), *release(tmp_path, 99), silent)
    names = {path.name for path in folder.glob("own.*.css")}
    assert names == {f"own.{number:012x}.css" for number in (*range(4, RELEASES + 3), 99)}
    assert (folder / "all.0123456789ab.css").exists()
    assert not list(folder.glob("own.000000000001.css.gz"))
    assert len(list((folder / LISTS).glob("*.json"))) == RELEASES


def test_the_same_release_is_put_there_once(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    root, manifest = release(tmp_path, 1)
    said: list[str] = []
    for _ in range(2):
        keep(str(folder), root, manifest, lambda _, text: said.append(text))
    assert said == [f"2 hashed files of this release are kept in {folder}"]


def test_parts_of_files_that_a_killed_server_left_are_removed_with_the_next_release(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    keep(str(folder), *release(tmp_path, 1), silent)
    gone = 2**22 + 1  # no process has a number above 2**22 (proc(5), pid_max)
    for name in (
        f".a.css.{gone}-{container()}",
        f"{LISTS}/.b.json.{gone}-{container()}",
        f".c.css.{owner()}",
    ):
        (folder / name).write_text("part")
    keep(str(folder), *release(tmp_path, 2), silent)
    assert [path.name for path in folder.rglob(".*.*")] == [f".c.css.{owner()}"]


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError) as caught:
        keep(str(tmp_path / "file" / "kept"), *release(tmp_path, 1), silent)
    assert caught.value.render() == (
        "error: the files of this release cannot be kept for the next one\n"
        f"  --static-keep {tmp_path}/file/kept\n"
        "  Not a directory\n\nhint: mount a folder there that this user may write to"
    )
