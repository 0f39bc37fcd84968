"""Which files git tracks, from the index alone: what is committed is in every clone for ever."""

from __future__ import annotations

import struct
from pathlib import Path

_ENTRY = struct.Struct(">10I20sH")


def tracked(root: Path) -> frozenset[str] | None:
    """Return the tracked files below `root`, relative to it; None where there is no index that can be read.

    The format is git's Documentation/gitformat-index.txt, versions 2 and 3 (4 compresses the paths and is rare).
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if top is None:
        return None
    try:
        data = _index(top / ".git").read_bytes()
        paths = _paths(data)
    except (OSError, struct.error, ValueError):
        return None
    prefix = "" if top == root else root.relative_to(top).as_posix() + "/"
    return frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix))


def _index(git: Path) -> Path:
    if git.is_file():
        # A worktree's or submodule's `.git` is a file that names the folder.
        name = git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        git = (git.parent / name).resolve()
    return git / "index"


def _paths(data: bytes) -> list[str]:
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in {2, 3}:
        raise ValueError("not an index of version 2 or 3")
    at, found = 12, []
    for _ in range(count):
        flags = _ENTRY.unpack_from(data, at)[-1]
        start = at + _ENTRY.size + (2 if flags & 0x4000 else 0)
        end = data.index(b"\0", start)
        found.append(data[start:end].decode("utf-8", "surrogateescape"))
        # Entries are padded with one to eight NULs to a multiple of eight bytes.
        at += (end - at + 8) // 8 * 8
    return found
