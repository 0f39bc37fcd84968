"""The load: wrk on keep-alive connections, pinned to a core of its own; and the one request that checks an answer."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one kind: what is asked, on how many connections, and the length of the right answer's body.

    `length` None: the answer's own first length, which must then stay the same. `counter`: a path that answers with
    the number of requests served so far, where those that wrk leaves unanswered behind it matter.
    """

    path: str
    connections: int = 16
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    counter: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What wrk saw: `status` counts answers outside 200 to 399, `socket` and `timeout` requests without an answer."""

    requests: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    status: int
    socket: int
    timeout: int

    @property
    def errors(self) -> int:
        """Requests that were not answered as they should be."""
        return self.status + self.socket + self.timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response: status and length of the body as it was sent."""

    status: int
    length: int
    body: bytes


def command(load: Load, port: int, seconds: float, core: int | None) -> list[str]:
    """Return wrk's command line; wrk takes whole seconds only."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    headers = [word for name, value in load.headers.items() for word in ("-H", f"{name}: {value}")]
    url = f"http://127.0.0.1:{port}{load.path}"
    counts = ["-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", f"--timeout={TIMEOUT_SECONDS}s"]
    return [*pin, "wrk", *counts, "-s", str(SCRIPT), *headers, url]


def start(load: Load, port: int, seconds: float, core: int | None) -> subprocess.Popen[str]:
    """Begin to shoot."""
    return subprocess.Popen(
        command(load, port, seconds, core), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> Shot:
    """Wait for the load to end and return what it saw; raise RuntimeError with wrk's words if it failed."""
    output, complaint = process.communicate()
    if process.returncode:
        raise RuntimeError(f"wrk ended with {process.returncode}: {complaint.strip() or output.strip()}")
    return Shot(**json.loads(output.strip().splitlines()[-1]))


def shoot(load: Load, port: int, seconds: float, core: int | None) -> Shot:
    """Load a server for so many seconds."""
    return finish(start(load, port, seconds, core))


def ask(load: Load, port: int, *, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Ask once, on a connection of its own; raise OSError or HTTPException when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", load.path, headers=dict(load.headers))
        response = connection.getresponse()
        body = response.read()
        return Answer(status=response.status, length=len(body), body=body)
    finally:
        connection.close()


def complaint(load: Load, answer: Answer, length: int | None) -> str:
    """Return what is wrong with an answer, or nothing."""
    wanted = load.length if load.length is not None else length
    if answer.status != load.status:
        return f"status {answer.status} for {load.path}"
    if wanted is not None and answer.length != wanted:
        return f"{answer.length} bytes for {load.path}, not {wanted}"
    return ""
