"""Private environments over their life: made once, shared, interrupted, attached to the runtime, left alone."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.environments import (
    DEADLINE,
    PYTHON,
    Answer,
    archive,
    environ,
    nuages,
    project,
    source,
    start,
    wheel,
)
from tests.process.harness import wait_until

SHOW = "import json, sys; print(json.dumps([sys.executable, sys.path]))"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A named pipe: a build that reads it stands still until the test opens it for writing."""
    pipe = tmp_path / "gate"
    os.mkfifo(pipe)
    return pipe


def held_package(links: Path, gate: Path, version: str) -> None:
    """Write a source package whose build waits at the gate."""
    source(links, "held", version, f"open({str(gate)!r}).read()")


def opened(gate: Path) -> int:
    """Return the gate's writing end once somebody waits at it."""
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(os.open(gate, os.O_WRONLY)), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert result, "nobody came to the gate"
    return result[0]


def is_left(gate: Path) -> bool:
    """Whether nobody waits at the gate: an open for writing fails then (fifo(7))."""
    try:
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def whole(home: Path) -> set[str]:
    return {path.parent.name for path in (home / "environments").glob("*/complete.json")}


def half(home: Path) -> list[Path]:
    return [path for path in (home / "environments").glob("*/") if not (path / "complete.json").exists()]


def run_python(shop: Path, variables: dict[str, str], code: str = SHOW) -> Answer:
    return nuages(
        "run", str(shop), "--python", PYTHON, "--json", "--", "python", "-c", code, variables=variables
    )


