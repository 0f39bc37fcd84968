"""Who takes SIGTERM and SIGHUP for a command, and who leaves them to the kernel."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from nuages import termination
from nuages.termination import passed_on

BOTH = pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGHUP])


@BOTH
def test_a_command_takes_the_signal_where_it_can_see_what_runs_below_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, signal_: signal.Signals
) -> None:
    monkeypatch.setattr(termination, "PROCESSES", str(tmp_path))
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    with passed_on():
        assert callable(signal.getsignal(signal_))
    assert signal.getsignal(signal_) is signal.SIG_DFL


@BOTH
def test_without_proc_the_signal_ends_a_command_as_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, signal_: signal.Signals
) -> None:
    """As on macOS: it would be ignored until an installer has ended, for nobody ends that."""
    monkeypatch.setattr(termination, "PROCESSES", str(tmp_path))
    with passed_on():
        assert signal.getsignal(signal_) is signal.SIG_DFL


@BOTH
def test_whoever_was_told_to_ignore_the_signal_goes_on_ignoring_it(signal_: signal.Signals) -> None:
    """As under `nohup`."""
    signal.signal(signal_, signal.SIG_IGN)
    try:
        with passed_on():
            assert signal.getsignal(signal_) is signal.SIG_IGN
        assert signal.getsignal(signal_) is signal.SIG_IGN
    finally:
        signal.signal(signal_, signal.SIG_DFL)
