"""What travels between the supervisor and its processes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nuages.errors import StartError
from nuages.runtime.child import Process, error_fields, error_from, to_line

LONGEST = 1 << 17


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process(1)
    yield made
    made.close()


def say(process: Process, data: bytes) -> None:
    """Say something in the process's place."""
    process._theirs.send(data)


@given(st.text(st.characters(), min_size=1, max_size=20))
@example("é")
@example("\U0001f600")
@example("\udcff")
@example("\ud83d\ude00")
@example("\0")
@example('"\n')
def test_an_error_fits_a_message_whatever_its_characters(text: str) -> None:
    error = StartError(text * 5000, where=text * 5000, why=text * 50_000, hint=text * 5000)
    line = to_line({"error": error_fields(error)})
    assert len(line) < LONGEST
    assert line.count(b"\n") == 1
    same = error_from(json.loads(line)["error"])
    assert error.what.startswith(same.what)
    assert error.why.endswith(same.why)
    assert len(same.why) >= 32_000 // 6 - 1
    assert (type(same), same.exit_code) == (StartError, error.exit_code)


def test_a_short_error_is_told_as_it_is() -> None:
    error = StartError("wåt", where="\udcff", why="\U0001f600\n\ud83d\ude00", hint='"')
    assert vars(error_from(json.loads(to_line(error_fields(error))))) == vars(error)


def test_what_is_no_message_is_passed_over(process: Process) -> None:
    for line in (b"{broken\n", b"\xff\n", b"7\n", b'{"ready": 1}\n'):
        say(process, line)
    assert process.messages() == [{"ready": 1}]


def test_a_message_that_is_cut_short_does_not_take_the_next_with_it(process: Process) -> None:
    if process._theirs.type is not socket.SOCK_SEQPACKET:
        pytest.skip("no messages, only lines")
    say(process, to_line({"why": "x" * LONGEST}))
    say(process, to_line({"ready": 1}))
    assert process.messages() == [{"ready": 1}]
