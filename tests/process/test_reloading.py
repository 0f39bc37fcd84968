"""--reload: what is saved is served, and what is broken is named and not served."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.process.harness import IN_A_GROUP, Server, alive, children, serving, wait_until, write_project

SETTINGS = """
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "DIRS": ["{folder}/templates"]}]
"""
VIEW = """
from django.shortcuts import render

urlpatterns += [path("page/", lambda request: render(request, "page.html"))]
"""


def until(server: Server, path: str, expected: str) -> None:
    wait_until(lambda: server.get(path) == expected, f"{path} is {expected!r}")


def save(path: Path, text: str) -> None:
    """Write beside the file and rename, as editors do: nobody sees half of it, and it has changed once."""
    written = path.parents[2] / "saved"
    written.write_text(text)
    written.replace(path)


def watcher(server: Server) -> int:
    """The number of the process that watches."""
    found = [
        pid
        for pid in children(server.pid)
        if b"nuages.reloading" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return found[0]


def test_changed_code_and_templates_are_served_and_broken_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    project = write_project(folder, settings=SETTINGS.replace("{folder}", str(folder)), urls=VIEW)
    page, urls = folder / "templates" / "page.html", folder / "pages" / "urls.py"
    page.parent.mkdir()
    page.write_text("one")
    (page.parent / "never.html").write_text("{% what is this %}")  # broken before we came, and used by nobody
    with serving(project, "--workers", "1", "--reload") as server:
        server.wait_for("ready")
        assert server.get("/page/") == "one"
        save(page, "two")
        until(server, "/page/", "two")
        assert server.wait_for("changed")["text"] == "templates/page.html changed"

        save(page, "three\n{% if %}")
        failed = server.wait_for("worker-start-failed")["text"]
        assert f"a template that was changed cannot be compiled\n  {page}:2\n" in failed
        server.wait_for("reload-failed")
        assert server.get("/page/") == "two"

        save(page, "four")
        until(server, "/page/", "four")
        right = urls.read_text()
        save(urls, right + "\ndef broken(:\n")
        failed = server.wait_for("worker-start-failed", count=2)["text"]
        assert "SyntaxError" in failed
        assert "pages/urls.py" in failed
        server.wait_for("reload-failed", count=2)
        assert server.get("/page/") == "four"

        save(urls, right + '\nurlpatterns += [path("new/", hello)]\n')
        wait_until(lambda: server.begin("/new/").answer().status == 200, "the new page is there")

        assert server.get("/page/") == "four"  # now this worker keeps it
        watching = watcher(server)
        (folder / "media").mkdir()
        changes = len(server.found("changed"))
        for name in ("media/upload.html", "db.sqlite3", "pages/notes.csv"):
            (folder / name).write_text("not code")
        save(page, "five")
        until(server, "/page/", "five")
        assert [event["text"] for event in server.found("changed")[changes:]] == [
            "templates/page.html changed"
        ]
        server.signal(signal.SIGKILL)
        server.wait()
        wait_until(lambda: not alive(watching), "the watching process ends with its server")


@pytest.mark.parametrize("name", ["SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2"])
def test_what_the_whole_group_is_signalled_neither_stops_nor_ends_the_watching(
    tmp_path: Path, name: str
) -> None:
    project = write_project(tmp_path / "project")
    urls = project / "pages" / "urls.py"
    with serving(project, "--workers", "1", "--reload", wrapper=IN_A_GROUP) as server:
        server.wait_for("ready")
        watching = Path(f"/proc/{watcher(server)}/status")
        number = signal.Signals[name]
        wait_until(lambda: _ignores(watching, number), "it has begun to watch")
        os.killpg(server.pid, number)
        if name in {"SIGTTIN", "SIGUSR2"}:
            server.wait_for("signal", signal=name)
        save(urls, urls.read_text() + '\nurlpatterns += [path("new/", hello)]\n')
        server.wait_for("changed")
        assert server.stop() == 0


def _ignores(status: Path, number: signal.Signals) -> bool:
    """Whether a process ignores a signal; proc(5), SigIgn."""
    (mask,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_without_watchfiles_it_says_what_to_install(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'watchfiles' else found(name, *a)\n"
    )
    environ = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    with serving(project, "--reload", environ=environ) as server:
        assert server.wait() == 2
        assert server.error() == (
            "error: --reload needs watchfiles, which is not installed here\n"
            f"  {sys.prefix}\n"
            "  the runtime ships in images and does without it; the extra `build` has it\n\n"
            "hint: pip install 'nuages[build]'"
        )
