"""An answer out of a file of which a part is on its way already."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime.delivery import Begun, FileExchange
from nuages.runtime.stored import Reply

HOW_IT_WAS = (1, 2, 3, 100_000)


class Started(FileExchange):
    """One that is at its turn; what it needs of its connection is here."""

    def __init__(self) -> None:
        self.aborted: list[bool] = []
        self.written: list[bytes] = []
        transport = SimpleNamespace(abort=lambda: self.aborted.append(True), write=self.written.append)
        given: dict[str, Any] = {
            "request": SimpleNamespace(method="GET", keep_alive=True, version="1.1"),
            "connection": SimpleNamespace(keeps=bool, transport=transport, server_state=None),
            "hub": SimpleNamespace(defaults=lambda _: b"server: nuages\r\n"),
            "received": True,
            "begun": Begun(b"HTTP/1.1 200 OK\r\netag: it\r\n\r\n", b"etag: it\r\n", HOW_IT_WAS, 5),
        }
        for name, value in given.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("head", "expected"),
    [(b"etag: it\r\n", (1, 2, 4, 100_000)), (b"etag: other\r\n", HOW_IT_WAS), (b"etag: it\r\n", None)],
)
def test_nothing_of_another_file_follows_what_is_on_its_way(
    head: bytes, expected: tuple[int, int, int, int] | None
) -> None:
    exchange, descriptor = Started(), os.open(os.devnull, os.O_RDONLY)
    exchange.send(Reply(200, head, b"", None, ((0, 100_000),), descriptor, expected))
    assert (exchange.aborted, exchange.written) == ([True], [])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_no_other_answer_follows_what_is_on_its_way() -> None:
    exchange = Started()
    exchange.send(Reply(404, b"content-length: 0\r\n"))
    assert (exchange.aborted, exchange.written) == ([True], [])
