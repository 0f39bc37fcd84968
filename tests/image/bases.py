"""Base images made on this machine, under the names that a registry would have: `debian:trixie-slim`,
`python:3.13-slim-trixie`, `python:3.13-trixie`, `node:22-slim`.

They are stand-ins. Debian comes from mmdebstrap, trimmed as Debian's own slim images are; Python is one of this
machine, copied to /usr/local as `python:X.Y` has it, or else the suite's own. `python -m tests.image.bases NAME …`
makes the named ones; one that is there already is kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.image.debian import APT_OPTIONS, mirrors

from nuages.environment import interpreters

_REGISTRY = "docker.io/library/"
_PYTHONS = {"bookworm": (3, 11), "trixie": (3, 13), "forky": (3, 14)}
_SHARED = ("ca-certificates", "netbase", "tzdata")
_LIBRARIES = {
    "bookworm": ("libssl3", "libreadline8", "libncursesw6"),
    "trixie": ("libssl3t64", "libreadline8t64", "libncursesw6"),
}
"""What an interpreter built on the older suite loads; the rest has the same names in both."""

_MORE = ("libffi8", "libsqlite3-0", "libbz2-1.0", "liblzma5", "zlib1g", "libuuid1", "libexpat1")
_DOCKER_CLEAN = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
"""What Debian's own container images have, so that apt leaves no caches in a layer."""

_LEFT_OUT = ("test", "tests", "idlelib", "turtledemo", "__pycache__", "*.a", "*.pyc")


