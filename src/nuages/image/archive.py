"""Image archives: the configuration, and what each layer has in it (OCI image specification; `docker save`)."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nuages.errors import OutsideError, UsageError
from nuages.image.elf import Elf, parse
from nuages.image.leaks import is_public, scan

_TEXTS = re.compile(
    r"var/lib/dpkg/(status|status\.d/[^/]+|info/[^/]+\.list)$|etc/ld\.so\.conf(\.d/[^/]+\.conf)?$"
    r"|etc/os-release$|usr/lib/os-release$|.*\.(dist|egg)-info/(RECORD|METADATA)$"
)
"""Files whose text tells what belongs to what, and where libraries are looked for."""

_SCANNED = 2_000_000
"""The largest file whose content is searched for secrets, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, folder or link of a layer. `target` is a link's, as written; `leaks` name secrets in its content."""

    kind: str
    mode: int
    size: int = 0
    owner: int = 0
    target: str = ""
    elf: Elf | None = None
    leaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: its entries by path without a leading slash, the texts worth reading, what it deletes."""

    created_by: str
    entries: Mapping[str, Entry]
    texts: Mapping[str, str] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(entry.size for entry in self.entries.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as it lies in an archive; `config` is the OCI image configuration."""

    config: Mapping[str, Any]
    layers: tuple[Layer, ...]


def digest(path: Path) -> str:
    """Return the digest of the one manifest that an archive's index names; "" where it has no OCI index."""
    with tarfile.open(path) as archive:
        try:
            index = archive.extractfile("index.json")
        except KeyError:
            return ""
        return str(json.load(index)["manifests"][0]["digest"]) if index else ""


def read(path: Path) -> Image:
    """Read an archive of `docker save`, `podman save` or an OCI layout in a tar file.

    Raises UsageError for a file that is no image archive and OutsideError for one that cannot be read.
    """
    try:
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive if not member.isdir()}
            config, places = _described(archive, members)
            steps = [
                step.get("created_by", "")
                for step in config.get("history", ())
                if not step.get("empty_layer")
            ]
            steps += [""] * (len(places) - len(steps))
            layers = []
            for place, step in zip(places, steps, strict=False):
                with (
                    _opened(archive, members[place]) as stream,
                    tarfile.open(fileobj=stream, mode="r|*") as layer,
                ):
                    layers.append(_layer(layer, step))
    except OSError as error:
        raise OutsideError(
            "the image cannot be read", where=str(path), why=error.strerror or str(error),
            hint="name an image of a local engine, or an archive that `nuages build --output` wrote",
        ) from None  # fmt: skip
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        raise UsageError(
            "that is no image archive", where=str(path), why=str(error),
            hint="name an image of a local engine, or an archive that `nuages build --output` wrote",
        ) from None  # fmt: skip
    return Image(config=config, layers=tuple(layers))


def _described(
    archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]
) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration and the names of the layers' files, the lowest first."""

    def document(name: str) -> Any:
        with _opened(archive, members[name]) as stream:
            return json.load(stream)

    def blob(digest: str) -> str:
        return f"blobs/{digest.replace(':', '/')}"

    if "manifest.json" in members:
        first = document("manifest.json")[0]
        return document(first["Config"]), list(first["Layers"])
    manifest = document("index.json")
    while "manifests" in manifest:
        manifest = document(blob(manifest["manifests"][0]["digest"]))
    return document(blob(manifest["config"]["digest"])), [blob(each["digest"]) for each in manifest["layers"]]


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise KeyError(member.name)
    return stream


def _layer(archive: tarfile.TarFile, created_by: str) -> Layer:
    entries: dict[str, Entry] = {}
    texts: dict[str, str] = {}
    deleted = []
    for member in archive:
        path = member.name.removeprefix("./").strip("/")
        folder, _, name = path.rpartition("/")
        if name.startswith(".wh."):
            # A whiteout (OCI image specification, «Layer Filesystem Changeset»).
            opaque = name == ".wh..wh..opq"
            deleted.append(f"{folder}/" if opaque else f"{folder}/{name[4:]}".lstrip("/"))
            continue
        data = b""
        if member.isfile():
            stream = archive.extractfile(member)
            data = stream.read() if stream else b""
        if _TEXTS.match(path):
            texts[path] = data.decode("utf-8", "replace")
        elf = parse(data)
        entries[path] = Entry(
            kind=_kind(member),
            mode=member.mode & 0o7777,  # podman writes the file's type as well
            size=member.size if member.isfile() else 0,
            owner=member.uid,
            target=member.linkname,
            elf=elf,
            leaks=scan(data) if elf is None and len(data) <= _SCANNED and not is_public(path) else (),
        )
    return Layer(created_by=created_by, entries=entries, texts=texts, deleted=tuple(deleted))


def _kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    if member.issym():
        return "link"
    if member.islnk():
        return "hard link"
    return "file" if member.isfile() else "device"
