"""A call in a process of its own: what it returns arrives, what it loads stays there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nuages.apart import apart
from nuages.errors import ProjectError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the call is made here")


def shown(program: str) -> list[str]:
    """Return the words that a program prints: here pytest has threads, and then there is no other process."""
    program = f"import os, sys, threading\nfrom nuages.apart import apart\n{program}"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_what_it_returns_comes_from_another_process() -> None:
    assert shown("print(apart(lambda: 'é' * 1_000_000) == 'é' * 1_000_000)") == ["True"]
    assert shown("print(apart(lambda: str(os.getpid())) != str(os.getpid()))") == ["True"]


def test_a_process_with_another_thread_is_not_forked() -> None:
    """What a monitoring agent's thread holds at that moment would be held in the fork for ever."""
    assert shown(
        "lock, held = threading.Lock(), threading.Event()\n"
        "def hold():\n"
        "    with lock:\n"
        "        held.set()\n"
        "        threading.Event().wait(0.2)\n"
        "threading.Thread(target=hold, daemon=True).start()\n"
        "held.wait()\n"
        "def call():\n"
        "    with lock:\n"
        "        return str(os.getpid())\n"
        "print(apart(call) == str(os.getpid()))"
    ) == ["True"]


def test_what_it_raises_is_raised_here(capfd: pytest.CaptureFixture[str]) -> None:
    def call() -> str:
        raise ProjectError("no settings", where="shop/settings.py:3", why="it says so", hint="correct it")

    with pytest.raises(ProjectError, match="no settings"):
        apart(call)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_dies_is_done_without() -> None:
    assert shown(
        "here = os.getpid()\n"
        "def call():\n"
        "    if os.getpid() != here:\n"
        "        os._exit(9)\n"
        "    return 'here'\n"
        "print(apart(call))"
    ) == ["here"]


def test_what_it_loads_does_not_stay() -> None:
    assert shown(
        "def call():\n"
        "    import nuages.project.scan\n"
        "    return str('nuages.project.scan' in sys.modules)\n"
        "print(apart(call), 'nuages.project.scan' in sys.modules)"
    ) == ["True", "False"]
