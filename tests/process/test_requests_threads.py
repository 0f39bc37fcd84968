"""What the threads of sync views keep from request to request, what they give back, and who finds none free."""

from __future__ import annotations

import http.client
import os
import resource
import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.process.harness import DEADLINE, held, named_pipe, serving, wait_until, write_project

from nuages.runtime.staff import WARM
from nuages.runtime.threads import MOST_QUEUED

TOGETHER = WARM + 6  # requests at once, each in a thread of its own

CACHES = """
CACHES = {
    name: {"BACKEND": "pages.counted.Cache", "LOCATION": name} for name in ("default", "sessions")
}
"""
COUNTED = """
from django.core.cache.backends.locmem import LocMemCache

made = []


class Cache(LocMemCache):
    def __init__(self, name, params):
        made.append(name)
        super().__init__(name, params)
"""
URLS = f"""
import threading
from django.core.cache import caches
from django.db import connection
from django.http import StreamingHttpResponse
from nuages.runtime.connections import count_open
from pages import counted
def cached(request):
    for alias in ("default", "sessions"):
        caches[alias].set("key", alias)
    return HttpResponse(f"{{threading.current_thread().name}} {{len(counted.made)}}")
barrier = threading.Barrier({TOGETHER})
def together(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    barrier.wait(30)
    return HttpResponse(threading.current_thread().name)
def opened(request):
    return HttpResponse(str(count_open()))
def events(request):
    def told():
        with open(request.GET["pipe"], "rb") as pipe:
            yield b"data: " + pipe.read() + b"\\n\\n"
        1 / int(request.GET["divisor"])
    return StreamingHttpResponse(told(), content_type="text/event-stream")
urlpatterns += [
    path("cached/", cached), path("together/", together), path("opened/", opened), path("events/", events),
]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "database.sqlite3")}
    settings = f"{CACHES}DATABASES = {{'default': {database!r}}}\n"
    made = write_project(tmp_path / "project", settings=settings, urls=URLS)
    (made / "pages" / "counted.py").write_text(COUNTED)
    return made


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the queue is long, and more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MOST_QUEUED:
        pytest.skip(f"the hard limit on open files is {hard} here: a full queue needs more connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MOST_QUEUED), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_threads_requests_share_the_client_of_each_cache(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        answers = [server.get("/cached/").split() for _ in range(20)]
        threads, clients = {thread for thread, _ in answers}, [int(made) for _, made in answers]
        assert clients[-1] - clients[0] <= 2 * (len(threads) - 1)  # none but those of another thread


def test_only_the_threads_that_were_used_last_keep_their_connections(project: Path) -> None:
    with serving(project, "--workers", "1") as server, ThreadPoolExecutor(TOGETHER) as clients:
        server.wait_for("ready")
        threads = set(clients.map(server.get, ["/together/"] * TOGETHER))
        assert len(threads) == TOGETHER
        # The one that tells is busy, and not among those.
        wait_until(lambda: int(server.get("/opened/")) <= WARM + 1, f"{WARM} and one connections are open")


def test_who_finds_no_thread_in_time_is_answered_503(project: Path) -> None:
    pipe = named_pipe(project)
    options = ("--workers", "1", "--threads", "1", "--timeout", "1s", "--timeout-path", "/hold=1m")
    with serving(project, *options) as server:
        server.wait_for("ready")
        patient = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            answer = server.begin("/").answer()
            assert (answer.status, answer.getheader("Retry-After")) == (503, "1")
        assert patient.answer().status == 200


def test_without_a_single_thread_views_are_answered_503_at_once_and_the_server_ends_as_usual(
    tmp_path: Path,
) -> None:
    # No room for their stacks: pthread_create(3) fails as it does at a limit of processes.
    urls = """
import threading
async def fewer(request):
    threading.stack_size(1 << 47)
    return HttpResponse("no more threads")
async def more(request):
    threading.stack_size(0)
    return HttpResponse("threads")
urlpatterns += [path("fewer/", fewer), path("more/", more)]
"""
    project = write_project(tmp_path / "project", urls=urls)
    asgi = "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"
    (project / "pages" / "asgi.py").write_text(asgi)
    with serving(project, "--workers", "1", "--timeout", "1m") as server:
        server.wait_for("ready")
        server.get("/fewer/")
        answer = server.begin("/").answer()
        assert (answer.status, answer.getheader("Retry-After")) == (503, "1")
        assert server.wait_for("threads")["text"].startswith("no more threads: can't start new thread.")
        server.get("/more/")
        wait_until(lambda: server.begin("/").answer().status == 200, "threads are started again")
        assert server.stop() == 0
        server.wait_for_request(path="/fewer/")  # the log's own thread could not start then
        server.wait_for_request(path="/", status=503)
        assert "Traceback" not in server.said


def test_a_stopping_worker_joins_only_threads_that_run(tmp_path: Path) -> None:
    """One that is just being started is among them before the system lets it, or refuses it."""
    urls = """
import threading
from nuages.runtime.poolthread import PoolThread
def start(request):
    pool = threading.current_thread().pool
    pool.threads.add(PoolThread(pool, 99))
    return HttpResponse("")
urlpatterns += [path("start/", start)]
"""
    project = write_project(tmp_path / "project", urls=urls)
    with serving(project, "--workers", "1") as server:
        server.get("/start/")
        assert server.stop() == 0
        assert server.found("worker-ended")
        assert server.found("worker-died") == []
        assert "Traceback" not in server.said


@pytest.mark.usefixtures("many_files")
def test_who_finds_the_queue_full_is_answered_503_at_once(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--threads", "1", "--timeout", "5m") as server:
        server.wait_for("ready")
        patient = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            asked = {one.socket: one for one in [server.begin("/") for _ in range(MOST_QUEUED + 1)]}
            answered = select.poll()
            for one in asked:
                answered.register(one, select.POLLIN)
            descriptor = answered.poll(DEADLINE * 1000)[0][0]
            refused = next(asked.pop(one) for one in asked if one.fileno() == descriptor).answer()
            assert (refused.status, refused.getheader("Retry-After")) == (503, "1")
        assert patient.answer().status == 200
        assert {one.answer().status for one in asked.values()} == {200}


def test_an_event_stream_is_open_before_its_first_event(project: Path) -> None:
    quiet, stuck = named_pipe(project, "quiet"), named_pipe(project, "stuck")
    with serving(project, "--timeout", "1s", "--stuck-timeout", "1m") as server:
        server.wait_for("ready")
        listening = server.begin(f"/events/?pipe={quiet}&divisor=1")
        with held(quiet) as pipe:
            stream = http.client.HTTPResponse(listening.socket)
            stream.begin()  # a browser tells its page now that the stream is open
            assert (stream.status, stream.getheader("Content-Type")) == (200, "text/event-stream")
            late = server.begin(f"/hold/?pipe={stuck}")
            with held(stuck):
                assert late.answer().status == 504  # so long it may take until a page's answer begins
            os.write(pipe, b"hello")
        assert stream.read() == b"data: hello\n\n"


def test_an_event_stream_that_fails_ends_without_its_end(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project) as server:
        server.wait_for("ready")
        listening = server.begin(f"/events/?pipe={pipe}&divisor=0")
        with held(pipe):
            pass
        with pytest.raises(http.client.IncompleteRead):
            listening.answer()
        assert "ZeroDivisionError" in server.wait_for("application")["text"]
