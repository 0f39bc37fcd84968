"""Reading never raises and never hangs, whatever Python it is given."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nuages import cli
from nuages.project import environment, settings_source, syntax
from nuages.project.tree import Tree

_SOURCES = Path(cli.__file__).parent
_READ = "".join(
    path.read_text(encoding="utf-8")
    for area in ("project", "check", "image")
    for path in (_SOURCES / area).glob("*.py")
)
"""The sources of what reads settings: each word in capitals there may be the name of one."""

LIBRARY = Path(sysconfig.get_path("stdlib"))
NAMES = st.sampled_from(["X", "Y", "env", "config", "os.environ", "DEBUG", "__file__", "f", "C"])
TEXTS = st.sampled_from(
    ["'A'", "''", "'a,b'", "'True'", "1", "0", "None", "[]", "{}", "()", "1.5", "b'x'", "..."]
)

OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "|", "and", "or", "==", "in", "is", "<"])


def _wrap(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("os.environ.get({}, {})".format, inner, inner),
        st.builds("os.environ[{}]".format, inner),
        st.builds("env({}, default={})".format, inner, inner),
        st.builds("env.bool({})".format, inner),
        st.builds("config({}, cast=lambda v: {})".format, inner, inner),
        st.builds("({} {} {})".format, inner, OPERATORS, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{} for X in {}]".format, inner, inner),
        st.builds("[*{}, {}]".format, inner, inner),
        st.builds("{}.split({})".format, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("f({}, *{}, **{})".format, inner, inner, inner),
        st.builds("int({})".format, inner),
        st.builds("Path({}) / {}".format, inner, inner),
        st.builds("(lambda X: {})({})".format, inner, inner),
        st.builds("X.append({})".format, inner),
        st.builds("C({})".format, inner),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES, TEXTS), _wrap, max_leaves=8)


def _indent(body: str) -> str:
    return "\n".join("    " + line for line in body.splitlines())


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = inner.map(_indent)
    return st.one_of(
        st.builds("if {}:\n{}\nelse:\n{}".format, EXPRESSIONS, body, body),
        st.builds("for X in {}:\n{}\n    continue".format, EXPRESSIONS, body),
        st.builds("while {}:\n{}\n    break".format, EXPRESSIONS, body),
        st.builds("try:\n{}\nexcept KeyError:\n{}\nfinally:\n{}".format, body, body, body),
        st.builds("def f(X={}, *a, **k):\n{}\n    return {}".format, EXPRESSIONS, body, EXPRESSIONS),
        st.builds("class C(BaseSettings):\n    A: int = {}\n{}".format, EXPRESSIONS, body),
        st.builds("with {} as X:\n{}".format, EXPRESSIONS, body),
        st.builds("{}\n{}".format, inner, inner),
    )


STATEMENTS = st.one_of(
    st.builds(
        "{} = {}".format,
        st.sampled_from(["X", "DEBUG", "X['a']", "X[0]", "X, Y", "os.environ['A']"]),
        EXPRESSIONS,
    ),
    st.builds("X += {}".format, EXPRESSIONS),
    st.builds("raise {}".format, EXPRESSIONS),
    st.builds("assert {}".format, EXPRESSIONS),
    st.sampled_from(
        ["from settings import *", "from .x import y", "import settings", "load_dotenv()", "del X", "pass"]
    ),
)
PROGRAMS = st.recursive(STATEMENTS, _blocks, max_leaves=6)
HEAD = (
    "import os, environ\nfrom pathlib import Path\nfrom decouple import config\nfrom dotenv import load_dotenv\n"
    "from pydantic_settings import BaseSettings\nenv = environ.Env(A=(bool, True))\nX = []\n"
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(PROGRAMS)
def test_any_program_is_read_without_an_exception(tmp_path: Path, program: str) -> None:
    (tmp_path / "settings.py").write_text(HEAD + program + "\n")
    found = settings_source.read(Tree(tmp_path), "settings.py", (".",), {"A": "a"})
    assert all(variable.name for variable in found.variables)


@pytest.mark.parametrize(
    "name", ["os", "ast", "argparse", "typing", "enum", "dataclasses", "logging/__init__", "inspect"]
)
def test_the_standard_library_is_read_without_an_exception(name: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_bytes((LIBRARY / f"{name}.py").read_bytes())
    settings_source.read(Tree(tmp_path), "settings.py", (".",), {})


@given(st.text(max_size=300))
def test_any_text_is_parsed_as_far_as_it_goes(text: str) -> None:
    parsed = syntax.parse(text)
    assert parsed.module is not None or parsed.lost


@given(st.text(min_size=1, max_size=30))
def test_any_name_has_a_kind(name: str) -> None:
    assert environment.kind_of(name, None, None)


NAMES_READ = sorted(
    {*re.findall(r"\b[A-Z][A-Z]+(?:_[A-Z]+)+\b", _READ), "DATABASES", "CACHES", "LOGGING", "DEBUG"}
)
KINDS = [
    "[]", "{}", "[1]", "['*']", "{'default': 1}", "{'default': {'BACKEND': []}}", "3", "b''", "None", "True", "'x'",
    "1.5", "(1,)", "[[]]", "[{}]", "{'default': None}", "{'default': {'ENGINE': {}, 'NAME': []}}",
]  # fmt: skip


def _check(folder: Path, values: list[str]) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in zip(NAMES_READ, values, strict=True))
    (folder / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n'
        "from django.core.management import execute_from_command_line\n"
    )
    (folder / "settings.py").write_text(lines)
    (folder / "requirements.txt").write_text("Django==5.2.9\n")
    for command in ("check", "plan"):
        assert cli.main([command, str(folder)]) in (0, 1)


@pytest.mark.parametrize("value", KINDS)
def test_a_project_whose_settings_are_all_of_one_kind_is_checked_without_an_exception(
    tmp_path: Path, value: str
) -> None:
    _check(tmp_path, [value] * len(NAMES_READ))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(KINDS), min_size=len(NAMES_READ), max_size=len(NAMES_READ)))
def test_a_project_whose_settings_are_of_any_kind_is_checked_without_an_exception(
    tmp_path: Path, values: list[str]
) -> None:
    _check(tmp_path, values)


def test_an_alias_of_a_cache_that_is_no_text_is_none_of_the_caches(tmp_path: Path) -> None:
    values = {
        "SESSION_ENGINE": "'django.contrib.sessions.backends.cache'",
        "SESSION_CACHE_ALIAS": "[]",
        "CACHES": "{'default': {}}",
    }
    _check(tmp_path, [values.get(name, "None") for name in NAMES_READ])
