"""Compressed forms of collected files: the same bytes for the same file, kept only where they pay."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import zlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from nuages.runtime.container import owner
from nuages.runtime.manifest import CODINGS
from nuages.runtime.media_types import is_compressible

SMALLEST = 256  # bytes; below it the header fields cost what compression saves
SAMPLE = 256 << 10
GAIN = 0.95  # a form must be at most this share of the file
BEST, FAST = "best", "fast"
# Of Django's own style sheets and scripts, `best` makes 22 % with 1.6 s of a processor for a megabyte, `fast` 25 % with
# 0.1 s. zstd's level 19 looks back over 8 MB at most, which every client can (RFC 9659); higher ones look further.
LEVELS = {BEST: {"gzip": 9, "br": 11, "zstd": 19}, FAST: {"gzip": 6, "br": 5, "zstd": 9}}


Compressors = Mapping[str, Callable[[bytes], bytes]]


def compressors(effort: str = BEST) -> dict[str, Callable[[bytes], bytes]]:
    """Return what can compress here, by content coding; gzip always, brotli and zstd where a module for it is there.

    Python has zstd from 3.14 on.
    """
    level = LEVELS[effort]
    found: dict[str, Callable[[bytes], bytes]] = {"gzip": lambda data: _gzip(data, level["gzip"])}
    with contextlib.suppress(ImportError):
        brotli = importlib.import_module("brotli")
        found["br"] = lambda data: bytes(brotli.compress(data, quality=level["br"]))
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            zstd = importlib.import_module(name)
            found["zstd"] = lambda data, zstd=zstd: bytes(zstd.compress(data, level["zstd"]))  # type: ignore[misc]
            break
    return found


def _gzip(data: bytes, level: int) -> bytes:
    # No time and no name in the header, so that the bytes depend on the content alone.
    packed = bytearray(gzip.compress(data, level, mtime=0))
    packed[9] = 255  # the operating system field, which Python versions fill differently (RFC 1952, 2.3.1)
    return bytes(packed)


def compress_files(
    root: Path,
    contents: Mapping[str, str],
    *,
    skipped: Collection[str] | None = None,
    effort: str = BEST,
    takes_former: bool = True,
    report: Callable[[str, str], None] = lambda *_: None,
) -> dict[str, dict[str, int]]:
    """Write the compressed forms of files below `root` beside them; return the sizes by path and coding.

    `contents` is what tells each path's content from others: what several names have in common is compressed once. A
    form that is there with its file's very time is taken as it is, if `takes_former`. `skipped` are the endings of
    names, without dots, that are not compressed; None leaves it to the type. `report` hears how far it is.
    """
    known = compressors(effort)
    alike: dict[str, list[str]] = {}
    for path, content in contents.items():
        is_wanted = (
            is_compressible(path) if skipped is None else path.rpartition(".")[2].lower() not in skipped
        )
        if is_wanted:
            alike.setdefault(content, []).append(path)
    sizes = {content: (root / paths[0]).stat().st_size for content, paths in alike.items()}
    # The largest come first, so that none of them is left for the end alone.
    order = sorted(alike, key=lambda content: -sizes[content])
    done, total = 0, sum(sizes.values())
    found: dict[str, dict[str, int]] = {}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "nuages-compress") as executor:
        futures = {
            executor.submit(_forms_of_all, root, alike[content], known, takes_former): content
            for content in order
        }
        try:
            for future in as_completed(futures):
                found.update(future.result())
                done += sizes[futures[future]]
                report("progress", bar("compressing", done // 1000, total // 1000) + " kB")
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise
    return found


def bar(what: str, done: int, total: int) -> str:
    """Return a progress bar of a fixed width: `compressing ████░░░░░░ 40 of 100`."""
    filled = 10 * done // max(1, total)
    return f"{what} {'█' * filled}{'░' * (10 - filled)} {done} of {total}"


def _forms_of_all(
    root: Path, paths: list[str], known: Compressors, takes_former: bool
) -> dict[str, dict[str, int]]:
    """Write the forms of files that are alike."""
    packed: dict[str, bytes] = {}

    def once(coding: str) -> Callable[[bytes], bytes]:
        def compress(data: bytes) -> bytes:
            if coding not in packed:
                packed[coding] = known[coding](data)
            return packed[coding]

        return compress

    memory = {coding: once(coding) for coding in known}
    return {path: _forms(root / path, memory, takes_former) for path in paths}


def _forms(file: Path, known: Compressors, takes_former: bool) -> dict[str, int]:
    status = file.stat()
    found: dict[str, int] = {}
    data: bytes | None = None
    for coding, compress in known.items():
        target = file.with_name(file.name + CODINGS[coding])
        if status.st_size < SMALLEST:
            target.unlink(missing_ok=True)
            continue
        if takes_former and target.is_file() and target.stat().st_mtime_ns == status.st_mtime_ns:
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
        temporary = target.with_name(f".{target.name}.{owner()}")
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


def _forget(file: Path, known: Compressors) -> None:
    for coding in known:
        file.with_name(file.name + CODINGS[coding]).unlink(missing_ok=True)
