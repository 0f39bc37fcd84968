"""The manifest that `nuages collect` writes and `serve` reads: every collected file with what its answers need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nuages.runtime.container import owner

NAME = "nuages-static.json"
UNFINISHED = "nuages-static.unfinished"
"""Lies in a folder while files are collected into it, and afterwards when that failed."""
_decode = json.JSONDecoder().raw_decode
_BEGIN, _END = b'"files": {\n', b"\n}}\n"  # what stands around the lines of the rows
DJANGO_NAME = "staticfiles.json"
VERSION = 2
CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""Content codings and the ending of the file that holds the form, best first."""
COLUMNS = ("size", "modified", "etag", "type", "hashed", *CODINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file: `path` below the root with slashes, `modified` in Unix seconds, `etag` with quotes, `media` its type.

    `is_hashed`: its name changes with its content. `codings` maps a content coding to the size of its form in bytes.
    """

    path: str
    size: int
    modified: int
    etag: str
    media: str
    is_hashed: bool = False
    codings: dict[str, int] = field(default_factory=dict)


class Rows(Mapping[str, Any]):
    """The rows of a manifest in the bytes of its file, a line each and sorted: what is not asked for is never parsed.

    Raises ValueError for a line that is none.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __getitem__(self, path: str) -> Any:
        """Return a path's row; found by halves."""
        data, low, high = self._data, 0, len(self._data)
        while low < high:
            middle = (low + high) // 2
            begin = data.rfind(b"\n", low, middle) + 1 or low
            end = data.find(b"\n", middle, high)
            end = high if end < 0 else end
            key, row = _line(data[begin:end])
            if key == path:
                return json.loads(row)
            if key < path:
                low = end + 1
            else:
                high = begin
        raise KeyError(path)

    def sample(self, count: int) -> list[str]:
        """Return some of the paths, from all over the file."""
        data, found = self._data, []
        for number in range(count):
            begin = data.rfind(b"\n", 0, len(data) * number // count) + 1
            line = data[begin:].partition(b"\n")[0]
            if line:
                found.append(_line(line)[0])
        return found

    def __iter__(self) -> Iterator[str]:
        return (_line(line)[0] for line in self._data.split(b"\n") if line)

    def __len__(self) -> int:
        return self._data.count(b"\n") + bool(self._data)


def _line(line: bytes) -> tuple[str, str]:
    text = line.decode("utf-8", "surrogateescape").rstrip(",")
    try:
        path, end = _decode(text)
    except ValueError:
        path, end = None, 0
    if not isinstance(path, str) or not text.startswith(": [", end):
        raise ValueError(f"{NAME} has a line that is none: {text[:80]!r}")
    return path, text[end + 1 :]


class Manifest(Mapping[str, Item]):
    """The files of a folder by path. An item is made when it is asked for: thousands are listed, few are wanted.

    `tops` are the names in the folder itself that its files lie under, None where nobody has noted them; `is_fast` says
    that the compressed forms were made in a hurry.
    """

    def __init__(
        self, rows: Mapping[str, Any], tops: Sequence[str] | None = None, *, is_fast: bool = False
    ) -> None:
        self._rows = rows
        self.is_fast = is_fast
        self.tops = frozenset(path.partition("/")[0] for path in rows) if tops is None else frozenset(tops)

    def sample(self, count: int) -> list[str]:
        """Return some of the paths, from all over the manifest."""
        if isinstance(self._rows, Rows):
            return self._rows.sample(count)
        return list(self._rows)[:: max(1, len(self._rows) // count)]

    def __getitem__(self, path: str) -> Item:
        """Return the item of a path; raises ValueError for a row that is not one."""
        row = self._rows[path]
        if isinstance(row, Item):
            return row
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{NAME} names {path!r}, which is outside its folder")
        try:
            size, modified, etag, media, is_hashed, *sizes = row
            codings = {
                coding: int(length)
                for coding, length in zip(CODINGS, sizes, strict=True)
                if length is not None
            }
            return Item(
                path=path, size=int(size), modified=int(modified), etag=str(etag), media=str(media),
                is_hashed=bool(is_hashed), codings=codings,
            )  # fmt: skip
        except (TypeError, ValueError):
            raise ValueError(f"{NAME} has a row for {path} that is none: {row!r}") from None

    def __contains__(self, path: object) -> bool:
        return path in self._rows

    def __iter__(self) -> Any:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def listed(items: Iterable[Item]) -> Manifest:
    """Return a manifest of items that are at hand."""
    return Manifest({item.path: item for item in items})


def write_manifest(root: Path, items: Iterable[Item], name: str = NAME, *, is_fast: bool = False) -> Path:
    """Write the manifest of a folder, whole or not at all; the same items give the same bytes.

    `is_fast` notes that the compressed forms were made in a hurry.
    """
    items = sorted(items, key=lambda item: item.path)
    rows = ",\n".join(f"{_json(item.path)}: {_json(_row(item))}" for item in items)
    tops = _json(sorted({item.path.partition("/")[0] for item in items}))
    hurry = '"fast": true, ' if is_fast else ""
    text = f'{{"version": {VERSION}, "columns": {_json(COLUMNS)}, {hurry}"tops": {tops}, "files": {{\n{rows}\n}}}}\n'
    target = root / name
    temporary = root / f".{name}.{owner()}"
    try:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _row(item: Item) -> list[object]:
    sizes = [item.codings.get(coding) for coding in CODINGS]
    return [item.size, item.modified, item.etag, item.media, item.is_hashed, *sizes]


def read_manifest(root: Path, name: str = NAME) -> Manifest | None:
    """Return a folder's manifest; None where there is none. Raises ValueError for one that is not of this version."""
    try:
        data = (root / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _in_lines(data, name) or _manifest(json.loads(data.decode("utf-8", "surrogateescape")), name)


def _in_lines(data: bytes, name: str) -> Manifest | None:
    """Return a manifest that is laid out as `write_manifest` does, None for one that need not be."""
    head, begins, rest = data.partition(_BEGIN)
    rows, ends, more = rest.rpartition(_END)
    if not begins or not ends or more:
        return None
    header = json.loads(head + b'"files": {}}')
    _manifest(header, name)
    if not isinstance(header.get("tops"), list):
        return None
    return Manifest(Rows(rows), header["tops"], is_fast=header.get("fast") is True)


def _manifest(data: Any, name: str) -> Manifest:
    if not isinstance(data, dict) or data.get("version") != VERSION or data.get("columns") != list(COLUMNS):
        raise ValueError(f"{name} is not of version {VERSION}")
    if not isinstance(data.get("files"), dict):
        raise ValueError(f"{name} lists no files")  # noqa: TRY004 - the value of a file, not of an argument
    return Manifest(data["files"])


def read_django_manifest(root: Path) -> dict[str, str]:
    """Return the plain and the hashed names of Django's manifest storage; empty where there is no manifest."""
    try:
        data = json.loads((root / DJANGO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    paths = data.get("paths") if isinstance(data, dict) else None
    return {str(key): str(value) for key, value in paths.items()} if isinstance(paths, dict) else {}
