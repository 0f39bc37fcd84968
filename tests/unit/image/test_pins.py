"""nuages.lock: base images and their digests."""

from __future__ import annotations

import pytest

from nuages.errors import ProjectError
from nuages.image import pins

DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_what_is_written_is_read_again() -> None:
    found = {"python:3.13-slim-trixie": DIGEST, "node:22-slim": DIGEST}
    text = pins.write(found)
    assert pins.read(text) == found
    assert text.splitlines()[-2:] == [
        f'"node:22-slim" = "{DIGEST}"',
        f'"python:3.13-slim-trixie" = "{DIGEST}"',
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[image]\n", "'image' is unknown: there is one table, [images]"),
        ('[images]\n"python:3.13" = "latest"\n', "the digest of python:3.13 is 'latest'"),
        ("images = 3\n", "[images] is no table"),
    ],
)
def test_what_cannot_be_meant_is_an_error(text: str, why: str) -> None:
    with pytest.raises(ProjectError) as caught:
        pins.read(text)
    assert caught.value.render() == (
        "error: nuages.lock cannot be read\n"
        "  nuages.lock\n"
        f"  {why}\n"
        "\n"
        'hint: nuages build --lock writes it anew; a line in it is: "python:3.13-slim" = "sha256:…"'
    )
