"""The static files storage that `fill` chooses: Django's manifest storage, forgiving where Django's is not.

Loaded by Django from its dotted name. The manifest it writes is Django's own, so the files work without nuages.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _manifest_storage() -> type[Any]:
    from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

    class ManifestStorage(ManifestStaticFilesStorage):  # type: ignore[misc]
        """Hashed names where a file was collected, the plain name where it was not: no page fails for a file."""

        manifest_strict = False

        def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
            """Return the hashed name, or the plain one of a file that does not exist."""
            try:
                return str(super().hashed_name(name, content, filename))
            except ValueError:
                if content is None:
                    return name
                raise

    ManifestStorage.__module__ = __name__
    ManifestStorage.__qualname__ = "ManifestStorage"
    return ManifestStorage


def __getattr__(name: str) -> Any:
    if name == "ManifestStorage":
        return _manifest_storage()
    raise AttributeError(name)
