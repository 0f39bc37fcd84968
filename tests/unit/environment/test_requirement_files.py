"""pip's requirements files become flat lines, whatever they include."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.environment.locks.files import is_pinned, logical_lines, parse
from nuages.environment.locks.graph import LockError, Requirements

HASH = "sha256:" + "a" * 64


def read(files: dict[str, str], *paths: str, environ: dict[str, str] | None = None) -> Requirements:
    def text_of(path: str) -> str:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return parse(paths or ("requirements.txt",), text_of, environ or {})


def test_included_files_are_read_relative_to_the_file_that_includes_them() -> None:
    found = read(
        {
            "requirements/production.txt": "-r base.txt\n--constraint=../pins.txt\ngunicorn\n",
            "requirements/base.txt": "Django>=4.2  # the framework\n-r production.txt\n",
            "pins.txt": "asgiref==3.8\n",
        },
        "requirements/production.txt",
    )

    assert found.lines == ("Django>=4.2", "gunicorn")
    assert found.constraints == ("asgiref==3.8",)
    assert not found.closed


def test_index_lines_and_other_options_are_kept_apart_from_requirements() -> None:
    found = read(
        {
            "requirements.txt": "-i https://packages.example/simple\n--extra-index-url https://more.example/simple\n"
            "--find-links wheels\n--no-binary psycopg2\n--trusted-host more.example\nDjango==5.2\n"
        }
    )

    assert found.lines == ("Django==5.2",)
    assert found.index == "https://packages.example/simple"
    assert found.indexes == ("https://more.example/simple",)
    assert found.find_links == ("wheels",)
    assert found.options == ("--no-binary psycopg2",)


def test_hashes_on_continued_lines_belong_to_their_requirement() -> None:
    found = read(
        {"requirements.txt": f"django==5.2 \\\n    --hash={HASH} \\\n    --hash={HASH}\n    # via -r x.in\n"}
    )

    assert found.lines == (f"django==5.2 --hash={HASH} --hash={HASH}",)
    assert found.hashed
    assert found.closed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-e git+https://code.example/a.git@main#egg=A_b", "a-b @ git+https://code.example/a.git@main"),
        ("git+https://code.example/a.git@main#egg=a&subdirectory=x", "a @ git+https://code.example/a.git@main#subdirectory=x"),
        ("a @ git+ssh://git@code.example/a.git", "a @ git+ssh://git@code.example/a.git"),
        ("https://files.example/a-1.tar.gz", "https://files.example/a-1.tar.gz"),
        ("a[b,c] >= 1 ; python_version < '3.11'", "a[b,c] >= 1 ; python_version < '3.11'"),
        ("a==1 --global-option=build_ext", "a==1"),
    ],
)  # fmt: skip
def test_a_requirement_is_put_into_words_that_uv_takes(line: str, expected: str) -> None:
    assert read({"requirements.txt": line}).lines == (expected,)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-e .", "."),
        (".", "."),
        ("-e ./libs/a[x]", "libs/a[x]"),
        ("--editable=libs/a", "libs/a"),
        ("./a.whl", "a.whl"),
    ],
)
def test_folders_and_archives_of_the_project_are_local_packages(line: str, expected: str) -> None:
    found = read({"requirements.txt": line})

    assert found.local == (expected,)
    assert found.lines == ()


def test_variables_are_expanded_as_pip_does() -> None:
    found = read(
        {"requirements.txt": "--extra-index-url https://${TOKEN}@more.example/simple\na==${MISSING}\n"},
        environ={"TOKEN": "abc"},
    )

    assert found.indexes == ("https://abc@more.example/simple",)
    assert found.lines == ("a==${MISSING}",)


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("Django\n--frobnicate\n", "requirements.txt:2", "pip has no option --frobnicate here"),
        ("-r base.txt\n", "requirements.txt:1", "base.txt cannot be read: No such file or directory"),
    ],
)
def test_a_line_that_pip_would_refuse_is_named_with_its_file_and_number(
    text: str, place: str, why: str
) -> None:
    with pytest.raises(LockError) as caught:
        read({"requirements.txt": text})

    assert str(caught.value.place) == place
    assert str(caught.value) == why


def test_pinned_means_that_every_line_names_one_release() -> None:
    assert is_pinned(
        read({"requirements.txt": "a==1\nb[x]==2.0 ; python_version > '3'\nc @ git+https://code.example/c"})
    )
    assert not is_pinned(read({"requirements.txt": "a==1\nb>=2\n"}))
    assert not is_pinned(read({"requirements.txt": "a==1.*\n"}))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\\#"), max_size=20), max_size=10))
def test_lines_without_continuations_or_comments_come_back_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    expected = [line.strip() for line in text.splitlines() if line.strip()]

    assert [line.strip() for _, line in logical_lines(text)] == [
        line for line in expected if line.strip("\ufeff ")
    ]


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(LockError):
        read({"requirements.txt": text})


def test_a_file_with_hashes_has_them_on_every_release() -> None:
    text = "asgiref==3.12.1 \\\n    --hash=sha256:59dc\ndjango==5.2.1\nsqlparse==0.5.3 --hash=sha256:00\n"
    with pytest.raises(LockError) as caught:
        parse(("requirements.txt",), {"requirements.txt": text}.__getitem__, {})
    assert str(caught.value) == "django==5.2.1 has no --hash, and other lines have: pip checks all or none"
    assert str(caught.value.place) == "requirements.txt:3"


def test_a_file_without_hashes_may_include_one_with_them() -> None:
    files = {"all.txt": "-r locked.txt\nruff==0.1\n", "locked.txt": "django==5.2.1 --hash=sha256:00\n"}
    found = parse(("all.txt",), files.__getitem__, {})
    assert (len(found.lines), found.hashed) == (2, False)
