"""Compressed forms of collected files: the same bytes for the same file, kept only where they pay."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import zlib
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nuages.runtime.manifest import CODINGS
from nuages.runtime.media_types import is_compressible

SMALLEST = 256  # bytes; below it the header fields cost what compression saves
SAMPLE = 256 << 10
GAIN = 0.95  # a form must be at most this share of the file


def compressors() -> dict[str, Callable[[bytes], bytes]]:
    """Return what can compress here, by content coding; gzip always, brotli and zstd where a module for it is there.

    Python has zstd from 3.14 on.
    """
    found: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip}
    with contextlib.suppress(ImportError):
        brotli = importlib.import_module("brotli")
        found["br"] = lambda data: bytes(brotli.compress(data, quality=11))
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            zstd = importlib.import_module(name)
            # Level 19 looks back over 8 MB at most, which every client can (RFC 9659); higher ones look further.
            found["zstd"] = lambda data, zstd=zstd: bytes(zstd.compress(data, 19))  # type: ignore[misc]
            break
    return found


def _gzip(data: bytes) -> bytes:
    # No time and no name in the header, so that the bytes depend on the content alone.
    packed = bytearray(gzip.compress(data, 9, mtime=0))
    packed[9] = 255  # the operating system field, which Python versions fill differently (RFC 1952, 2.3.1)
    return bytes(packed)


def compress_files(
    root: Path,
    paths: Iterable[str],
    *,
    skipped: Collection[str] | None = None,
    report: Callable[[str, str], None] = lambda *_: None,
) -> dict[str, dict[str, int]]:
    """Write the compressed forms of files below `root` beside them; return the sizes by path and coding.

    A form that is there with its file's very time is taken as it is. `skipped` are the endings of names, without dots,
    that are not compressed; None leaves it to the type. `report` hears how far it is.
    """
    known = compressors()
    if skipped is None:
        chosen = [path for path in paths if is_compressible(path)]
    else:
        chosen = [path for path in paths if path.rpartition(".")[2].lower() not in skipped]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "nuages-compress") as executor:
        found: dict[str, dict[str, int]] = {}
        told = 0
        for path, forms in zip(
            chosen, executor.map(lambda path: _forms(root / path, known), chosen), strict=True
        ):
            found[path] = forms
            tenth = 10 * len(found) // len(chosen)
            if tenth > told or len(found) == len(chosen):
                told = tenth
                report("progress", bar("compressing", len(found), len(chosen)))
        return found


def bar(what: str, done: int, total: int) -> str:
    """Return a progress bar of a fixed width: `compressing ████░░░░░░ 40 of 100`."""
    filled = 10 * done // max(1, total)
    return f"{what} {'█' * filled}{'░' * (10 - filled)} {done} of {total}"


def _forms(file: Path, known: dict[str, Any]) -> dict[str, int]:
    status = file.stat()
    found: dict[str, int] = {}
    data: bytes | None = None
    for coding, compress in known.items():
        target = file.with_name(file.name + CODINGS[coding])
        if status.st_size < SMALLEST:
            target.unlink(missing_ok=True)
            continue
        if target.is_file() and target.stat().st_mtime_ns == status.st_mtime_ns:
            found[coding] = target.stat().st_size
            continue
        if data is None:
            data = file.read_bytes()
            if not _pays(data):
                _forget(file, known)
                return {}
        packed = compress(data)
        if len(packed) > len(data) * GAIN:
            target.unlink(missing_ok=True)
            continue
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            temporary.write_bytes(packed)
            os.utime(temporary, ns=(status.st_mtime_ns, status.st_mtime_ns))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        found[coding] = len(packed)
    return found


def _pays(data: bytes) -> bool:
    """Return whether a quick try on the beginning gains anything: the thorough one takes seconds a megabyte."""
    sample = data[:SAMPLE]
    return len(zlib.compress(sample, 1)) <= len(sample) * GAIN


def _forget(file: Path, known: dict[str, Any]) -> None:
    for coding in known:
        file.with_name(file.name + CODINGS[coding]).unlink(missing_ok=True)
