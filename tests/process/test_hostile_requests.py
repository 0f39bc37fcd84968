"""Invalid and odd requests: each is answered as the RFCs say, and nothing of a refused one reaches Django."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator

import pytest
from tests.process.corpus.echo import write_echo
from tests.process.corpus.requests import CORPUS, Refused, Served
from tests.process.harness import Server, serving
from tests.process.sites import talking


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = write_echo(tmp_path_factory.mktemp("echo"))
    with serving(project, "--workers", "1", "--max-body", "8M", "--header-timeout", "20s") as started:
        started.wait_for("ready")
        yield started
        assert started.found("worker-died") == []
        assert "Traceback" not in started.said


def seen(server: Server) -> list[str]:
    found: list[str] = json.loads(server.get("/seen/"))
    return found


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in CORPUS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in CORPUS if isinstance(row, Refused)]
)
def test_it_is_refused(server: Server, row: Refused) -> None:
    before = len(seen(server))
    with talking(server.address) as talk:
        talk.socket.settimeout(10)
        with contextlib.suppress(ConnectionError):  # it may be refused long before its end
            talk.send(row.data)
        for _ in range(row.before):
            assert talk.answer().status == 200
        answer = talk.answer()
        assert answer.status == row.status
        assert answer.fields["connection"] == "close"
        assert talk.closed()
    assert len(seen(server)) == before + row.before


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in CORPUS if isinstance(row, Served)])
def test_it_is_served(server: Server, row: Served) -> None:
    before = len(seen(server))
    with talking(server.address) as talk:
        talk.socket.settimeout(10)
        talk.send(row.data)
        for wanted in row.seen:
            answer = talk.answer(wanted.method)
            assert answer.status == 200
            found = json.loads(answer.text)
            assert (found["method"], found["path"], found["query"]) == (
                wanted.method,
                wanted.path,
                wanted.query,
            )
            assert (found["length"], found["digest"]) == (
                len(wanted.body),
                hashlib.sha256(wanted.body).hexdigest(),
            )
            if wanted.host != "*":
                assert found["host"] == wanted.host
            assert {name: found["meta"].get(name) for name in wanted.meta} == wanted.meta
        if row.closes:
            assert talk.closed()
        else:
            assert talk.get("/pid/").status == 200
    assert len(seen(server)) == before + len(row.seen)
