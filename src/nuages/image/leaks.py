"""Secrets in files, by their names and by the shapes that tokens and keys have."""

from __future__ import annotations

import fnmatch
import re

from nuages.image.context import SECRETS

_BY_CONTENT = {"*.pem", "*.key", "*.p12", "*.pfx"}
"""Names that certificates have as well: only their content tells."""

AWS = "the id of an access key of AWS"
"""No secret by itself: its other half is, which has no shape of its own."""

_SHAPES = (
    (rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40}", "a private key"),
    (rb"\bAKIA[0-9A-Z]{16}\b", AWS),
    (rb"\bgh[pousr]_[A-Za-z0-9]{36}", "a token of GitHub"),
    (rb"\bgithub_pat_[A-Za-z0-9_]{60}", "a token of GitHub"),
    (rb"\bglpat-[A-Za-z0-9_-]{20}", "a token of GitLab"),
    (rb"\bxox[abprs]-[A-Za-z0-9-]{20}", "a token of Slack"),
    (rb"\bsk_live_[A-Za-z0-9]{20}", "a live key of Stripe"),
    (rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20}", "a token of PyPI"),
    (rb"\bnpm_[A-Za-z0-9]{36}\b", "a token of npm"),
    (rb":_authToken=[^\s$]{10}", "a token of a package registry"),
    (rb"https?://[^\s/:@'\"<>${}]{1,64}:[^\s/@'\"<>${}]{6,64}@[\w.-]+\.[a-z]{2,}", "a password in an address"),
)  # fmt: skip
_SHAPE = re.compile(b"|".join(b"(" + pattern + b")" for pattern, _ in _SHAPES))
_SECRET_NAME = re.compile(
    r"(SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE_KEY|ACCESS_KEY|API_?KEY|CREDENTIAL)", re.IGNORECASE
)

_PUBLIC = re.compile(
    r"(^|/)(site|dist)-packages/|^usr/(lib|share|local/lib/python)|^opt/nuages/|^etc/ssl/|^var/lib/dpkg/"
)


def by_name(path: str) -> bool:
    """Return whether a file's name says that it holds a secret."""
    name = path.rpartition("/")[2]
    found = False
    for pattern in SECRETS:
        if pattern.startswith("!"):
            found = found and not fnmatch.fnmatchcase(name, pattern[1:])
        elif pattern not in _BY_CONTENT and fnmatch.fnmatchcase(name, pattern):
            found = True
    return found


def is_public(path: str) -> bool:
    """Return whether a file of an image comes from a public package, whose keys and tokens are samples."""
    return _PUBLIC.search(path) is not None


def scan(data: bytes) -> tuple[str, ...]:
    """Return what the content of a file gives away."""
    kinds = {_SHAPES[match.lastindex - 1][1] for match in _SHAPE.finditer(data) if match.lastindex}
    return tuple(sorted(kinds))


def in_words(text: str) -> tuple[str, ...]:
    """Return what a line of an image's history or environment gives away: `NAME=value` with a name of secrets."""
    found = list(scan(text.encode()))
    for name, value in re.findall(r"\b([A-Z][A-Z0-9_]*)=([^\s\\\"']+)", text):
        if _SECRET_NAME.search(name) and value and not re.match(r"[$/]|stand-in|/run/secrets", value):
            found.append(f"a value of {name}")
    return tuple(found)
