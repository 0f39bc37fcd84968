"""Names of files that no other container's process has."""

from __future__ import annotations

import os
import re
import time

import pytest

from nuages.runtime.container import OWNER, container, is_gone, owner

GONE = 2**22 + 1  # no process has a number above 2**22 (proc(5), pid_max)


def test_a_process_has_a_name_that_is_always_the_same_and_tells_its_number_and_its_container() -> None:
    found = re.fullmatch(OWNER, owner())
    assert found
    assert found.groups() == (str(os.getpid()), container())
    container.cache_clear()
    assert owner() == found[0]


@pytest.mark.parametrize(
    ("name", "seconds_ago", "gone"),
    [
        (f"{GONE}-{container()}", 0, True),
        (owner(), 10_000, False),
        (f"{GONE}-0000000b", 0, False),
        (f"{GONE}-0000000b", 10_000, True),
        (f"{os.getpid()}-0000000b", 10_000, True),
        ("1", 10_000, False),
    ],
    ids=["gone", "ourselves", "elsewhere", "elsewhere, silent", "our number elsewhere", "no owner"],
)
def test_who_is_gone_is_known_of_processes_here_and_taken_for_granted_of_silent_ones_elsewhere(
    name: str, seconds_ago: float, gone: bool
) -> None:
    assert is_gone(name, time.time() - seconds_ago) is gone
