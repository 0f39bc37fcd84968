"""What the planner decides of its own; what it makes of whole projects stands in tests/projects/plans."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.unit.image.test_state import project

from nuages.image.dockerfile import render
from nuages.image.options import ImageOptions
from nuages.image.plan import Install, Plan, Runtime, Stated, from_json, to_json
from nuages.image.planner import Findings, messages, plan, port
from nuages.project.scan import scan


@pytest.mark.parametrize(
    ("manage", "catalog", "expected"),
    [
        ("manage.py", "locale/de/LC_MESSAGES/django.po", (".",)),
        ("site/manage.py", "site/locale/de/LC_MESSAGES/django.po", ("site",)),
        ("site/manage.py", "library/locale/de/LC_MESSAGES/django.po", ()),
        # It looks for folders called `locale` only.
        ("manage.py", "translations/de/LC_MESSAGES/django.po", ()),
    ],
)
def test_messages_are_compiled_where_compilemessages_finds_them(
    tmp_path: Path, manage: str, catalog: str, expected: tuple[str, ...]
) -> None:
    # It ends with an error where no locale folder lies below the one that it is run in.
    project(tmp_path / "site" if manage.startswith("site") else tmp_path, "db.sqlite3")
    file = tmp_path / catalog
    file.parent.mkdir(parents=True)
    file.touch()
    assert messages(scan(tmp_path, environ={})) == expected


def test_messages_of_folders_beside_the_project_that_are_on_its_path_are_compiled_too(tmp_path: Path) -> None:
    project(tmp_path / "site", "db.sqlite3")
    for folder in ("site", "src/goods", "docs"):
        file = tmp_path / folder / "locale/de/LC_MESSAGES/django.po"
        file.parent.mkdir(parents=True)
        file.touch()
    found = dataclasses.replace(scan(tmp_path, environ={}), paths=("src",))
    assert messages(found) == ("site", "src")
    made = plan(
        found,
        Findings(
            python=Stated(value="3.13", origin="default"),
            install=Install(origin="x", requirements="", closed=True, hashed=True),
            runtime=Runtime(wheel="x", sha256="", requirements=""),
        ),
        ImageOptions(),
    )
    compiling = "/opt/venv/bin/python -m django compilemessages --verbosity 0 --ignore node_modules"
    assert f" && {compiling} \\\n && (cd /app/src && {compiling}) \\\n" in render(made)
    assert from_json(to_json(made)) == made


@pytest.mark.parametrize(
    ("exposed", "asked", "value", "origin"),
    [
        ("", None, 8000, "default"),
        ("EXPOSE 8080", None, 8080, "Dockerfile:3"),
        ("EXPOSE 8080", 5000, 5000, "--port"),
        ("EXPOSE 80", None, 8000, "default"),
        ("EXPOSE 9000", None, 8000, "default"),
    ],
)
def test_an_image_serves_where_the_projects_own_one_did(
    tmp_path: Path, exposed: str, asked: int | None, value: int, origin: str
) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.13\nWORKDIR /app\n{exposed}\n")
    found = port(scan(tmp_path, environ={}), ImageOptions(port=asked))
    assert (found.value, str(found.origin)) == (value, origin)


def test_settings_are_loaded_to_collect_with_what_the_projects_own_dockerfile_gives_them(
    tmp_path: Path,
) -> None:
    project(tmp_path, "db.sqlite3")
    with next(tmp_path.glob("**/settings.py")).open("a") as settings:
        settings.write(
            "import os\nSITE_KEY = os.environ['SITE_KEY']\nQUEUE = os.environ.get('QUEUE', 'here')\n"
            "TOKEN = os.environ.get('TOKEN')\nDEBUG = os.environ.get('DEBUG') == '1'\nHOST = os.environ['HOST']\n"
        )
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.13\nENV HOST=shop.example\n"
        "RUN SITE_KEY=k QUEUE=q TOKEN=t DEBUG=1 HOST=h OTHER=o python manage.py collectstatic\n"
    )
    made = _plan(tmp_path)
    assert {name: (one.value, one.origin) for name, one in made.stand_ins.items()} == {
        "SITE_KEY": ("k", "Dockerfile:3"), "QUEUE": ("q", "Dockerfile:3"), "TOKEN": ("t", "Dockerfile:3"),
    }  # fmt: skip
    # What is tried where nothing real is given: not what has a default.
    assert made.labels["nuages.variables"] == "SITE_KEY=text TOKEN=secret"


def _plan(folder: Path) -> Plan:
    found = Findings(
        python=Stated(value="3.13", origin="default"),
        install=Install(origin="x", requirements="", closed=True, hashed=True),
        runtime=Runtime(wheel="x", sha256="", requirements=""),
    )
    return plan(scan(folder, environ={}), found, ImageOptions())


def test_the_image_has_the_variables_of_the_projects_own(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    with (tmp_path / "shop" / "settings.py").open("a") as settings:
        settings.write('import os\nDEBUG = os.environ.get("STAGE", "dev") == "dev"\n')
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.13\nWORKDIR /srv\nCOPY . .\nENV STAGE=live HERE=/srv/shop SAID='a \"b\" $c' NUAGES_BIND=x\n"
    )
    made = _plan(tmp_path)

    assert made.own == ("STAGE", "HERE", "SAID")
    assert made.environ["STAGE"] == Stated(value="live", origin="Dockerfile:4"), (
        "not what else turns DEBUG off"
    )
    assert made.environ["HERE"].value == "/app/shop"
    assert made.environ["NUAGES_BIND"].value == "0.0.0.0:8000"
    assert made.notes[-1:] == ("Dockerfile sets STAGE, HERE, SAID: so it is here",)
    text = render(made)
    assert '    SAID="a \\"b\\" \\$c" \\\n' in text
    assert "#   STAGE  Dockerfile:4\n" in text
    assert "RUN STAGE=live \\\n    HERE=/app/shop \\\n" in text, "static files are collected with them"
    assert from_json(to_json(made)) == made


PIPELINE = """
PIPELINE = {"JS_COMPRESSOR": "pipeline.compressors.terser.TerserCompressor"}
"""


@pytest.mark.parametrize(
    ("precompiler", "is_nodes"),
    [
        ("django_libsass.SassCompiler", False),
        ("sass {infile} {outfile}", True),
        ("node_modules/.bin/lessc", True),
    ],
)
def test_a_precompiler_is_a_program_of_node_or_a_class_of_pythons(
    precompiler: str, is_nodes: bool, tmp_path: Path
) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"devDependencies": {"eslint": "9"}}')
    (tmp_path / "package-lock.json").write_text("{}")
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(f'COMPRESS_PRECOMPILERS = (("text/x-scss", "{precompiler}"),)\n')
    assert (scan(tmp_path, environ={}).front_end is not None) == is_nodes


def test_programs_of_node_that_collecting_runs_are_there_while_it_runs(tmp_path: Path) -> None:
    project(tmp_path, "db.sqlite3")
    (tmp_path / "package.json").write_text('{"devDependencies": {"terser": "5.36.0"}}')
    (tmp_path / "package-lock.json").write_text("{}")
    assert scan(tmp_path, environ={}).front_end is None
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(PIPELINE)
    text = render(_plan(tmp_path))
    assert "package.json has programs that collecting runs. Node stays in this stage.\n" in text
    assert " && npm ci --no-audit --no-fund\n" in text
    assert (
        "FROM project AS static\n"
        "RUN --mount=type=bind,from=front-end,source=/node_modules,target=/app/node_modules \\\n"
        "    --mount=type=bind,from=front-end,source=/usr/local/bin/node,target=/usr/local/bin/node \\\n"
        "    PATH=/app/node_modules/.bin:$PATH \\\n"
    ) in text
    assert "COPY --from=front-end /node_modules" not in text
    # One that is built has its programs there too.
    (tmp_path / "package.json").write_text('{"scripts": {"build": "vite build"}}')
    text = render(_plan(tmp_path))
    assert " && npm run build \\\n && { [ ! -e node_modules ]" in text
    assert "source=/node_modules,target=/app/node_modules" in text
