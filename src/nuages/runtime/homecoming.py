"""What an async view has set in context variables is there again in the sync middleware around it.

asgiref runs a coroutine that sync code waits for on the loop, and copies its context for that code, but lets the code
go on before (`AsyncToSync.main_wrap`, to 3.13 at least: the result is set first). A loop that loses the interpreter in
that moment, as on a busy machine, had the middleware go on with its own context: without the language, the span or the
user that the view had set, and so had the stream that the view had returned.
"""

from __future__ import annotations

import functools
from concurrent.futures import Future
from typing import Any

_MARK = "_nuages_comes_home"


def bring_contexts_home() -> None:
    """Have the result come behind the context; for this process, and once."""
    from asgiref.sync import AsyncToSync

    kind: Any = AsyncToSync
    own = getattr(kind, "main_wrap", None)
    if own is None or hasattr(own, _MARK):
        return

    @functools.wraps(own)
    async def main_wrap(self: Any, *arguments: Any, **keywords: Any) -> None:
        # Which argument it is differs between versions; those of the coroutine come behind it.
        result = next((one for one in arguments if isinstance(one, Future)), None)
        if result is None:
            await own(self, *arguments, **keywords)
            return
        held: Future[Any] = Future()
        await own(self, *(held if one is result else one for one in arguments), **keywords)
        error = held.exception(0)  # it is there: never would the loop wait for it
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(held.result())

    setattr(main_wrap, _MARK, True)
    kind.main_wrap = main_wrap
