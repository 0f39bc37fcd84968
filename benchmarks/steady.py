"""A load at a constant rate, or of clients that ask without a pause; half over fresh connections, half over kept ones.

`python -m benchmarks.steady ADDRESS …`, in a process of its own. Latency counts from the moment for which a request was
planned: a server that stands still for a second makes a second's requests late, not one. Every tenth of a second a line
tells how far it is, the last line is the whole Tally. It ends after `--seconds`, or when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PROGRESS_SECONDS = 0.1
TIMEOUT_SECONDS = 30.0
MOST_EXAMPLES = 10
KINDS = ("both", "fresh", "kept")


@dataclass(kw_only=True)
class Tally:
    """What came of the requests.

    `failures` counts by connection and how: refused, reset, stale (kept, and closed without a byte), closed (the same
    of a fresh one), cut, timeout, or the status. `bodies` counts the answers' texts where that was asked for.
    Milliseconds; `late_ms` is by how much this process itself was late at worst.
    """

    requests: int = 0
    answered: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    bodies: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    max_ms: float = 0.0
    late_ms: float = 0.0

    @property
    def failed(self) -> int:
        """How many requests had no good answer."""
        return sum(self.failures.values())


def quantile(latencies: list[float], part: float) -> float:
    """Return what this part of the sorted latencies does not exceed."""
    return latencies[min(len(latencies) - 1, int(len(latencies) * part))] if latencies else 0.0


class Line(asyncio.Protocol):
    """One connection, on which one request is out at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.answers = 0
        self.lost = False
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future is the status and the body."""
        self.answer = asyncio.get_running_loop().create_future()
        self.received = b""
        if self.lost or self.transport is None:
            self.answer.set_exception(ConnectionError("stale"))
        else:
            self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        """Collect the answer."""
        self.received += data
        self._look(ended=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how it ended; an answer without a length is whole now."""
        self.lost = True
        self._look(ended=True)
        if self.answer is not None and not self.answer.done():
            how = "reset" if exc else "cut" if self.received else "stale" if self.answers else "closed"
            self.answer.set_exception(ConnectionError(how))

    def close(self) -> None:
        """Use it no more."""
        self.lost = True
        if self.transport is not None:
            self.transport.close()

    def _look(self, *, ended: bool) -> None:
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or self.answer is None or self.answer.done():
            return
        fields = head.lower()
        _, sized, length = fields.partition(b"\r\ncontent-length:")
        if sized:
            whole = len(body) >= int(length.split(b"\r\n", 1)[0])
        else:
            whole = body.endswith(b"0\r\n\r\n") if b"\r\ntransfer-encoding: chunked" in fields else ended
        if whole:
            self.answers += 1
            if b"\r\nconnection: close" in fields:
                self.close()
            self.answer.set_result((int(head.split(b" ", 2)[1]), body))


class Load:
    """The clients and what they have seen."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tally = Tally()
        self.latencies: list[float] = []
        self.idle: list[Line] = []
        self.begun = time.perf_counter()
        self.ended = asyncio.Event()

    async def request(self, number: int, due: float) -> None:
        """Make one request that was planned for `due`, and note what came of it."""
        options, tally = self.options, self.tally
        keeps = number % 2 == 1 if options.kind == "both" else options.kind == "kept"
        path = options.path[number // 2 % len(options.path)]
        closing = "" if keeps else "Connection: close\r\n"
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{closing}\r\n".encode()
        tally.requests += 1
        line = None
        try:
            line = (self._kept() if keeps else None) or await self._connect()
            status, body = await asyncio.wait_for(line.ask(head), TIMEOUT_SECONDS)
            how = "" if status == 200 else str(status)
        except asyncio.TimeoutError:
            how = "timeout"
        except ConnectionRefusedError:
            how = "refused"
        except OSError as error:
            how = "reset" if error.errno else str(error)
        now = time.perf_counter()
        if how:
            self._failed(f"{'kept' if keeps else 'fresh'} {how}", now - self.begun, path)
        else:
            tally.answered += 1
            self.latencies.append((now - due) * 1e3)
            if options.bodies:
                text = body.decode("latin-1")
                tally.bodies[text] = tally.bodies.get(text, 0) + 1
        if line is not None and keeps and not how and not line.lost:
            self.idle.append(line)
        elif line is not None:
            line.close()

    async def steadily(self) -> None:
        """Plan a request every so often, whatever became of those before."""
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()
        number = 0
        while not self.ended.is_set():
            due = self.begun + number / self.options.rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            self.tally.late_ms = max(self.tally.late_ms, (time.perf_counter() - due) * 1e3)
            task = loop.create_task(self.request(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)

    async def without_pause(self) -> None:
        """Let every client ask again as soon as it is answered."""

        async def client(number: int) -> None:
            while not self.ended.is_set():
                await self.request(number, time.perf_counter())

        await asyncio.gather(*(client(number) for number in range(self.options.clients)))

    async def run(self) -> Tally:
        """Ask until the end."""
        gc.freeze()
        gc.disable()
        loop = asyncio.get_running_loop()
        if self.options.seconds:
            loop.call_later(self.options.seconds, self.ended.set)
        else:
            loop.add_reader(sys.stdin, self.ended.set)
        progress = loop.create_task(self._tell())
        await (self.steadily() if self.options.rate else self.without_pause())
        progress.cancel()
        for line in self.idle:
            line.close()
        latencies = sorted(self.latencies)
        return dataclasses.replace(
            self.tally, seconds=time.perf_counter() - self.begun, p50_ms=quantile(latencies, 0.5),
            p99_ms=quantile(latencies, 0.99), p999_ms=quantile(latencies, 0.999), max_ms=quantile(latencies, 1.0),
        )  # fmt: skip

    def _failed(self, how: str, after: float, path: str) -> None:
        self.tally.failures[how] = self.tally.failures.get(how, 0) + 1
        if len(self.tally.examples) < MOST_EXAMPLES:
            self.tally.examples.append(f"{how} for {path} after {after:.3f} s")

    def _kept(self) -> Line | None:
        """Return the connection that was used last and is still open."""
        while self.idle:
            line = self.idle.pop()
            if not line.lost:
                return line
        return None

    async def _connect(self) -> Line:
        loop = asyncio.get_running_loop()
        make: Callable[[], Line] = Line
        if self.options.address.startswith("/"):
            _, line = await loop.create_unix_connection(make, self.options.address)
        else:
            host, _, port = self.options.address.rpartition(":")
            _, line = await loop.create_connection(make, host, int(port))
        return line

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            print(json.dumps({"answered": self.tally.answered, "failed": self.tally.failed}), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steady", description=__doc__)
    parser.add_argument("address", help="HOST:PORT, or the path of a Unix socket")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; default: without a pause")
    parser.add_argument("--clients", type=int, default=4, help="who ask without a pause")
    parser.add_argument("--kind", choices=KINDS, default="both", help="connections")
    parser.add_argument("--path", action="append", help="what to ask for, in turn; default: /")
    parser.add_argument("--bodies", action="store_true", help="count the answers by their text")
    parser.add_argument("--seconds", type=float, default=0.0, help="default: until standard input is closed")
    return parser


def main() -> int:
    """Ask, and print what came of it; return 1 when a request failed."""
    options = _parser().parse_args()
    options.path = options.path or ["/"]

    async def run() -> Tally:
        return await Load(options).run()

    with contextlib.suppress(KeyboardInterrupt):
        tally = asyncio.run(run())
        print(json.dumps(dataclasses.asdict(tally)), flush=True)
        return int(tally.failed > 0)
    return 130


if __name__ == "__main__":
    sys.exit(main())
