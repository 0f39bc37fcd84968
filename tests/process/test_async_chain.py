"""The async middleware chain against Django's own; in a process of its own, for it configures Django."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.process.test_matrix import run_with


def test_the_async_chain_is_djangos_with_fewer_hops() -> None:
    run_with(Path(sys.executable), "tests/process/chains.py")
