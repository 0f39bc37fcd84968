"""Which files of a project go into the build context."""

from __future__ import annotations

from pathlib import Path

import pytest

from nuages.image.context import is_left_out, patterns, write


@pytest.mark.parametrize(
    "path",
    [".env", "config/.env.production", "prod.env", "certs/server.key", "a/b/cert.pem", "deploy/id_ed25519",
     ".aws", "home/.netrc", "client_secret_12.json", "secrets.yaml"],
)  # fmt: skip
def test_a_secret_stays_out_wherever_it_lies(path: str) -> None:
    assert is_left_out(path)


@pytest.mark.parametrize(
    "path", [".env.example", "app/.env.sample", "keys.py", "shop/secrets.py", "monkey.pem.txt"]
)
def test_a_sample_and_code_go_in(path: str) -> None:
    assert not is_left_out(path)


@pytest.mark.parametrize(
    "path", ["db.sqlite3", "x/db.sqlite3-wal", ".git", "a/node_modules", "a/__pycache__", "a.pyc"]
)
def test_databases_and_what_is_made_again_stay_out(path: str) -> None:
    assert is_left_out(path)


def test_the_projects_own_patterns_come_last() -> None:
    assert is_left_out("docs/big.pdf", ("docs/*.pdf",))
    assert not is_left_out("fixtures/sample.db", ("!fixtures/sample.db",))
    assert patterns(("/docs",))[-1] == "/docs"


def test_the_time_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    """docker takes a file of the same size and time for the one that it has."""
    project = tmp_path / "project"
    project.mkdir()
    times = []
    for number, text in enumerate(("COST = 1\n", "COST = 2\n", "COST = 1\n")):
        (project / "prices.py").write_text(text)
        (project / "link.py").unlink(missing_ok=True)
        (project / "link.py").symlink_to("prices.py")
        context = tmp_path / f"context{number}"
        write(project, context, {"Dockerfile": text.encode()})
        times.append(
            [int((context / name).lstat().st_mtime) for name in ("prices.py", "Dockerfile", "link.py")]
        )
    assert times[0] == times[2]
    assert times[0][0] != times[1][0]
    assert times[0][1] != times[1][1]
    assert times[0][2] == times[1][2]
