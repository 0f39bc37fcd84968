"""The configuration file: pyproject.toml or nuages.toml, with the line of each key."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.configuration import line_of, read_file
from nuages.errors import UsageError


def test_keys_of_pyproject_keep_their_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\n\n[tool.nuages]\nworkers = 3\nbind = ["a", "b"]\nfill-settings = false\n'
    )
    found = read_file(tmp_path)
    assert {key: (given.texts, str(given.origin)) for key, given in found.items()} == {
        "workers": (("3",), "pyproject.toml:5"),
        "bind": (("a", "b"), "pyproject.toml:6"),
        "fill-settings": (("off",), "pyproject.toml:7"),
    }


def test_a_project_without_configuration_gives_nothing(tmp_path: Path) -> None:
    assert read_file(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text("this is no TOML, but not about us either")
    assert read_file(tmp_path) == {}


def test_two_files_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.nuages]\nworkers = 1\n")
    (tmp_path / "nuages.toml").write_text("workers = 2\n")
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert caught.value.render() == (
        "error: nuages is configured in two files\n"
        "  nuages.toml and [tool.nuages] of pyproject.toml\n"
        "  neither can be ignored silently\n"
        "\n"
        "hint: move the keys of nuages.toml to [tool.nuages] in pyproject.toml and delete nuages.toml"
    )


def test_broken_toml_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "nuages.toml").write_text("workers = 2\nbind = \n")
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert (caught.value.what, caught.value.where) == ("nuages.toml cannot be read", "nuages.toml:2")


def test_a_value_of_the_wrong_type_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "nuages.toml").write_text("\nworkers = {a = 1}\n")
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert caught.value.render() == (
        "error: the key 'workers' has a value of the wrong type\n"
        "  nuages.toml:2\n"
        "  a table stands where a text, a number, a boolean or a list of them is wanted\n"
        "\n"
        'hint: write workers = "…"'
    )


def test_a_key_of_another_section_is_not_ours() -> None:
    assert line_of('[tool.other]\nworkers = 1\n[tool.nuages]\n"workers" = 2\n', "workers", "tool.nuages") == 4


@pytest.mark.parametrize(
    ("text", "what", "line", "why"),
    [
        ("[tool]\nnuages = 3\n", "[tool.nuages] of pyproject.toml is no table", 2, "a number"),
        ("\n[[tool.nuages]]\nworkers = 2\n", "[tool.nuages] of pyproject.toml is no table", 2, "an array"),
        ("tool = 'nuages'\n", "'tool' is no table", 1, "a text"),
    ],
)
def test_a_configuration_that_is_no_table_is_not_passed_over(
    tmp_path: Path, text: str, what: str, line: int, why: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert caught.value.render() == (
        f"error: {what}\n"
        f"  pyproject.toml:{line}\n"
        f"  {why} stands where a table is wanted\n"
        "\n"
        "hint: write [tool.nuages], and the keys below it"
    )


def test_processes_that_are_no_table_are_not_called_an_unknown_key(tmp_path: Path) -> None:
    (tmp_path / "nuages.toml").write_text("workers = 2\nprocesses = ['python manage.py mail']\n")
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert caught.value.render() == (
        "error: the key 'processes' has a value of the wrong type\n"
        "  nuages.toml:2\n"
        "  an array stands where a table of commands is wanted\n"
        "\n"
        'hint: processes = { mail = "python manage.py mail_digest" }'
    )


@pytest.mark.parametrize("text", ["workers = " + "[" * 5000, "workers = " + "1" * 5000, "workers = "])
def test_toml_that_no_parser_takes_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "nuages.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_file(tmp_path)
    assert caught.value.what == "nuages.toml cannot be read"
