"""That a context comes home before its result does: whoever waits for the result goes on at once here."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from typing import Any

import asgiref.sync
import pytest
from asgiref.sync import AsyncToSync, async_to_sync, sync_to_async

from nuages.runtime.homecoming import bring_contexts_home

TAG = contextvars.ContextVar("TAG", default="nothing")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The loop loses the interpreter when it has set a result, until whoever waited for that has gone on."""
    gone_on = threading.Event()

    class Result(Future[Any]):
        def set_result(self, result: Any) -> None:
            super().set_result(result)
            gone_on.wait(5)

        def set_exception(self, exception: BaseException | None) -> None:
            super().set_exception(exception)
            gone_on.wait(5)

    monkeypatch.setattr(asgiref.sync, "Future", Result)
    monkeypatch.setattr(AsyncToSync, "main_wrap", AsyncToSync.main_wrap)  # to be put back
    bring_contexts_home()
    bring_contexts_home()
    return gone_on


async def view(fails: bool) -> str:
    TAG.set("the view's")
    await asyncio.sleep(0)
    if fails:
        raise ValueError("it fails")
    return "an answer"


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_view_has_set_is_there_in_the_middleware(home: threading.Event, fails: bool) -> None:
    found: list[str] = []

    def middleware() -> None:
        try:
            found.append(async_to_sync(view)(fails))
        except ValueError as error:
            found.append(str(error))
        finally:
            found.append(TAG.get())
            home.set()

    async def main() -> None:
        await sync_to_async(middleware, thread_sensitive=False)()

    asyncio.run(main())
    assert found == ["it fails" if fails else "an answer", "the view's"]
    assert TAG.get() == "nothing"
