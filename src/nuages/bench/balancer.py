"""HAProxy in front of the pods, told by its admin socket who serves, as endpoints are told in a cluster."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from nuages.errors import OutsideError

_START_SECONDS = 10.0


def configuration(port: int, admin: str, slots: int) -> str:
    """Return HAProxy's configuration: no request is ever tried twice, so that nothing is hidden."""
    servers = "".join(f"    server s{slot} 127.0.0.1:1 disabled\n" for slot in range(slots))
    return (
        f"global\n    stats socket {admin} mode 600 level admin\n"
        "defaults\n    mode http\n    balance roundrobin\n    http-reuse safe\n    retries 0\n"
        "    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n"
        f"frontend visitors\n    bind 127.0.0.1:{port}\n    default_backend pods\n"
        f"backend pods\n{servers}"
    )


class Balancer:
    """A running HAProxy with a fixed number of places for pods."""

    def __init__(self, admin: Path, port: int, slots: int) -> None:
        self.port = port
        self._admin = admin
        self._free = list(range(slots))
        self._taken: dict[int, int] = {}

    def route(self, pod: int, port: int) -> None:
        """Send requests to a pod as well."""
        slot = self._taken.get(pod)
        if slot is None:
            slot = self._taken[pod] = self._free.pop(0)
        self._say(f"set server pods/s{slot} addr 127.0.0.1 port {port}")
        self._say(f"set server pods/s{slot} state ready")

    def unroute(self, pod: int) -> None:
        """Send a pod no new requests; those that it has go on."""
        if (slot := self._taken.get(pod)) is not None:
            self._say(f"set server pods/s{slot} state drain")

    def forget(self, pod: int) -> None:
        """Give a pod's place away."""
        if (slot := self._taken.pop(pod, None)) is not None:
            self._say(f"set server pods/s{slot} state maint")
            self._free.append(slot)

    def _say(self, command: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._admin))
            connection.sendall(command.encode() + b"\n")
            answer = connection.makefile("rb").read().decode().strip()
        if answer and not answer.startswith(("IP changed", "no need", "port changed")):
            raise OutsideError(
                "HAProxy does not do what it is told",
                where=command,
                why=answer,
                hint="apt-get install haproxy, 2.4 or newer",
            )


@contextlib.contextmanager
def balancer(folder: Path, *, slots: int) -> Iterator[Balancer]:
    """Run HAProxy while the block runs. Raises OutsideError where it is not installed or does not start."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise OutsideError(
            "HAProxy is not installed", where="looked for on PATH",
            why="the rehearsal needs a balancer in front of the replicas", hint="apt-get install haproxy",
        )  # fmt: skip
    port, admin, file = free_port(), folder / "admin", folder / "haproxy.cfg"
    file.write_text(configuration(port, str(admin), slots), encoding="utf-8")
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-f", str(file), "-db"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise OutsideError(
                    "HAProxy does not start", where=str(file),
                    why=(folder / "haproxy.log").read_text(errors="replace").strip(), hint="see its messages above",
                )  # fmt: skip
            time.sleep(0.05)
        yield Balancer(admin, port, slots)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
