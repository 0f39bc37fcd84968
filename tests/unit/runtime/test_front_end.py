"""The static files that templates name."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.front_end import named, read_by_django

PIECES = (
    "{#", "#}", "\n", "{%", "%}", " ", "x", "{% comment %}", "{%comment 'why' %}", "{% endcomment %}",
    "{% commented %}", "{% verbatim %}", "{% verbatim own %}", "{% endverbatim %}", "{% endverbatim own %}",
)  # fmt: skip
# What it has to come to, in a time that grows with the square of what is never ended.
UNREAD = re.compile(
    r"\{#.*?#\}|(?s:\{%\s*comment\b.*?\{%\s*endcomment\s*%\}|\{%\s*verbatim\b.*?\{%\s*endverbatim\b)"
)

TEMPLATE = """\
{% comment %}
{% static 'a.css' %} {% endcomment %}{% static 'b.css' %}
{# {% static 'c.css' %} #}
{{#each shops}}
{% static 'd.css' %}
{{/each}} #}
{% verbatim %}{% static 'e.css' %}
{% endverbatim %}{% static "f.css" %}
"""


def test_what_is_commented_out_names_no_file_and_a_comment_of_one_line_ends_on_it(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(TEMPLATE)
    found = [(one.name, one.number) for one in named([str(tmp_path)])]
    assert found == [("b.css", 2), ("d.css", 5), ("f.css", 8)]


def test_a_page_full_of_handlebars_is_read_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{#each shops}}\n{{/each}}\n" * 40_000)
    begun = time.process_time()
    assert list(named([str(tmp_path)])) == []
    assert time.process_time() - begun < 20  # it took minutes


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_comments_go_as_one_expression_says(text: str) -> None:
    assert read_by_django(text) == UNREAD.sub(lambda match: "\n" * match[0].count("\n"), text)


@pytest.mark.parametrize(
    "piece", ["{% comment %}", "{% verbatim %}", "{#", "{##}", "{% comment %}{% verbatim %}{#\n"]
)
def test_comments_that_never_end_are_looked_for_once(piece: str) -> None:
    """One read took hours: each of them was looked for to the end of the file."""
    text = piece * 300_000
    assert read_by_django(text) == ("" if piece == "{##}" else text)
