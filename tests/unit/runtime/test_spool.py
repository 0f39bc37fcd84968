"""A stored body reads like any file, gives back what was read, and never shows a hole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime import spool
from nuages.runtime.spool import Spooled, give_back

CALLS = st.lists(
    st.tuples(st.sampled_from(["read", "readline", "readlines", "seek", "tell"]), st.integers(-1, 300)),
    max_size=30,
)


def stored(tmp_path: Path, data: bytes) -> Any:
    file = (tmp_path / "body").open("w+b")
    file.write(data)
    file.seek(0)
    return file


@given(data=st.binary(max_size=2000).map(lambda raw: raw.replace(b"\1", b"\n")), calls=CALLS)
def test_a_small_body_reads_like_a_file(data: bytes, calls: list[tuple[str, int]]) -> None:
    file = io.BytesIO(data)
    tried, expected = Spooled(file), io.BytesIO(data)
    for name, number in calls:
        if name == "tell":
            assert tried.tell() == expected.tell()
        elif name == "seek":
            place = max(0, min(number, expected.tell()))
            # What is in memory has no descriptor, which only `seek` would ask.
            expected.seek(place)
            file.seek(place)
            tried._at = place
        else:
            assert getattr(tried, name)(number) == getattr(expected, name)(number)


def test_what_was_read_is_given_back_and_cannot_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "STEP_BYTES", 1 << 16)
    data = os.urandom(1 << 20)
    with stored(tmp_path, data) as file:
        if not give_back(file.fileno(), 0, 0 + 4096):
            pytest.skip(f"the file system of {tmp_path} cannot free a part of a file (fallocate punch hole)")
        file.write(data)
        file.flush()
        file.seek(0)
        body = Spooled(file)
        whole = os.fstat(file.fileno()).st_blocks
        assert body.seekable()
        assert body.read(1000) + body.read(1000) == data[:2000]
        assert body.seek(0) == 0
        read = b"".join(iter(lambda: body.read(5000), b""))
        assert read == data
        assert os.fstat(file.fileno()).st_blocks < whole / 4
        assert not body.seekable()
        with pytest.raises(io.UnsupportedOperation, match="have been read, and are not kept"):
            body.seek(0)
        assert body.read() == b""
        assert body.seek(0, os.SEEK_END) == len(data)


def test_where_nothing_can_be_given_back_all_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "STEP_BYTES", 1 << 10)
    monkeypatch.setattr(spool, "give_back", lambda *_: False)
    data = os.urandom(1 << 16)
    with stored(tmp_path, data) as file:
        body = Spooled(file)
        assert list(body) == io.BytesIO(data).readlines()
        assert body.seek(0) == 0
        assert body.read() == data
