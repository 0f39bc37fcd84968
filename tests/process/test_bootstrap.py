"""`scripts/bootstrap.py` on a copy of the work tree: made once, mended when something changes, never half done."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.process.harness import wait_until

SOURCES = Path(__file__).resolve().parents[2]
PYTHON = getattr(sys, "_base_executable", sys.executable)
INSTALLED = 240.0  # seconds: over the network, with nothing cached

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the script reads, without the rest of the work tree; the apt packages are this machine's affair."""
    for name in ("scripts", "requirements", "src"):
        shutil.copytree(SOURCES / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "scripts" / "apt-packages.txt").write_text("")
    return tmp_path


def start(tree: Path, target: str = "run") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PYTHON, str(tree / "scripts" / "bootstrap.py"), target], stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def bootstrap(tree: Path) -> str:
    """Run the script to its end and return what it said itself."""
    process = start(tree)
    said = process.communicate(timeout=INSTALLED)[1]
    assert process.returncode == 0, said
    return "\n".join(line for line in said.splitlines() if line.startswith("bootstrap:"))


def seconds_of_nothing(tree: Path) -> float:
    """Return how long a run takes that finds nothing to do."""
    began = time.monotonic()
    assert bootstrap(tree) == ""
    return time.monotonic() - began


def test_a_second_run_has_nothing_to_do_and_a_change_is_installed(tree: Path) -> None:
    said = bootstrap(tree)
    assert "making .venv with Python" in said
    assert "installing requirements/run.txt" in said
    version = subprocess.run(
        [tree / ".venv/bin/nuages", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("nuages ")

    # The best of ten: this machine does other things too.
    assert any(seconds_of_nothing(tree) < 1 for _ in range(10))

    with (tree / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    said = bootstrap(tree)
    assert "making .venv" not in said
    assert "installing requirements/run.txt" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_what_was_cut_short_is_made_anew(tree: Path, number: signal.Signals) -> None:
    process = start(tree)
    wait_until((tree / ".venv" / "bin" / "python").exists, "the environment is begun")
    os.killpg(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not list((tree / ".venv").glob(".installed-*"))
    assert "making .venv with Python" in bootstrap(tree)
    assert bootstrap(tree) == ""


def test_of_two_at_once_one_makes_it(tree: Path) -> None:
    both = [start(tree), start(tree)]
    said = [process.communicate(timeout=INSTALLED)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(text.count("installing requirements/run.txt") for text in said) == 1


def test_a_lock_that_does_not_fit_its_hashes_is_an_error(tree: Path) -> None:
    lock = tree / "requirements" / "run.txt"
    lines = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join("    --hash=sha256:" + "0" * 64 + "\n" if "--hash" in line and not line.endswith("\\\n")
                            else line for line in lines if not line.endswith("\\\n") or "==" in line))  # fmt: skip
    process = start(tree)
    said = process.communicate(timeout=INSTALLED)[1]
    assert process.returncode == 1
    error = said[said.index("error: the locked packages") :].splitlines()
    assert error[0] == "error: the locked packages could not be installed"
    assert error[1].startswith("  where: ")
    assert error[2] == "  why:   it ended with exit code 1; its messages stand above"
    assert error[3] == "  hint:  mend what they name and run make again: it starts from nothing"
    assert not list((tree / ".venv").glob(".installed-*"))


def test_an_old_python_is_told_what_to_do(tree: Path) -> None:
    script = tree / "scripts" / "bootstrap.py"
    text = script.read_text()
    assert "OLDEST = (3, 10)\n" in text
    script.write_text(text.replace("OLDEST = (3, 10)\n", "OLDEST = (3, 99)\n"))
    process = start(tree)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert said == (
        "error: Python is too old\n"
        f"  where: {PYTHON}\n"
        f"  why:   it is Python {sys.version.split()[0]}; nuages needs 3.99 or newer\n"
        "  hint:  name a newer one: make PYTHON=python3.11\n"
    )
