"""Names of objects: DNS labels for any project."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.deploy.names import LONGEST, is_host, joined, label


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop", "shop"),
        ("My Shop", "my-shop"),
        ("my_shop.2", "my-shop-2"),
        ("2shop", "app-2shop"),
        ("--x--", "x"),
    ],
)
def test_an_ordinary_name_stays_readable(text: str, name: str) -> None:
    assert label(text) == name


def test_what_is_lost_is_told_apart_by_a_digest() -> None:
    assert label("café") != label("cafe")
    assert label("蕎麦屋").startswith("app-")
    assert label("蕎麦屋") != label("寿司屋")
    assert label("x" * 80) != label("x" * 81)


@given(st.text(max_size=90))
def test_any_text_makes_a_label_that_others_can_be_made_of(text: str) -> None:
    name = label(text)

    assert len(name) <= 40
    assert label(text) == name
    for each in (name, joined(name, "migrate", "ab" * 5, "abcdef"), joined(name, "y" * 80)):
        # What names a Service too (RFC 1035): it begins with a letter.
        assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", each)
        assert len(each) <= LONGEST


@pytest.mark.parametrize("host", ["shop.example.com", "*.example.com", "xn--caf-dma.example"])
def test_host_names(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host", ["", "Shop.example", "https://x.example", "a..b", "-a.example", "x" * 64, "a.example/x"]
)
def test_what_is_no_host_name(host: str) -> None:
    assert not is_host(host)
