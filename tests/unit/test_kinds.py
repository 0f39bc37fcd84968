"""How texts become values."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.kinds import Kind, choice, duration, integer, size, switch, text, word_or


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("1h30m", 5400),
        ("7d", 604800),
        ("45", 45),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("0", 0),
        ("1m", 60),
    ],
)
def test_durations_are_seconds(written: str, seconds: float) -> None:
    assert duration.parse(written) == seconds


@pytest.mark.parametrize(
    ("written", "count"), [("300M", 300 << 20), ("1G", 1 << 30), ("10", 10), ("2KiB", 2048), ("4kb", 4096)]
)
def test_sizes_are_bytes(written: str, count: int) -> None:
    assert size.parse(written) == count


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (duration, ""), (duration, "-1s"), (duration, "s"), (duration, "1x"), (duration, "30m1h"), (size, "1.5G"),
        (size, ""), (size, "G"), (integer(1), "0"), (integer(), "1.0"), (switch, "yes"), (choice("a", "b"), "c"),
        (text("T"), " "), (word_or("auto", integer(1)), "automatic"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_reason(kind: Kind[object], written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        kind.parse(written)


@given(st.text())
def test_no_text_makes_a_parser_fail_in_another_way(written: str) -> None:
    for kind in (duration, size, integer(), switch, choice("a"), text("T"), word_or("auto", integer())):
        with suppress(ValueError):
            kind.parse(written)


@given(st.integers(0, 10), st.integers(0, 30), st.integers(0, 90), st.integers(0, 90))
def test_every_written_duration_is_read_back(days: int, hours: int, minutes: int, seconds: int) -> None:
    written = f"{days}d{hours}h{minutes}m{seconds}s"
    assert duration.parse(written) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds
