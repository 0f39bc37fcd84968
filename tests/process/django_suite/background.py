"""Our server on a uvloop in a thread of the process that runs Django's tests."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any

import uvicorn
import uvloop

from nuages.runtime.handlers import Handlers
from nuages.runtime.log import Log
from nuages.runtime.protocol import protocol_class
from nuages.runtime.retirement import Order
from nuages.runtime.scoreboard import Board, Scoreboard
from nuages.runtime.server import Server
from nuages.runtime.settings import Settings
from nuages.runtime.site import Site
from nuages.runtime.static import Files

DEADLINE = 20.0  # seconds


class Background:
    """A worker's server for one WSGI callable, run by its threads, or one ASGI callable, run on its loop."""

    def __init__(self, *, wsgi: Any = None, asgi: Any = None, host: str = "127.0.0.1", port: int = 0) -> None:
        handlers = Handlers()
        # Django's tests close and share database connections themselves: see `_share` in wire.py.
        lent = handlers.lender.lending(asgi) if asgi else None
        site = Site(wsgi=wsgi, asgi=lent, views=None, files=Files(), handlers=handlers)
        self.log = Log(access="off", events="text", err=os.open(os.devnull, os.O_WRONLY))
        self._scoreboard = Scoreboard(1)
        board = Board(self._scoreboard.descriptor, 0)
        self.protocol = protocol_class(site, Settings(), self.log, board, lambda *_: None)
        self.protocol.hub.after_request = lambda: None
        self.socket = socket.create_server((host, port))
        self.address: tuple[str, int] = self.socket.getsockname()[:2]
        self._ready = threading.Event()
        config = uvicorn.Config(
            _no_application, http=self.protocol, ws="none", lifespan="off", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False, server_header=False,
        )  # fmt: skip
        self._server = Server(
            config, on_ready=self._begin, beat=lambda: None, busy=lambda: board.in_flight, tally=board
        )
        self._loop: Any = None
        self._thread = threading.Thread(target=self._run, name="django-suite-loop", daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE), "our server has not started"

    def _run(self) -> None:
        self._loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve([self.socket]))
        self._loop.close()

    def _begin(self) -> None:
        self._server.accept()
        self._ready.set()

    def close(self) -> None:
        """Finish the requests and end."""
        self._loop.call_soon_threadsafe(lambda: self._server.retire(Order(idle=0)))
        self._thread.join(DEADLINE)
        self.protocol.hub.close()
        self._scoreboard.close()


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the protocol answers everything itself")
