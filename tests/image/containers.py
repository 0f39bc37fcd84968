"""Images built by buildah and run by podman on this machine, as `nuages build` and a platform would."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.image import bases
from tests.process.harness import wait_until

PYTHON = "/opt/venv/bin/python"
USER = "54321:0"
"""A number that no image knows, in the group that platforms give to such."""

STORE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/state"
[storage.options]
additionalimagestores = ["{shared}"]
"""
LIMITS = """\
[containers]
default_ulimits = ["nofile=1024:2048", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
volume_path = "{folder}/volumes"
"""


@dataclass
class Engine:
    """buildah and podman with a store of their own, above the machine's, which has the base images."""

    folder: Path
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        limits = self.folder / "containers.conf"
        limits.write_text(LIMITS.format(folder=self.folder))
        store = self.folder / "storage.conf"
        found = subprocess.run(
            ["podman", "info", "--format", "{{.Store.GraphRoot}}"], check=True, capture_output=True, text=True
        )
        shared = found.stdout.strip()
        store.write_text(STORE.format(folder=self.folder, shared=shared))
        self.environ = {
            **os.environ, "CONTAINERS_CONF": str(limits), "CONTAINERS_STORAGE_CONF": str(store),
            "BUILDAH_ISOLATION": "chroot",
        }  # fmt: skip

    def run(self, *words: str, check: bool = True, timeout: float = 540) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout,
            env=self.environ,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def nuages(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "nuages", *words, check=check)

    def build(self, project: Path, tag: str, *words: str) -> tuple[str, str]:
        """Build an image after its base; return what was written to stdout and stderr. `words` are options of build."""
        bases.needed()
        plan = json.loads(self.nuages("plan", str(project)).stdout)
        bases.make(plan["base"]["image"])
        done = self.nuages("build", str(project), "--builder", "buildah", "-t", tag, *words)
        return done.stdout, done.stderr

    def size(self, tag: str) -> int:
        """Return the bytes of an image, as engines give them."""
        return int(self.run("podman", "image", "inspect", "--format", "{{.Size}}", tag).stdout)

    def once(self, tag: str, *words: str, environ: Mapping[str, str], volume: str = "") -> str:
        """Run a program of the image to its end; return what it wrote."""
        return self.run(
            "podman", "run", "--rm", "--network=host", "--read-only", "--user", USER, *_given(environ),
            *_mounted(volume), "--entrypoint", PYTHON, tag, *words,
        ).stdout  # fmt: skip

    @contextmanager
    def serving(self, tag: str, *, environ: Mapping[str, str], volume: str = "") -> Iterator[Container]:
        """Serve with the image, strictly, and wait until it is ready."""
        port, management = free_port(), free_port()
        values = {
            **environ, "NUAGES_BIND": f"127.0.0.1:{port}", "NUAGES_MANAGEMENT": f"127.0.0.1:{management}"
        }  # fmt: skip
        identity = self.run(
            "podman", "run", "--detach", "--network=host", "--read-only", "--user", USER, "--cap-drop=ALL",
            "--security-opt=no-new-privileges", *_given(values), *_mounted(volume), tag,
        ).stdout.split()[-1]  # fmt: skip
        container = Container(engine=self, identity=identity, port=port, management=management)
        try:
            wait_until(container.is_ready, "the container is ready", within=90)
            yield container
        finally:
            self.run("podman", "rm", "--force", "--volumes", "--time", "0", identity, check=False)

    def clean(self) -> None:
        """Remove the store with all that was built."""
        self.run("buildah", "rm", "--all", check=False)
        self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Container:
    """A container that serves on loopback."""

    engine: Engine
    identity: str
    port: int
    management: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        assert self.state("Running") == "true", self.said()
        connection = http.client.HTTPConnection("127.0.0.1", self.management, timeout=5)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def state(self, name: str) -> str:
        shown = self.engine.run("podman", "inspect", "--format", f"{{{{.State.{name}}}}}", self.identity)
        return shown.stdout.strip()

    def said(self) -> str:
        done = self.engine.run("podman", "logs", self.identity, check=False)
        return done.stdout + done.stderr

    def processes(self) -> str:
        """Return the user, pid and command line of each process inside."""
        shown = self.engine.run("podman", "top", self.identity, "huser", "pid", "args")
        return shown.stdout

    def stop_with(self, number: signal.Signals) -> None:
        self.engine.run("podman", "kill", "--signal", number.name, self.identity)

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        return int(self.engine.run("podman", "wait", self.identity, timeout=60).stdout)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _given(environ: Mapping[str, str]) -> list[str]:
    return [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]


def _mounted(volume: str) -> list[str]:
    return ["--volume", f"{volume}:/data"] if volume else []
