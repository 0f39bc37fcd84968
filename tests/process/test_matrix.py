"""The request tests under every Python and Django that are supported together, each in an environment of its own.

The environments are kept in the user's cache folder; pip's configuration on this machine says where packages come
from. A Python that this machine lacks is skipped, and said.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nuages.environment import indexes, interpreters
from nuages.environment import uv as installer
from nuages.environment.uv import Uv

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nuages-tests"
# The ends of the range, and what lies between: `long`, as forking is with each, so that `make test` stays quick;
# .ci/run runs them too.
ENDS = (("3.10", "3.2"), ("3.11", "4.2"), ("3.13", "6.1"))
BETWEEN = (("3.10", "5.2"), ("3.11", "5.2"), ("3.12", "5.2"), ("3.12", "6.1"), ("3.13", "5.2"))
TOGETHER = [
    *(pytest.param(*pair, id=f"python{pair[0]}-django{pair[1]}") for pair in ENDS),
    *(pytest.param(*pair, id=f"python{pair[0]}-django{pair[1]}", marks=pytest.mark.long) for pair in BETWEEN),
]
TOOLS = ("pytest>=8,<9", "pytest-timeout>=2", "tomli; python_version < '3.11'")
AGENTS = (
    "sentry-sdk", "opentelemetry-sdk", "opentelemetry-instrumentation-django", "opentelemetry-instrumentation-asgi",
)  # fmt: skip
RUNTIME = ("uvicorn", "httptools", "uvloop", "websockets")
# The kinds of entry points between which the code differs; all of them run with the Django of the other tests.
KINDS = "standard-both or wrapped-asgi"


def oldest_runtime() -> tuple[str, ...]:
    """The lowest versions of the runtime's own requirements that pyproject.toml allows."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    found = re.findall(r'"([a-z]+)>=([0-9.]+)', listed)
    return tuple(f"{name}=={version}" for name, version in found if name in RUNTIME)


def interpreter(series: str) -> str:
    wanted = tuple(int(part) for part in series.split("."))
    found = [
        each for each in interpreters.find(os.environ) if each.series == wanted and not each.free_threaded
    ]
    if not found:
        pytest.skip(f"this machine has no Python {series}")
    return found[0].path


def environment(python: str, *requirements: str) -> Path:
    """Return the Python of an environment with these requirements, made at the first call and kept."""
    digest = hashlib.sha256("\n".join((python, *requirements)).encode()).hexdigest()[:16]
    folder = CACHE / digest
    program = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test may want it at the same time
        if not (folder / "complete").is_file():
            variables = indexes.uv_variables(indexes.read(os.environ), os.environ)
            uv = installer.find(os.environ, variables, CACHE)
            _run(uv, "venv", "--clear", "--python", python, str(folder))
            _run(uv, "pip", "install", "--python", str(program), *requirements)
            (folder / "complete").touch()
    return program


def _run(uv: Uv, *arguments: str) -> None:
    done = uv.run(arguments)
    assert done.code == 0, done.text


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("python", "django"), TOGETHER)
def test_requests_are_answered(python: str, django: str) -> None:
    program = environment(interpreter(python), f"django=={django}.*", *RUNTIME, *TOOLS)
    run_with(program, "tests/unit/runtime/test_django_contract.py", "tests/unit/runtime/test_receivers.py")
    run_with(program, "tests/process/chains.py", "tests/unit/runtime/test_immortal.py")
    run_with(program)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("python", "django"), [*ENDS, *BETWEEN])
def test_workers_are_forked(python: str, django: str) -> None:
    program = environment(interpreter(python), f"django=={django}.*", *RUNTIME, *TOOLS)
    run_with(program, "-k", "not postgresql and not loading_has_opened", "tests/process/test_preload.py")


@pytest.mark.timeout(600)
def test_requests_are_answered_on_the_oldest_runtime_that_is_allowed() -> None:
    run_with(environment(interpreter("3.10"), "django==4.2.*", *oldest_runtime(), *TOOLS))


@pytest.mark.timeout(600)
def test_monitoring_agents_keep_requests_apart() -> None:
    run_with(
        environment(interpreter("3.11"), "django==5.2.*", *RUNTIME, *AGENTS, *TOOLS),
        "tests/process/agents.py",
    )


@pytest.mark.timeout(600)
def test_channels_sockets_and_pages_share_the_loop() -> None:
    program = environment(interpreter("3.11"), "django==5.2.*", "channels>=4", *RUNTIME, *TOOLS)
    run_with(program, "tests/process/sockets_of_channels.py")


def run_with(program: Path, *tests: str) -> None:
    """Run tests in an environment, the request tests by default; their output is shown when they fail."""
    done = subprocess.run(
        [program, "-m", "pytest", "-q", "--confcutdir", "tests/process", "-W", "default",
         *(tests or ("-k", KINDS, "tests/process/test_requests_entries.py"))],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}, capture_output=True,
        text=True, check=False, timeout=590,
    )  # fmt: skip
    print(done.stdout[-6000:], done.stderr[-2000:], file=sys.stderr)
    assert done.returncode == 0
    assert " passed" in done.stdout
