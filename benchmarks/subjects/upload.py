"""A large upload: memory while it comes, and how often it lies on the disk."""

from __future__ import annotations

import functools
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import cpu, servers
from benchmarks.bars import at_most
from benchmarks.load import Load
from benchmarks.running import Running, StartError, started
from benchmarks.samples import Metric, Outcome, Sample
from benchmarks.servers import Server
from benchmarks.stage import Project, Stage
from benchmarks.subject import Subject

GIB = 1 << 30
CHUNK = bytes(1 << 20)
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 300
MEMORY_LIMIT_MB = 100
DISK_FACTOR = 1.05  # one copy, and a little for whatever else lies there
BOUNDARY = "measured"

PEAK = Metric(key="memory_mb", title="peak PSS MB")
DISK = Metric(key="disk_gb", title="peak disk GB", digits=2)
TAKEN = Metric(key="taken_s", title="seconds", digits=1)
SPENT = Metric(key="cpu_s", title="CPU s", digits=1)
SERVERS = (
    servers.nuages.extended("nuages", "--max-body", "6G"),
    servers.granian,
    servers.uwsgi,
    servers.gunicorn,
    servers.uvicorn,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is sent: so many zeros as they are, or as the one file of a form."""

    length: int
    form: bool

    @property
    def edges(self) -> tuple[bytes, bytes]:
        """Return what stands before and after the file."""
        if not self.form:
            return b"", b""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="zeros"\r\n\r\n'
        return head.encode(), f"\r\n--{BOUNDARY}--\r\n".encode()

    def headers(self, cookie: str) -> dict[str, str]:
        """Return the request headers."""
        kind = f"multipart/form-data; boundary={BOUNDARY}" if self.form else "application/octet-stream"
        length = self.length + sum(map(len, self.edges))
        return {"Cookie": cookie, "Content-Type": kind, "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes."""
        head, tail = self.edges
        yield head
        for _ in range(self.length // len(CHUNK)):
            yield CHUNK
        yield tail


class Watch(threading.Thread):
    """Keeps the peaks of a process tree until it is told to stop."""

    def __init__(self, running: Running, stage: Stage) -> None:
        super().__init__(daemon=True)
        self.running, self.stage = running, stage
        self.over = threading.Event()
        self.memory = self.disk = 0

    def run(self) -> None:
        """Look ten times a second."""
        while not self.over.wait(POLL_SECONDS):
            self.memory = max(self.memory, cpu.memory(self.running.pid))
            self.disk = max(self.disk, cpu.files(self.running.pid, self.stage.folder))

    def end(self) -> None:
        """Stop looking."""
        self.over.set()
        self.join()


def _send(body: Body, port: int, cookie: str) -> str:
    """Upload; return the answer's text, or its status when it is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/upload/", body=iter(body), headers=body.headers(cookie))
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        return text if response.status == 200 else f"status {response.status}"
    finally:
        connection.close()


def _measure(stage: Stage, project: Project, server: Server, body: Body) -> Sample:
    probe = Load(path="/plain/", headers=project.headers)
    log = stage.folder / f"{server.name}.log"
    spool = stage.folder / "spool"
    spool.mkdir(exist_ok=True)
    environ = {**project.environ, "TMPDIR": str(spool)}
    try:
        with started(
            server,
            places=stage.places(project),
            environ=environ,
            core=stage.server_core,
            probe=probe,
            log=log,
        ) as running:
            watch = Watch(running, stage)
            watch.start()
            before, began = cpu.usage(running.pid).cpu, time.monotonic()
            answer = _send(body, running.port, project.cookie)
            taken, spent = time.monotonic() - began, cpu.usage(running.pid).cpu - before
            watch.end()
            command = running.command
    except (StartError, OSError, http.client.HTTPException) as error:
        return Sample(server=server.name, round=0, faults=(f"{type(error).__name__}: {error}",))
    numbers = {"memory_mb": watch.memory / 1e6, "disk_gb": watch.disk / 1e9, "taken_s": taken, "cpu_s": spent}
    faults = () if answer == str(body.length) else (f"the view saw {answer[:60]!r}, not {body.length} bytes",)
    return Sample(server=server.name, round=0, numbers=numbers, faults=faults, command=command)


def run(stage: Stage, *, form: bool) -> Outcome:
    """Upload once to each server; one round, for it is memory and disk that are asked."""
    project = stage.prepare()
    body = Body(length=int(stage.upload_gib * GIB), form=form)
    samples = []
    for server in stage.taking_part(SERVERS):
        samples.append(_measure(stage, project, server, body))
        stage.tell(f"  {server.name}: {samples[-1].numbers} {samples[-1].faults}")
    bars = (at_most(samples, PEAK, MEMORY_LIMIT_MB), at_most(samples, DISK, body.length / 1e9 * DISK_FACTOR))
    remarks = (f"{body.length / 1e9:.2f} GB; disk: files that the server's processes hold open",)
    return Outcome(
        samples=tuple(samples), metrics=(PEAK, DISK, TAKEN, SPENT), rank=PEAK, bars=bars, remarks=remarks
    )


SUBJECTS = (
    Subject(name="upload", title="a large body read by the view", run=functools.partial(run, form=False)),
    Subject(name="upload-form", title="a large file in a form", run=functools.partial(run, form=True)),
)
