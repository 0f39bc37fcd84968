"""Where the servers play: folders, cores, the prepared project, and the round-robin that measures them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.load import Load, Shot, ask, complaint, finish, shoot, start
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Sample
from benchmarks.servers import Server

SITE = Path(__file__).with_name("site")
WARM_UP_SECONDS = 1
WATCH_SECONDS = 0.2
SETTLE_SECONDS = 15.0
IDLE_SHARE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The measured project on one database: the variables that say so, and the cookie of a signed-in user."""

    environ: Mapping[str, str]
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the request headers of that user's browser."""
        return {"Cookie": self.cookie}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How to measure: rounds and seconds of each, cores (None where there is only one), and who takes part.

    `only` empty: every server that the subject names. `tell` is called with each line of progress.
    """

    rounds: int
    seconds: float
    folder: Path
    server_core: int | None
    load_core: int | None
    tell: Callable[[str], None]
    only: tuple[str, ...] = ()
    workers: int = 1
    upload_gib: float = 5

    def places(self, project: Project) -> dict[str, object]:
        """Return what fills the places in a command line."""
        prefix = Path(sys.prefix)
        return {
            "python": sys.executable, "bin": prefix / "bin", "prefix": prefix, "site": SITE,
            "workers": self.workers, "data": project.environ["MEASURED_DATA"],
        }  # fmt: skip

    def taking_part(self, servers: Sequence[Server]) -> list[Server]:
        """Return the servers that were asked for."""
        return [server for server in servers if not self.only or server.name in self.only]

    def prepare(self, database: Mapping[str, Any] | None = None, *, name: str = "sqlite") -> Project:
        """Make the project's database and static files in a folder of their own; the files are made anew."""
        data = self.folder / f"site-{name}"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        environ = {"MEASURED_DATA": str(data)}
        if database:
            environ["MEASURED_DATABASE"] = json.dumps(dict(database))
        made = subprocess.run(
            [sys.executable, str(SITE / "prepare.py")],
            env={**os.environ, **environ},
            cwd=SITE,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return Project(environ=environ, cookie=f"sessionid={json.loads(made.stdout)['sessionid']}")

    @staticmethod
    def moved(project: Project, database: Mapping[str, Any]) -> Project:
        """Return the same project, its database reached by other settings."""
        environ = {**project.environ, "MEASURED_DATABASE": json.dumps(dict(database))}
        return dataclasses.replace(project, environ=environ)

    def compare(
        self,
        servers: Sequence[Server],
        project: Project,
        load: Load,
        *,
        extra: Callable[[Running], dict[str, float]] | None = None,
    ) -> tuple[Sample, ...]:
        """Measure each server once a round; each round begins with another server.

        `extra` adds numbers of the subject's own; it is called when the load has ended and the server still runs.
        """
        signed_in = dataclasses.replace(load, headers={**project.headers, **load.headers})
        part = self.taking_part(servers)
        samples = []
        for number in range(self.rounds):
            turn = number % max(1, len(part))
            for server in (*part[turn:], *part[:turn]):
                sample = (
                    self._handler(server, project, signed_in, number)
                    if server.is_handler
                    else self.measure(server, project, signed_in, number, extra=extra)
                )
                self.tell(_line(sample))
                samples.append(sample)
        return tuple(samples)

    def measure(
        self,
        server: Server,
        project: Project,
        load: Load,
        number: int,
        *,
        extra: Callable[[Running], dict[str, float]] | None = None,
    ) -> Sample:
        """Start a server, check its answer, warm it up, measure it, check its answer again, end it."""
        log = self.folder / f"{server.name}.log"
        command: tuple[str, ...] = ()
        try:
            with started(
                server,
                places=self.places(project),
                environ=project.environ,
                core=self.server_core,
                probe=load,
                log=log,
            ) as running:
                command = running.command
                answer = ask(load, running.port)
                wrong = complaint(load, answer, None)
                if wrong:
                    return Sample(server=server.name, round=number, faults=(wrong,), command=command)
                shoot(load, running.port, WARM_UP_SECONDS, self.load_core)
                numbers, shot = self.burst(running, load)
                after = complaint(load, ask(load, running.port), answer.length)
                if extra:
                    numbers |= extra(running)
        except StartError as error:
            return Sample(
                server=server.name, round=number, faults=(f"did not start: {error}",), command=command
            )
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            fault = f"{type(error).__name__}: {error}"
            return Sample(server=server.name, round=number, faults=(fault,), command=command)
        wrongs = tuple(text for text in (*faults(shot), after) if text)
        return Sample(server=server.name, round=number, numbers=numbers, faults=wrongs, command=command)

    def burst(self, running: Running, load: Load) -> tuple[dict[str, float], Shot]:
        """Load a running server; return its numbers, CPU per request first, and what wrk saw."""
        self.settle(running)
        counted = _counter(running, load)
        before = cpu.usage(running.pid)
        shooting = start(load, running.port, self.seconds, self.load_core)
        threads = 0
        while shooting.poll() is None:
            threads = max(threads, cpu.usage(running.pid).threads)
            time.sleep(WATCH_SECONDS)
        shot = finish(shooting)
        answered = shot.requests
        if load.counter:
            # wrk leaves requests unanswered behind it; where they are long, they are counted with those answered.
            self.settle(running)
            answered = _counter(running, load) - counted
        spent = cpu.usage(running.pid).cpu - before.cpu
        numbers = {
            "cpu_us": spent / max(1, answered) * 1e6,
            "rps": shot.requests / shot.seconds,
            "p50_ms": shot.p50_ms,
            "p99_ms": shot.p99_ms,
            "max_ms": shot.max_ms,
            "requests": shot.requests,
            "errors": shot.errors,
            "bytes": shot.bytes,
            "threads": threads,
            "memory_mb": cpu.memory(running.pid) / 1e6,
        }
        return numbers, shot

    @staticmethod
    def settle(running: Running) -> None:
        """Wait until the server has worked off what an earlier load left behind, for a while at most."""
        deadline = time.monotonic() + SETTLE_SECONDS
        seen = cpu.usage(running.pid).cpu
        while time.monotonic() < deadline:
            time.sleep(WATCH_SECONDS)
            now = cpu.usage(running.pid).cpu
            if now - seen < IDLE_SHARE * WATCH_SECONDS:
                return
            seen = now

    def _handler(self, server: Server, project: Project, load: Load, number: int) -> Sample:
        """Run Django's handler in a loop, on the core of the servers."""
        pin = [] if self.server_core is None else ["taskset", "-c", str(self.server_core)]
        command = (*pin, *server.command(self.places(project)), load.path, str(self.seconds), project.cookie)
        done = subprocess.run(
            command,
            env={**os.environ, **project.environ},
            cwd=SITE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return Sample(
                server=server.name, round=number, faults=(done.stderr.strip()[-300:],), command=command
            )
        seen = json.loads(done.stdout)
        numbers = {
            "cpu_us": seen["cpu"] / seen["requests"] * 1e6,
            "rps": seen["requests"] / seen["seconds"],
            "p50_ms": seen["p50"] * 1e3,
            "p99_ms": seen["p99"] * 1e3,
            "requests": seen["requests"],
        }
        wrong = () if seen["ok"] else ("answers other than 200",)
        return Sample(server=server.name, round=number, numbers=numbers, faults=wrong, command=command)


def _counter(running: Running, load: Load) -> int:
    return int(ask(Load(path=load.counter), running.port).body.split()[0]) if load.counter else 0


def faults(shot: Shot) -> tuple[str, ...]:
    """Return what went wrong with a load, in words."""
    counts = {
        "answers outside 2xx and 3xx": shot.status,
        "socket errors": shot.socket,
        "timeouts": shot.timeout,
    }
    texts = [f"{count} {what} in {shot.requests} requests" for what, count in counts.items() if count]
    return tuple(texts or ([] if shot.requests else ["no request was answered"]))


def _line(sample: Sample) -> str:
    seen = sample.numbers
    if not seen:
        return f"  {sample.server}: {'; '.join(sample.faults)}"
    figures = f"{seen['cpu_us']:8.0f} µs {seen['rps']:9.0f} requests/s {seen['p99_ms']:8.1f} ms p99"
    return f"  round {sample.round + 1} {sample.server:14} {figures}  {'; '.join(sample.faults)}"
