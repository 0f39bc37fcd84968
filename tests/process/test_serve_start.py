"""Starts that fail: one error, the project's own, whatever the number of workers; and what the start says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.process.harness import APP, held, named_pipe, serving, write_project


def test_settings_that_do_not_import_end_it_with_status_3_and_one_error(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="import no_such_module\n")
    with serving(project, "--workers", "3") as server:
        error = server.error()
        assert server.wait() == 3
    assert error.count("error:") == 1
    assert "no_such_module" in error
    assert f'File "{project}/pages/settings.py", line 8' in error
    first = error.splitlines()[error.splitlines().index("  Traceback (most recent call last):") + 1]
    assert first.strip().startswith(f'File "{project}/pages/')


def test_a_worker_that_dies_silently_while_loading_is_tried_again_then_given_up(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="import os; os.kill(os.getpid(), 9)\n")
    with serving(project, "--workers", "1") as server:
        error = server.error()
        assert server.wait() == 3
    assert len(server.found("worker-not-forked")) == 3
    assert error.splitlines()[0] == "error: the application ended while it was loading"
    assert "its process was killed by SIGKILL: perhaps out of memory, and said nothing" in error


def test_a_project_that_never_finishes_loading_is_given_up(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path, settings=f'open("{pipe}").read()\n')
    with serving(project, "--workers", "2", "--start-timeout", "4s") as server:
        error = server.error()
        assert server.wait() == 3
    assert error.count("error:") == 1
    assert error.splitlines()[0] == "error: the application was not ready within 4 s"
    assert f'File "{project}/pages/settings.py", line 8 in <module>\n' in server.found("stacks")[0]["text"]


def test_where_loading_hangs_is_shown_also_where_the_interpreter_took_long_to_start(tmp_path: Path) -> None:
    """The stack is shown before the time is over that the supervisor counts, which began before the process did."""
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path, settings=f'open("{pipe}").read()\n')
    slow = "import sys, time\nif any('zygote-' in word for word in sys.orig_argv): time.sleep(1.5)\n"
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(slow)
    environ = {"PYTHONPATH": str(tmp_path / "slow")}
    with serving(project, "--workers", "1", "--start-timeout", "4s", environ=environ) as server:
        error = server.error()
        assert server.wait() == 3
    assert error.splitlines()[0] == "error: the application was not ready within 4 s"
    assert f'File "{project}/pages/settings.py", line 8 in <module>\n' in server.found("stacks")[0]["text"]


def test_a_stop_while_it_loads_is_obeyed_at_once(tmp_path: Path) -> None:
    pipe = named_pipe(tmp_path)
    project = write_project(tmp_path, settings=f'open("{pipe}").read()\n')
    with serving(project, "--workers", "1") as server, held(pipe):
        assert server.stop() == 0


def test_the_start_says_how_many_workers_and_why(project: Path) -> None:
    with serving(project, environ={"WEB_CONCURRENCY": "2"}) as server:
        server.wait_for("worker-ready", count=2)
        said = server.wait_for("listening")
        assert said["text"].endswith("2 workers: given by $WEB_CONCURRENCY")
        limits = server.wait_for("limits")
        assert limits["text"] == (
            "at most 128 database connections: 2 workers × 64 threads; "
            "proxies believed: 127.0.0.0/8 ::1/128 unix"
        )


def test_who_could_not_open_the_page_on_this_machine_is_told(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings='ALLOWED_HOSTS = ["backend", ".shop.example"]\n')
    with serving(project, "--local-hosts", "on") as server:
        assert server.wait_for("warning")["text"].startswith(
            "ALLOWED_HOSTS holds backend, .shop.example, and none of localhost, 127.0.0.1, [::1]"
        )
        server.wait_for("ready")
    write_project(tmp_path, settings='ALLOWED_HOSTS = ["backend", "127.0.0.1"]\n')
    with serving(project, "--local-hosts", "on") as server:
        server.wait_for("ready")
        assert not [seen for seen in server.found("warning") if "ALLOWED_HOSTS" in seen["text"]]


def test_a_site_that_sends_everybody_to_https_is_told_so_on_this_machine(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="SECURE_SSL_REDIRECT = True\n")
    with serving(project, "--local-hosts", "on") as server:
        server.wait_for("ready")
        said = [seen["text"] for seen in server.found("warning")]
        (told,) = (text for text in said if text.startswith("SECURE_SSL_REDIRECT"))
        assert told.startswith(
            "SECURE_SSL_REDIRECT is on (pages/settings.py:8: SECURE_SSL_REDIRECT = True), and nothing here speaks HTTPS"
        )
    with serving(project) as server:
        server.wait_for("ready")
        assert not [seen for seen in server.found("warning") if "SECURE_SSL_REDIRECT" in seen["text"]]


def test_a_site_that_answers_nobody_is_told_so_at_its_start(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="ALLOWED_HOSTS = []\n")
    with serving(project, "--local-hosts", "off") as server:
        server.wait_for("ready")
        said = [seen["text"] for seen in server.found("warning")]
        assert "ALLOWED_HOSTS is empty: every request is answered 400" in said


def test_a_second_application_of_the_same_kind_is_named_and_the_same_one_twice_is_one(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    (project / "pages" / "other.py").write_text(
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    )
    with serving(project, "--app", APP, "--app", "pages.other:application") as server:
        server.wait_for("ready")
        (said,) = (seen["text"] for seen in server.found("warning") if "not served" in seen["text"])
        assert said == (
            "pages.other:application is not served: the WSGI application is pages.wsgi:application, named first"
        )
        assert server.get("/") == "hello"


def test_a_database_that_nobody_names_is_told_at_the_start_and_pages_without_one_are_served(
    tmp_path: Path,
) -> None:
    project = write_project(
        tmp_path,
        settings="import os\nINSTALLED_APPS += ['django.contrib.auth']\nDB = os.environ.get('SHOP_DATABASE_URL')\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': DB}} if DB else {}\n",
    )
    with serving(project) as server:
        server.wait_for("ready")
        (said,) = (
            seen["text"] for seen in server.found("warning") if seen["text"].startswith("the settings")
        )
        assert said.endswith("; SHOP_DATABASE_URL, which pages/settings.py:10 reads, is not set")
        assert server.get("/") == "hello"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_router_of_websockets_alone_leaves_the_pages_to_django(tmp_path: Path, is_async: bool) -> None:
    route = "urlpatterns.append(path('later/', later))\n"
    view = f"async def later(request):\n    return HttpResponse('later')\n\n\n{route}" if is_async else ""
    project = write_project(tmp_path, urls=f"\n\n{view}")
    # As channels.routing.ProtocolTypeRouter of Channels 4.
    (project / "pages" / "asgi.py").write_text(
        "import os\nimport django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'pages.settings')\n"
        "django.setup()\n\n\nclass Router:\n    def __init__(self, mapping):\n"
        "        self.application_mapping = mapping\n\n    async def __call__(self, scope, receive, send):\n"
        "        if scope['type'] not in self.application_mapping:\n            raise ValueError(scope['type'])\n\n\n"
        "application = Router({'websocket': None})\n"
    )
    with serving(project, "--app", "pages.asgi:application") as server:
        server.wait_for("ready")
        (told,) = (seen["text"] for seen in server.found("entry"))
        assert told == "pages.asgi:application answers WebSockets, and has no application for http"
        assert server.get("/") == "hello"
        assert not is_async or server.get("/later/") == "later"


def test_hosts_of_a_variable_that_is_not_set_are_no_hosts(tmp_path: Path) -> None:
    project = write_project(tmp_path, settings="import os\nALLOWED_HOSTS = [os.environ.get('SHOP_DOMAIN')]\n")
    with serving(project, "--local-hosts", "on") as server:
        server.wait_for("ready")
        assert server.get("/") == "hello"


def test_a_database_in_memory_is_told_at_the_start(tmp_path: Path) -> None:
    project = write_project(
        tmp_path,
        settings="import os\nINSTALLED_APPS += ['django.contrib.auth']\n"
        "FILE = os.environ.get('SHOP_DATABASE', ':memory:')\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': FILE}}\n",
    )
    with serving(project) as server:
        server.wait_for("ready")
        said = [seen["text"] for seen in server.found("warning")]
        assert (
            "the database 'default' is in memory: each connection has one of its own, without tables, and every page "
            "that asks it is answered 500; SHOP_DATABASE, which pages/settings.py:10 reads, is not set"
        ) in said


def test_a_reload_serves_the_new_code_without_losing_a_request(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        write_project(project, urls='hello.__code__ = (lambda request: HttpResponse("new")).__code__\n')
        server.signal(signal.SIGHUP)
        server.wait_for("worker-ready", count=4)
        server.wait_for("worker-ended", count=2)
        assert server.get("/") == "new"
        assert server.stop() == 0


def test_a_reload_of_broken_code_keeps_the_old_serving_and_says_why(project: Path) -> None:
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        write_project(project, settings="1 / 0\n")
        server.signal(signal.SIGHUP)
        server.wait_for("reload-failed")
        why = server.wait_for("worker-start-failed")["text"]
        assert "ZeroDivisionError" in why
        assert "settings.py" in why
        assert server.get("/") == "hello"
        write_project(project)
        server.signal(signal.SIGHUP)
        server.wait_for("worker-ended", count=2)
        assert server.get("/") == "hello"


def test_the_supervisor_is_small() -> None:
    program = (
        "import sys; before = set(sys.modules)\n"
        "import nuages.runtime.supervisor, nuages.runtime.status\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    heavy = {"uvicorn", "django", "asyncio", "logging", "subprocess", "tempfile", "ctypes", "ssl"}
    assert heavy & set(shown.stdout.split()) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_only_workers_need_is_not_in_the_supervisor(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        mapped = Path(f"/proc/{server.pid}/maps").read_text()
    # Each is megabytes that stay for as long as it serves: OpenSSL comes with hashlib and asyncio.
    assert [name for name in ("libssl", "libcrypto", "httptools", "uvloop") if name in mapped] == []
