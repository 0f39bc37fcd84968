"""Django's own tests as the reference: those with a client or a live server, against our server.

The source distribution of the very Django that the tests run with has them; it is fetched once, as pip is configured
on this machine, and kept in the user's cache folder. What cannot pass and why: django_suite/expected.py. The rest of
the modules runs in `make test-all`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path

import django
import pytest
from tests.process.django_suite.expected import EXPECTED
from tests.process.test_matrix import CACHE, environment

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "handlers", "asgi", "wsgi", "requests_tests", "file_uploads", "responses", "httpwrappers", "servers",
    "middleware", "middleware_exceptions", "sessions_tests", "test_client", "test_client_regress", "signals", "async",
    "csrf_tests", "conditional_processing",
)  # fmt: skip
LEAST = {"passed": 1500, "requests": 600}  # fewer, and this has shown nothing


def django_tests() -> Path:
    """Return the folder of Django's tests; skip, saying why, where they cannot be fetched."""
    version = django.get_version()
    folder = CACHE / f"django-{version}"
    if folder.is_dir():
        return folder / "tests"
    python = environment(sys.executable, "pip", "setuptools>=77", "wheel")
    place = CACHE / f"django-{version}.{os.getpid()}"
    place.mkdir(parents=True)
    try:
        done = subprocess.run(
            [python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
             "--dest", place, f"django=={version}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            pytest.skip(f"Django's tests cannot be fetched: {done.stderr.strip()[-300:]}")
        (archive,) = place.glob("*.tar.gz")
        with tarfile.open(archive) as source:
            source.extractall(place, filter="data") if hasattr(tarfile, "data_filter") else source.extractall(
                place
            )
        (unpacked,) = (each for each in place.iterdir() if each.is_dir())
        if not folder.is_dir():
            unpacked.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return folder / "tests"


def run_django_tests(way: str, modules: tuple[str, ...], results: Path, *, seconds: float) -> dict[str, int]:
    """Run modules of Django's tests with our server; fail for every outcome that is not expected."""
    environ = {
        **os.environ, "DJANGO_SUITE_WAY": way, "DJANGO_SUITE_RESULTS": str(results),
        "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("tests/process", "src")),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "runtests.py", "--settings=django_suite.settings", "--parallel=1", *modules],
        cwd=django_tests(), env=environ, capture_output=True, text=True, check=False, timeout=seconds,
    )  # fmt: skip
    assert results.is_file(), done.stdout[-2000:] + done.stderr[-6000:]
    found = json.loads(results.read_text())
    outcomes = found["outcomes"]
    patterns = [pattern for pattern, ways, _ in EXPECTED if ways in (way, "both")]
    failed = {name: why for name, (outcome, why) in outcomes.items() if outcome == "failed"}
    unforeseen = {
        name: why for name, why in failed.items() if not any(fnmatchcase(name, p) for p in patterns)
    }
    assert not unforeseen, "\n\n".join(f"{name}\n{why}" for name, why in unforeseen.items())
    for pattern in patterns:
        ran = [name for name in outcomes if fnmatchcase(name, pattern)]
        assert not ran or any(name in failed for name in ran), f"{pattern} is expected to fail and does not"
    counts = {"requests": found["requests"], "failed": len(failed)}
    for outcome in ("passed", "skipped"):
        counts[outcome] = sum(1 for each in outcomes.values() if each[0] == outcome)
    print(f"{way}: {counts}")
    return counts


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["threads", "loop"])
def test_djangos_own_tests_pass_over_the_wire(way: str, tmp_path: Path) -> None:
    counts = run_django_tests(way, MODULES, tmp_path / "results.json", seconds=280)
    assert {name: counts[name] for name in LEAST if counts[name] < LEAST[name]} == {}
