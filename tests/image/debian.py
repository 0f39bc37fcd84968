"""Fresh Debian roots: what a newcomer's machine has, and nothing of this one but its network configuration."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from nuages.environment import indexes

SOURCES = Path(__file__).resolve().parents[2]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
APT_OPTIONS = ("Acquire::Check-", "Acquire::http", "Acquire::Retries")
USER = 1000
# What of pip's configuration says where packages come from and how they are reached.
PIP_OPTIONS = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "timeout", "retries",
    "only-binary", "no-binary",
)  # fmt: skip
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class Root:
    """A Debian root in a folder, with a copy of the work tree in /home/visitor/nuages."""

    folder: Path

    def command(self, *words: str, user: int = 0) -> list[str]:
        """Return the command line that runs `words` inside, in the work tree."""
        binds = [part for path in _machine() for part in ("--ro-bind-try", path, path)]
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home/visitor", "LANG": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.lower() in PROXIES},
            **_pip_variables(), "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CERT": CERTIFICATES, "SSL_CERT_FILE": CERTIFICATES,
        }  # fmt: skip
        given = [part for name, value in variables.items() for part in ("--setenv", name, value)]
        # `setpriv` inside: the folder may lie where only root can go.
        switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return [
            "bwrap", "--bind", str(self.folder), "/", "--dev", "/dev", "--proc", "/proc", *binds, "--unshare-pid",
            "--die-with-parent", "--clearenv", *given, "--chdir", "/home/visitor/nuages", *switch, *words,
        ]  # fmt: skip

    def run(self, *words: str, user: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(
            self.command(*words, user=user), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=timeout,
        )  # fmt: skip


@contextmanager
def debian(suite: str, folder: Path, packages: Sequence[str], *, variant: str = "apt") -> Iterator[Root]:
    """Make a root of a Debian suite with these packages, and remove it at the end (about 300 MB).

    The variant `extract` unpacks exactly these packages and what they depend on and configures nothing: seconds
    instead of a minute, but no apt, no users and no `setpriv` inside.
    """
    if os.geteuid() != 0 or not (shutil.which("mmdebstrap") and shutil.which("bwrap")):
        pytest.skip(
            "a Debian root takes root, mmdebstrap and bubblewrap: apt-get install mmdebstrap bubblewrap"
        )
    root = folder / suite
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    options = [f"--aptopt={line}" for line in dump.splitlines() if line.startswith(APT_OPTIONS)]
    try:
        subprocess.run(
            [
                "mmdebstrap", "--mode=root", f"--variant={variant}", f"--include={','.join(packages)}", *options,
                suite, root, *mirrors(suite),
            ],
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        _copy_certificates(root)
        _copy_sources(root / "home" / "visitor" / "nuages")
        yield Root(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def mirrors(suite: str) -> list[str]:
    """Return this machine's own Debian sources for another suite; none where it has none: mmdebstrap's are used."""
    words = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    release = platform.freedesktop_os_release()
    own = release.get("VERSION_CODENAME", "") if release["ID"] == "debian" else ""
    rows = [line.split() for line in dict.fromkeys(listed.splitlines())]
    # «bookworm», «bookworm-updates» and «bookworm-security» become those of the suite; unstable has neither.
    return [
        f"deb {address} {suite}{name.removeprefix(own)} {component}"
        for address, name, component in rows
        if own and component == "main" and name in _parts(own, suite)
    ]


def _parts(own: str, suite: str) -> set[str]:
    return {own} if suite == "sid" else {own, f"{own}-updates", f"{own}-security"}


def _pip_variables() -> dict[str, str]:
    """Return pip's configuration on this machine as variables: its files lie where nobody inside would look."""
    found = indexes.read(os.environ)
    return {
        f"PIP_{option.upper().replace('-', '_')}": found[option].text
        for option in PIP_OPTIONS
        if option in found
    }


def _machine() -> list[str]:
    """Return the paths that say, on this machine, how to reach the network, and the package folders it has."""
    found = ["/etc/resolv.conf", "/etc/hosts"]
    configured = indexes.read(os.environ)
    for option in ("find-links", "extra-index-url", "index-url"):
        for word in configured[option].words if option in configured else ():
            place = Path(unquote(urlsplit(word).path) if word.startswith("file:") else word)
            if place.is_absolute():
                # An index `…/simple` refers to the files beside it.
                found.append(str(place.parent if place.name == "simple" else place))
    return found


def _copy_certificates(root: Path) -> None:
    """Trust what this machine trusts. A copy: packages that are installed later write into the same folder."""
    if Path(CERTIFICATES).is_file():
        target = root / CERTIFICATES.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CERTIFICATES, target)


def _copy_sources(target: Path) -> None:
    """Copy what git would commit, for the user that owns it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=SOURCES, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (SOURCES / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCES / name, target / name)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(target.parent)], check=True)
