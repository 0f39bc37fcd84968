from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Reference
from packaging.specifiers import SpecifierSet

from nuages.errors import Origin
from nuages.project import requirements
from nuages.project.model import normalized
from nuages.project.tree import Tree

HERE = Origin("requirements.txt", 1)


@pytest.mark.parametrize(
    ("line", "name", "specifier"),
    [
        ("Django==5.2.1", "django", "==5.2.1"),
        ("Django >= 4.2, < 5", "django", ">= 4.2, < 5"),
        ("django-allauth[openid,socialaccount] ~=65.15", "django-allauth", "~=65.15"),
        ("Django==5.2.1 \\ --hash=sha256:aa --hash=sha256:bb", "django", "==5.2.1"),
        ("zope.interface (>=3)", "zope-interface", ">=3"),
        ("six ; python_version < '3'", "six", ""),
        ("uvicorn @ https://files.example/uvicorn-0.30.whl", "uvicorn", ""),
        ("git+https://code.example/group/django-thing.git@v1.2#egg=django_thing", "django-thing", ""),
        ("git+ssh://git@code.example/group/thing.git@main", "thing", ""),
        ("-e git+https://code.example/group/thing.git#egg=thing", "thing", ""),
        ("https://files.example/thing-1.2.tar.gz", "thing", ""),
        ("./vendor/thing-1.2-py3-none-any.whl", "thing", ""),
        ("-e .", ".", ""),
    ],
)
def test_a_line_is_read_as_pip_reads_it(line: str, name: str, specifier: str) -> None:
    found = requirements.parse_line(line, HERE)
    assert found is not None
    assert (found.name, found.specifier) == (name, specifier)


@pytest.mark.parametrize(
    "line", ["--no-binary :all:", "-i https://packages.example/simple", "==5", "", "???"]
)
def test_a_line_that_names_no_requirement_is_left_out(line: str) -> None:
    assert requirements.parse_line(line, HERE) is None


_NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}[A-Za-z0-9]", fullmatch=True)
_CLAUSE = st.builds(
    lambda operator, parts: operator + ".".join(map(str, parts)),
    st.sampled_from(["==", ">=", "<=", "!=", "<", ">"]),
    st.lists(st.integers(0, 99), min_size=1, max_size=3),
)
_SPACE = st.sampled_from(["", " "])


@given(
    _NAME,
    st.lists(_NAME, max_size=2),
    st.lists(_CLAUSE, max_size=3),
    _SPACE,
    st.sampled_from(["", "python_version < '3'"]),
)
def test_a_requirement_means_what_packaging_says(
    name: str, extras: list[str], clauses: list[str], space: str, marker: str
) -> None:
    line = name + (f"[{','.join(extras)}]" if extras else "") + space + f",{space}".join(clauses)
    line += f" ; {marker}" if marker else ""
    reference = Reference(line)
    found = requirements.parse_line(line, HERE)
    assert found is not None
    assert found.name == normalized(reference.name)
    assert set(found.extras) == reference.extras
    assert SpecifierSet(found.specifier) == reference.specifier
    assert bool(found.marker) == (reference.marker is not None)


@given(st.text(max_size=200))
@example("00_")
@example("0_")  # a name ends with a letter or a digit (PEP 508); packaging takes this one all the same
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for number, line in requirements.logical_lines(text):
        assert number >= 1
        found = requirements.parse_line(line, HERE)
        if found is not None and not found.url:
            try:
                Reference(line)
            except InvalidRequirement:
                continue
            assert found.name == normalized(Reference(line).name)


def test_included_files_are_followed_once_and_a_cycle_ends(tree: Callable[[dict[str, str]], Tree]) -> None:
    files = {
        "requirements/production.txt": "-r base.txt\n-c ../constraints.txt\ngunicorn==23 # server\n",
        "requirements/base.txt": "--requirement=production.txt\nDjango==5.2 \\\n    --hash=sha256:aa\n-i https://packages.example/simple\n",
        "constraints.txt": "six==1.17\n",
    }
    found = requirements.read(tree(files), "requirements/production.txt")
    assert [line.name for line in found.requirements] == ["django", "gunicorn"]
    assert found.requirements[0].origin == Origin("requirements/base.txt", 2)
    assert found.requirements[0].has_hash
    assert [line.name for line in found.constraints] == ["six"]
    assert found.files == ("requirements/production.txt", "requirements/base.txt", "constraints.txt")
    assert [(index.value, str(index.origin)) for index in found.indexes] == [
        ("https://packages.example/simple", "requirements/base.txt:4")
    ]
    assert not found.problems


def test_an_included_file_that_is_missing_is_an_error_with_its_line(
    tree: Callable[[dict[str, str]], Tree],
) -> None:
    found = requirements.read(tree({"requirements.txt": "Django\n-r nowhere.txt\n"}), "requirements.txt")
    (problem,) = found.problems
    assert problem.as_error().render() == (
        "error: requirements.txt includes nowhere.txt, which does not exist\n"
        "  requirements.txt:2\n"
        "  pip would stop here\n"
        "\n"
        "hint: remove the line, or add nowhere.txt to the project"
    )
