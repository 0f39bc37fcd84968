"""Visitors in a process of their own: pages at a constant rate, then the files that each page names, a while later.

`python -m nuages.bench.visitors PORT SECONDS RATE STATIC PATH…` writes what they met as one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_TIMEOUT = 20.0
_FILES_OF_A_PAGE = 2
_LATER = 6.0
"""Seconds within which a browser that shows a page asks for one more of its files: scripts are loaded late."""


@dataclass
class _Met:
    """What visitors met; durations are seconds from the moment that a request was due."""

    pages: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    taken: list[float] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)


class _Visitors:
    def __init__(self, port: int, static: str) -> None:
        self.met = _Met()
        self._port = port
        self._named = re.compile(rf"""(?:src|href)=["']?({re.escape(static)}[^"'\s>?]+)""")
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._chance = random.Random(20)
        self._later: set[asyncio.Task[None]] = set()

    async def visit(self, path: str, due: float, *, keep: bool) -> None:
        """Ask for a page, then for some of the files that it names."""
        loop = asyncio.get_running_loop()
        status, body = await self._ask(path, keep=keep)
        self.met.pages[status] += 1
        self.met.taken.append(loop.time() - due)
        named = sorted(set(self._named.findall(body)))
        for name in self._chance.sample(named, min(_FILES_OF_A_PAGE, len(named))):
            task = loop.create_task(self._fetch(name, self._chance.uniform(0, _LATER)))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _fetch(self, path: str, wait: float) -> None:
        await asyncio.sleep(wait)
        status, _ = await self._ask(path, keep=True)
        self.met.files[status] += 1
        if status != "200":
            self.met.missing[f"{status} {path}"] += 1

    async def rest(self) -> None:
        """Wait for the files that are still to be asked for, and leave."""
        if self._later:
            await asyncio.wait(set(self._later))
        for _, writer in self._kept:
            writer.close()

    async def _ask(self, path: str, *, keep: bool) -> tuple[str, str]:
        """Return the status, or the kind of failure, and the body's text."""
        try:
            return await asyncio.wait_for(self._exchange(path, keep=keep), _TIMEOUT)
        except TimeoutError:
            return "timeout", ""
        except (asyncio.TimeoutError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            return ("refused" if isinstance(error, ConnectionRefusedError) else "cut off"), ""

    async def _exchange(self, path: str, *, keep: bool) -> tuple[str, str]:
        used = bool(keep and self._kept)
        reader, writer = self._kept.pop() if used else await asyncio.open_connection("127.0.0.1", self._port)
        try:
            end = "keep-alive" if keep else "close"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {end}\r\n\r\n".encode())
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            body, whole = await _body(reader, head)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
            if used:  # the other side ended an idle connection at this very moment: a browser asks again
                return await self._exchange(path, keep=False)
            raise
        if keep and whole and "connection: close" not in head.lower():
            self._kept.append((reader, writer))
        else:
            writer.close()
        return head.split(" ", 2)[1], body.decode("utf-8", "replace")


async def _body(reader: asyncio.StreamReader, head: str) -> tuple[bytes, bool]:
    """Return the body, and whether the connection can be used again."""
    if match := re.search(r"^content-length:\s*(\d+)", head, re.IGNORECASE | re.MULTILINE):
        return await reader.readexactly(int(match[1])), True
    if not re.search(r"^transfer-encoding:\s*chunked", head, re.IGNORECASE | re.MULTILINE):
        return await reader.read(), False
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts), True


async def visit(port: int, seconds: float, rate: int, static: str, paths: list[str]) -> dict[str, Any]:
    """Send visitors for so long; return what they met. Every other one comes on a connection of its own."""
    loop = asyncio.get_running_loop()
    visitors, began, tasks = _Visitors(port, static), loop.time(), set()
    for number in range(round(seconds * rate)):
        due = began + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = loop.create_task(visitors.visit(paths[number % len(paths)], due, keep=number % 2 == 0))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(set(tasks))
    await visitors.rest()
    return summary(visitors.met)


def summary(met: _Met) -> dict[str, Any]:
    """Return the numbers: answers by status, latencies in seconds."""
    taken = sorted(met.taken) or [0.0]

    def quantile(share: float) -> float:
        return round(taken[min(len(taken) - 1, int(share * len(taken)))], 4)

    return {
        "pages": dict(sorted(met.pages.items())),
        "files": dict(sorted(met.files.items())),
        "missing": dict(met.missing.most_common(5)),
        "p50": quantile(0.5),
        "p99": quantile(0.99),
        "max": round(taken[-1], 4),
    }


def main(arguments: list[str]) -> None:
    """Read the arguments, visit, and write."""
    port, seconds, rate, static, *paths = arguments
    with contextlib.suppress(KeyboardInterrupt):
        met = asyncio.run(visit(int(port), float(seconds), int(rate), static, paths))
        sys.stdout.write(json.dumps(met) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
