"""What is written as YAML is read back the same, by a reader of YAML 1.1."""

from __future__ import annotations

from typing import Any

import yaml as reader
from hypothesis import given, settings
from hypothesis import strategies as st

from nuages.deploy.yaml import dump, without_comments

WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["yes", "No", "on", "null", "~", "1e3", "0x1f", "12:30", "a: b", "a #b", "- x", "/-/live", "x:y"]),
)  # fmt: skip
SCALARS = st.one_of(WORDS, st.integers(-(10**9), 10**9), st.booleans(), st.none())
KEYS = WORDS.filter(lambda text: not text.startswith("#"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), min_size=1, max_size=3))
def test_documents_are_read_back_as_they_were(documents: list[dict[str, Any]]) -> None:
    assert list(reader.safe_load_all(dump(documents))) == documents


def test_comments_stand_above_what_they_explain() -> None:
    document = {"a": {"# why\nbecause": None, "b": 1}, "c": [{"#first": None, "d": "yes", "e": ["x", "y"]}]}

    assert dump([document]) == (
        'a:\n  # why\n  # because\n  b: 1\nc:\n  # first\n  - d: "yes"\n    e: ["x", "y"]\n'
    )
    assert list(reader.safe_load_all(dump([document]))) == [without_comments(document)]


def test_several_lines_stay_several_lines() -> None:
    text = dump([{"script": "one\ntwo\n"}])

    assert text == "script: |\n  one\n  two\n"
