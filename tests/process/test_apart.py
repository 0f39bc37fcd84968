"""A call in a process of its own: what it returns arrives, what it loads stays there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nuages.apart import apart
from nuages.errors import ProjectError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the call is made here")


def test_what_it_returns_comes_from_another_process() -> None:
    assert apart(lambda: "é" * 1_000_000) == "é" * 1_000_000
    assert apart(lambda: str(os.getpid())) != str(os.getpid())


def test_what_it_raises_is_raised_here(capfd: pytest.CaptureFixture[str]) -> None:
    def call() -> str:
        raise ProjectError("no settings", where="shop/settings.py:3", why="it says so", hint="correct it")

    with pytest.raises(ProjectError, match="no settings"):
        apart(call)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_is_done_without() -> None:
    here = os.getpid()

    def call() -> str:
        if os.getpid() != here:
            os._exit(9)
        return "here"

    assert apart(call) == "here"


def test_what_it_loads_does_not_stay() -> None:
    program = (
        "import sys\n"
        "from nuages.apart import apart\n"
        "def call():\n"
        "    import nuages.project.scan\n"
        "    return str('nuages.project.scan' in sys.modules)\n"
        "print(apart(call), 'nuages.project.scan' in sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.split() == ["True", "False"]
