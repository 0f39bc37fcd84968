"""What every thread of this process is at, as text."""

from __future__ import annotations

import os
import sys
import threading
import traceback


def stacks() -> str:
    """Return the stacks of all threads.

    Python stands still while it reads them; faulthandler reads those of threads that go on running, which can end in
    a crash, and is for processes whose loop does not answer.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    parts = []
    for number, frame in sys._current_frames().items():
        name = names.get(number, "a thread that Python does not know")
        what = "the event loop, which shows this" if number == own else name
        parts.append(f"{what}:\n{''.join(traceback.format_stack(frame)).rstrip()}")
    return f"stacks of process {os.getpid()}\n" + "\n".join(parts)
