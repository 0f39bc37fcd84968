from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from nuages.project import specifier


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("^3.11", ">=3.11,<4"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("~3.9", ">=3.9,<3.10"),
        ("~3", ">=3,<4"),
        ("3.11", "==3.11.*"),
        ("3.11.*", "==3.11.*"),
        ("3.11.4", "==3.11.4"),
        ("*", ""),
        (">= 3.8 , <4", ">=3.8,<4"),
        (">=3.8 <4", ">=3.8,<4"),
        ("~=3.12.12", "~=3.12.12"),
        ("^3.8 || ^3.11", ">=3.11,<4"),
        ("<4.*", "<4"),
    ],
)
def test_a_specifier_of_any_tool_becomes_one_of_pep_440(written: str, canonical: str) -> None:
    assert specifier.canonical(written) == canonical


@pytest.mark.parametrize("text", ["three", ">=", "^x", "==3..1", "~=3"])
def test_what_is_no_specifier_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        specifier.canonical(text)


def test_what_is_no_specifier_lets_nothing_in() -> None:
    assert not specifier.allows("three", "3.11")


_NUMBERS = st.integers(min_value=0, max_value=12)
_RELEASE = st.lists(_NUMBERS, min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
_SUFFIX = st.sampled_from(["", "a1", "b2", "rc1", ".post1", ".dev3", "a1.dev2", "rc1.post2"])
_VERSION = st.builds(lambda release, suffix: release + suffix, _RELEASE, _SUFFIX)
_CLAUSE = st.one_of(
    st.builds(
        lambda operator, version: operator + version,
        st.sampled_from([">=", "<=", "<", ">", "==", "!="]),
        _VERSION,
    ),
    st.builds(lambda operator, release: f"{operator}{release}.*", st.sampled_from(["==", "!="]), _RELEASE),
    st.builds(lambda release, last: f"~={release}.{last}", _RELEASE, _NUMBERS),
)


@given(st.lists(_CLAUSE, min_size=1, max_size=3).map(",".join), _VERSION)
def test_a_version_is_let_in_exactly_when_packaging_lets_it_in(clauses: str, version: str) -> None:
    assert specifier.allows(clauses, version) == SpecifierSet(clauses).contains(version, prereleases=True)


@given(_VERSION, _VERSION)
def test_versions_are_ordered_as_packaging_orders_them(left: str, right: str) -> None:
    assert (specifier.parse(left) < specifier.parse(right)) == (Version(left) < Version(right))


def test_the_minor_versions_that_fit_are_named() -> None:
    known = ("3.10", "3.11", "3.12", "3.13")
    assert specifier.minors(">=3.11,<3.13", known) == ("3.11", "3.12")
    assert specifier.minors("==3.12.4", known) == ("3.12",)
    assert specifier.minors(">=3.12.4", known) == ("3.12", "3.13")
    assert specifier.minors("==3.12.*", known) == ("3.12",)


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("==3.12.*", (3, 12)),
        ("==3.12.4", (3, 12)),
        ("== 3.12", (3, 12)),
        ("~=3.12.0", (3, 12)),
        (">=3.12", None),
        (">=3.11,!=3.12.*", None),
        ("~=3.12", None),
        ("", None),
    ],
)
def test_one_series_is_known_from_a_range(text: str, series: tuple[int, int] | None) -> None:
    assert specifier.one_series(text) == series
