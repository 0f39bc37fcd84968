"""ENV and ARG by the rules of BuildKit: words, quotes, backslashes, variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.image.instructions import quoted
from nuages.project.env_lines import expand, replay, split

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n\0"), max_size=40)


def variables(text: str, before: str = "") -> dict[str, str | None]:
    lines = list(enumerate(text.split("\n"), 1))
    return {name: value for name, (value, _) in replay(before.splitlines(), lines).items()}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ENV A=1 B=two", {"A": "1", "B": "two"}),
        ("env A 1", {"A": "1"}),
        ("ENV A  hello   world ", {"A": "hello   world"}),
        ("ENV A\thello   world ", {"A": "hello   world"}),
        ('ENV A "hello world"', {"A": "hello world"}),
        ('ENV A="x y" B=\'p "q"\' C=a\\ b', {"A": "x y", "B": 'p "q"', "C": "a b"}),
        ("ENV A=", {"A": ""}),
        ("ENV A=b=c", {"A": "b=c"}),
        (r'ENV A="\$HOME \"x\" \n"', {"A": '$HOME "x" \\n'}),
        ("ENV A='$B'", {"A": "$B"}),
        ("ENV A=5$ B=$", {"A": "5$", "B": "$"}),
        ("ENV A", {}),
        ("ENV A=$NOBODY", {"A": None}),
        ("ENV A=${NOBODY:-d} B=${NOBODY-e} C=${NOBODY:+f}", {"A": "d", "B": "e", "C": ""}),
        ("ENV A=${NOBODY:-$NONE} B=${X#y} C=${NOBODY:?no} D='open", {"A": None, "B": None, "C": None, "D": None}),
        # «the same value for each variable throughout the entire instruction»
        ("ENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc", {"abc": "bye", "def": "hello", "ghi": "bye"}),
        ("ENV A=/srv\nENV B=${A}/x C=${A:+there} D=${A:-no}", {"A": "/srv", "B": "/srv/x", "C": "there", "D": "/srv"}),
        ("ARG A=1\nENV B=$A", {"B": "1"}),
        ("ARG A\nENV B=$A", {"B": None}),
        ("ARG A\nENV A=${A:-prod}", {"A": "prod"}),
        ("ENV A=env\nARG A=arg\nENV B=$A", {"A": "env", "B": "env"}),
        ("ENV PATH=/opt/bin:$PATH A=1", {"PATH": None, "A": "1"}),
    ],
)  # fmt: skip
def test_an_instruction_sets_what_buildkit_sets(line: str, found: dict[str, str | None]) -> None:
    assert variables(line) == found


def test_an_argument_before_from_counts_where_the_stage_asks_for_it() -> None:
    assert variables("ENV A=$STAGE", before="ARG STAGE=live") == {"A": None}
    assert variables("ARG STAGE\nENV A=$STAGE", before="ARG OUTER=li\nARG STAGE=${OUTER}ve") == {"A": "live"}
    assert variables("ARG STAGE=test\nENV A=$STAGE", before="ARG STAGE=live") == {"A": "test"}


@given(TEXT)
def test_what_the_written_dockerfile_quotes_is_read_as_it_was(text: str) -> None:
    if not text.endswith(":$PATH"):
        assert variables(f"ENV A={quoted(text)} B=1") == {"A": text, "B": "1"}


@given(TEXT, st.dictionaries(st.sampled_from("ABC"), TEXT))
def test_any_text_has_an_answer(text: str, known: dict[str, str]) -> None:
    expand(text, known)
    for instruction in ("ENV", "ARG", "ENV A=", "ARG A="):
        replay([f"ARG {text}"], [(1, f"{instruction} {text}")])
    assert "".join("".join(split(text)).split()) == "".join(text.split())


def test_defaults_within_defaults_without_end_have_no_value() -> None:
    assert expand("${A:-" * 5000 + "}" * 5000, {}) is None


def test_a_variable_that_each_line_doubles_has_no_value() -> None:
    # It took all memory.
    assert variables("ENV A=0123456789\n" + "\n".join(["ENV A=$A$A"] * 60)) == {"A": None}
