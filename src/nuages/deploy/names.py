"""Names that Kubernetes takes: DNS labels, whatever a project is called."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 63
"""Characters of a DNS label (RFC 1123, section 2.1; Kubernetes, «Object Names and IDs»)."""
_BASE = 40
"""What is left of a project's own name, so that `-migrate-` and a digest fit behind it."""


def label(text: str) -> str:
    """Return a text as the beginning of DNS labels: a-z, 0-9 and -, first a letter (RFC 1035), at most 40 characters.

    Where something of it is lost, a digest of the whole keeps two names apart.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    shown = re.sub(r"[\s._-]+", "-", text.lower()).strip("-")
    if plain and not plain[0].isalpha():
        plain = f"app-{plain}"
    if plain and len(plain) <= _BASE and plain.removeprefix("app-") == shown:
        return plain
    digest = _sha256(text)[:6]
    return f"{(plain or 'app')[: _BASE - 7].rstrip('-')}-{digest}"


def joined(*parts: str) -> str:
    """Return a label made of several; one that is too long keeps its beginning and a digest of the whole."""
    whole = "-".join(parts)
    if len(whole) <= LONGEST:
        return whole
    digest = _sha256(whole)[:8]
    return f"{whole[: LONGEST - 9].rstrip('-')}-{digest}"


def is_host(text: str) -> bool:
    """Return whether a text is a host name that an Ingress takes; the first label may be `*`."""
    name = text.removeprefix("*.")
    return len(text) <= 253 and all(
        re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", part) for part in name.split(".")
    )


def _sha256(text: str) -> str:
    import hashlib  # late: it brings OpenSSL, 3 MB that a supervisor would keep for as long as it serves

    return hashlib.sha256(text.encode()).hexdigest()
