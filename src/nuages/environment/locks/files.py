"""Requirements files of pip → flat requirement lines, whatever they include («Requirements File Format», pip)."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nuages.environment.locks.graph import LockError, Requirements
from nuages.errors import Origin
from nuages.project.model import normalized

Read = Callable[[str], str]
"""Returns the text of a file whose path is relative to the project's root; raises OSError."""

_VALUED = {
    "-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url", "-f": "--find-links",
}  # fmt: skip
_IGNORED = {"--prefer-binary", "--require-hashes", "--use-feature", "--trusted-host", "--config-settings",
            "--global-option", "--install-option", "--no-cache-dir", "--disable-pip-version-check"}  # fmt: skip
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+|(?:git)@")
_PINNED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*={2,3}\s*[^,*;\s]+\s*(;.*)?$")


@dataclass(slots=True)
class _Found:
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    index: str = ""
    seen: set[tuple[str, bool]] = field(default_factory=set)


def parse(paths: tuple[str, ...], read: Read, environ: Mapping[str, str]) -> Requirements:
    """Return what the files at `paths`, relative to the root, ask for, with everything they include.

    `${NAME}` stands for a variable, as in pip. Raises LockError, with file and line, for a line that pip would not
    take either, and for a file that is not there.
    """
    found = _Found()
    for path in paths:
        _read_file(path, read, environ, found, constraint=False)
    lines = tuple(dict.fromkeys(found.lines))
    hashed = bool(lines) and all("--hash=" in line for line in lines)
    return Requirements(
        lines=lines,
        # With hashes pip itself demands that everything is named; otherwise something may be left to resolve.
        closed=hashed and not found.local,
        hashed=hashed,
        index=found.index,
        indexes=tuple(dict.fromkeys(found.indexes)),
        constraints=tuple(dict.fromkeys(found.constraints)),
        local=tuple(dict.fromkeys(found.local)),
        options=tuple(dict.fromkeys(found.options)),
        find_links=tuple(dict.fromkeys(found.find_links)),
    )


def _read_file(path: str, read: Read, environ: Mapping[str, str], found: _Found, *, constraint: bool) -> None:
    path = posixpath.normpath(path)
    if (path, constraint) in found.seen:
        return
    found.seen.add((path, constraint))
    try:
        text = read(path)
    except OSError as error:
        raise LockError(f"{path} cannot be read: {error.strerror or error}") from None
    lines = logical_lines(text)
    for number, line in lines:
        try:
            _line(_expanded(line, environ), path, read, environ, found, constraint=constraint)
        except LockError as error:
            raise LockError(str(error), error.place or Origin(path, number)) from None
    if not constraint:
        _check_hashes(path, [each for each in lines if re.match(r"[A-Za-z0-9][^@/:]*[=<>~!]=", each[1])])


def _check_hashes(path: str, releases: list[tuple[int, str]]) -> None:
    """Raise LockError where some releases of a file have hashes and one has none, as pip does («Secure installs»)."""
    without = [(number, line) for number, line in releases if "--hash" not in line]
    if without and len(without) < len(releases):
        number, line = without[0]
        raise LockError(
            f"{line} has no --hash, and other lines have: pip checks all or none", Origin(path, number)
        )


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return (line number, line) without comments and empty lines, continued lines joined."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        is_comment = re.match(r"\s*#", line)
        if not parts:
            first = number
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        # A comment line ends a continuation, as in pip.
        parts.append("" if is_comment else line)
        joined = re.sub(r"(^|\s+)#.*$", "", " ".join(part.strip() for part in parts)).strip()
        if joined:
            found.append((first, joined))
        parts = []
    if parts and (joined := " ".join(part.strip() for part in parts).strip()):
        found.append((first, joined))
    return found


def _expanded(line: str, environ: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: environ.get(match[1]) or match[0], line)


