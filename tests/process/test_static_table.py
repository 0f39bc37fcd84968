"""The table of requests for static files and their answers (RFC 9110), against a real server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from benchmarks.static_answers import ask, complaints, marks
from benchmarks.static_rows import ROWS, Row, write_files
from tests.process.harness import serving
from tests.process.sites import write_site

SETTINGS = 'STATIC_ROOT = BASE.parent / "collected"\n'


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    project = write_site(tmp_path_factory.mktemp("site"), settings=SETTINGS)
    write_files(project / "collected")
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        yield int(server.address.rpartition(":")[2])
        assert "Traceback" not in server.said


@pytest.fixture(scope="module")
def known(port: int) -> Mapping[str, str]:
    return marks(port)


@pytest.mark.parametrize("row", ROWS, ids=[f"{number} {row.title[:60]}" for number, row in enumerate(ROWS)])
def test_a_request_for_a_file_is_answered_as_it_should_be(
    port: int, known: Mapping[str, str], row: Row
) -> None:
    assert complaints(row, ask(port, row, known), known) == []


def test_the_table_is_long_enough_to_be_worth_its_name() -> None:
    assert len(ROWS) >= 120
