"""The plan and the Dockerfile of each example, compared with a file each; the same input gives the same bytes.

A change that is wanted: remove the file in plans/ and run the test, which writes it anew and fails once; then read
the difference.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.projects.troubles import TROUBLES, compare, unpack

from nuages import __version__, cli
from nuages.image.plan import from_json, to_json

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PLANS = Path(__file__).parent / "plans"
WRITTEN = shutil.ignore_patterns("*.sqlite3*", "staticfiles", "media", "__pycache__")
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def _run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(argv) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_dockerfile_is_written_as_it_was(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=WRITTEN))
    found = _run(capsys, "dockerfile", str(project)).replace(__version__, "VERSION")
    compare(PLANS / f"{name}.Dockerfile", found)


@pytest.mark.parametrize("name", NAMES)
def test_hadolint_finds_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _lint(_run(capsys, "dockerfile", str(EXAMPLES / name), "--healthcheck", "--apt", "poppler-utils"))


def _lint(text: str) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint has a wheel for Linux on x86-64 only")
    done = subprocess.run([linter, "-"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        "messages-not-compiled",
        "writes-beside-its-code",
        "front-end-in-a-folder-of-its-own",
        "variables-of-every-shape",
    ],
)
def test_hadolint_finds_nothing_in_a_trouble(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _lint(_run(capsys, "dockerfile", str(unpack(name, tmp_path))))


@pytest.mark.parametrize("name", NAMES)
def test_two_plans_of_a_project_are_the_same_wherever_it_lies(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Path(shutil.copytree(EXAMPLES / name, tmp_path / "here" / name, ignore=WRITTEN))
    second = Path(shutil.copytree(EXAMPLES / name, tmp_path / "there" / "below" / name, ignore=WRITTEN))
    plan = _run(capsys, "plan", str(first))
    assert plan == _run(capsys, "plan", str(second))
    assert str(tmp_path) not in plan
    assert to_json(from_json(plan)) == plan


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_planned_as_it_was(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = unpack(name, tmp_path)
    code = cli.main(["plan", str(project)])
    said = capsys.readouterr()
    if code:
        snapshot, found = PLANS / f"{name}.txt", said.err.replace(str(project), "PROJECT")
    else:
        assert to_json(from_json(said.out)) == said.out
        plan = json.loads(said.out)
        # The server's own wheel and requirements are the same for every project, and change with it.
        del plan["runtime"]
        snapshot, found = PLANS / f"{name}.json", json.dumps(plan, indent=1, ensure_ascii=False) + "\n"
    compare(snapshot, found)


def test_an_agent_that_is_a_dependency_starts_the_server_in_the_image_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = unpack("monitored-without-the-agent", tmp_path)
    assert cli.main(["dockerfile", str(project)]) == 0
    said = capsys.readouterr()
    assert 'ENTRYPOINT ["/opt/venv/bin/python", "-m", "nuages"]' in said.out
    assert (
        "Dockerfile:3 starts the server with ddtrace-run, and the image does not, "
        "for ddtrace is not among the dependencies: add it there"
    ) in said.err
    with (project / "requirements.txt").open("a") as requirements:
        requirements.write("ddtrace==4.0.0\n")
    assert cli.main(["dockerfile", str(project)]) == 0
    said = capsys.readouterr()
    assert 'ENTRYPOINT ["/opt/venv/bin/ddtrace-run", "/opt/venv/bin/python", "-m", "nuages"]' in said.out
    assert "Dockerfile:3 starts the server with ddtrace-run, and so does the image" in said.err


def test_debug_that_is_written_in_the_source_is_no_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(shutil.copytree(EXAMPLES / "bookshop", tmp_path / "bookshop", ignore=WRITTEN))
    settings = project / "bookshop" / "settings.py"
    lines = [
        "DEBUG = True" if line.startswith("DEBUG =") else line
        for line in settings.read_text(encoding="utf-8").splitlines()
    ]
    settings.write_text("\n".join(lines), encoding="utf-8")
    number = lines.index("DEBUG = True") + 1
    assert cli.main(["plan", str(project)]) == 1
    assert capsys.readouterr().err == (
        "error: the image would run with DEBUG on\n"
        f"  bookshop/settings.py:{number}\n"
        "  there stands: DEBUG = True\n"
        "\n"
        "hint: read it from a variable there, or build with --debug off, which the image then keeps\n"
    )
    assert '"NUAGES_DEBUG"' in _run(capsys, "plan", str(project), "--debug", "off")


def test_a_dockerfile_of_somebody_else_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(shutil.copytree(EXAMPLES / "bookshop", tmp_path / "bookshop", ignore=WRITTEN))
    (project / "Dockerfile").write_text("FROM scratch\n")
    assert cli.main(["dockerfile", str(project), "--write"]) == 1
    assert (project / "Dockerfile").read_text() == "FROM scratch\n"
    assert "there is a Dockerfile already" in capsys.readouterr().err


def test_a_python_that_django_limits_names_django_beside_the_projects_own_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = unpack("open-to-everybody", tmp_path)
    (project / "requirements.txt").write_text("Django==4.2.16\n")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\n'
    )
    (project / ".python-version").unlink(missing_ok=True)
    python = json.loads(_run(capsys, "plan", str(project)))["python"]
    assert python == {
        "value": "3.12",
        "origin": "pyproject.toml:4 says >=3.10; Django 4.2.16 (requirements.txt:1); the newest that is proven",
    }


def test_folders_that_the_settings_make_are_links_to_the_volume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = unpack("open-to-everybody", tmp_path)
    settings = project / "shop" / "settings.py"
    made = [
        "import os",
        'TEMPLATES = [{"DIRS": ["pages"]}]',
        'for each in ("pages", "/var/lib/shop/cache", "/data/exports", "logs"):',
        "    os.makedirs(each, exist_ok=True)",
    ]
    settings.write_text("\n".join([settings.read_text(), *made]))
    text = " ".join(_run(capsys, "dockerfile", str(project)).replace("\\\n", "").split())
    for command in (
        "mkdir -p /data/logs && ln -sfn /data/logs /app/logs",
        "&& mkdir -p /data/exports && mkdir -p /data/cache && chown -R 65532:0 /data",
        "mkdir -p /app/pages && (/opt/venv/bin/python -m compileall",
        "mkdir -p /var/lib/shop && { [ -e /var/lib/shop/cache ] || ln -s /data/cache /var/lib/shop/cache; }",
    ):
        assert command in text


def test_installing_a_package_of_the_project_s_own_leaves_no_file_that_everybody_may_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = unpack("a-good-project", tmp_path)
    (project / "library").mkdir()
    (project / "library" / "setup.py").write_text("from setuptools import setup\nsetup(name='library')\n")
    (project / "requirements.txt").write_text("Django==5.2.9\n-e ./library\n")
    found = _run(capsys, "dockerfile", str(project))
    assert "rm -f /opt/venv/.lock" in found.partition("# Packages that lie in the project itself.")[2]
