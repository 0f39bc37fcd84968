"""Which container this is, for the names of files in a folder that several share.

Two containers of a pod may have one /tmp, a volume, and each its server with the number 1: what is named by the number
of a process would be the other's too.
"""

from __future__ import annotations

import binascii
import functools
import os
import re
import time
from pathlib import Path

OWNER = r"(\d+)-([0-9a-f]{8})"
"""What `owner` returns, as a regular expression: the process, the container."""
_BOOT, _PROCESSES = "/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"
_FORGOTTEN_SECONDS = 600.0  # without a change to what another container's process is at


@functools.cache
def container() -> str:
    """Return eight hexadecimal digits that no other container has while this one runs, on this machine or another.

    They are made of the machine's start and the namespace in which processes have their numbers (pid_namespaces(7)).
    """
    try:
        named = Path(_BOOT).read_bytes() + str(Path(_PROCESSES).stat().st_ino).encode()
    except OSError:
        named = os.uname().nodename.encode()  # no /proc, as on macOS, where no containers run
    return f"{binascii.crc32(named):08x}"


def owner() -> str:
    """Return a name for this process that is no other's, in whatever container."""
    return f"{os.getpid()}-{container()}"


def is_gone(name: str, changed: float) -> bool:
    """Return whether a process has ended by the name that `owner` gave it, which last `changed` a file (Unix seconds).

    Of another container's process nobody can tell, but that it has not changed the file for long.
    """
    found = re.fullmatch(OWNER, name)
    if found is None:
        return False
    if found[2] == container():
        return not Path("/proc", found[1]).exists()
    return time.time() - changed > _FORGOTTEN_SECONDS
