"""docker's own daemon on this machine, in a network and a root file system of its own: Debian's, unpacked.

Nothing of it reaches the machine: its packages lie in a folder, its bridge and its packet filter in a network namespace
whose way out is slirp4netns, and its images go with the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.image.debian import debian
from tests.process.harness import wait_until

SUITE = "trixie"
"""The first with BuildKit's client as a package."""

PACKAGES = ("base-files", "docker.io", "docker-cli", "docker-buildx", "iptables", "ca-certificates")
NAME_SERVER = "nameserver 10.0.2.3\n"
"""slirp4netns answers there for this machine's own (its manual page)."""


@dataclass(frozen=True)
class Docker:
    """A daemon, and how to reach it and its network."""

    folder: Path
    environ: dict[str, str]
    namespace: int

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, check: bool = True, timeout: float = 400
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the daemon's network, with docker's client first on PATH."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.namespace}/ns/net", *words], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=timeout, env={**self.environ, **(environ or {})},
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def nuages(
        self, *words: str, environ: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "nuages", *words, environ=environ, check=check)

    def take(self, image: str) -> None:
        """Copy an image of buildah's store."""
        file = self.folder / "taken.tar"
        for words in (
            ("buildah", "push", "--quiet", image, f"docker-archive:{file}:{image}"),
            ("docker", "load", "--input", str(file)),
        ):
            self.run(*words)
        file.unlink()


@contextmanager
def daemon(folder: Path) -> Iterator[Docker]:
    """Run a daemon while the block runs; about 600 MB."""
    if not all(map(shutil.which, ("slirp4netns", "nsenter", "buildah"))):
        pytest.skip(
            "a docker daemon of its own takes slirp4netns, and its base images buildah: apt-get install them"
        )
    with debian(SUITE, folder, PACKAGES, variant="extract") as root:
        _prepare(root.folder, folder)
        with (
            (folder / "log").open("wb") as log,
            _network(_daemon(root.folder, folder), log.fileno()) as namespace,
        ):
            environ = {
                **os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder / "config"),
                "DOCKER_HOST": f"unix://{folder}/run/docker.sock", "PIP_CONFIG_FILE": os.devnull,
            }  # fmt: skip
            environ.pop("PIP_FIND_LINKS", None)
            docker = Docker(folder=folder, environ=environ, namespace=namespace)
            wait_until(
                lambda: docker.run("docker", "version", check=False).returncode == 0,
                "docker answers",
                within=60,
            )
            yield docker


def _prepare(root: Path, folder: Path) -> None:
    """Do what the packages' own scripts would have done, and give the client a folder of its own."""
    for program in ("iptables", "ip6tables"):
        (root / "usr/sbin" / program).symlink_to(f"{program}-legacy")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\ndocker:x:999:\n")
    for part in ("data", "run", "bin", "config/cli-plugins"):
        (folder / part).mkdir(parents=True)
    (folder / "config/config.json").write_text("{}")
    (folder / "resolv.conf").write_text(NAME_SERVER)
    (folder / "bin/docker").symlink_to(root / "usr/bin/docker")
    plugin = "docker-buildx"
    (folder / "config/cli-plugins" / plugin).symlink_to(root / "usr/libexec/docker/cli-plugins" / plugin)


def _daemon(root: Path, folder: Path) -> list[str]:
    places = {
        root: "/", "/sys": "/sys", "/sys/fs/cgroup": "/sys/fs/cgroup", folder / "data": "/var/lib/docker",
        folder / "run": "/socket", folder / "resolv.conf": "/etc/resolv.conf",
    }  # fmt: skip
    binds = [word for source, target in places.items() for word in ("--bind", str(source), target)]
    return [
        "bwrap", *binds, "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp",
        "--cap-add", "ALL", "--unshare-pid", "--die-with-parent", "--clearenv", "--setenv", "PATH",
        "/usr/sbin:/usr/bin:/sbin:/bin", "--", "/usr/sbin/dockerd", "--host", "unix:///socket/docker.sock",
        "--data-root", "/var/lib/docker", "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
    ]  # fmt: skip


@contextmanager
def _network(words: Sequence[str], log: int) -> Iterator[int]:
    """Run a command in a network of its own from which the outside can be reached; yield its process."""
    waiting = 'ip link set lo up && read -r go && exec "$@"'
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", waiting, "sh", *words], stdin=subprocess.PIPE, stdout=log, stderr=log
    ) as inside:
        assert inside.stdin
        wait_until(lambda: _own_network(inside.pid), "the network namespace is there")
        ready, told = os.pipe()
        way_out = subprocess.Popen(
            ["slirp4netns", "--configure", "--mtu=1400", "--disable-host-loopback", f"--ready-fd={told}",
             str(inside.pid), "tap0"],
            pass_fds=[told], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        os.close(told)
        try:
            assert os.read(ready, 1) == b"1"
            inside.stdin.write(b"go\n")
            inside.stdin.close()
            yield inside.pid
        finally:
            os.close(ready)
            for process in (inside, way_out):
                process.kill()  # bwrap's end is the end of all in its process namespace
                process.wait(30)


def _own_network(pid: int) -> bool:
    own, other = (Path(f"/proc/{each}/ns/net").readlink() for each in ("self", pid))
    return own != other
