"""A request that keeps its thread for longer than it may take: what its client was told does not end the view.

Python cannot end a thread. One that stays stuck has its worker replaced: the others go on, and the view has until the
end of the grace. How many workers that may cost is decided where all are known: `balance.stuck`.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nuages.runtime.prefixes import TimeLimits
    from nuages.runtime.threads import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """What a thread has been at for too many seconds, and its stack; `told`: the log has it already.

    `is_awaited`: somebody may still wait for its answer, which an ASGI application stands before.
    """

    what: str
    seconds: float
    stack: str
    told: bool
    is_awaited: bool


def longest(pool: Pool, limits: TimeLimits, more: float, now: float) -> Overrun | None:
    """Return what has kept a thread for the longest time beyond its limit and `more` seconds; None: nothing has.

    An answer that has begun may take as long as its client does, and time that a view waits for its client's body is
    not the view's.
    """
    found: tuple[float, Any, Any] | None = None
    for thread in list(pool.threads):
        task: Any = thread.task
        status = getattr(task, "status", None)
        # Begun, or about to be answered by its connection, which looks at the time itself.
        has_begun = status is not None and not task.lost
        if task is None or thread.streaming or has_begun:
            continue
        inflow = getattr(task, "inflow", None)
        seconds = now - thread.since - (inflow.waited(now) if inflow is not None else 0.0)
        request = getattr(task, "request", None)
        limit = limits.default if request is None else limits.of(request.path)
        if seconds > limit + more and (found is None or seconds > found[0]):
            found = seconds, task, thread
    if found is None:
        return None
    seconds, task, thread = found
    frame = sys._current_frames().get(thread.ident)
    request = getattr(task, "request", None)
    what = "a call of the ASGI application"
    if request is not None:
        what = f"{request.method} {request.path.decode('latin-1')}"
    return Overrun(
        what=what, seconds=seconds, stack="".join(traceback.format_stack(frame)).rstrip() if frame else "",
        told=bool(getattr(task, "status", 0)), is_awaited=not hasattr(task, "status"),
    )  # fmt: skip