def _line(
    line: str, path: str, read: Read, environ: Mapping[str, str], found: _Found, *, constraint: bool
) -> None:
    if not line.startswith("-"):
        requirement = _requirement(line)
        if requirement.startswith("\0"):
            found.local.append(requirement[1:])
        elif constraint:
            # A constraint may carry neither hashes (uv would demand them) nor extras.
            found.constraints.append(re.split(r"(?<!\s)\s+--hash[=\s]", requirement)[0])
        else:
            found.lines.append(requirement)
        return
    option, value = _option(line)
    if option in {"--requirement", "--constraint"}:
        target = value if "://" in value else posixpath.join(posixpath.dirname(path), value)
        if "://" in target or posixpath.isabs(target):
            raise LockError(f"{option} {value}: only files of the project can be read")
        _read_file(target, read, environ, found, constraint=constraint or option == "--constraint")
    elif option == "--editable":
        requirement = _requirement(value)
        if requirement.startswith("\0"):
            found.local.append(requirement[1:])
        else:
            found.lines.append(requirement)
    elif option == "--index-url":
        found.index = value
    elif option == "--extra-index-url":
        found.indexes.append(value)
    elif option == "--find-links":
        found.find_links.append(value if "://" in value else posixpath.join(posixpath.dirname(path), value))
    elif option in {"--no-binary", "--only-binary"}:
        found.options.append(f"{option} {value}")
    elif option in {"--no-index", "--pre"}:
        found.options.append(option)
    elif option not in _IGNORED:
        raise LockError(f"pip has no option {option} here")


def _option(line: str) -> tuple[str, str]:
    """Return the long name and the value of a line such as `-r base.txt`, `-rbase.txt` or `--index-url=…`."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    first = words[0]
    if not first.startswith("--") and len(first) > 2:
        words = [first[:2], first[2:], *words[1:]]
    elif "=" in first:
        words = [*first.split("=", 1), *words[1:]]
    return _VALUED.get(words[0], words[0]), " ".join(words[1:])


def _requirement(line: str) -> str:
    """Return a requirement in the form that uv takes, or "\\0" and a path relative to the root for a local package."""
    line = re.sub(
        r"(?<!\s)\s+--(global-option|install-option|config-settings?)[=\s]+(\"[^\"]*\"|\S+)", "", line
    )
    line = re.sub(r"(?<!\s)\s+--hash[=\s]+", " --hash=", line)
    if _VCS.match(line) or re.match(r"[a-z][a-z0-9+.-]*://", line):
        return _named_url(line)
    head = re.split(r"(?<!\s)\s+--|(?<!\s)\s*;", line)[0].strip()
    target = re.sub(r"\[[^\]]*\]$", "", head)
    if target.startswith("file:"):
        target = target.removeprefix("file:").removeprefix("//")
    elif not (
        target in {".", ".."}
        or target.startswith(("./", "../", "/"))
        or ("/" in target and " " not in target)
    ):
        return line
    if posixpath.isabs(target):
        return line
    # pip takes these relative to where it is run, which is the project's folder, not the file's.
    return (
        "\0" + posixpath.normpath(target) + head[len(target) :]
        if not head.startswith("file:")
        else "\0" + target
    )


def _named_url(line: str) -> str:
    """Return `name @ url` for a URL with `#egg=name`: uv wants the name in front."""
    match = re.search(r"[#&]egg=([A-Za-z0-9._-]+)(\[[^\]]*\])?", line)
    if match is None:
        return line
    url, _, rest = line.partition(" ")
    address, _, fragment = url.partition("#")
    kept = "&".join(part for part in fragment.split("&") if not part.startswith("egg="))
    name = normalized(match[1]) + (match[2] or "")
    return f"{name} @ {address}{'#' + kept if kept else ''}{' ' + rest if rest else ''}".strip()


def is_pinned(requirements: Requirements) -> bool:
    """Return whether every line names one release, as `pip freeze` and pip-tools write them."""
    plain = [re.split(r"(?<!\s)\s+--hash=", line)[0] for line in requirements.lines]
    return bool(plain) and all(_PINNED.match(line) or " @ " in line for line in plain)
