"""One server, started, ready, pinned to a core, and ended; what it says goes to a file."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Load, ask
from benchmarks.servers import Server

READY_SECONDS = 30.0
ANSWER_SECONDS = 5.0
END_SECONDS = 10.0
POLL_SECONDS = 0.05
TAIL_LINES = 6


class StartError(Exception):
    """A server that did not start or did not answer; the text holds its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers on `port`; `pid` is the root of its process tree."""

    server: Server
    pid: int
    port: int
    command: tuple[str, ...]
    log: Path


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n    ".join(lines[-TAIL_LINES:]) or "it said nothing"


def _until_ready(process: subprocess.Popen[bytes], probe: Load, port: int, log: Path) -> None:
    """Wait for the first answer of any status; raise StartError when there is none."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"it ended with {process.returncode}:\n    {_last_words(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(probe, port, timeout=ANSWER_SECONDS)
            return
        time.sleep(POLL_SECONDS)
    raise StartError(f"no answer within {READY_SECONDS:.0f} s:\n    {_last_words(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then end what is left of its process group."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def started(
    server: Server,
    *,
    places: Mapping[str, object],
    environ: Mapping[str, str],
    core: int | None,
    probe: Load,
    log: Path,
    wrapper: Sequence[str] = (),
) -> Iterator[Running]:
    """Run a server while the block runs; `probe` is what it must answer before the block begins.

    `wrapper` is a command that becomes the server's.
    """
    port = free_port()
    filled = {**places, "port": port}
    command = server.command(filled)
    for path, text in server.written(filled).items():
        Path(path).write_text(text)
    pin = [] if core is None else ["taskset", "-c", str(core)]
    own = {name: value.format_map(filled) for name, value in server.environ.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*wrapper, *pin, *command],
            cwd=str(places["site"]),
            env={**os.environ, **environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _until_ready(process, probe, port, log)
        yield Running(server=server, pid=process.pid, port=port, command=tuple(command), log=log)
    finally:
        _end(process)
