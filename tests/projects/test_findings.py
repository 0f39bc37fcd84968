"""The whole of what `check` says of each trouble and example, compared with a file each; every finding occurs there.

A change that is wanted: remove the file in findings/ and run the test, which writes it anew and fails once; then read
the difference.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from tests.projects.troubles import TROUBLES, compare, unpack

from nuages.check import groups
from nuages.check.facts import Facts
from nuages.check.finding import Severity
from nuages.errors import NuagesError
from nuages.project.scan import ScanError, examine, scan
from nuages.project.tree import Tree

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FINDINGS = Path(__file__).parent / "findings"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")
# Fixed, so that what ends soon goes on ending soon.
TODAY = date(2027, 8, 1)


def findings(project: Path, settings: str | None = None) -> str:
    """Return all findings of a project as `check` prints them."""
    found = examine(project, settings=settings, environ={})
    facts = Facts(project=found, tree=Tree(found.root), today=TODAY)
    return "\n".join(f"{each.render()}\n" for each in groups.examine(facts)) or "nothing\n"


def commit(project: Path) -> None:
    """Make a repository of a project and add everything, `.gitignore` or not."""
    for arguments in (["init", "--quiet"], ["add", "--force", "--all"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)


@pytest.mark.parametrize("name", TROUBLES)
def test_what_is_wrong_with_a_trouble_is_told_as_it_was(name: str, tmp_path: Path) -> None:
    project = unpack(name, tmp_path)
    commit(project)
    try:
        found = findings(project)
    except NuagesError as error:
        found = error.render().replace(str(project), "PROJECT") + "\n"
    found = re.sub(r"(cannot be read whole: .*\n.*\n).*", r"\1  …", found)
    compare(FINDINGS / f"{name}.txt", found)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()))
def test_what_is_wrong_with_an_example_is_told_as_it_was(name: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=WRITTEN))
    compare(FINDINGS / f"{name}.txt", findings(project))


def test_settings_of_an_installed_package_are_doubted(tmp_path: Path) -> None:
    project = unpack("static-root-unset", tmp_path)
    with (project / "requirements.txt").open("a") as requirements:
        requirements.write("elsewhere-site==1.0\n")
    assert (
        "warning N081: the settings module elsewhere.settings is not among the project's files\n"
        "  named by --settings\n"
        "  it must then come from an installed package\n"
        "  fix: check the spelling of the module\n"
    ) in findings(project, "elsewhere.settings")


@pytest.mark.parametrize("module", ["shop.setings", "no.such.module"])
def test_settings_that_were_asked_for_and_do_not_exist_are_the_first_error(
    tmp_path: Path, module: str
) -> None:
    project = unpack("static-root-unset", tmp_path)
    assert findings(project, module).split("\n\n")[0] == (
        f"error N079: the settings module {module} does not exist\n"
        "  named by --settings\n"
        "  it is not among the project's files, and no dependency is called like its package\n"
        "  fix: --settings shop.settings"
    )
    assert "N003" not in findings(project, module)
    with pytest.raises(ScanError, match=f"the settings module {module} does not exist"):
        scan(project, environ={"DJANGO_SETTINGS_MODULE": module})


@pytest.mark.parametrize("name", ["settings.py", "parts.py"])
def test_settings_that_no_python_can_load_are_the_first_error(tmp_path: Path, name: str) -> None:
    project = unpack("static-root-unset", tmp_path)
    settings = project / "shop" / "settings.py"
    settings.write_text("from .parts import *\n" + settings.read_text())
    (project / "shop" / "parts.py").write_text("LANGUAGE_CODE = 'en'\n")
    broken = project / "shop" / name
    good = broken.read_bytes()
    line = good.count(b"\n") + 1
    broken.write_bytes(good + b"SITE = 'caf\xe9 m'\n")
    assert findings(project).split("\n\n")[0] == (
        f"error N086: shop/{name} is not UTF-8: the settings cannot be loaded\n"
        f"  shop/{name}:{line}\n"
        "  byte 0xe9 is not UTF-8: invalid continuation byte\n"
        "  fix: save the file as UTF-8, the encoding of Python's source where its first two lines name no other"
    )
    with pytest.raises(ScanError, match="is not UTF-8"):
        scan(project)
    broken.write_bytes(b"# -*- coding: latin-1 -*-\n" + good + b"SITE = 'caf\xe9 m'\n")
    assert "N086" not in findings(project)
    broken.write_bytes(good + b"SITE = 'a' 7\n")
    first, where, _, fix = findings(project).split("\n\n")[0].split("\n")
    assert first == f"error N086: shop/{name} is not valid Python: the settings cannot be loaded"
    assert (where, fix) == (f"  shop/{name}:{line}", f"  fix: correct shop/{name} at line {line}")


def test_what_may_be_right_for_another_python_or_is_caught_is_no_error(tmp_path: Path) -> None:
    project = unpack("static-root-unset", tmp_path)
    settings = project / "shop" / "settings.py"
    good = settings.read_text()
    for line in (
        "type Names = list[str",
        "def first[T](of: list[T]) -> T return of",
        "try: pass\nexcept* ValueError: 7 7",
    ):
        settings.write_text(f"{good}{line}\n")
        found = findings(project)
        assert "N085" in found
        assert "N086" not in found
    (project / "shop" / "local.py").write_text("SITE = 'a' 7\n")
    settings.write_text(good + "try:\n    from .local import *\nexcept Exception:\n    pass\n")
    assert "N086" not in findings(project)


def test_a_good_project_has_no_findings() -> None:
    assert (FINDINGS / "a-good-project.txt").read_text() == (
        "notice N007: the settings do not load without SECRET_KEY\n"
        "  shop/settings.py:5\n"
        "  at build time nuages gives stand-ins, at run time you must give them\n"
        "  fix: nuages check --env-template > .env, fill in what is empty, and start with --env-file .env\n"
    )


def test_every_finding_occurs_in_a_whole_output() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FINDINGS.iterdir())
    told = set(re.findall(r"^(\w+ N\d{3}):", text, re.MULTILINE))
    # The first two above, the next in tests/unit/check/test_uploads.py and tests/process/test_check_run.py, the last in
    # tests/unit/check/test_check.py.
    told |= {"error N079", "warning N081", "error N028", "notice N036", "notice N066"}
    assert told == {f"{rule.severity.value} {rule.id}" for rule in groups.RULES}


def test_ids_are_never_given_twice_and_grow_with_the_groups() -> None:
    ids = [rule.id for rule in groups.RULES]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"N\d{3}", each) for each in ids)
    assert {rule.severity for rule in groups.RULES} == set(Severity)


def test_every_text_of_a_finding_says_where_why_and_what_to_do() -> None:
    blocks = [
        block
        for path in FINDINGS.iterdir()
        for block in path.read_text(encoding="utf-8").split("\n\n")
        if re.match(r"(error|warning|notice) N", block)
    ]
    for block in blocks:
        told, place, why, *rest = block.splitlines()
        assert re.fullmatch(r"\w+ N\d{3}: .+[^.]", told)
        assert place.startswith("  ")
        assert why.startswith("  ")
        assert re.search(r"^  fix: \S", "\n".join(rest), re.MULTILINE), block


def test_every_snapshot_has_its_project() -> None:
    names = {path.name for path in EXAMPLES.iterdir()} | set(TROUBLES)
    assert {path.stem for path in FINDINGS.iterdir()} <= names
