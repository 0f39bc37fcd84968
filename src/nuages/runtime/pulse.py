"""A probe for processes that answer nothing: `python -m nuages.runtime.pulse` fails when none of their threads run.

A worker that waits for work still wakes up now and then (a timer, a poll, a heartbeat); one that hangs does not. The
kernel counts how often each thread got onto a CPU (`/proc/PID/task/TID/schedstat`, third number; see
Documentation/scheduler/sched-stats.rst). The counts of PID 1 and everything below it are compared with those of the
last probe, which lie in the temporary directory. Nothing of the project, of Django or of the queue is imported.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nuages.runtime.container import container, owner

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """Return a process and all below it, the prober excepted."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (status := _status(int(entry.name))) is not None:
            children.setdefault(int(status[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        if one != os.getpid():
            found.append(one)
            todo += children.get(one, ())
    return found


def _status(pid: int) -> list[str] | None:
    """Return what follows the name in `/proc/PID/stat` (proc(5)): state, parent …; None where it is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None


def turns(pids: list[int]) -> int:
    """Return how often threads of these processes got onto a CPU, or, where the kernel does not count, switched."""
    total = 0
    for pid in pids:
        for task in _tasks(pid):
            try:
                total += int((task / "schedstat").read_text().split()[2])
            except (OSError, IndexError):
                total += sum(_switches(task))
    return total


def _tasks(pid: int) -> list[Path]:
    try:
        return list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def _switches(task: Path) -> Iterator[int]:
    try:
        lines = (task / "status").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        name, _, number = line.partition(":")
        if name.endswith("ctxt_switches"):
            yield int(number)


def verdict(pid: int, still_seconds: float, record: Path, now: float) -> str | None:
    """Return why a process counts as hanging, None where it does not; what was counted is kept in `record`."""
    status = _status(pid)
    if status is None:
        return f"there is no process {pid}"
    if status[0] in "TtZX":
        state = "a zombie" if status[0] in "ZX" else "stopped"
        return f"process {pid} is {state}"
    counted = {"start": status[19], "turns": turns(family(pid)), "since": now}
    try:
        before = json.loads(record.read_text())
    except (OSError, ValueError):
        before = {}
    if before.get("start") == counted["start"] and before.get("turns") == counted["turns"]:
        quiet = now - float(before["since"])
        return f"nothing of process {pid} has run for {quiet:.0f} s" if quiet > still_seconds else None
    temporary = record.with_name(f"{record.name}.{owner()}")
    temporary.write_text(json.dumps(counted))
    temporary.replace(record)
    return None


def main(argv: list[str] | None = None) -> int:
    """Probe, say on stderr why it failed, and return 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m nuages.runtime.pulse", description=__doc__)
    parser.add_argument("--pid", type=int, default=1, help="the process (default: 1)")
    parser.add_argument("--still", type=float, default=300, help="seconds without a turn that are too many")
    given = parser.parse_args(argv)
    record = Path(tempfile.gettempdir(), f"nuages-pulse-{os.getuid()}-{given.pid}-{container()}")
    why = verdict(given.pid, given.still, record, time.monotonic())
    if why:
        print(why, file=sys.stderr)  # noqa: T201 - a probe's one line for whoever reads the events
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
