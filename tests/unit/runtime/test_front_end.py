"""The static files that templates name."""

from __future__ import annotations

import time
from pathlib import Path

from nuages.runtime.front_end import named

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
