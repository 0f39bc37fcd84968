"""What RUN of a Dockerfile and lines of a script do while something is made, and who does it here."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 4000  # characters of a RUN that are looked at

_INSTALLED = (
    "the locked dependencies are installed with their hashes in a build stage; no installer is in the image"
)
_STEPS: tuple[tuple[str, str], ...] = (
    (r"\b(apt|apt-get|aptitude|yum|dnf|microdnf)\s[^&|;]*\binstall\b|\bapk\s[^&|;]*\badd\b",
     "Debian packages are found from the locked dependencies, to build and to run; programs that the project starts: "
     "--apt NAME"),
    (r"\bpip[\d.]*\b[^&|;]*\binstall\b|\b(uv|poetry|pipenv|pdm)\s+(sync|pip|export|install)\b", _INSTALLED),
    (r"\bcollectstatic\b|\bmanage\.py\s+compress\b",
     "static files are collected, hashed and compressed, with stand-ins for variables that are missing"),
    (r"\bcompilemessages\b|\bmsgfmt\b", "message catalogues are compiled"),
    (r"\bmanage\.py\s+migrate\b", "never in an image: `nuages migrate` is a step of its own"),
    (r"\b(npm|yarn|pnpm|bun)\s+(ci|install|run|build|i)\b|\byarn\s*(&&|$)",
     "package.json's build script runs in a Node stage of its own"),
    (r"\b(useradd|adduser|groupadd|addgroup)\b", "it runs as 65532, a number, and as any other"),
    (r"\b(chown|chmod|chgrp)\b", "files belong to root and are read only; what is written lies in the volume /data"),
    (r"\bmkdir\b", "folders that the settings make are there; what is written lies in the volume /data"),
    (r"\blocale-gen\b|\bln\s+-sf?\b.*\.so", "C.UTF-8 is there, and libraries are found by their packages"),
)  # fmt: skip
_NOT_LOOKED_AT = (
    "not looked at: what the image needs of it, add to the written file (nuages dockerfile --write)"
)
_VENV = r"(?:\S*/)?(?:(?:python[\d.]*\s+-m\s+)?venv|virtualenv|uv\s+venv)\b"
_HOUSEKEEPING = re.compile(
    r"(?:(?:sudo\s+)?(?:apt|apt-get|aptitude|apk|yum|dnf|microdnf)\s+(?:-\S+\s+)*"
    r"(?:update|upgrade|dist-upgrade|clean|autoclean|autoremove|remove|purge|makecache)\b"
    r"|rm\s|set\s|cd\s|echo\s[^>]*$|true$|:$|exit\b|ldconfig$|fi$|done$|esac$|\}$|\)$"
    r"|(?:\S*/)?pip[\d.]*\s+(?:uninstall|cache)\b|(?:\S*/)?python[\d.]*\s+-m\s+pip\s+(?:uninstall|cache)\b"
    rf"|{_VENV})"
)
"""What leaves nothing in an image, or makes what nuages makes as well."""

_MOUNT = re.compile(r"^(?:--\w+=\S+\s+)+")
_KEYWORD = re.compile(r"^(?:(?:then|do|else|\{|\(|!)\s+)+")
_CONDITION = re.compile(r"^(?:if|elif|while|until|for|case|\[|test\s)")


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield each step of a RUN and what is done in its place; what is not known last, together."""
    text = text[:_LONGEST]
    for pattern, why in _STEPS:
        if match := re.search(pattern, text):
            yield match[0], why
    rest = [piece for piece in _pieces(text) if not any(re.search(pattern, piece) for pattern, _ in _STEPS)]
    if rest:
        yield " && ".join(rest), _NOT_LOOKED_AT


def _pieces(text: str) -> Iterator[str]:
    """Yield the commands of a RUN that something may be left of."""
    for raw in re.split(r"&&|\|\||;", _MOUNT.sub("", text)):
        piece = _KEYWORD.sub("", raw.strip())
        if piece and not _CONDITION.match(piece) and not _HOUSEKEEPING.match(piece):
            yield piece


def installs(text: str) -> bool:
    """Whether a command only installs what an image has, or the environment of `nuages up`."""
    plain = re.sub(r"^(?:sudo\s+)?(?:-\S+\s+)*", "", text)
    return any(re.search(pattern, plain) for pattern, _ in (_STEPS[0], _STEPS[1], _STEPS[5])) or bool(
        re.match(rf"{_VENV}|(?:sudo\s+)?(?:apt|apt-get|apk|yum|dnf)\s", plain)
    )
