"""Where private environments are kept, who may change them, and how a half-made one is told from a whole one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nuages.errors import NuagesError, OutsideError

_STAMP = "complete.json"


class Report(Protocol):
    """Takes progress: the event's name, the line a person reads, and fields for a program."""

    def __call__(self, name: str, text: str = "", **fields: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything `up` makes: `environments/`, `runtime/` and `projects/`."""

    root: Path

    def environment(self, digest: str) -> Path:
        """The private environment of every project with the same lock, Python and runtime."""
        return self.root / "environments" / digest

    def runtime(self, digest: str) -> Path:
        """The folders of one release of our runtime for one Python."""
        return self.root / "runtime" / digest

    def project(self, root: Path, directory: str = ".") -> Path:
        """What belongs to one project on this machine: secrets, static files, bytecode, its record."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-.") or "project"
        return self.root / "projects" / f"{name}-{digest_of(str((root / directory).resolve()))[:12]}"


def locate(option: str | None, environ: Mapping[str, str]) -> Home:
    """Return the home that `--home` names, else `nuages` in the user's data folder (XDG Base Directory)."""
    if option:
        return Home(Path(option).expanduser().absolute())
    data = environ.get("XDG_DATA_HOME", "")
    # The specification: a relative path in the variable is invalid and is to be ignored.
    base = (
        Path(data) if data.startswith("/") else Path(environ.get("HOME") or "~").expanduser() / ".local/share"
    )
    return Home(base / "nuages")


def digest_of(*parts: str | bytes) -> str:
    """Return a digest of the parts in their order, 32 hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(f"{len(data)}:".encode() + data)
    return found.hexdigest()[:32]


held: set[int] = set()
"""Descriptors of the locks that this process holds: what it starts inherits them (`Popen(pass_fds=…)`), so that a lock
is not free before an installer has ended whose parent was killed."""


@contextmanager
def locked(path: Path, report: Report, what: str) -> Iterator[None]:
    """Hold the lock file at `path`; a second `up` waits here and says so. The kernel frees it if we die (flock(2))."""
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting", f"waiting for another nuages that works on {what}", lock=str(path))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        held.add(descriptor)
        yield
    finally:
        held.discard(descriptor)
        os.close(descriptor)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Raise what a file system refuses (OSError) as OutsideError, with an answer."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> NuagesError:
    """Return the error for an operation on `path` that the file system refused."""
    where = str(error.filename or path)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return full(str(path))
    return OutsideError(
        "the private environment cannot be written",
        where=where,
        why=error.strerror or str(error),
        hint="name a folder that you may write to: --home DIR",
    )


def full(path: str, lines: str = "") -> OutsideError:
    """Return the error for a disk that has no room left; `lines` are what a tool said."""
    return OutsideError(
        "the disk is full",
        where=path,
        why=lines or os.strerror(errno.ENOSPC),
        hint="free some space, or keep environments elsewhere: --home DIR\n"
        "nothing half-made was left behind: start again",
    )


def is_complete(folder: Path) -> bool:
    """Return whether the folder was made to its end; an interrupted installation leaves one that was not."""
    return (folder / _STAMP).is_file()


def completed(folder: Path) -> dict[str, Any]:
    """Return what `complete` wrote, or nothing."""
    return read_json(folder / _STAMP)


def start_over(folder: Path) -> None:
    """Remove what an interrupted or failed installation left, and make the folder anew, empty."""
    with disk(folder):
        discard(folder)
        folder.mkdir(parents=True)


def discard(folder: Path) -> None:
    """Remove a folder; the stamp goes first, so that an interruption cannot leave a whole-looking half."""
    (folder / _STAMP).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def complete(folder: Path, **facts: Any) -> None:
    """Mark the folder as whole; the very last step."""
    write(folder / _STAMP, json.dumps(facts, indent=1))


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, readable from its first moment only to whom `mode` says."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    with disk(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a file of ours holds; an empty one where it is missing or unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def private_folder(home: Home, root: Path, directory: str = ".") -> Path:
    """Return the project's own folder, made if need be, which only the user may enter."""
    folder = home.project(root, directory)
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    return folder
