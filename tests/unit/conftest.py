"""Unit tests are pure: what would start a process, open a connection or wait raises instead."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

_FORBIDDEN: tuple[tuple[Any, str], ...] = (
    (subprocess.Popen, "__init__"),
    (os, "fork"),
    (os, "posix_spawn"),
    (os, "execv"),
    (os, "execve"),
    (os, "system"),
    (socket.socket, "connect"),
    (socket.socket, "bind"),
    (time, "sleep"),
)


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        pytest.fail(f"a unit test may not use {name}: it belongs into tests/process")

    return refuse


@pytest.fixture(autouse=True)
def _pure(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in _FORBIDDEN:
        monkeypatch.setattr(owner, name, _refusing(f"{getattr(owner, '__name__', owner)}.{name}"))
