#!/usr/bin/env python3
"""Make the private environment of this work tree, .venv: `bootstrap.py TARGET [TARGET …]`.

TARGET is `run`, `test` or `bench`, a lock in requirements/ that is installed, hashes verified, with nuages itself on
top (editable), or any other name in apt-packages.txt, whose Debian packages are then looked for. `bench` goes into
.venv-bench: the servers that are compared there must not decide what the tests run with.

Standard library only, and no ensurepip (Debian's python3 has none): `venv --without-pip`, then the first installer
that works. pip is preferred because its configuration (pip.conf, PIP_*) says where packages come from on this machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = "bench" in sys.argv[1:]
VENV = ROOT / (".venv-bench" if BENCH else ".venv")
VENV_PYTHON = VENV / "bin" / "python"
APT_PACKAGES = ROOT / "scripts" / "apt-packages.txt"
DEBIAN_WHEELS = Path("/usr/share/python-wheels")
# Each lock holds everything of the one before it, at the same versions.
LOCKS = ("bench",) if BENCH else ("run", "test")
OLDEST = (3, 10)
PIP_WITH_PYTHON_OPTION = (22, 3)

# What could send packages elsewhere than into .venv, or lend it somebody else's.
OUTER_VARIABLES = {
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_PYTHON",
}


class BootstrapError(Exception):
    """A step that cannot be done: what, where, why and one thing to do."""

    def __init__(self, *, what: str, where: str, why: str, hint: str) -> None:
        super().__init__(f"error: {what}\n  where: {where}\n  why:   {why}\n  hint:  {hint}")


def say(text: str) -> None:
    """Print progress on stderr."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def run(command: list[str], *, failed: str) -> None:
    """Run a command with its output on stderr."""
    environ = {name: value for name, value in os.environ.items() if name not in OUTER_VARIABLES}
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise BootstrapError(
            what=failed,
            where=" ".join(command),
            why=f"it ended with exit code {done.returncode}; its messages stand above",
            hint="mend what they name and run make again: it starts from nothing",
        )


# --- what is there ----------------------------------------------------------------------------------------------------


def lock_file(lock: str) -> Path:
    """Return the hashed requirements of a lock."""
    return ROOT / "requirements" / f"{lock}.txt"


def stamp_file(lock: str) -> Path:
    """Return the file that says: this lock is installed, whole."""
    return VENV / f".installed-{lock}"


