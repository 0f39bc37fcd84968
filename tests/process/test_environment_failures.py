"""What is said when an installation fails: the whole text, against the real installer."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.process.environments import (
    DEADLINE,
    PYTHON,
    SERIES,
    environ,
    nuages,
    project,
    sha256,
    source,
    start,
    wheel,
)
from tests.process.harness import wait_until


def failed(
    home: Path, links: Path | None, requirements: str, tmp_path: Path, code: int, **variables: str
) -> str:
    """Return the error that installing these requirements ends with; nothing half-made is left behind."""
    shop = project(tmp_path / "shop", requirements)
    answer = nuages(
        "run", str(shop), "--python", PYTHON, "--", "check", variables=environ(home, links, **variables)
    )
    assert answer.code == code, answer.err
    assert not [path for path in (home / "environments").glob("*/") if not (path / "complete.json").exists()]
    return answer.error


def test_a_package_that_is_not_the_one_that_was_locked(home: Path, links: Path, tmp_path: Path) -> None:
    wrong = "sha256:" + "a" * 64
    got = sha256(links / "django-5.2-py3-none-any.whl")[:13]

    assert failed(home, links, f"django==5.2 --hash={wrong}\n", tmp_path, 1) == (
        "error: django 5.2 is not the file that was locked\n"
        "  requirements.txt\n"
        "  expected sha256:aaaaaa…\n"
        f"  got      {got}…\n"
        "\n"
        "hint: if the package was replaced on purpose, lock again; if not, do not install it"
    )


def test_a_requirement_that_nobody_has(home: Path, links: Path, tmp_path: Path) -> None:
    assert failed(home, links, "django==5.2\nno-such-thing==3\n", tmp_path, 1) == (
        "error: there is no package no-such-thing\n"
        "  requirements.txt\n"
        "  uv says:\n"
        "    error: No solution found when resolving dependencies\n"
        "      cause: Because no-such-thing was not found in the package registry and you require "
        "no-such-thing==3, we can conclude that your requirements are unsatisfiable.\n"
        "\n"
        "hint: correct the name no-such-thing, or add the index that has it to pip's configuration"
    )


def test_a_release_that_does_not_exist(home: Path, links: Path, tmp_path: Path) -> None:
    assert failed(home, links, "django==7.7\n", tmp_path, 1) == (
        "error: there is no release of django that fits ==7.7\n"
        "  requirements.txt\n"
        "  uv says:\n"
        "    error: No solution found when resolving dependencies\n"
        "      cause: Because there is no version of django==7.7 and you require django==7.7, we can conclude that "
        "your requirements are unsatisfiable.\n"
        "\n"
        "hint: correct the requirement of django"
    )


def test_an_index_that_cannot_be_reached(home: Path, tmp_path: Path) -> None:
    variables = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        variables[name] = ""
    variables |= {"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}

    assert failed(home, None, "django==5.2\n", tmp_path, 4, **variables) == (
        "error: the package index cannot be reached\n"
        "  taken from pip's configuration, or uv's default\n"
        "  uv says:\n"
        "    error: Failed to fetch: http://127.0.0.1:9/simple/django/\n"
        "      cause: error sending request for url (http://127.0.0.1:9/simple/django/)\n"
        "      cause: client error (Connect)\n"
        "      cause: tcp connect error\n"
        "      cause: Connection refused (os error 111)\n"
        "\n"
        "hint: check the network, the proxy (HTTPS_PROXY) and the index (`pip config list`), then start again"
    )


def test_an_address_of_a_requirement_that_cannot_be_reached(home: Path, links: Path, tmp_path: Path) -> None:
    requirements = "django==5.2\nnope @ http://127.0.0.1:9/nope-1.0.tar.gz\n"
    assert failed(home, links, requirements, tmp_path, 4, UV_HTTP_RETRIES="0") == (
        "error: nope cannot be fetched from the address that it is required from\n"
        "  requirements.txt:2\n"
        "  http://127.0.0.1:9/nope-1.0.tar.gz\n"
        "  uv says:\n"
        "    cause: tcp connect error\n"
        "    cause: Connection refused (os error 111)\n"
        "\n"
        "hint: make the address reachable from this machine, or depend on a release of an index instead"
    )


def test_a_requirement_that_cannot_be_read(home: Path, links: Path, tmp_path: Path) -> None:
    assert failed(home, links, "django==5.2\nfoo bar ==\n", tmp_path, 1) == (
        "error: a requirement cannot be read\n"
        "  requirements.txt\n"
        "  foo bar ==\n"
        "      ^\n"
        "  Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`\n"
        "\n"
        "hint: correct the line: NAME==1.2, or NAME @ URL (PEP 508)"
    )


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler: apt-get install build-essential")
def test_a_source_package_that_misses_a_header(home: Path, links: Path, tmp_path: Path) -> None:
    compiled = "import pathlib; pathlib.Path('x.c').write_text('#include <libpq-fe.h>\\n'); "
    compiled += "sys.exit(subprocess.call(['cc', '-nostdinc', '-I.', '-c', 'x.c']))"
    source(links, "pgnative", "1.0", compiled)

    assert failed(home, links, "django==5.2\npgnative==1.0\n", tmp_path, 4) == (
        "error: pgnative 1.0 does not build\n"
        "  requirements.txt\n"
        f"  it is compiled here: there is no wheel of it for Python {SERIES}\n"
        "  the build misses the header libpq-fe.h\n"
        "  uv says:\n"
        "    x.c:1:10: fatal error: libpq-fe.h: No such file or directory\n"
        "        1 | #include <libpq-fe.h>\n"
        "          |          ^~~~~~~~~~~~\n"
        "    compilation terminated.\n"
        "\n"
        "hint: apt-get install libpq-dev"
    )


def test_a_source_package_that_misses_a_program(home: Path, links: Path, tmp_path: Path) -> None:
    source(
        links,
        "pgnative",
        "1.1",
        "print('Error: pg_config executable not found.', file=sys.stderr); sys.exit(1)",
    )

    assert failed(home, links, "django==5.2\npgnative==1.1\n", tmp_path, 4) == (
        "error: pgnative 1.1 does not build\n"
        "  requirements.txt\n"
        f"  it is compiled here: there is no wheel of it for Python {SERIES}\n"
        "  the build misses the program pg_config\n"
        "  uv says:\n"
        "    Error: pg_config executable not found.\n"
        "\n"
        "hint: apt-get install libpq-dev"
    )


def test_a_source_package_that_fails_for_a_reason_of_its_own(home: Path, links: Path, tmp_path: Path) -> None:
    source(links, "broken", "1.0", "raise SystemExit('the moon is wrong')")

    assert failed(home, links, "django==5.2\nbroken==1.0\n", tmp_path, 4) == (
        "error: broken 1.0 does not build\n"
        "  requirements.txt\n"
        f"  it is compiled here: there is no wheel of it for Python {SERIES}\n"
        "  uv says:\n"
        "    the moon is wrong\n"
        "\n"
        "hint: read what the build says; the package's own documentation names what it needs"
    )


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_repository_that_cannot_be_fetched(home: Path, links: Path, tmp_path: Path) -> None:
    assert failed(
        home, links, "django==5.2\nforked @ git+file:///no/such/repository@main\n", tmp_path, 4
    ) == (
        "error: forked cannot be fetched from its git repository\n"
        "  requirements.txt:2\n"
        "  git+file:///no/such/repository@main\n"
        "  uv says:\n"
        "    fatal: '/no/such/repository' does not appear to be a git repository\n"
        "    fatal: Could not read from remote repository.\n"
        "    Please make sure you have the correct access rights\n"
        "    and the repository exists.\n"
        "\n"
        "hint: make the repository reachable from this machine, or depend on a release instead"
    )


def test_no_wheel_for_this_python_where_sources_are_not_allowed(
    home: Path, links: Path, tmp_path: Path
) -> None:
    source(links, "native", "1.0", "pass")

    assert failed(home, links, "--only-binary :all:\ndjango==5.2\nnative==1.0\n", tmp_path, 1) == (
        f"error: native 1.0 has no wheel for Python {SERIES} on this machine\n"
        "  requirements.txt\n"
        "  uv says:\n"
        "    error: No solution found when resolving dependencies\n"
        "      cause: Because native==1.0 has no usable wheels and you require native==1.0, we can conclude that "
        "your requirements are unsatisfiable.\n"
        "\n"
        "hint: try a Python that it has a wheel for: --python X.Y"
    )


def test_dependencies_without_django(home: Path, links: Path, tmp_path: Path) -> None:
    wheel(links, "flask", "3")

    assert failed(home, links, "flask==3\n", tmp_path, 1) == (
        "error: the project's dependencies do not include Django\n"
        "  requirements.txt\n"
        "  what was installed from it: flask\n"
        "\n"
        "hint: declare Django there, or remove that file if another one declares the dependencies"
    )


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("needs mount: apt-get install mount")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs to mount a tmpfs, which only root may")
    try:
        yield folder  # type: ignore[misc]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_without_room(full_disk: Path, tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", "django==5.2\n")
    variables = environ(full_disk, None, UV_LINK_MODE="copy")
    answer = nuages("run", str(shop), "--python", PYTHON, "--", "check", variables=variables)

    assert answer.code == 4
    lines = answer.error.splitlines()
    assert lines[:3] == ["error: the disk is full", f"  {full_disk}", "  uv says:"]
    assert "No space left on device" in answer.error
    assert lines[-2:] == [
        "hint: free some space, or keep environments elsewhere: --home DIR",
        "      nothing half-made was left behind: start again",
    ]
    assert not list(full_disk.glob("environments/*/complete.json"))


def test_a_lock_that_no_longer_belongs_to_its_declaration(home: Path, tmp_path: Path) -> None:
    shop = tmp_path / "stockroom"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "stockroom", shop)
    pipfile = shop / "Pipfile"
    pipfile.write_text(pipfile.read_text().replace("[packages]\n", '[packages]\nrequests = "*"\n'))

    answer = nuages("run", str(shop), "--", "check", variables=environ(home, None))

    assert answer.code == 1
    found = re.sub("its hash [0-9a-f]{12}…", "its hash 000000000000…", answer.error)
    assert found == (
        "error: Pipfile.lock is stale\n"
        "  Pipfile.lock:4\n"
        "  its hash 000000000000… is not that of Pipfile\n"
        "\n"
        "hint: lock again, so that Pipfile.lock and Pipfile agree: pipenv lock"
    )


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGHUP])
def test_an_installation_that_is_ended_ends_with_its_compilers(
    home: Path, links: Path, tmp_path: Path, signal_: signal.Signals
) -> None:
    mark = tmp_path / "compiling"
    compiler = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    source(links, "endless", f"1.{signal_:d}", f"subprocess.call([sys.executable, '-c', {compiler!r}])")
    shop = project(tmp_path / "shop", f"django==5.2\nendless==1.{signal_:d}\n")
    running = start("up", str(shop), "--python", PYTHON, variables=environ(home, links))
    wait_until(lambda: mark.exists() and mark.read_text(), "the compiler runs", within=DEADLINE)
    running.send_signal(signal_)
    running.communicate(timeout=DEADLINE)
    assert running.returncode == 128 + signal_
    # Whoever reaps it here has perhaps not come to it yet.
    status = Path(f"/proc/{mark.read_text()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text()
