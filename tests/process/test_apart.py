"""A call in a process of its own: what it returns and raises arrives, what it loads stays there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from nuages.apart import apart
from nuages.errors import ProjectError


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the call is made here")


def test_what_it_returns_comes_from_another_process() -> None:
    result, pid = apart(lambda: (("a" * 1_000_000, 1), os.getpid()))
    assert result == ("a" * 1_000_000, 1)
    assert pid != os.getpid()


def test_an_error_arrives_whole() -> None:
    def call() -> None:
        raise ProjectError("no settings", where="shop/settings.py:3", why="it says so", hint="correct it")

    with pytest.raises(ProjectError) as caught:
        apart(call)
    assert caught.value.render() == ProjectError(
        "no settings", where="shop/settings.py:3", why="it says so", hint="correct it"
    ).render()  # fmt: skip


@pytest.mark.parametrize("how", ["no pickle", "ends"])
def test_what_cannot_be_told_is_called_here(how: str) -> None:
    here = os.getpid()

    def call() -> Callable[[], int]:
        if how == "ends" and os.getpid() != here:
            os._exit(9)
        return lambda: here

    assert apart(call)() == here


def test_what_it_loads_does_not_stay() -> None:
    program = (
        "import sys\n"
        "from nuages.apart import apart\n"
        "def call():\n"
        "    import nuages.project.scan\n"
        "    return 'nuages.project.scan' in sys.modules\n"
        "print(apart(call), 'nuages.project.scan' in sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.split() == ["True", "False"]
