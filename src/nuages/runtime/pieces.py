"""What an answer out of a file consists of, and what tells whether the file still is the one it was."""

from __future__ import annotations

import os

Piece = bytes | tuple[int, int]
"""Bytes as they are; or a part of the file, by its first byte and the one behind its last."""
Stamp = tuple[int, int, int, int]
"""What tells whether a file is the one it was: device, inode, time in nanoseconds, size."""


def stamp(facts: os.stat_result) -> Stamp:
    """Return what changes when a file is replaced or written to."""
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


def length(piece: Piece) -> int:
    """Return how many bytes a piece is."""
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
