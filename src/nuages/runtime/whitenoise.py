"""WhiteNoise's settings, for projects whose static files it would serve: the same meaning here (its documentation,
«Configuration attributes»)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.headers import Headers

from nuages.runtime.stored import Entry

KNOWN = frozenset(
    f"WHITENOISE_{name}"
    for name in (
        "ADD_HEADERS_FUNCTION", "ALLOW_ALL_ORIGINS", "AUTOREFRESH", "CHARSET", "IMMUTABLE_FILE_TEST", "INDEX_FILE",
        "KEEP_ONLY_HASHED_FILES", "MANIFEST_STRICT", "MAX_AGE", "MIMETYPES", "ROOT", "SKIP_COMPRESS_EXTENSIONS",
        "STATIC_PREFIX", "USE_FINDERS",
    )
)  # fmt: skip
YEAR = 31_536_000
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What WhiteNoise's settings change. `is_immutable` and `add_headers` get a file's path and its URL.

    `max_age` is in seconds, None where nothing is said; `has_age` is False where no age is to be sent. `refreshes`:
    files are looked for at each request. `uses_finders`: what was not collected is served too. `root` is a folder for
    the root of the site.
    """

    prefix: str | None = None
    root: str = ""
    index_file: str = ""
    max_age: float | None = None
    has_age: bool = True
    allows_all_origins: bool = True
    refreshes: bool = False
    uses_finders: bool = False
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

    def tuner(self, report: Report) -> Callable[[Entry, str], None]:
        """Return what applies the settings to a file that is asked for first, given its URL path.

        A function of the project's that fails is reported, and the file served without it.
        """

        def tune(entry: Entry, url: str) -> None:
            try:
                self._change(entry, url)
            except Exception as error:  # noqa: BLE001 - the project's own function
                report("warning", f"WhiteNoise's settings fail for {url}: {type(error).__name__}: {error}")

        return tune

    def _change(self, entry: Entry, url: str) -> None:
        path = entry.variants[0].path
        if not self.has_age:
            entry.cache_control = ""
        if self.is_immutable is not None and self.is_immutable(path, url):
            entry.cache_control = f"max-age={YEAR}, public, immutable"
        entry.media = self.media_type(path, entry.media)
        given = [("Content-Type", entry.media)]
        if entry.cache_control:
            given.append(("Cache-Control", entry.cache_control))
        lines = entry.extra.decode("latin-1").split("\r\n")
        given += [(name, value) for name, _, value in (line.partition(": ") for line in lines if line)]
        rest = []
        entry.cache_control = ""
        for name, value in self.headers(path, url, given):
            if name.lower() == "content-type":
                entry.media = value
            elif name.lower() == "cache-control":
                entry.cache_control = value
            else:
                rest.append(f"{name}: {value}\r\n")
        entry.extra = "".join(rest).encode("latin-1")


def tuning(settings: Any, report: Report) -> Tuning:
    """Return what the settings say where WhiteNoise's middleware is in use, what is usual where it is not.

    Settings of its name that it does not have are reported: it would ignore them too.
    """
    max_age = getattr(settings, "WHITENOISE_MAX_AGE", 0)
    age = max_age if hasattr(settings, "WHITENOISE_MAX_AGE") and isinstance(max_age, (int, float)) else None
    if not any("whitenoise" in str(name).lower() for name in settings.MIDDLEWARE):
        return Tuning(max_age=age)
    for name in dir(settings):
        if name.startswith("WHITENOISE_") and name not in KNOWN:
            report("warning", f"WhiteNoise has no setting {name}; it changes nothing")

    def get(name: str, default: Any = None) -> Any:
        return getattr(settings, f"WHITENOISE_{name}", default)

    test, index_file = get("IMMUTABLE_FILE_TEST"), get("INDEX_FILE")
    return Tuning(
        prefix=get("STATIC_PREFIX"),
        root=str(get("ROOT") or ""),
        index_file=index_file if isinstance(index_file, str) else "index.html" if index_file is True else "",
        max_age=age,
        has_age=max_age is not None,
        allows_all_origins=bool(get("ALLOW_ALL_ORIGINS", True)),
        refreshes=bool(get("AUTOREFRESH", settings.DEBUG)),
        uses_finders=bool(get("USE_FINDERS", settings.DEBUG)),
        media_types={key.lower(): value for key, value in (get("MIMETYPES") or {}).items()},
        charset=str(get("CHARSET", "utf-8")),
        is_immutable=test if test is None or callable(test) else _matching(test),
        add_headers=get("ADD_HEADERS_FUNCTION"),
    )


def skipped_endings(settings: Any) -> frozenset[str] | None:
    """Return the endings, without dots, that WHITENOISE_SKIP_COMPRESS_EXTENSIONS excludes from compression."""
    given = getattr(settings, "WHITENOISE_SKIP_COMPRESS_EXTENSIONS", None)
    return None if given is None else frozenset(str(ending).lower().lstrip(".") for ending in given)


def _matching(pattern: str) -> Callable[[str, str], bool]:
    compiled = re.compile(pattern)
    return lambda _path, url: compiled.search(url) is not None
