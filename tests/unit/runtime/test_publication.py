"""Static files for a bucket: in which order they go up, and which of them need not."""

from __future__ import annotations

import pytest

from nuages.runtime.manifest import Item
from nuages.runtime.publication import DJANGO_MANIFEST, Stored, is_there, order


def item(path: str, *, size: int = 3, is_hashed: bool = False) -> Item:
    return Item(path=path, size=size, modified=0, etag='"x"', media="text/css", is_hashed=is_hashed)


def test_hashed_names_come_first_and_the_manifest_last() -> None:
    hashed = [item("a.0123456789ab.css", is_hashed=True), item("z.0123456789ab.css", is_hashed=True)]
    plain = [item("a.css"), item("z.css")]
    assert order([*plain[::-1], item(DJANGO_MANIFEST), *hashed[::-1]]) == [
        hashed,
        plain,
        [item(DJANGO_MANIFEST)],
    ]


@pytest.mark.parametrize(
    ("file", "stored", "there"),
    [
        (item("a.css"), None, False),
        (item("a.css"), Stored(size=3, md5="same"), True),
        (item("a.css"), Stored(size=3, md5="other"), False),
        (item("a.css"), Stored(size=3, md5=""), False),
        (item("a.css"), Stored(size=4, md5="same"), False),
        (item("a.012.css", is_hashed=True), Stored(size=3, md5=""), True),
        (item("a.012.css", is_hashed=True), Stored(size=2, md5="same"), False),
    ],
)
def test_what_a_bucket_holds_need_not_go_up(file: Item, stored: Stored | None, there: bool) -> None:
    assert is_there(file, stored, lambda _: "same") is there
