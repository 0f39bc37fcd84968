"""pylock.toml → packages (PEP 751, now the PyPA's «pylock.toml specification»)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from posixpath import basename
from typing import Any
from urllib.parse import urlsplit

from nuages.environment.locks.graph import Lock, LockError, Package
from nuages.project.model import normalized


def parse(document: Mapping[str, Any], *, groups: Iterable[str] = ()) -> Lock:
    """Return the lock that the document holds; raises LockError for another major version.

    Markers that ask for extras or groups are answered here: `groups` beside the lock's own default groups.
    """
    version = str(document.get("lock-version", ""))
    if version.partition(".")[0] != "1":
        raise LockError(f"lock-version {version or 'none'} is not known to this nuages")
    chosen = [*document.get("default-groups", []), *groups]
    packages = []
    for row in document.get("packages", []):
        marker = row.get("marker", "")
        if "extras" in marker or "dependency_groups" in marker:
            if not _chosen(marker, chosen):
                continue
            marker = ""
        packages.append(_package(row, marker))
    return Lock(packages=tuple(packages))


def _chosen(marker: str, groups: list[str]) -> bool:
    from packaging.markers import InvalidMarker, Marker

    try:
        # `extras` and `dependency_groups` are sets in these markers; packaging calls that context «lock_file».
        return bool(
            Marker(marker).evaluate({"extras": set(), "dependency_groups": set(groups)}, context="lock_file")
        )
    except (InvalidMarker, TypeError) as error:
        raise LockError(f"the marker {marker!r} cannot be understood: {error}") from None


def _package(row: Mapping[str, Any], marker: str) -> Package:
    archives = [*row.get("wheels", []), *([row["sdist"]] if "sdist" in row else [])]
    url, local, hashes = "", "", tuple(hash_ for each in archives for hash_ in _hashes(each))
    if "vcs" in row:
        vcs = row["vcs"]
        folder = f"#subdirectory={vcs['subdirectory']}" if "subdirectory" in vcs else ""
        url = f"{vcs['type']}+{vcs.get('url') or vcs.get('path')}@{vcs['commit-id']}{folder}"
    elif "directory" in row:
        local = row["directory"]["path"]
    elif "archive" in row:
        archive = row["archive"]
        url, local, hashes = archive.get("url", ""), archive.get("path", ""), tuple(_hashes(archive))
    return Package(
        name=normalized(row["name"]),
        version=row.get("version", ""),
        hashes=hashes if not local else (),
        files=tuple(_file(each) for each in archives),
        url=url,
        local=local if not url else "",
        index=row.get("index", ""),
        marker=marker,
        requires_python=row.get("requires-python", ""),
    )


def _hashes(archive: Mapping[str, Any]) -> list[str]:
    found = archive.get("hashes", {})
    # pip and uv take these three; any one is enough, and the strongest tools write sha256.
    return [f"{name}:{found[name]}" for name in ("sha256", "sha384", "sha512") if name in found][:1]


def _file(archive: Mapping[str, Any]) -> str:
    return archive.get("name") or basename(urlsplit(archive.get("url") or archive.get("path") or "").path)
