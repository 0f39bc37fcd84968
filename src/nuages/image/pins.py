"""The moving parts that an image is made from, pinned: `nuages.lock` maps base images to digests."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from nuages.errors import ProjectError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "nuages.lock"

_HEAD = """\
# Which base images this project's image is made from: `nuages build --lock` writes it anew. Commit it.

[images]
"""


def read(text: str) -> dict[str, str]:
    """Return digests by image, as nuages.lock has them. Raises ProjectError for what it cannot have."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(str(error)) from None
    for name in document:
        if name != "images":
            raise _wrong(f"{name!r} is unknown: there is one table, [images]")
    images = document.get("images", {})
    if not isinstance(images, dict):
        raise _wrong("[images] is no table")
    for image, digest in images.items():
        if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise _wrong(f"the digest of {image} is {digest!r}")
    return dict(images)


def write(pins: Mapping[str, str]) -> str:
    """Return the text of nuages.lock."""
    return _HEAD + "".join(f'"{image}" = "{digest}"\n' for image, digest in sorted(pins.items()))


def _wrong(why: str) -> ProjectError:
    return ProjectError(
        f"{NAME} cannot be read", where=NAME, why=why,
        hint="nuages build --lock writes it anew; a line in it is: \"python:3.13-slim\" = \"sha256:…\"",
    )  # fmt: skip
