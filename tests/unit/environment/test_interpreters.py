"""Which of the machine's Pythons a project gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nuages.environment.compatibility import series_of
from nuages.environment.export import export
from nuages.environment.interpreters import Interpreter, Needs, choose, wanted
from nuages.errors import Origin, ProjectError, UsageError
from nuages.project.model import Fact
from nuages.project.pythons_of_django import DJANGO, pythons_for, release_for
from nuages.project.scan import scan


def python(version: str, path: str = "") -> Interpreter:
    major, minor, patch = (int(part) for part in version.split("."))
    return Interpreter(
        path=path or f"/usr/bin/python{major}.{minor}",
        version=(major, minor, patch),
        final=True,
        abi=f"cpython-{major}{minor}-x86_64-linux-gnu",
        platform="linux-x86_64",
        base="/usr",
        markers={"python_full_version": version},
    )


MACHINE = [python(version) for version in ("3.9.18", "3.10.13", "3.11.2", "3.11.7", "3.12.1", "3.13.0")]


def versions(needs: Needs) -> list[str]:
    return [each.markers["python_full_version"] for each in choose(MACHINE, needs)]


def needs_django(version: str, python: str | None = None) -> Needs:
    fact = Fact(version, Origin("requirements.txt", 3))
    range_ = pythons_for(version)
    assert range_
    return Needs(
        python=Fact(python, Origin("pyproject.toml", 4)) if python else None,
        django=(*range_, fact),
    )


def test_the_newest_that_the_locked_django_supports_is_first() -> None:
    assert versions(needs_django("4.2.3")) == ["3.11.7", "3.11.2", "3.10.13"]
    assert versions(needs_django("4.2.23"))[0] == "3.12.1"
    assert versions(needs_django("5.2.4"))[0] == "3.13.0"


def test_a_pinned_series_decides_also_against_djangos_table() -> None:
    assert versions(needs_django("4.2.3", "==3.12.*")) == ["3.12.1"]


def test_a_lower_limit_leaves_the_choice_to_django() -> None:
    assert versions(needs_django("4.2.3", ">=3.9")) == ["3.11.7", "3.11.2", "3.10.13"]


def test_a_python_that_lacks_wheels_comes_after_one_that_has_them() -> None:
    needs = Needs(lacking={(3, 13): 2, (3, 12): 0, (3, 11): 0, (3, 10): 1})

    assert versions(needs) == ["3.12.1", "3.11.7", "3.11.2", "3.10.13", "3.13.0"]


def test_the_python_that_the_project_has_been_run_with_comes_first_where_it_is_there() -> None:
    used = Fact("==3.12.*", Origin("requirements.txt", 2))

    assert versions(Needs(used=used, lacking={(3, 12): 3}))[:2] == ["3.12.1", "3.13.0"]
    assert versions(replace(needs_django("4.2.3"), used=used)) == ["3.12.1", "3.11.7", "3.11.2", "3.10.13"]
    assert versions(Needs(used=Fact("==3.14.*", used.origin)))[0] == "3.13.0"


def test_the_option_beats_the_projects_pin() -> None:
    needs = Needs(python=Fact("==3.12.*", Origin(".python-version", 1)), option="==3.10.*")

    assert versions(needs) == ["3.10.13"]


def test_nothing_that_fits_names_what_is_there_and_what_is_needed() -> None:
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, needs_django("6.0.4", "==3.14.*"))

    assert caught.value.render() == (
        "error: no Python of this machine fits the project\n"
        "  pyproject.toml:4\n"
        "  the project needs Python 3.14\n"
        "  Django 6.0.4 runs on Python 3.12 to 3.14 (requirements.txt:3)\n"
        "  nuages needs Python 3.10 or newer\n"
        "  this machine has 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0\n"
        "\n"
        "hint: install Python 3.14 (apt, pyenv or `uv python install 3.14`), or name one: --python PATH"
    )


def test_a_django_whose_later_releases_run_on_what_we_need_is_not_called_too_old(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, Needs(django=(*pythons_for("3.2.6"), Fact("3.2.6", Origin("requirements.txt", 3)))))

    assert caught.value.hint == (
        "take Django 3.2.9 or a later release of its series, which run on Python 3.10;\n"
        "--python 3.10 tries it with 3.2.6"
    )
    (tmp_path / "manage.py").write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n')
    (tmp_path / "settings.py").write_text("INSTALLED_APPS = []\n")
    (tmp_path / "requirements.txt").write_text("django==3.2.6\n")
    with pytest.raises(ProjectError) as caught:
        export(scan(tmp_path), {})

    assert caught.value.hint == (
        "take Django 3.2.9 or a later release of its series, which run on Python 3.10;\n"
        "--image-python 3.10 tries it with 3.2.6"
    )
    assert release_for("3.1.14", (3, 10)) is None
    assert release_for("4.2.1", (3, 12)) == "4.2.8"
    assert release_for(">=3.2", (3, 10)) is None


@pytest.mark.parametrize("specifier", ["==3.12.4", "~=3.12.4", ">=3.12.4,<3.13"])
def test_another_release_of_a_series_that_is_here_is_named_and_so_is_the_one_that_is_here(
    specifier: str,
) -> None:
    needs = Needs(python=Fact(specifier, Origin("pyproject.toml", 4)))
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, needs)

    assert caught.value.hint == (
        "install Python 3.12.4 (apt, pyenv or `uv python install 3.12.4`), "
        "or take the 3.12 that is here: --python 3.12"
    )
    assert versions(replace(needs, option="==3.12.*")) == ["3.12.1"]


def test_an_option_that_nothing_fits_leads_to_what_does() -> None:
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, Needs(option="==2.7.*"))

    assert caught.value.render() == (
        "error: no Python of this machine fits the project\n"
        "  given by --python\n"
        "  --python asks for Python 2.7\n"
        "  nuages needs Python 3.10 or newer\n"
        "  this machine has 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0\n"
        "\n"
        "hint: --python 3.13, or leave it out"
    )


def test_a_project_on_an_older_python_is_told_what_it_would_take() -> None:
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, Needs(python=Fact("==3.8.*", Origin("runtime.txt", 1))))

    assert caught.value.render() == (
        "error: no Python of this machine fits the project\n"
        "  runtime.txt:1\n"
        "  the project needs Python 3.8\n"
        "  nuages needs Python 3.10 or newer\n"
        "  this machine has 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0\n"
        "\n"
        "hint: nuages cannot serve Python 3.8: upgrade the project to Python 3.10 or newer"
    )


@pytest.mark.parametrize(
    ("django", "python", "series"),
    [
        ("3.2.25", ">=3.8", "3.10"),
        ("3.2.25", None, "3.10"),
        # The newest that Django runs on is none that the project allows.
        ("3.2.25", ">=3.12", "3.12"),
        ("7.0", ">=3.10", "3.12"),
        ("7.0", None, "3.12"),
    ],
)
def test_the_python_to_install_is_one_that_project_django_and_nuages_take(
    django: str, python: str | None, series: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        choose([each for each in MACHINE if each.series == (3, 11)], needs_django(django, python))

    assert caught.value.hint.startswith(f"install Python {series} (apt, pyenv ")
    assert "3.99" not in caught.value.render()


def test_where_project_and_django_exclude_each_other_nothing_is_to_be_installed() -> None:
    with pytest.raises(ProjectError) as caught:
        choose(MACHINE, needs_django("3.2.25", ">=3.12"))

    assert caught.value.hint == "upgrade Django, or try the 3.12 that is here all the same: --python 3.12"
    assert versions(replace(needs_django("3.2.25", ">=3.12"), option="==3.12.*")) == ["3.12.1"]


def test_a_project_that_allows_more_than_nuages_runs_on_is_not_to_be_upgraded() -> None:
    with pytest.raises(ProjectError) as caught:
        choose([python("3.9.18")], Needs(python=Fact(">=3.8", Origin("pyproject.toml", 4))))

    assert caught.value.hint.startswith("install Python 3.10 ")


@pytest.mark.parametrize(
    ("text", "expected"), [("3.12", "==3.12.*"), ("python3.12", "==3.12.*"), ("3.12.1", "==3.12.1")]
)
def test_the_option_takes_a_version(text: str, expected: str) -> None:
    assert wanted(text, {}) == expected


def test_the_option_refuses_what_is_no_program() -> None:
    with pytest.raises(UsageError) as caught:
        wanted("no-such-python", {"PATH": "/nowhere"})

    assert caught.value.render() == (
        "error: --python cannot be 'no-such-python'\n"
        "  given by --python\n"
        "  there is no such program\n"
        "\n"
        "hint: --python X.Y|PATH, for example --python 3.12"
    )


@pytest.mark.parametrize(
    ("django", "expected"),
    [
        ("3.2.25", ((3, 6), (3, 10))),
        ("3.2.1", ((3, 6), (3, 9))),
        ("==4.2.8", ((3, 8), (3, 12))),
        ("4.2.7", ((3, 8), (3, 11))),
        ("5.0.4", ((3, 10), (3, 12))),
        ("6.1", ((3, 12), (3, 14))),
        (">=4.2,<5", ((3, 8), (3, 12))),
        ("*", None),
        ("7.0", ((3, 12), (3, 99))),
    ],
)
def test_djangos_table(django: str, expected: object) -> None:
    assert pythons_for(django) == expected


def test_the_table_grows_in_order() -> None:
    rows = list(DJANGO.items())

    assert [series for series, _ in rows] == sorted(DJANGO)
    assert all(oldest <= newest for _, (oldest, newest, _) in rows)
    assert series_of("==4.2.23") == (4, 2)
