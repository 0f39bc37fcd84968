"""Which files of a project go into the build context."""

from __future__ import annotations

import pytest

from nuages.image.context import is_left_out, patterns


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
