"""Folders of the project that are packages themselves (`-e .`, path dependencies), installed from a copy."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nuages.environment.home import disk

_SKIPPED = {".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "env", "node_modules", "__pycache__", "build",
            "dist", ".mypy_cache", ".ruff_cache", ".pytest_cache", "media", "staticfiles"}  # fmt: skip
_DECLARATIONS = ("pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A folder or archive to install: `spec` is its path and extras as written, `digest` what decides its content."""

    path: Path
    extras: str
    spec: str
    digest: str


def read(root: Path, specs: Sequence[str]) -> list[Local]:
    """Return the local packages that `specs`, paths relative to the root with extras, name.

    The project's own folder is known by its declaration alone: its code is read from where it lies, for its folder
    stands first on sys.path.
    """
    found = []
    for spec in specs:
        match = re.fullmatch(r"(.*?)(\[[^\]]*\])?", spec)
        assert match is not None
        path = (root / match[1]).resolve()
        own = root.resolve().is_relative_to(path)
        with disk(path):
            digest = _declaration(path) if own else _content(path)
        found.append(Local(path=path, extras=match[2] or "", spec=f"{path}{match[2] or ''}", digest=digest))
    return found


def _declaration(path: Path) -> str:
    found = hashlib.sha256()
    for name in _DECLARATIONS:
        if (path / name).is_file():
            found.update((path / name).read_bytes())
    return found.hexdigest()


def _content(path: Path) -> str:
    found = hashlib.sha256()
    if path.is_file():
        found.update(path.read_bytes())
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_file():
                found.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return found.hexdigest()


@contextmanager
def copied(packages: Sequence[Local], folder: Path) -> Iterator[list[str]]:
    """Yield what to give the installer: copies, because building writes beside the sources."""
    with disk(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".local-") as place:
        found = []
        for number, each in enumerate(packages):
            target = Path(place) / str(number) / each.path.name
            if each.path.is_dir():
                shutil.copytree(
                    each.path, target, symlinks=True, ignore=shutil.ignore_patterns(*_SKIPPED, "*.egg-info")
                )
            else:
                target.parent.mkdir(parents=True)
                shutil.copy2(each.path, target)
            found.append(f"{target}{each.extras}")
        yield found


def versions(packages: Sequence[Local]) -> dict[str, str]:
    """Return variables that tell setuptools-scm a version, package by package: a copy has no repository to ask.

    One variable for all would also be taken by sources of other people that are built beside them.
    """
    found = {}
    for each in packages:
        for name in _DECLARATIONS:
            text = _text(each.path / name)
            match = re.search(r"^[ \t]*name\s*=\s*[\"']?([A-Za-z0-9][\w.-]*)", text, re.MULTILINE)
            if match and re.search(r"setuptools[-_]scm|hatch[-_]vcs|versioningit", text):
                word = re.sub(r"[^A-Za-z0-9]+", "_", match[1]).upper()
                found[f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{word}"] = "0.0.0"
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
