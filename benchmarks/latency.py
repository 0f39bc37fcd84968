"""A TCP proxy that delivers everything a moment later: `latency.py PORT TARGET_PORT SECONDS`, half of it each way.

select(2) and not epoll: epoll_wait rounds its timeout up to whole milliseconds, which are what is injected here.
(netem would do the same in the kernel; not every kernel has it.)
"""

from __future__ import annotations

import asyncio
import collections
import selectors
import sys


class Half(asyncio.Protocol):
    """One side of a connection; what it receives goes to the other side, later and in order."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.other: Half | None = None
        self.transport: asyncio.Transport | None = None
        self.waiting: collections.deque[bytes] = collections.deque()
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Deliver what came before this side was connected."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.writelines(self.early)

    def data_received(self, data: bytes) -> None:
        """Keep the data for the length of the delay."""
        self.waiting.append(data)
        asyncio.get_running_loop().call_later(self.delay, self.deliver)

    def deliver(self) -> None:
        """Send the oldest data on."""
        assert self.other is not None
        data = self.waiting.popleft()
        if self.other.transport is None:
            self.other.early.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """End the other side too, once everything is delivered."""
        asyncio.get_running_loop().call_later(self.delay, self.end_other)

    def end_other(self) -> None:
        """Close the other side."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def serve(port: int, target: int, seconds: float) -> None:
    """Listen, and say so on stdout."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[object]] = set()

    def accept() -> Half:
        near, far = Half(seconds / 2), Half(seconds / 2)
        near.other, far.other = far, near
        task: asyncio.Task[object] = loop.create_task(connect(near, far))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return near

    async def connect(near: Half, far: Half) -> None:
        try:
            await loop.create_connection(lambda: far, "127.0.0.1", target)
        except OSError:
            near.connection_lost(None)
            if near.transport is not None:
                near.transport.close()

    server = await loop.create_server(accept, "127.0.0.1", port, backlog=256)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    event_loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    event_loop.run_until_complete(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
