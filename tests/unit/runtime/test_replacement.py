"""Files that Django's storages write while static files are collected: whole in the place of others, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import UserSettingsHolder, global_settings, settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage

from nuages.runtime.container import container, owner
from nuages.runtime.manifest import DJANGO_NAME, UNFINISHED
from nuages.runtime.replacement import unfinished, whole_files


class Broken(File):  # type: ignore[type-arg]
    """A file that can be read to its middle."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(None)
        self.error = error

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"half of "
        raise self.error


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystemStorage:
    monkeypatch.setitem(vars(settings), "_wrapped", UserSettingsHolder(global_settings))
    return FileSystemStorage(location=str(tmp_path))


def replace(storage: FileSystemStorage, name: str, content: File) -> str:  # type: ignore[type-arg]
    """Do as collectstatic does."""
    if storage.exists(name):
        storage.delete(name)
        assert not storage.exists(name)
    return storage.save(name, content)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_cannot_be_written_to_its_end_leaves_what_was_there(
    storage: FileSystemStorage, tmp_path: Path, error: BaseException
) -> None:
    (tmp_path / "a.css").write_text("old")

    def collect() -> None:
        with whole_files():
            replace(storage, "b.css", ContentFile(b"new"))
            storage.delete("b.css")
            replace(storage, "a.css", Broken(error))

    with pytest.raises(type(error)) as caught:
        collect()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.css": "old", "b.css": "new"}
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(tmp_path / "a.css")


def test_what_is_deleted_is_gone_at_the_end_unless_it_was_written_again(
    storage: FileSystemStorage, tmp_path: Path
) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("css/a.css", "css/b.css", "c.css"):
        (tmp_path / name).write_text("old")
    with whole_files():
        assert replace(storage, "css/a.css", ContentFile(b"new")) == "css/a.css"
        assert replace(storage, "new/d.css", ContentFile(b"new")) == "new/d.css"
        storage.delete("css/b.css")
        storage.delete("empty")
        assert (tmp_path / "css" / "b.css").exists()
        assert not storage.exists("css/b.css")
        other = storage.save("c.css", ContentFile(b"beside"))  # nobody deleted it
        assert other != "c.css"
    assert {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.*")} == {
        "css/a.css": "new", "new/d.css": "new", "c.css": "old", other: "beside",
    }  # fmt: skip
    assert not (tmp_path / "empty").exists()
    storage.delete("c.css")
    assert not (tmp_path / "c.css").exists()  # as Django has it, once the block has ended


def test_django_s_manifest_is_what_it_was_where_collecting_was_broken_off(tmp_path: Path) -> None:
    names = tmp_path / DJANGO_NAME
    names.write_text("old")

    def collect() -> None:
        with unfinished(tmp_path):
            names.write_text("new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        collect()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        DJANGO_NAME: "old",
        UNFINISHED: "",
    }
    with unfinished(tmp_path):
        assert (tmp_path / UNFINISHED).exists()
        names.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {DJANGO_NAME: "new"}


def test_parts_that_a_killed_process_left_are_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).touch()
    (tmp_path / "css").mkdir()
    gone = 2**22 + 1  # no process has a number above 2**22 (proc(5), pid_max)
    here, elsewhere = f"{gone}-{container()}", f"{gone}-0000000b"
    old = (f".nuages-{elsewhere}-1", f".b.css.gz.{elsewhere}")
    left = (f".nuages-{here}-1", f"css/.a.css.gz.{here}", f".nuages-static.json.{here}", *old)
    # Of another container's process nobody knows whether it is still at it.
    kept = (f".nuages-{owner()}-1", ".htaccess", ".v.1", "a.css", f".c.css.gz.{elsewhere}")
    for name in (*left, *kept):
        (tmp_path / name).write_text("part")
    for name in old:
        os.utime(tmp_path / name, (1.0, 1.0))
    with unfinished(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
