"""Requests of our own inside a worker before it serves (`--warmup-url`): what they load, no client waits for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any

SECONDS = 5.0  # for all of them together
_MOST_BYTES = 65536


async def warm_up(
    paths: Iterable[str], host: str, make: Callable[[], asyncio.Protocol], say: Callable[[str], None]
) -> None:
    """Ask for each path over a connection that `make`'s protocol answers; `say` is told what goes wrong.

    It goes the whole way of a client's request, as if a proxy had brought it by HTTPS: else a project that redirects
    would load nothing else. What goes wrong keeps nobody from serving.
    """
    until = asyncio.get_running_loop().time() + SECONDS
    for path in paths:
        left = until - asyncio.get_running_loop().time()
        try:
            status = await asyncio.wait_for(_ask(path, host, make), max(0.0, left))
        except (asyncio.TimeoutError, OSError):
            say(f"{path} has not answered within the {SECONDS:g} s that warming up may take")
            continue
        if status >= 400 or not status:
            say(f"{path} answers {status or 'nothing'}")


async def _ask(path: str, host: str, make: Callable[[], asyncio.Protocol]) -> int:
    """Return the status of the answer, 0 for none."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as stack:
        stack.callback(ours.close)
        for end in (ours, theirs):
            end.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(make, theirs)
        stack.callback(transport.abort)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nUser-Agent: nuages (warm-up)\r\n"
            "Connection: close\r\n\r\n"
        )
        await loop.sock_sendall(ours, request.encode())
        head = b""
        while b"\r\n" not in head and (data := await loop.sock_recv(ours, _MOST_BYTES)):
            head += data
        while await loop.sock_recv(ours, _MOST_BYTES):
            pass  # the whole answer: streams do their work then
    words = head.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def host_for(settings: Any) -> str:
    """Return a name that the project answers to; `settings` are Django's."""
    names = [str(name) for name in getattr(settings, "ALLOWED_HOSTS", None) or ()]
    found = next((name for name in names if name != "*"), "localhost")
    return found.removeprefix(".")
