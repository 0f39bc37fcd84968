"""Static files while they are collected: each takes its predecessor's place whole, or not at all.

Django deletes a file and writes the new one in its place. Where the disk is full or the command is killed, the one is
gone and a part of the other lies there, which the next collectstatic takes for the whole: it is newer than its source.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nuages.runtime.container import OWNER, is_gone, owner
from nuages.runtime.manifest import DJANGO_NAME, UNFINISHED

# What is written before it is renamed, here and by who else writes into such folders; with the number of its process.
_PART = re.compile(rf"\.nuages-({OWNER})-\d+|\..+\.({OWNER})")


@contextlib.contextmanager
def whole_files() -> Iterator[None]:
    """Have Django's file storages write beside a file and then rename, and delete nothing before the block has ended.

    What was to be deleted stays if the block raises.
    """
    from django.core.files.storage import FileSystemStorage

    storage: Any = FileSystemStorage
    save, delete, exists = storage._save, storage.delete, storage.exists
    gone: set[str] = set()  # what is deleted as far as Django knows

    def save_beside(self: Any, name: str, content: Any) -> str:
        target = self.path(name)
        may_replace = target in gone or getattr(self, "_allow_overwrite", False)
        if os.path.lexists(target) and not may_replace:
            return str(save(self, name, content))  # finds another name
        part = os.path.join(os.path.dirname(name), f".nuages-{owner()}-{threading.get_ident()}")  # noqa: PTH118, PTH120
        try:
            part = save(self, part, content)
            os.replace(self.path(part), target)  # noqa: PTH105 - storages have text, not paths
        except BaseException as error:
            Path(self.path(part)).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = target  # what write(2) fails for names no file
            raise
        gone.discard(target)
        return str(name).replace("\\", "/")

    def delete_later(self: Any, name: str) -> None:
        if not name or Path(self.path(name)).is_dir():
            delete(self, name)
        else:
            gone.add(self.path(name))

    def still_exists(self: Any, name: str) -> bool:
        return self.path(name) not in gone and bool(exists(self, name))

    storage._save, storage.delete, storage.exists = save_beside, delete_later, still_exists
    try:
        yield
    finally:
        storage._save, storage.delete, storage.exists = save, delete, exists
    for path in gone:
        Path(path).unlink(missing_ok=True)


def tidy(root: Path) -> None:
    """Remove the parts of files that a process has left which was killed."""
    for path in root.rglob(".*"):
        part = _PART.fullmatch(path.name)
        with contextlib.suppress(FileNotFoundError):
            if part and is_gone(part[1] or part[4], path.lstat().st_mtime):
                path.unlink()


@contextlib.contextmanager
def unfinished(root: Path) -> Iterator[None]:
    """Mark a folder until all is in it: a copy that was broken off must never be served as a whole one.

    If the block raises, Django's manifest is again what it was, so that pages go on naming what was collected before.
    """
    root.mkdir(parents=True, exist_ok=True)
    if (root / UNFINISHED).exists():
        tidy(root)
    (root / UNFINISHED).touch()
    names, earlier = root / DJANGO_NAME, root / f".{DJANGO_NAME}.nuages"
    try:
        if names.is_file():
            shutil.copyfile(names, earlier)
    except BaseException:
        earlier.unlink(missing_ok=True)
        raise
    try:
        yield
    except BaseException:
        if earlier.exists():
            earlier.replace(names)
        raise
    earlier.unlink(missing_ok=True)
    (root / UNFINISHED).unlink()