def test_the_second_run_installs_nothing(home: Path, links: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", "django==5.2\n")
    first, second = (run_python(shop, environ(home, links)) for _ in range(2))

    assert (first.code, second.code) == (0, 0), first.err
    assert len(first.named("install")) == 1
    assert first.named("python")[0]["text"].endswith(", as --python says")
    assert [event["event"] for event in second.events] == []
    assert first.out == second.out


def test_projects_with_the_same_requirements_share_an_environment(
    home: Path, links: Path, tmp_path: Path
) -> None:
    wheel(links, "shared", "1")
    shops = [project(tmp_path / name, "django==5.2\nshared==1\n") for name in ("one", "two")]
    first, second = (run_python(shop, environ(home, links)) for shop in shops)

    assert json.loads(first.out)[0] == json.loads(second.out)[0]
    assert second.named("install") == []


def test_a_changed_requirement_makes_another_environment(home: Path, links: Path, tmp_path: Path) -> None:
    wheel(links, "more", "1")
    shop = project(tmp_path / "shop", "django==5.2\n")
    before = json.loads(run_python(shop, environ(home, links)).out)[0]
    (shop / "requirements.txt").write_text("django==5.2\nmore==1\n")

    assert json.loads(run_python(shop, environ(home, links)).out)[0] != before


def test_the_runtime_stands_behind_the_projects_own_packages(home: Path, links: Path, tmp_path: Path) -> None:
    wheel(links, "h11", "0.14.0")
    shop = project(tmp_path / "shop", "django==5.2\nh11==0.14.0\n")
    code = "import json, os, sys, h11, uvicorn, nuages; "
    code += "print(json.dumps([h11.__file__, nuages.__file__, uvicorn.__file__, "
    code += "sys.path, os.environ.get('PYTHONPATH')]))"
    answer = run_python(shop, environ(home, links), code)
    assert answer.code == 0, answer.err
    h11, nuages_file, uvicorn, path, python_path = json.loads(answer.out)

    assert h11.startswith(str(home / "environments"))
    assert nuages_file.startswith(str(home / "runtime"))
    assert uvicorn.startswith(str(home / "runtime"))
    assert python_path is None
    own = next(i for i, entry in enumerate(path) if "site-packages" in entry)
    assert all(i > own for i, entry in enumerate(path) if entry.startswith(str(home / "runtime")))


def test_a_constraint_of_pips_configuration_does_not_stop_what_is_locked_with_hashes(
    home: Path, links: Path, tmp_path: Path
) -> None:
    digest = hashlib.sha256(next(links.glob("django-*.whl")).read_bytes()).hexdigest()
    shop = project(tmp_path / "shop", f"django==5.2 --hash=sha256:{digest}\n")
    (tmp_path / "constraints.txt").write_text("torch<=2.14.1\n")
    answer = run_python(shop, environ(home, links, PIP_CONSTRAINT=str(tmp_path / "constraints.txt")), SHOW)

    assert answer.code == 0, answer.err


def test_a_distribution_out_of_range_is_overtaken_in_the_server_alone(
    home: Path, links: Path, tmp_path: Path
) -> None:
    wheel(links, "uvicorn", "0.11.0")
    shop = project(tmp_path / "shop", "django==5.2\nuvicorn==0.11.0\n")
    code = "import uvicorn; print(uvicorn.__version__)"
    answer = run_python(shop, environ(home, links), code)

    assert answer.code == 0, answer.err
    assert answer.out == "0.11.0\n"
    (said,) = answer.named("ahead")
    assert said["text"].startswith("the server takes its own uvicorn ")
    assert said["text"].endswith(", not the project's 0.11.0")


def test_an_environment_has_no_pip_and_needs_none(home: Path, links: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", "django==5.2\n")
    code = "import importlib.util; print(importlib.util.find_spec('pip'))"

    assert run_python(shop, environ(home, links), code).out == "None\n"


def test_nuages_among_the_projects_requirements_is_this_very_nuages(
    home: Path, links: Path, tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop", "django==5.2\nnuages==9999\n")
    answer = run_python(shop, environ(home, links), "import nuages; print(nuages.__file__)")

    assert answer.code == 0, answer.err
    assert answer.out.startswith(str(home / "runtime"))


def test_a_folder_of_the_project_that_is_a_package_is_installed_from_a_copy(
    home: Path, links: Path, tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop", "django==5.2\n./libs/inner\n")
    source(tmp_path, "inner", "1", "open('written-by-build', 'w')")
    subprocess.run(["tar", "xf", str(tmp_path / "inner-1.tar.gz"), "-C", str(tmp_path)], check=True)
    (shop / "libs").mkdir()
    (tmp_path / "inner-1").rename(shop / "libs" / "inner")
    before = sorted(path.name for path in (shop / "libs" / "inner").iterdir())
    answer = run_python(shop, environ(home, links), "import inner; print(inner.__file__)")

    assert answer.code == 0, answer.err
    assert answer.out.startswith(str(home / "environments"))
    assert sorted(path.name for path in (shop / "libs" / "inner").iterdir()) == before


@contextlib.contextmanager
def ended(process: subprocess.Popen[str], signal_: int) -> Iterator[None]:
    """Send a signal to the process and all it started, as a terminal or a dying machine does."""
    yield
    os.killpg(process.pid, signal_)
    process.communicate(timeout=DEADLINE)


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_installation_is_started_over(
    home: Path, links: Path, gate: Path, tmp_path: Path, signal_: int
) -> None:
    held_package(links, gate, f"1.{signal_}")
    shop = project(tmp_path / "shop", f"django==5.2\nheld==1.{signal_}\n")
    before = whole(home)
    interrupted = start("run", str(shop), "--python", PYTHON, "--", "true", variables=environ(home, links))
    with ended(interrupted, signal_):
        writing = opened(gate)
    os.close(writing)
    wait_until(lambda: is_left(gate), "the package that was being built is given up")
    assert whole(home) == before
    assert interrupted.returncode == (130 if signal_ == signal.SIGINT else -signal.SIGKILL)
    if signal_ == signal.SIGINT:
        assert half(home) == []

    again = start("run", str(shop), "--python", PYTHON, "--", "true", variables=environ(home, links))
    os.close(opened(gate))
    _, err = again.communicate(timeout=DEADLINE)
    assert again.returncode == 0, err
    assert len(whole(home) - before) == 1


def test_an_installer_whose_parent_was_killed_is_waited_for(
    home: Path, links: Path, gate: Path, tmp_path: Path
) -> None:
    held_package(links, gate, "3.0")
    shop = project(tmp_path / "shop", "django==5.2\nheld==3.0\n")
    killed = start("run", str(shop), "--python", PYTHON, "--", "true", variables=environ(home, links))
    writing = opened(gate)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=DEADLINE)
    again = start(
        "run", str(shop), "--python", PYTHON, "--json", "--", "true", variables=environ(home, links)
    )
    assert again.stderr is not None
    waiting = next(line for line in again.stderr if '"waiting"' in line)
    os.close(writing)
    _, err = again.communicate(timeout=DEADLINE)

    assert json.loads(waiting)["text"] == "waiting for another nuages that works on the same environment"
    assert again.returncode == 0, err


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shop = project(tmp_path / "shop", "django==5.2\n")
    answer = nuages("run", str(shop), "--", "true", variables=environ(tmp_path / "file" / "home", None))

    assert answer.code == 4
    place = next((tmp_path / "file").parent.glob("file"))
    assert answer.error == (
        "error: the private environment cannot be written\n"
        f"  {answer.error.splitlines()[1].strip()}\n"
        "  Not a directory\n"
        "\n"
        "hint: name a folder that you may write to: --home DIR"
    )
    assert answer.error.splitlines()[1].strip().startswith(str(place))


def test_two_at_the_same_time_install_once(home: Path, links: Path, gate: Path, tmp_path: Path) -> None:
    held_package(links, gate, "2.0")
    shops = [project(tmp_path / name, "django==5.2\nheld==2.0\n") for name in ("one", "two")]
    first = start(
        "run", str(shops[0]), "--python", PYTHON, "--json", "--", "true", variables=environ(home, links)
    )
    writing = opened(gate)
    second = start(
        "run", str(shops[1]), "--python", PYTHON, "--json", "--", "true", variables=environ(home, links)
    )
    assert second.stderr is not None
    waiting = next(line for line in second.stderr if '"waiting"' in line)
    os.close(writing)
    _, first_err = first.communicate(timeout=DEADLINE)
    _, second_err = second.communicate(timeout=DEADLINE)

    assert json.loads(waiting)["text"] == "waiting for another nuages that works on the same environment"
    assert (first.returncode, second.returncode) == (0, 0), first_err + second_err
    assert '"event": "install"' in first_err
    assert '"event": "install"' not in second_err


def test_a_generated_secret_stays_the_same_and_only_its_owner_can_read_it(
    home: Path, links: Path, tmp_path: Path
) -> None:
    shop = project(tmp_path / "shop", "django==5.2\n")
    variables = environ(home, links)
    del variables["SECRET_KEY"]
    code = "import os; print(os.environ['SECRET_KEY'])"
    first, second = (run_python(shop, variables, code) for _ in range(2))

    assert first.out == second.out
    assert len(first.out) > 50
    (said,) = first.named("variable")
    assert said["text"] == "SECRET_KEY was not set: a secret was generated for it (shop/settings.py:5)"
    (place,) = first.named("secrets")
    kept = Path(place["text"].removeprefix("generated secrets are kept in "))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert second.named("secrets") == []


def test_an_environment_that_lost_its_python_is_made_again(home: Path, links: Path, tmp_path: Path) -> None:
    wheel(links, "lost", "1")
    shop = project(tmp_path / "shop", "django==5.2\nlost==1\n")
    python = Path(json.loads(run_python(shop, environ(home, links)).out)[0])
    python.unlink()
    answer = run_python(shop, environ(home, links))

    assert answer.code == 0, answer.err
    assert len(answer.named("install")) == 1


NEW_CYTHON = """\
import Cython
assert Cython.__version__ < "3", "'build_ext' object has no attribute 'cython_sources'"
"""


NEW_CYTHON_BESIDE_DISTUTILS = """\
import Cython
if Cython.__version__ >= "3":
    raise AttributeError("cython_sources")
"""
"""What PyYAML 5.4 says on Python 3.10, whose own distutils has a `__getattr__`."""


@pytest.mark.parametrize(
    ("needs", "first", "tool", "bound"),
    [
        ("setuptools', 'Cython", NEW_CYTHON_BESIDE_DISTUTILS, "Cython", "Cython<3"),
        ("setuptools", "from setuptools import convert_path\n", "setuptools", "setuptools<70"),
        ("setuptools', 'Cython", NEW_CYTHON, "Cython", "Cython<3"),
    ],
)
def test_a_source_written_for_an_older_tool_is_built_with_one(
    home: Path, links: Path, tmp_path: Path, needs: str, first: str, tool: str, bound: str
) -> None:
    """It needs the index of this machine, for the tools themselves."""
    name = f"old{tool.lower()}{len(first)}"
    files = {
        "setup.py": f"{first}from setuptools import setup\nsetup(name='{name}', version='1', py_modules=[])\n",
        "pyproject.toml": f"[build-system]\nrequires = ['{needs}']\nbuild-backend = 'setuptools.build_meta'\n",
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1\n",
    }
    archive(links, name, "1", files)
    shop = project(tmp_path / "shop", f"django==5.2\n{name}==1\n")
    variables = environ(home, None, PIP_FIND_LINKS=str(links), UV_CACHE_DIR=str(tmp_path / "cache"))
    answer = run_python(
        shop, variables, f"import importlib.metadata; print(importlib.metadata.version('{name}'))"
    )

    assert answer.code == 0, answer.err
    assert answer.out == "1\n"
    assert [event["text"] for event in answer.named("retry")] == [
        f"{name} 1 was written for an older {tool}: building with {bound}"
    ]
