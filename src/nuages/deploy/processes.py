"""Which of the project's other processes run."""

from __future__ import annotations

from collections.abc import Sequence

from nuages.errors import UsageError
from nuages.project.model import Process


def chosen(processes: Sequence[Process], wanted: Sequence[str]) -> list[Process]:
    """Return the processes that are wanted: all where nothing is said, none for `none`.

    Raises UsageError for a name that no process has.
    """
    if not wanted:
        return list(processes)
    known = {one.name: one for one in processes}
    unknown = [name for name in wanted if name != "none" and name not in known]
    if unknown:
        raise UsageError(
            f"there is no process {unknown[0]!r}", where="--process",
            why="the project has " + (", ".join(known) or "no process beside the server"),
            hint=f"--process {next(iter(known), 'none')}, or a line of [tool.nuages.processes]",
        )  # fmt: skip
    return [known[name] for name in wanted if name != "none"]
