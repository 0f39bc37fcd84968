"""Which Pythons a version or a requirement of Django runs on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nuages.project.specifier import allows

Series = tuple[int, int]

OPEN: Series = (3, 99)
"""The newest Python of a Django whose newest is not known."""

DJANGO: Mapping[Series, tuple[Series, Series, Mapping[Series, int]]] = {
    (1, 8): ((2, 7), (3, 5), {}),
    (1, 9): ((2, 7), (3, 5), {}),
    (1, 10): ((2, 7), (3, 5), {}),
    (1, 11): ((2, 7), (3, 7), {(3, 7): 17}),
    (2, 0): ((3, 4), (3, 7), {}),
    (2, 1): ((3, 5), (3, 7), {}),
    (2, 2): ((3, 5), (3, 9), {(3, 8): 8, (3, 9): 17}),
    (3, 0): ((3, 6), (3, 9), {(3, 9): 11}),
    (3, 1): ((3, 6), (3, 9), {(3, 9): 3}),
    (3, 2): ((3, 6), (3, 10), {(3, 10): 9}),
    (4, 0): ((3, 8), (3, 10), {}),
    (4, 1): ((3, 8), (3, 11), {(3, 11): 3}),
    (4, 2): ((3, 8), (3, 12), {(3, 12): 8}),
    (5, 0): ((3, 10), (3, 12), {}),
    (5, 1): ((3, 10), (3, 13), {(3, 13): 3}),
    (5, 2): ((3, 10), (3, 14), {(3, 14): 8}),
    (6, 0): ((3, 12), (3, 14), {}),
    (6, 1): ((3, 12), (3, 14), {}),
}
"""Django's FAQ, «What Python version can I use with Django?»: oldest and newest Python of each release series,
and the patch release that the newer Pythons came with."""


def pythons_for(django: str) -> tuple[Series, Series] | None:
    """Return the oldest and newest Python for a version (`4.2.3`) or a requirement (`>=4.2,<5`) of Django.

    A requirement allows several releases, each on Pythons of its own: from the oldest of all to the newest. None where
    it cannot be told.
    """
    if version := re.fullmatch(
        r"\s*(?:==\s*)?(\d+)\.(\d+)(?:\.(\d+))?(?:\.?(?:a|b|rc|dev|post)\d*)?\s*", django
    ):
        series = int(version[1]), int(version[2])
        return _range(series, int(version[3] or 0))
    return _range_of_requirement(django)


def release_for(django: str, python: Series) -> str | None:
    """Return the first release of the series of a version of Django that runs on a Python which this one does not.

    `3.2.6` and Python 3.10 → `3.2.9`: an upgrade that changes nothing but mistakes.
    """
    version = re.fullmatch(r"\s*(?:==\s*)?(\d+)\.(\d+)(?:\.\d+)?\s*", django)
    _, newest, since = DJANGO.get(
        (int(version[1]), int(version[2])) if version else (0, 0), (None, (0, 0), {})
    )
    if not version or newest < python or python not in since:
        return None
    return f"{version[1]}.{version[2]}.{since[python]}"


def _range(series: Series, patch: int) -> tuple[Series, Series] | None:
    row = DJANGO.get(series)
    if row is None:
        # A release newer than this table: at least what the last one needs, with no upper limit known.
        return (DJANGO[max(DJANGO)][0], OPEN) if series > max(DJANGO) else None
    oldest, newest, since = row
    while since.get(newest, 0) > patch:
        newest = newest[0], newest[1] - 1
    return oldest, newest


def _range_of_requirement(text: str) -> tuple[Series, Series] | None:
    if text.strip() == "*":
        return None
    allowed = [
        (series, patch) for series in DJANGO for patch in range(40)
        if allows(text, f"{series[0]}.{series[1]}.{patch}")
    ]  # fmt: skip
    if not allowed:
        return None
    ranges = [found for series, patch in allowed if (found := _range(series, patch))]
    # pip and uv fall back to an older Django that the Python supports, so every allowed release counts.
    return min(low for low, _ in ranges), max(high for _, high in ranges)
