"""Tables of what goes with what: the oldest Django, our server's distributions with the project's own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nuages.project.pythons_of_django import Series

OLDEST_DJANGO: Series = (3, 2)

SERVER: Mapping[str, str] = {
    "uvicorn": ">=0.21,<1",
    "httptools": ">=0.6.3,<1",  # older ones take folded fields and spaces before colons: request smuggling
    "uvloop": ">=0.19,<1",
    "h11": ">=0.14,<1",
    "websockets": ">=12",
    "click": ">=7",
}
"""The releases of the project's own distributions that our server works with; outside of them ours are taken."""


def series_of(version: str) -> Series | None:
    """Return `(4, 2)` for `4.2.23`, also with `==` before it; None for anything else."""
    match = re.match(r"\s*(?:==\s*)?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None