def needed() -> None:
    """Skip, loudly, where images cannot be made and run."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "buildah", "podman", "runc"))):
        pytest.skip("images take root: apt-get install mmdebstrap buildah podman runc")


def make(name: str) -> str:
    """Make the image of this name where it is not there yet; return the name."""
    if _run("buildah", "images", "--quiet", _REGISTRY + name, check=False).strip():
        return name
    repository, _, tag = name.partition(":")
    if repository == "debian":
        _debian(name, tag.removesuffix("-slim"))
    elif repository == "node":
        _node(name)
    else:
        version, slim, suite = tag.partition("-slim-")
        if not slim:
            _full(name, *tag.split("-"))
            return name
        _python(name, ".".join(version.split(".")[:2]), suite)
    return name


def _debian(name: str, suite: str, packages: tuple[str, ...] = ()) -> None:
    with tempfile.TemporaryDirectory(prefix="nuages-base-") as folder:
        archive = Path(folder, "root.tar")
        dump = _run("apt-config", "dump")
        given = [line for line in dump.splitlines() if line.startswith(APT_OPTIONS)]
        kept = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "info", "locale")]
        _run(
            "mmdebstrap", "--mode=root", "--variant=minbase", *kept,
            "--dpkgopt=path-include=/usr/share/doc/*/copyright", *(f"--aptopt={line}" for line in given),
            f"--include={','.join(('ca-certificates', *packages))}", suite, str(archive), *mirrors(suite),
        )  # fmt: skip
        clean = Path(folder, "docker-clean")
        clean.write_text(_DOCKER_CLEAN)
        with _container("scratch", name) as container:
            _run("buildah", "add", "--quiet", container, str(archive), "/")
            _run("buildah", "copy", "--quiet", container, str(clean), "/etc/apt/apt.conf.d/docker-clean")
            _run("buildah", "config", "--cmd", "bash", "--env", "PATH=" + _path(), container)


def _python(name: str, series: str, suite: str) -> None:
    found = [each for each in interpreters.find(os.environ) if "%d.%d" % each.series == series]  # noqa: UP031
    local = [each for each in found if not each.base.startswith("/usr")]
    if not local:
        # The suite that has this Python stands in for the one that was asked for.
        suites = {".".join(map(str, version)): each for each, version in _PYTHONS.items()}
        if series not in suites:
            pytest.skip(f"no Python {series} here that could be copied, and no suite has it")
        suite = suites[series]
    with _container(make(f"debian:{suite}-slim"), name) as container:
        root = Path(_run("buildah", "mount", container).strip())
        packages: tuple[str, ...]
        if local:
            packages = (*_SHARED, *_LIBRARIES[suite], *_MORE)
            _copy_python(Path(local[0].base), root / "usr/local", series)
        else:
            packages = (*_SHARED, "python3", "python3-venv", "python3-dev")
        _install(container, *packages)
        _run("buildah", "run", "--isolation=chroot", container, "--", "ldconfig")
        for link, target in (("python3", f"python{series}"), ("python", "python3"))[: 2 if local else 0]:
            (root / "usr/local/bin" / link).unlink(missing_ok=True)
            (root / "usr/local/bin" / link).symlink_to(target)
        _run("buildah", "config", "--cmd", "python3", "--env", "PATH=" + _path(), container)


def _full(name: str, version: str, suite: str) -> None:
    """Make `python:X.Y`: the slim one with compilers and the headers that most sdists want."""
    with _container(make(f"python:{version}-slim-{suite}"), name) as container:
        _install(container, "build-essential", "pkg-config", "git", "curl", "default-libmysqlclient-dev", "libpq-dev",
                 "libffi-dev", "libssl-dev", "zlib1g-dev")  # fmt: skip


def _copy_python(base: Path, target: Path, series: str) -> None:
    """Copy an interpreter with its headers and pip, and nothing that was installed into it."""
    ignored = shutil.ignore_patterns(*_LEFT_OUT)
    for part in (f"bin/python{series}", f"include/python{series}"):
        place = base / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(place, target / part)
    for place in base.glob("lib/libpython*.so*"):
        shutil.copy2(place, target / "lib" / place.name, follow_symlinks=False)
    library = base / "lib" / f"python{series}"
    shutil.copytree(
        library, target / "lib" / library.name, symlinks=True, dirs_exist_ok=True,
        ignore=lambda folder, names: {*ignored(folder, names), *({"site-packages"} & set(names))},
    )  # fmt: skip
    site = target / "lib" / library.name / "site-packages"
    site.mkdir(exist_ok=True)
    wheel = next((library / "ensurepip/_bundled").glob("pip-*.whl"))
    _run("python3", "-m", "zipfile", "-e", str(wheel), str(site))
    for place in (*target.rglob("*.so*"), target / f"bin/python{series}"):
        if place.is_file() and not place.is_symlink():
            _run("strip", "--strip-unneeded", str(place))


def _node(name: str) -> None:
    """Make an image of this machine's Node with npm and corepack, or else of Debian's."""
    program = shutil.which("node")
    with _container(make("debian:trixie-slim"), name) as container:
        modules = Path(program).resolve().parents[1] / "lib/node_modules" if program else Path("/nonexistent")
        if program and (modules / "npm").is_dir():
            root = Path(_run("buildah", "mount", container).strip()) / "usr/local"
            shutil.copy2(Path(program).resolve(), root / "bin/node")
            for part in ("npm", "corepack"):
                if (modules / part).is_dir():
                    shutil.copytree(modules / part, root / "lib/node_modules" / part, symlinks=True)
            scripts = {
                "npm": "npm/bin/npm-cli.js",
                "npx": "npm/bin/npx-cli.js",
                "corepack": "corepack/dist/corepack.js",
            }
            for script, path in scripts.items():
                (root / "bin" / script).symlink_to(f"../lib/node_modules/{path}")
        else:
            _install(container, "nodejs", "npm")
        _run("buildah", "config", "--cmd", "node", "--env", "PATH=" + _path(), container)


def _install(container: str, *packages: str) -> None:
    command = (
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "
        f"{' '.join(packages)} && rm -rf /var/lib/apt/lists/* /var/cache/apt/*"
    )
    _run("buildah", "run", "--isolation=chroot", "--network=host", container, "--", "sh", "-ec", command)


@contextmanager
def _container(source: str, name: str) -> Iterator[str]:
    container = _run("buildah", "from", "--pull-never", source if source == "scratch" else _REGISTRY + source)
    try:
        yield container.strip()
        _run("buildah", "commit", "--quiet", container.strip(), _REGISTRY + name)
    finally:
        _run("buildah", "rm", container.strip())


def _path() -> str:
    return "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


def _run(*words: str, check: bool = True) -> str:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(make(wanted))
