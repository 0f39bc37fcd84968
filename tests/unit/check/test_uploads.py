"""Uploads for a bucket in a project that does not install what that takes: the finding, and the exact line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.image import test_state

from nuages import cli
from nuages.check.uploads import fix, lacking
from nuages.errors import Origin
from nuages.project.model import Dependencies, Distribution, Manager

HERE = Origin("lock")


def dependencies(manager: Manager, *names: str) -> Dependencies:
    found = tuple(Distribution(name=name, version="1", origin=HERE) for name in names)
    return Dependencies(manager=manager, files=("lock",), origin=HERE, distributions=found)


@pytest.mark.parametrize(
    ("manager", "names", "missing"),
    [
        (Manager.UV, ("django",), ("django-storages", "boto3")),
        (Manager.UV, ("django", "django-storages"), ("boto3",)),
        (Manager.PIP_TOOLS, ("boto3", "django-storages"), ()),
        (Manager.REQUIREMENTS, ("django",), ("django-storages",)),
        (Manager.REQUIREMENTS, ("django-storages",), ()),  # boto3 may come with it
    ],
)
def test_what_is_lacking(manager: Manager, names: tuple[str, ...], missing: tuple[str, ...]) -> None:
    assert lacking(dependencies(manager, *names)) == missing


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        (Manager.UV, 'uv add "django-storages[s3]"'),
        (Manager.POETRY, 'poetry add "django-storages[s3]"'),
        (Manager.PDM, 'pdm add "django-storages[s3]"'),
        (Manager.PIPENV, 'pipenv install "django-storages[s3]"'),
        (Manager.REQUIREMENTS, "add this line to lock:\ndjango-storages[s3]"),
        (
            Manager.PIP_TOOLS,
            "add this line to what lock is compiled from, and compile it:\ndjango-storages[s3]",
        ),
        (Manager.PYPROJECT, 'add this line to `dependencies` in pyproject.toml:\n"django-storages[s3]",'),
        (
            Manager.PYLOCK,
            'add this line to `dependencies` in pyproject.toml, and lock again:\n"django-storages[s3]",',
        ),
    ],
)
def test_the_fix_is_the_managers_own(manager: Manager, line: str) -> None:
    assert fix(dependencies(manager)) == line


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "settings.py").write_text('SECRET_KEY = "x"\n')
    (tmp_path / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
    )
    (tmp_path / "requirements.txt").write_text("Django==5.2\n")
    return tmp_path


def test_check_says_it_once_a_bucket_is_named(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["check", str(project)])
    assert "N028" not in capsys.readouterr().out
    monkeypatch.setenv("NUAGES_MEDIA", "s3://uploads/shop")
    assert cli.main(["check", str(project)]) == 1
    assert (
        "error N028: django-storages is not in requirements.txt\n"
        "  requirements.txt\n"
        "  nuages gives the project django-storages' S3 backend as its default storage, and installs what it locks\n"
        "  fix: add this line to requirements.txt:\n"
        "       django-storages[s3]\n"
    ) in capsys.readouterr().out
    (project / "requirements.txt").write_text("Django==5.2\ndjango-storages[s3]\n")
    cli.main(["check", str(project)])
    assert "N028" not in capsys.readouterr().out


def test_up_says_it_before_it_installs_anything(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["up", str(project), "--media", "s3://uploads/shop", "--home", str(project / "home")]) == 1
    )
    assert capsys.readouterr().err.endswith(
        "error: django-storages is not in requirements.txt\n"
        "  requirements.txt\n"
        "  --media s3://uploads/shop\n"
        "  nuages gives the project django-storages' S3 backend as its default storage, and installs what it locks\n"
        "\n"
        "hint: add this line to requirements.txt:\n"
        "      django-storages[s3]\n"
    )
    assert not (project / "home").exists()


@pytest.mark.parametrize("command", ["plan", "dockerfile"])
def test_what_decides_the_image_warns_and_goes_on(
    project: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main([command, str(project)]) == 0
    plain = capsys.readouterr()
    monkeypatch.setenv("NUAGES_MEDIA", "s3://uploads/shop")
    assert cli.main([command, str(project)]) == 0
    shown = capsys.readouterr()
    assert shown.out == plain.out
    assert "django-storages" not in plain.err
    assert (
        "warning: django-storages is not in requirements.txt\n"
        "  requirements.txt\n"
        "  --media s3://uploads/shop\n"
        "  nuages gives the project django-storages' S3 backend as its default storage, and installs what it locks\n"
        "\n"
        "hint: add this line to requirements.txt:\n"
        "      django-storages[s3]\n"
    ) in shown.err


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ('"/shop/uploads"', "uploads lie in /shop/uploads, outside of the project"),
        ('"/data/uploads"', ""),
        ('BASE_DIR / "media"', "uploads lie in media, on the disk of the container"),
    ],
)
def test_uploads_that_the_image_has_no_volume_for_are_told(
    root: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test_state.project(tmp_path, "db.sqlite3")
    with (tmp_path / "shop/settings.py").open("a") as settings:
        settings.write(f"MEDIA_ROOT = {root}\n")
    cli.main(["check", str(tmp_path)])
    out = capsys.readouterr().out
    assert ("N027" in out) == bool(said)
    assert said in out
