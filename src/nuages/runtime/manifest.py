"""The manifest that `nuages collect` writes and `serve` reads: every collected file with what its answers need."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

NAME = "nuages-static.json"
DJANGO_NAME = "staticfiles.json"
VERSION = 1
CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""Content codings and the ending of the file that holds the form, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One collected file: `path` below the root with slashes, `modified` in Unix seconds, `etag` with quotes.

    `codings` maps a content coding to the size of its form in bytes.
    """

    path: str
    size: int
    modified: int
    etag: str
    codings: dict[str, int] = field(default_factory=dict)


def write_manifest(root: Path, items: Iterable[Item]) -> Path:
    """Write the manifest of a folder, whole or not at all; the same items give the same bytes."""
    files = {
        item.path: {
            "size": item.size, "modified": item.modified, "etag": item.etag, "codings": item.codings,
        }
        for item in sorted(items, key=lambda item: item.path)
    }  # fmt: skip
    text = json.dumps({"version": VERSION, "files": files}, indent=1, sort_keys=True, ensure_ascii=False)
    target = root / NAME
    temporary = root / f".{NAME}.{os.getpid()}"
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def read_manifest(root: Path) -> tuple[Item, ...] | None:
    """Return the items of a folder's manifest; None where there is none.

    Raises ValueError for a manifest that is not one, or that tells of files that left the folder's names.
    """
    try:
        text = (root / NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ValueError(f"{NAME} is not of version {VERSION}")
    items = []
    try:
        for path, facts in data["files"].items():
            if path.startswith("/") or ".." in path.split("/"):
                raise ValueError(f"{NAME} names {path!r}, which is outside its folder")
            items.append(
                Item(
                    path=path, size=int(facts["size"]), modified=int(facts["modified"]), etag=str(facts["etag"]),
                    codings={coding: int(size) for coding, size in facts["codings"].items() if coding in CODINGS},
                )
            )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{NAME} has an entry without {error}") from None
    return tuple(items)


def read_django_manifest(root: Path) -> dict[str, str]:
    """Return the plain and the hashed names of Django's manifest storage; empty where there is no manifest."""
    try:
        data = json.loads((root / DJANGO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    paths = data.get("paths") if isinstance(data, dict) else None
    return {str(key): str(value) for key, value in paths.items()} if isinstance(paths, dict) else {}
