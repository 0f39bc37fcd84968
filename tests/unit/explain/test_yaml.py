"""YAML and JSON → values with their lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.explain import yaml
from nuages.explain.yaml import Node


def plain(node: Node) -> Any:
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    return node.value


def one(text: str) -> Any:
    (document,) = yaml.documents(text)
    return plain(document)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: b", {"a": "b"}),
        ("a: b # c\n# d\nc: 'it''s'\n", {"a": "b", "c": "it's"}),
        ('"a b": "c\\n\\u00e9"\n', {"a b": "c\n\u00e9"}),
        ("a: http://x:80/#y\n", {"a": "http://x:80/#y"}),
        ("a:\n  b:\n    - c\n    - d: e\n      f: g\n", {"a": {"b": ["c", {"d": "e", "f": "g"}]}}),
        ("a:\n- b\n- c\nd: e\n", {"a": ["b", "c"], "d": "e"}),
        ("- a: b\n  c:\n  - d\n  - e\n- f\n", [{"a": "b", "c": ["d", "e"]}, "f"]),
        ("- - a\n  - b\n-\n  c: d\n- \n", [["a", "b"], {"c": "d"}, ""]),
        ("a: |\n  b\n    c\n\n  d\ne: f\n", {"a": "b\n  c\n\nd", "e": "f"}),
        ("a: >-\n  b\n  c\nd: |2-\n  e\n", {"a": "b c", "d": "e"}),
        ("- |\n  a\n- >\n  b\n", ["a", "b"]),
        ("a: b\n  c\n  d # e\nf: g\n", {"a": "b c d", "f": "g"}),
        ('a: "b\n  c"\nd: e\n', {"a": "b c", "d": "e"}),
        ("a: [b, 'c', \"d\", e: f]\n", {"a": ["b", "c", "d", {"e": "f"}]}),
        ("a: [\n  b c,  # no\n  d,\n]\ne: {f: g, h: [i]}\n", {"a": ["b c", "d"], "e": {"f": "g", "h": ["i"]}}),
        ("a: null\nb: ~\nc:\nd: 'null'\n", {"a": "", "b": "", "c": "", "d": "null"}),
        ("a: &x\n  b: c\nd:\n  <<: *x\n  e: f\n", {"a": {"b": "c"}, "d": {"b": "c", "e": "f"}}),
        ("a: &x b\nc: *x\nd: [*x]\ne: !!str 5\n", {"a": "b", "c": "b", "d": ["b"], "e": "5"}),
        ("a:\n  {{- if .Values.x }}\n  b: {{ .Values.b | quote }}\n  {{- end }}\n  c: [{{ .d }}, e]\n",
         {"a": {"b": "{{ .Values.b | quote }}", "c": ["{{ .d }}", "e"]}}),
        ("a: {% if x %}b{% endif %}\n{% if y %}\nc: d\n{% endif %}\n", {"a": "b", "c": "d"}),
        ('{"a": {"b": [1, true, null, "c:d"]}}', {"a": {"b": ["1", "true", "", "c:d"]}}),
    ],
)  # fmt: skip
def test_values_are_read_in_each_of_their_forms(text: str, value: object) -> None:
    assert one(text) == value


def test_every_value_has_the_line_where_it_begins() -> None:
    text = "a:\n  - b\n  - [c,\n     d]\ne: |\n\n  f\ng: &x h\ni: *x\nj:\n  k: l\n"
    (document,) = yaml.documents(text)
    fields = document.fields
    assert [node.line for node in fields["a"].nodes] == [2, 3]
    assert [node.line for node in fields["a"].nodes[1].nodes] == [3, 4]
    assert [fields[key].line for key in "egi"] == [7, 8, 9]
    assert fields["j"].fields["k"].line == 11


def test_documents_are_apart() -> None:
    found = yaml.documents("%YAML 1.2\n---\na: b\n--- c\n...\n---\n- d\n")
    assert [plain(each) for each in found] == [{"a": "b"}, "c", ["d"]]


@pytest.mark.parametrize(
    "text", ["[" * 9000, "- " * 9000, "{a: " * 9000, "a: " + "&x " * 9000, "{%" * 9000, "a: [x\n" * 3000]
)
def test_what_is_deep_or_long_ends(text: str) -> None:
    yaml.composed(text)


def test_a_file_full_of_merges_ends() -> None:
    keys = ", ".join(f"k{at}: v" for at in range(2000))
    found = one(f"a: &a {{{keys}}}\n" + "".join(f"b{at}:\n  <<: *a\n" for at in range(2000)))
    assert len(found) == 2001


JSON = st.recursive(
    st.text(max_size=5) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _texts(value: object) -> object:
    if isinstance(value, list):
        return [_texts(each) for each in value]
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    return value if isinstance(value, str) else json.dumps(value)


@given(st.dictionaries(st.text(max_size=5), JSON, min_size=1), st.sampled_from([None, 2]))
def test_whatever_json_writes_is_read_as_it_was(value: dict[str, object], indent: int | None) -> None:
    assert one(json.dumps(value, indent=indent)) == _texts(value)


PIECES = st.sampled_from([
    "a:", " ", "  ", "\n", "- ", "[", "]", "{", "}", ",", ": ", "'", '"', "|", ">", "&x ", "*x", "<<: *x", "#", "---",
    "...", "{{", "}}", "{%", "%}", "!!a ", "? ", "\\", "\t", "null", "b",
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=40))
def test_no_text_gives_a_traceback(pieces: list[str]) -> None:
    for document in yaml.composed("".join(pieces))[0]:
        plain(document)
