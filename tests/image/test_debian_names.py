"""Every Debian package that the table names is there, in each release that images are made of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.image.debian import mirrors

from nuages.project.container_file import ALPINE
from nuages.project.debian import table


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_every_package_of_the_table_is_in_the_release(suite: str, tmp_path: Path) -> None:
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "sources.list").write_text("".join(f"{line}\n" for line in mirrors(suite)))
    options = [
        f"-oDir::State::lists={tmp_path}/lists", f"-oDir::State::status={tmp_path}/status",
        f"-oDir::Cache={tmp_path}/cache", f"-oDir::Etc::sourcelist={tmp_path}/sources.list",
        f"-oDir::Etc::sourceparts={tmp_path}/parts",
    ]  # fmt: skip
    subprocess.run(["apt-get", "--quiet", *options, "update"], check=True, capture_output=True)
    answer = subprocess.run(["apt-cache", *options, "pkgnames"], check=True, capture_output=True, text=True)
    there = set(answer.stdout.split())
    assert len(there) > 10_000
    rows = table(suite).values()
    named = {package for row in rows for package in (*row.build, *row.run, *sum(row.beside.values(), ()))}
    if suite == "trixie":
        named |= set(ALPINE.values()) - {""}
    assert sorted(named - there) == []