def fingerprint(lock: str) -> str:
    """Return the digest of everything that decides what .venv holds for this lock."""
    digest = hashlib.sha256()
    for path in (lock_file(lock), ROOT / "pyproject.toml", Path(__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(f"{sys.version} {Path(sys.executable).resolve()} {VENV}".encode())
    return digest.hexdigest()


def installed(lock: str) -> str | None:
    """Return the fingerprint that was installed, or None; an environment that lost its Python has none."""
    if not os.access(VENV_PYTHON, os.X_OK) or not stamp_file(lock).exists():
        return None
    return stamp_file(lock).read_text(encoding="ascii")


def is_current(lock: str) -> bool:
    """Tell whether this lock, or one that holds it, is installed as it stands now."""
    return any(installed(larger) == fingerprint(larger) for larger in LOCKS[LOCKS.index(lock) :])


def output(command: list[str]) -> str:
    """Return what a command prints, or nothing when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.decode(errors="replace").strip()


# --- installers, in order of preference -------------------------------------------------------------------------------


def find_installer() -> list[str]:
    """Return the `install` command of the first installer that works here, fetched with apt if need be."""
    return pip_of_this_python() or pip_in_a_wheel() or uv_on_path() or pip_from_apt()


def pip_of_this_python() -> list[str]:
    """Return a command of this Python's own pip that installs into .venv (`--python`: pip 22.3 and later)."""
    words = output([sys.executable, "-m", "pip", "--version"]).split()
    if len(words) < 2:
        return []
    version = tuple(int(part) if part.isdigit() else 0 for part in words[1].split(".")[:2])
    return (
        [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON), "install"]
        if version >= PIP_WITH_PYTHON_OPTION
        else []
    )


def pip_in_a_wheel() -> list[str]:
    """Return a command that runs pip out of a wheel: Debian's, or the one inside ensurepip."""
    bundled = Path(os.__file__).parent / "ensurepip" / "_bundled"
    wheels = [wheel for folder in (DEBIAN_WHEELS, bundled) for wheel in sorted(folder.glob("pip-*.whl"))]
    return [str(VENV_PYTHON), str(wheels[0] / "pip"), "install"] if wheels else []


def uv_on_path() -> list[str]:
    """Return uv's command; it has a configuration of its own and does not read pip's."""
    program = shutil.which("uv")
    return [program, "pip", "install", "--python", str(VENV_PYTHON)] if program else []


def pip_from_apt() -> list[str]:
    """Install Debian's pip wheel, and return the command that runs it."""
    what = "no installer for Python packages"
    why = "this Python has neither pip nor ensurepip, and uv is not on PATH"
    if not shutil.which("apt-get"):
        raise BootstrapError(
            what=what,
            where=sys.executable,
            why=why,
            hint="install pip for it with the system's package manager",
        )
    # Bookworm packs distutils apart from Python, and its pip does not start without.
    apt_install(
        ["python3-pip-whl", *(["python3-distutils"] if sys.version_info < (3, 12) else [])], what, why
    )
    command = pip_in_a_wheel()
    if not command:
        raise BootstrapError(
            what=what,
            where=str(DEBIAN_WHEELS),
            why="python3-pip-whl is installed, but it brought no pip wheel",
            hint="install pip for this Python and run make again",
        )
    return command


# --- Debian packages --------------------------------------------------------------------------------------------------


def missing_apt_packages(targets: list[str]) -> list[str]:
    """Return the packages of apt-packages.txt that these targets need and that are not there."""
    lines = APT_PACKAGES.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [
        package
        for target, package, proof in rows
        if target in targets and not (Path(proof).exists() if proof.startswith("/") else shutil.which(proof))
    ]


def may_apt_install() -> bool:
    """Tell whether this is root on Debian or its kin."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: list[str], what: str, why: str) -> None:
    """Install Debian packages when this is root on Debian; name them otherwise."""
    names = " ".join(packages)
    if not may_apt_install():
        raise BootstrapError(
            what=what,
            where=f"Debian packages: {names}",
            why=f"{why}, and only root can install packages",
            hint=f"sudo apt-get install {names}",
        )
    say(f"apt-get install {names}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("install", "--no-install-recommends", *packages)
    talk = b""
    # A fresh container has no package lists, an old machine stale ones: they are read anew only when that shows.
    for words in (install, ("update",), install):
        command = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words]
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        talk += done.stdout
        if words is install and done.returncode == 0:
            return
    sys.stderr.write(talk.decode(errors="replace"))
    raise BootstrapError(
        what=what,
        where=f"apt-get install {names}",
        why="apt-get failed; its messages stand above",
        hint="check this machine's apt sources and network, then run make again",
    )


# --- doing it ---------------------------------------------------------------------------------------------------------


def install(lock: str) -> None:
    """Install one lock and nuages itself; the stamp is the last thing written."""
    whole = any(installed(name) for name in LOCKS)
    same_python = output([str(VENV_PYTHON), "-c", "import sys; print(sys.version)"]) == sys.version.strip()
    # Gone first: a bootstrap that is interrupted leaves no stamp, and the next one starts from nothing.
    for name in LOCKS:
        stamp_file(name).unlink(missing_ok=True)
    if not (whole and same_python):
        say(f"making {VENV.name} with Python {sys.version.split()[0]}")
        shutil.rmtree(VENV, ignore_errors=True)
        run(
            [sys.executable, "-m", "venv", "--without-pip", str(VENV)],
            failed="the environment could not be made",
        )
    installer = find_installer()
    say(f"installing requirements/{lock}.txt")
    locked = ["--require-hashes", "-r", str(lock_file(lock))]
    run([*installer, "--quiet", *locked], failed="the locked packages could not be installed")
    # hatchling, the build backend, is in the lock: nothing unlocked is fetched for a build environment.
    itself = ["--no-build-isolation", "--no-deps", "--editable", str(ROOT)]
    run([*installer, "--quiet", *itself], failed="nuages itself could not be installed")
    new = stamp_file(lock).with_suffix(".new")
    new.write_text(fingerprint(lock), encoding="ascii")
    new.replace(stamp_file(lock))


def main(targets: list[str]) -> int:
    """Do what the targets need and is not there yet; return the exit code."""
    began = time.monotonic()
    try:
        if sys.version_info < OLDEST:
            raise BootstrapError(
                what="Python is too old",
                where=sys.executable,
                why=f"it is Python {sys.version.split()[0]}; nuages needs {'.'.join(map(str, OLDEST))} or newer",
                hint="name a newer one: make PYTHON=python3.11",
            )
        with Path(__file__).open("rb") as mutex:  # of two makes at once the second waits, then finds all done
            fcntl.flock(mutex, fcntl.LOCK_EX)
            missing = missing_apt_packages(targets)
            if missing and may_apt_install():
                apt_install(missing, "Debian packages are missing", "they are not on this machine")
            elif missing:
                names = " ".join(missing)
                say(f"what needs these is skipped or fails: sudo apt-get install {names}")
            for lock in LOCKS:
                if lock in targets and not is_current(lock):
                    install(lock)
                    say(f"ready in {time.monotonic() - began:.0f} s")
    except BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run starts from nothing")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
