"""WhiteNoise's settings, for projects whose static files it would serve: the same meaning here (its documentation,
«Configuration attributes»)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.headers import Headers

KNOWN = frozenset(
    f"WHITENOISE_{name}"
    for name in (
        "ADD_HEADERS_FUNCTION", "ALLOW_ALL_ORIGINS", "AUTOREFRESH", "CHARSET", "IMMUTABLE_FILE_TEST", "INDEX_FILE",
        "KEEP_ONLY_HASHED_FILES", "MANIFEST_STRICT", "MAX_AGE", "MIMETYPES", "ROOT", "SKIP_COMPRESS_EXTENSIONS",
        "STATIC_PREFIX", "USE_FINDERS",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What WhiteNoise's settings change. `is_immutable` and `add_headers` get a file's path and its URL."""

    prefix: str | None = None
    media_types: dict[str, str] = field(default_factory=dict)
    charset: str = "utf-8"
    is_immutable: Callable[[str, str], bool] | None = None
    add_headers: Callable[[Headers, str, str], None] | None = None

    def media_type(self, path: str, usual: str) -> str:
        """Return the Content-Type of a file, `usual` where the settings say nothing of it."""
        name = path.rsplit("/", 1)[-1].lower()
        ending = name[name.rfind(".") :] if "." in name else name
        found = self.media_types.get(name) or self.media_types.get(ending)
        bare = found or usual.partition(";")[0]
        return f"{bare}; charset={self.charset}" if bare.startswith("text/") else bare

    def headers(self, path: str, url: str, given: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return a file's fields after the project's own function has seen them."""
        if self.add_headers is None:
            return given
        headers = Headers(list(given))
        self.add_headers(headers, path, url)
        return headers.items()


def tuning(settings: Any, report: Callable[[str, str], None]) -> Tuning | None:
    """Return what the settings say where WhiteNoise's middleware is in use, None where it is not.

    Settings of its name that it does not have are reported: it would ignore them too.
    """
    if not any("whitenoise" in str(name).lower() for name in settings.MIDDLEWARE):
        return None
    for name in dir(settings):
        if name.startswith("WHITENOISE_") and name not in KNOWN:
            report("warning", f"WhiteNoise has no setting {name}; it changes nothing")
    test = getattr(settings, "WHITENOISE_IMMUTABLE_FILE_TEST", None)
    return Tuning(
        prefix=getattr(settings, "WHITENOISE_STATIC_PREFIX", None),
        media_types={
            key.lower(): value
            for key, value in (getattr(settings, "WHITENOISE_MIMETYPES", None) or {}).items()
        },
        charset=getattr(settings, "WHITENOISE_CHARSET", "utf-8"),
        is_immutable=test if test is None or callable(test) else _matching(test),
        add_headers=getattr(settings, "WHITENOISE_ADD_HEADERS_FUNCTION", None),
    )


def _matching(pattern: str) -> Callable[[str, str], bool]:
    compiled = re.compile(pattern)
    return lambda _path, url: compiled.search(url) is not None
