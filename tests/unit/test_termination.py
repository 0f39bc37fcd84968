"""Who takes SIGTERM for a command, and who leaves it to the kernel."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from nuages import termination
from nuages.termination import passed_on


def test_a_command_takes_the_signal_where_it_can_see_what_runs_below_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(termination, "PROCESSES", str(tmp_path))
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    with passed_on():
        assert callable(signal.getsignal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_without_proc_the_signal_ends_a_command_as_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS: it would be ignored until an installer has ended, for nobody ends that."""
    monkeypatch.setattr(termination, "PROCESSES", str(tmp_path))
    with passed_on():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_whoever_was_told_to_ignore_the_signal_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with passed_on():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
