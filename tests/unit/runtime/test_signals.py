"""Signals as a loop reads them."""

from __future__ import annotations

import signal

import pytest

from nuages.runtime.signals import Signals


def test_each_counts_once_but_those_that_ask_for_one_worker_more_or_less() -> None:
    signals = Signals()
    try:
        for number in (signal.SIGTTIN, signal.SIGHUP, signal.SIGTTIN, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)
        assert signals.come() == [signal.SIGTERM, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTIN]
        assert signals.come() == []
    finally:
        signals.close()


@pytest.mark.parametrize(
    "numbers", [(signal.SIGTTOU, signal.SIGTTIN), (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTTIN)]
)
def test_one_worker_less_and_one_more_stay_in_their_order(numbers: tuple[signal.Signals, ...]) -> None:
    """A single worker cannot be one less: what comes after that is told from what came before it."""
    signals = Signals()
    try:
        for number in (signal.SIGUSR1, *numbers, signal.SIGCHLD):
            signal.raise_signal(number)
        assert signals.come() == [signal.SIGCHLD, *numbers, signal.SIGUSR1]
    finally:
        signals.close()
