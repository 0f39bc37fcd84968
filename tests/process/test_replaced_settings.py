"""Settings that put an object of their own in place of Django's, as Dynaconf does, are filled like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.process.harness import serving, write_project

REPLACED = """
import sys

import django.conf as conf


class Mine:
    STATIC_ROOT = None

    def __getattr__(self, name):
        return getattr(conf.settings, name)


class Wrapper:
    settings = Mine()

    def __getattr__(self, name):
        return getattr(conf, name)


sys.modules["django.conf"] = Wrapper()
"""
URLS = """
import inspect
from pathlib import Path


program_folder = Path(inspect.stack()[-1].filename).parent
beside = " ".join(sorted(each.name for each in program_folder.glob("*.py")))


def program(request):
    return HttpResponse(beside)


urlpatterns += [path("program/", program)]
"""


def test_what_nuages_fills_in_is_in_the_settings_that_the_project_reads(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings=REPLACED)
    done = subprocess.run(
        [sys.executable, "-m", "nuages", "collect", str(project)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (project / "staticfiles" / "nuages-static.json").exists()


def test_beside_the_program_of_a_worker_lies_nothing_that_is_called_like_settings(tmp_path: Path) -> None:
    # Dynaconf loads what is, and in the folders above.
    for preload in ("on", "off"):
        with serving(write_project(tmp_path, urls=URLS), "--workers", "1", "--preload", preload) as server:
            server.wait_for("ready")
            assert server.get("/program/") == "__init__.py __main__.py"
