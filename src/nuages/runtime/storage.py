"""The static files storage that `fill` chooses: Django's manifest storage, forgiving where Django's is not.

Loaded by Django from its dotted name. The manifest it writes is Django's own, so the files work without nuages.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit


@lru_cache(maxsize=1)
def _manifest_storage() -> type[Any]:
    from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
    from django.core.exceptions import SuspiciousFileOperation

    class ManifestStorage(ManifestStaticFilesStorage):  # type: ignore[misc]
        """Hashed names where a file was collected, the plain name where it was not: no page fails for a file.

        The project did not choose it, so what Django's own storage refuses (a style sheet that names a missing
        file, text that is not UTF-8) is left as it is; `left` lists what that was.
        """

        manifest_strict = False

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            self.left: list[str] = []
            super().__init__(*arguments, **keywords)

        def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
            """Return the hashed name, or the plain one of a file that does not exist."""
            try:
                return str(super().hashed_name(name, content, filename))
            except (ValueError, SuspiciousFileOperation):
                if content is not None:
                    raise
                self.left.append(name)
                return name

        def stored_name(self, name: str) -> str:
            """Return the name that pages use; what is not in the manifest was not collected under another one."""
            clean = self.clean_name(urlsplit(unquote(name)).path.strip())
            names = {self.hash_key(clean), self.hash_key(self.clean_name(name))}
            return name if names.isdisjoint(self.hashed_files) else str(super().stored_name(name))

        def post_process(self, paths: Any, dry_run: bool = False, **options: Any) -> Iterator[Any]:
            """Hash the collected files as Django does; leave out what it could not read."""
            readable = {name: place for name, place in paths.items() if self._is_text(name, *place)}
            for name, hashed, processed in super().post_process(readable, dry_run, **options):
                if isinstance(processed, Exception):
                    self.left.append(name)
                else:
                    yield name, hashed, processed

        def _is_text(self, name: str, storage: Any, path: str) -> bool:
            """Return whether Django can take a file; it rewrites references in some kinds, as UTF-8."""
            if not name.endswith((".css", ".js")):
                return True
            with storage.open(path) as file:
                try:
                    file.read().decode("utf-8")
                except UnicodeDecodeError:
                    self.left.append(name)
                    return False
            return True

    ManifestStorage.__module__ = __name__
    ManifestStorage.__qualname__ = "ManifestStorage"
    return ManifestStorage


def __getattr__(name: str) -> Any:
    # Made on first use: this module must load without Django, and Django finds it by its dotted name.
    if name == "ManifestStorage":
        return _manifest_storage()
    raise AttributeError(name)
