"""Hashed files of several releases in one folder, so that pages of one find their files at servers of another.

In a rolling update, a page of the old release asks a new server for a file that only the old one has, and the other way
about. All servers share the folder (--static-keep); each puts its own files there before it serves. A release is listed
in `.nuages/`, by a manifest that is written when all its files are there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nuages.errors import ProjectError
from nuages.runtime.container import owner
from nuages.runtime.manifest import CODINGS, Item, Manifest, listed, read_manifest, write_manifest
from nuages.runtime.replacement import tidy
from nuages.runtime.shelves import Listed, Manner
from nuages.runtime.stored import Entry

LISTS = ".nuages"
RELEASES = 5  # the newest ones are kept
DAYS_SECONDS = 7 * 86_400.0  # and all that were started within these seconds
Report = Callable[[str, str], None]


class Kept(Listed):
    """The hashed files that any server has put into the folder; a release that is new there is seen at once."""

    def __init__(self, prefix: bytes, folder: str, manner: Manner) -> None:
        super().__init__(prefix, folder, Manifest({}), manner)
        self._changed = -1

    def has(self, path: str) -> bool:
        """Return whether a release has the file."""
        if path not in self.manifest:
            self._look_again()
        return path in self.manifest

    def find(self, path: str) -> Entry | None:
        """Return the entry of a release's file."""
        return super().find(path) if self.has(path) else None

    def _look_again(self) -> None:
        """Read the lists when their folder has changed."""
        lists = Path(self.root) / LISTS
        try:
            changed = lists.stat().st_mtime_ns
        except OSError:
            return
        if changed != self._changed:
            self._changed = changed
            self.manifest = listed(item for _, release in releases(lists) for item in release.values())


def releases(lists: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield the lists of a folder and what they list, the newest first; one that is none is passed over."""
    found = []
    for path in lists.glob("*.json"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found, reverse=True):
        with contextlib.suppress(OSError, ValueError):
            manifest = read_manifest(lists, path.name)
            if manifest is not None:
                yield path, manifest


def keep(folder: str, root: str, manifest: Manifest, report: Report) -> None:
    """Put a release's hashed files into the folder, and take those out that only old releases have.

    Raises ProjectError for a folder that cannot be written to. A full disk is a warning: it is served without.
    """
    items = [item for item in manifest.values() if item.is_hashed]
    lists = Path(folder) / LISTS
    try:
        lists.mkdir(parents=True, exist_ok=True)
        with _locked(lists / "lock"):
            name = f"{_release(items)}.json"
            if (lists / name).exists():
                os.utime(lists / name)
            else:
                tidy(Path(folder))
                for item in items:
                    _copy(root, folder, item)
                write_manifest(lists, items, name)
                report("static", f"{len(items)} hashed files of this release are kept in {folder}")
            _forget(folder, lists, time.time())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            report(
                "warning",
                f"--static-keep {folder} is full: pages in a rolling update may lack files ({error})",
            )
            return
        raise ProjectError(
            "the files of this release cannot be kept for the next one", where=f"--static-keep {folder}",
            why=error.strerror or str(error), hint="mount a folder there that this user may write to",
        ) from None  # fmt: skip


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _release(items: Iterable[Item]) -> str:
    """Return a name for a set of files, the same for the same files."""
    digest = hashlib.blake2b(digest_size=8)
    for item in sorted(items, key=lambda item: item.path):
        digest.update(
            f"{item.path}\0{item.etag}\0{sorted(item.codings)}\n".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()


def _names(item: Item) -> list[str]:
    return [item.path, *(item.path + CODINGS[coding] for coding in item.codings)]


def _copy(root: str, folder: str, item: Item) -> None:
    """Copy a file and its compressed forms with their times, each whole or not at all."""
    for name in _names(item):
        target = Path(folder) / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{owner()}")
        try:
            shutil.copy2(f"{root}/{name}", temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _forget(folder: str, lists: Path, now: float) -> None:
    """Take out what only releases have that are neither among the newest nor were started lately."""
    found = list(releases(lists))
    old = [
        (path, manifest)
        for path, manifest in found[RELEASES:]
        if now - path.stat().st_mtime > DAYS_SECONDS
    ]  # fmt: skip
    if not old:
        return
    gone = {path for path, _ in old}
    wanted = {
        name
        for path, manifest in found
        if path not in gone
        for item in manifest.values()
        for name in _names(item)
    }
    for path, manifest in old:
        path.unlink()
        for item in manifest.values():
            for name in _names(item):
                if name not in wanted:
                    (Path(folder) / name).unlink(missing_ok=True)
