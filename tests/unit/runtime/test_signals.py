"""Signals as a loop reads them."""

from __future__ import annotations

import signal

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
