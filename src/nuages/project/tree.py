"""The files of a project: a bounded walk, texts and syntax trees read once, and nothing ever executed."""

from __future__ import annotations

import ast
import io
import json
import os
import posixpath
import re
import stat
import sys
import tokenize
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from nuages.errors import Origin
from nuages.project import syntax
from nuages.project.model import Problem
from nuages.project.syntax import Lost, Parsed

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the oldest supported Python
    import tomli as tomllib

# Folders that never hold the project's own source; what an installer, a build or an editor made.
SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".bzr",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        ".env",
        "virtualenv",
        ".virtualenv",
        "node_modules",
        "bower_components",
        "site-packages",
        "dist-packages",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".eggs",
        ".idea",
        ".vscode",
        ".cache",
        ".direnv",
        "__pypackages__",
        ".terraform",
    }
)
COLLECTED = "nuages-static.json"
"""What `nuages collect` leaves in the folder that it has filled."""
MAX_ENTRIES = 100_000
MAX_IN_FOLDER = 20_000
MAX_DEPTH = 16
MAX_BYTES = 32 << 20


class Tree:
    """The files below `root`, read-only. Paths are relative to it, with forward slashes.

    The walk is breadth first, so that what is near the root is seen even where the tree is larger than the limit;
    linked folders are not followed, so that it ends. `depth` is how many folders down it goes.
    """

    def __init__(self, root: Path, *, depth: int = MAX_DEPTH) -> None:
        self.root = root
        self._depth = depth
        self.is_complete = True
        self.problems: list[Problem] = []
        self._texts: dict[str, str | None] = {}
        self._modules: dict[str, Parsed] = {}
        self._documents: dict[str, Mapping[str, Any] | None] = {}
        self.files: dict[str, None] = {}
        self.folders: dict[str, None] = {".": None}
        self._walk()

    def _walk(self) -> None:
        waiting: deque[tuple[str, int]] = deque([("", 0)])
        count = 0
        while waiting:
            folder, depth = waiting.popleft()
            try:
                with os.scandir(self.root / folder) as found:
                    # A folder of uploads may hold millions.
                    entries = sorted(islice(found, MAX_IN_FOLDER), key=lambda entry: entry.name)
            except OSError:
                continue
            names = frozenset(entry.name for entry in entries)
            if folder and _is_virtual(names):
                del self.folders[folder.rstrip("/")]
                continue
            if COLLECTED in names:
                depth = MAX_DEPTH  # thousands of files below it, copies all of them
            for entry in entries:
                count += 1
                if count > MAX_ENTRIES:
                    self.is_complete = False
                    return
                self._enter(entry, folder, depth, waiting)

    def _enter(
        self, entry: os.DirEntry[str], folder: str, depth: int, waiting: deque[tuple[str, int]]
    ) -> None:
        path = folder + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and depth < self._depth:
                    self.folders[path] = None
                    waiting.append((path + "/", depth + 1))
            elif entry.is_file():
                self.files[path] = None
        except OSError:
            return

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def below(self, folder: str) -> tuple[str, ...]:
        """Return the files directly in a folder (`.` is the root), sorted."""
        prefix = "" if folder == "." else folder + "/"
        return tuple(
            path for path in self.files if path.startswith(prefix) and "/" not in path[len(prefix) :]
        )

    def text(self, path: str) -> str | None:
        """Return the text of a file, or None when it cannot be read; wrong bytes are replaced."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str | None:
        file = self.root / path
        try:
            status = file.stat()
            # A named pipe or a device would block or never end.
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return None
            data = file.read_bytes()
        except (OSError, ValueError):
            return None
        return decode(data, is_python=path.endswith(".py"))

    def module(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a Python file, as much as can be read, or None; never raises. See `lost`."""
        return self._parsed(path).module

    def lost(self, path: str) -> tuple[Lost, ...]:
        """Return the statements of a Python file that cannot be read by this Python."""
        return self._parsed(path).lost

    def garbled(self, path: str) -> Lost | None:
        """Return the line of a Python file that is not in its encoding (PEP 263), and why; None where all is."""
        try:
            data = (self.root / path).read_bytes()
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
            data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            return Lost(
                line, line, f"byte 0x{data[error.start]:02x} is not {error.encoding.upper()}: {error.reason}"
            )
        except (SyntaxError, LookupError) as error:
            # It looks at the first two lines only, and does not say which byte it is.
            bad = next((index for index, byte in enumerate(data) if byte >= 0x80), 0)
            line = data.count(b"\n", 0, bad) + 1
            return Lost(line, line, str(error))
        except (OSError, ValueError):
            return None
        return None

    def _parsed(self, path: str) -> Parsed:
        if path not in self._modules:
            text = self.text(path)
            self._modules[path] = Parsed(None) if text is None else syntax.parse(text)
        return self._modules[path]

    def toml(self, path: str) -> Mapping[str, Any]:
        """Return a TOML document; an empty one and a problem when it does not parse."""
        return self._document(path, "TOML", tomllib.loads)

    def json(self, path: str) -> Mapping[str, Any]:
        """Return a JSON object; an empty one and a problem when it does not parse."""
        return self._document(path, "JSON", json.loads)

    def _document(self, path: str, language: str, loads: Any) -> Mapping[str, Any]:
        if path in self._documents:
            return self._documents[path] or {}
        text = self.text(path)
        self._documents[path] = None
        if text is None:
            return {}
        try:
            document = loads(text)
        except (ValueError, RecursionError) as error:
            self.problems.append(_unreadable(path, language, error))
            return {}
        if isinstance(document, dict):
            self._documents[path] = document
        return self._documents[path] or {}

    def line_of(self, path: str, pattern: str) -> Origin:
        """Return the first line of a file that a regular expression matches, else the file."""
        text = self.text(path) or ""
        found = re.search(pattern, text, re.MULTILINE)
        return Origin(path, text.count("\n", 0, found.start()) + 1 if found else None)


def join(folder: str, name: str) -> str:
    """Return a path below a folder of a tree, `.` being its root."""
    return posixpath.normpath(name if folder == "." else f"{folder}/{name}")


def table_of(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table of a TOML document; an empty one where there is none, or something else bears its name."""
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _is_virtual(names: frozenset[str]) -> bool:
    # virtualenv wrote no pyvenv.cfg before its version 20.
    return "pyvenv.cfg" in names or {"bin", "lib", "include"} <= names


def decode(data: bytes, *, is_python: bool) -> str | None:
    """Return the text of a file: PEP 263 for Python, UTF-16 by its mark, else UTF-8; wrong bytes are replaced.

    Return None for a binary file.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:8192]:
        return None
    encoding = "utf-8-sig"
    if is_python:
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        except (SyntaxError, LookupError):
            encoding = "utf-8-sig"
    try:
        text = data.decode(encoding, errors="replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unreadable(path: str, language: str, error: Exception) -> Problem:
    text = str(error)
    found = re.search(r"line (\d+)", text)
    line = int(found.group(1)) if found else None
    return Problem(
        id="unreadable",
        what=f"{path} is not valid {language}",
        where=str(Origin(path, line)),
        why=text,
        hint=f"correct {path}" + (f" at line {line}" if line else ""),
        is_error=True,
    )
