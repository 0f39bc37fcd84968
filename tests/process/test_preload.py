"""Workers forked from a loaded project: what they share, what each has for itself, and what must not be forked."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.process.databases import postgresql
from tests.process.harness import (
    DEADLINE,
    Server,
    alive,
    children,
    held,
    named_pipe,
    serving,
    wait_until,
    write_project,
)

URLS = """
import asyncio
import gc
import json
import random
import sys
import threading
import weakref


class Plain:
    pass


class Equal(type):
    def __eq__(cls, other):
        return NotImplemented


class Unhashable(metaclass=Equal):
    pass


UNHASHABLE = Unhashable()
UNHASHABLE.own = UNHASHABLE


class Ends:
    def __del__(self):
        ENDED.append(os.getpid())


def is_for_good(one):
    return sys.getrefcount(one) == sys.getrefcount(None)


def ends(request):
    KEPT.clear()
    return HttpResponse(json.dumps([ENDED, FINALIZED, len(WATCHED)]))


ENDED, FINALIZED, KEPT, PLAIN = [], [], [Ends(), Plain(), Plain()], Plain()
WATCHED = weakref.WeakSet([KEPT[1]])
weakref.finalize(KEPT[2], FINALIZED.append, True)


def state(request):
    return HttpResponse(json.dumps({
        "for good": [is_for_good(one) for one in (state, Plain, PLAIN, state.__code__, KEPT, HttpResponse)],
        "for now": [is_for_good(one) for one in (*KEPT, request, sys.stdout, Plain())],
        "pid": os.getpid(), "random": random.random(), "gc": gc.isenabled(), "frozen": gc.get_freeze_count(),
        "arenas": os.environ.get("MALLOC_ARENA_MAX"), "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
        "notes": NOTES,
    }))


NOTES = []
urlpatterns += [path("state/", state), path("ends/", ends)]
"""
FORKS = """
import os
from pages import urls

def before():
    urls.NOTES.append(f"before in {os.getpid()}")

def after():
    urls.NOTES.append(f"after in {os.getpid()}")
"""
THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True, name="poller").start()
"""
CONNECTION = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
"""
RENDERER = """
import subprocess
RENDERER = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
"""
ARCHIVE = """
import zipfile
ARCHIVE = zipfile.ZipFile(__file__ + ".zip", "w")
ARCHIVE.writestr("member", "text")
ARCHIVE.close()
ARCHIVE = zipfile.ZipFile(__file__ + ".zip")
"""
FOLDERS = """
import atexit
import shutil
import tempfile
import weakref

def note(word):
    with open("ended", "a") as file:
        file.write(f"{os.getpid()} {word}\\n")


OWN = tempfile.TemporaryDirectory(prefix="own-", dir=".")
weakref.finalize(OWN, note, "finalized")
atexit.register(note, "registered")
MADE = tempfile.mkdtemp(prefix="made-", dir=".")
atexit.register(shutil.rmtree, MADE)


def folders(request):
    return HttpResponse(" ".join(str(os.path.isdir(folder)) for folder in (OWN.name, MADE)))


urlpatterns += [path("folders/", folders)]
"""
# Not before all is made and given to atexit.
HANGS = "open('hangs', 'w').close()\nopen(os.environ['PIPE']).read()\n"
LIBRARY = """
import os
import threading

_woken = threading.Event()


def _work():
    _woken.wait(600)


def start():
    threading.Thread(target=_work, daemon=True, name="exporter").start()


os.register_at_fork(after_in_child=start)
start()
"""

DATABASE = """
import json

from django.db import connection


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def state(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        open_ones = [row[0] for row in cursor.fetchall()]
    return HttpResponse(json.dumps({
        "pid": os.getpid(), "backend": backend(), "loaded": LOADED, "open": open_ones,
    }))


LOADED = backend()
urlpatterns += [path("state/", state)]
"""


def states(server: Server, workers: int) -> dict[int, dict[str, object]]:
    """Return what each worker says of itself."""
    found: dict[int, dict[str, object]] = {}

    def all_of_them() -> bool:
        state = json.loads(server.get("/state/"))
        found[state["pid"]] = state
        return len(found) == workers

    wait_until(all_of_them, "every worker answers")
    return found


def test_workers_are_forked_from_a_project_that_was_loaded_once(project: Path) -> None:
    write_project(project, urls=URLS, settings='import os\nopen("loads", "a").write(f"{os.getpid()}\\n")\n')
    with serving(project, "--workers", "3") as server:
        server.wait_for("worker-ready", count=3)
        zygote = server.wait_for("preloaded")["pid"]
        assert (project / "loads").read_text().split() == [str(zygote)]
        assert Path(f"/proc/{zygote}/task").is_dir()
        assert len(list(Path(f"/proc/{zygote}/task").iterdir())) == 1, "nothing runs in it"
        assert not [link for link in _open(zygote) if "eventpoll" in link], "no event loop is in it"
        for pid, state in states(server, 3).items():
            assert state["gc"]
            assert int(state["frozen"]) > 10_000
            assert (state["arenas"], state["blas"]) == ("2", "1")
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            assert int(stat[1]) == server.pid, "it is the supervisor's own child"
        assert server.stop() == 0


def test_workers_do_not_count_who_uses_what_they_share(project: Path) -> None:
    """Where Python knows immortal objects: so its memory stays shared, and what has an end still has it."""
    write_project(project, urls=URLS)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        for state in states(server, 2).values():
            assert state["for good"] == [sys.version_info >= (3, 12)] * 6
            assert state["for now"] == [False] * 6
        [pid], finalized, watched = json.loads(server.get("/ends/"))
        assert pid in server.workers()
        assert (finalized, watched) == ([True], 0)
        assert server.stop() == 0


def test_a_zygote_that_has_loaded_gives_back_what_only_loading_needs(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        zygote = server.wait_for("preloaded")["pid"]
        [worker] = server.workers()
        # It does so again when no worker was asked for for a while.
        wait_until(lambda: _of_files(zygote) < _of_files(worker) / 2, "it has less of files than its worker")
        assert server.get("/") == "hello"


def _of_files(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


def _open(pid: int) -> list[str]:
    return [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]  # noqa: PTH115


def test_each_worker_has_random_numbers_of_its_own(project: Path) -> None:
    write_project(project, urls=URLS, settings="import random\nrandom.seed(1)\n")
    with serving(project, "--workers", "4") as server:
        server.wait_for("worker-ready", count=4)
        found = states(server, 4)
        assert len({state["random"] for state in found.values()}) == 4


def test_a_connection_that_loading_has_opened_is_closed_and_each_worker_opens_its_own(tmp_path: Path) -> None:
    with postgresql() as database:
        settings = f"DATABASES = {{'default': {dict(database.settings)!r}}}\n"
        project = write_project(tmp_path / "project", settings=settings, urls=DATABASE)
        with serving(project, "--workers", "2") as server:
            server.wait_for("worker-ready", count=2)
            assert server.wait_for("preloaded")
            first, second = states(server, 2).values()
            assert first["loaded"] == second["loaded"], "it was loaded once"
            assert len({str(state["backend"]) for state in (first, second)}) == 2
            loaded = first["loaded"]
            wait_until(lambda: loaded not in json.loads(server.get("/state/"))["open"], "it is closed")
            assert server.stop() == 0


def test_hooks_are_called_around_the_fork(project: Path) -> None:
    write_project(project, urls=URLS)
    (project / "pages" / "forks.py").write_text(FORKS)
    hooks = ("--before-fork", "pages.forks:before", "--after-fork", "pages.forks:after")
    with serving(project, "--workers", "2", *hooks) as server:
        server.wait_for("worker-ready", count=2)
        zygote = server.wait_for("preloaded")["pid"]
        for pid, state in states(server, 2).items():
            assert state["notes"] == [f"before in {zygote}", f"after in {pid}"]


@pytest.mark.parametrize("option", ["--before-fork", "--after-fork"])
def test_a_hook_that_fails_is_told_with_its_line_and_is_not_said_to_be_unloadable(
    project: Path, option: str
) -> None:
    (project / "pages" / "forks.py").write_text("def fails():\n    raise ValueError('no')\n")
    with serving(project, "--workers", "2", option, "pages.forks:fails") as server:
        error = server.error()
        assert server.wait() == 3
    assert error.startswith(f"error: the hook of {option} pages.forks:fails has failed\n  pages/forks.py:2\n")
    assert "ValueError: no" in error
    assert "manage.py check" not in error


def test_a_hook_that_is_not_there_is_told_once(project: Path) -> None:
    with serving(project, "--workers", "2", "--before-fork", "pages.forks:before") as server:
        error = server.error()
        assert server.wait() == 3
    assert error.count("error:") == 1
    assert "pages.forks" in error


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (THREAD, "the thread 'poller' of pages.settings would not survive a fork"),
        ("import asyncio\nLOOP = asyncio.new_event_loop()\n", "an event loop"),
        (CONNECTION, "a connection to 127.0.0.1:"),
        (RENDERER, "a pipe of pages.settings would be shared by all workers"),
        (RENDERER, " (cat) would be shared by all workers"),
        (ARCHIVE, "settings.py.zip of pages.settings would be shared by all workers"),
    ],
    ids=["thread", "loop", "connection", "pipe", "program", "file"],
)
def test_what_does_not_survive_a_fork_is_named_and_every_worker_loads_the_project(
    project: Path, settings: str, why: str
) -> None:
    loads = 'import os\nopen("loads", "a").write(f"{os.getpid()}\\n")\n'
    write_project(project, urls=URLS, settings=loads + settings)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        assert why in server.wait_for("preload-off")["why"]
        assert sorted((project / "loads").read_text().split()) == sorted(map(str, server.workers()))
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_it_is_forked_all_the_same_where_somebody_says_so(project: Path) -> None:
    write_project(project, settings=THREAD)
    with serving(project, "--workers", "2", "--preload", "on") as server:
        server.wait_for("worker-ready", count=2)
        assert any("'poller'" in seen["text"] for seen in server.found("warning"))
        assert server.wait_for("preloaded")
        assert server.get("/") == "hello"


def test_a_library_whose_thread_comes_back_after_a_fork_is_no_obstacle(project: Path) -> None:
    """The name is one of the table; that it asks for its thread by os.register_at_fork is seen when it does."""
    package = project / "posthog"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(LIBRARY)
    write_project(project, settings="import posthog\n", urls=URLS)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        assert server.found("preload-off") == []
        for pid in server.workers():
            names = [(task / "comm").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
            assert len(names) >= 2, "the worker has the library's thread"


def test_workers_load_the_project_themselves_where_somebody_says_so(project: Path) -> None:
    with serving(project, "--workers", "2", "--preload", "off") as server:
        server.wait_for("worker-ready", count=2)
        assert server.found("preloaded") == []
        assert server.get("/") == "hello"
        assert server.stop() == 0


def _folders(project: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in project.glob("*-*"))


def test_a_worker_that_ends_removes_nothing_that_was_made_before_it_was_forked(project: Path) -> None:
    write_project(project, urls=FOLDERS)
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        os.kill(server.workers()[0], signal.SIGTERM)
        server.wait_for("worker-ended")
        assert server.get("/folders/") == "True True"
        zygote = server.wait_for("preloaded")["pid"]
        workers = [seen["pid"] for seen in server.found("worker-ready")]
        assert len(workers) == 2
        assert server.stop() == 0
    # Who has made them removes them, once and when nobody needs them any more; each worker does what is its own.
    assert _folders(project) == []
    ended = sorted((project / "ended").read_text().splitlines())
    assert ended == sorted([f"{zygote} finalized", *(f"{pid} registered" for pid in workers)])


def test_who_takes_long_to_clean_up_does_not_delay_the_end(project: Path) -> None:
    write_project(project, urls=FOLDERS + "weakref.finalize(OWN, open, os.environ['PIPE'])\n")
    pipe = named_pipe(project)  # nobody ever reads it
    with serving(project, environ={"PIPE": str(pipe)}) as server:
        server.wait_for("worker-ready")
        zygote = server.wait_for("preloaded")["pid"]
        server.signal(signal.SIGTERM)
        server.wait_for("worker-ended")
        begun = time.monotonic()
        assert server.wait() == 0
        assert time.monotonic() - begun < 5
        assert not alive(zygote)


def test_the_zygote_of_a_server_that_stops_holds_no_socket_and_lives_as_long_as_its_workers(
    project: Path,
) -> None:
    """They use what it has made."""
    write_project(project, urls=FOLDERS)
    pipe, path = named_pipe(project), project / "web.sock"
    with serving(project, bind=f"unix:{path}") as server:
        zygote = server.wait_for("preloaded")["pid"]
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
            listening = next(row[6] for row in rows if row[-1] == str(path) and row[3] == "00010000")
            assert f"socket:[{listening}]" in _open(zygote)
            server.signal(signal.SIGTERM)
            wait_until(lambda: f"socket:[{listening}]" not in _open(zygote), "the zygote closes the socket")
            assert alive(zygote)
            assert _folders(project) == ["made", "own"]
        assert exchange.answer().status == 200
        assert server.wait() == 0
    assert _folders(project) == []


def test_what_a_replaced_zygote_has_made_goes_with_the_last_of_its_workers(project: Path) -> None:
    write_project(project, urls=FOLDERS)
    pipe = named_pipe(project)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        old = server.wait_for("preloaded")["pid"]
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            for number in (1, 2):
                server.signal(signal.SIGHUP)
                server.wait_for("worker-ready", count=2 + 2 * number)
                server.wait_for("worker-ended", count=2 * number - 1)
            assert alive(old), "a worker uses what it has made"
            wait_until(
                lambda: _folders(project) == ["made", "made", "own", "own"], "one zygote has cleaned up"
            )
        assert exchange.answer().status == 200
        server.wait_for("worker-ended", count=4)
        wait_until(lambda: not alive(old), "the zygote has ended")
        assert _folders(project) == ["made", "own"]
        assert server.get("/folders/") == "True True"
        assert [server.found(name) for name in ("zygote-died", "zygote-hangs")] == [[], []]
        assert server.stop() == 0
    assert _folders(project) == []


@pytest.mark.parametrize("preload", ["auto", "off"])
@pytest.mark.parametrize("file", ["tempfile.NamedTemporaryFile", "tempfile.TemporaryDirectory"])
def test_code_that_does_not_load_leaves_no_files_at_the_first_start_either(
    project: Path, file: str, preload: str
) -> None:
    write_project(project, urls=f"import tempfile\nOWN = {file}(prefix='own-', dir='.')\n1 / 0\n")
    with serving(project, "--preload", preload) as server:
        assert "ZeroDivisionError" in server.error()
    assert _folders(project) == []


@pytest.mark.parametrize("preload", ["auto", "off"])
def test_a_named_temporary_file_ends_with_its_worker(project: Path, preload: str) -> None:
    write_project(
        project, urls="import tempfile\nOWN = tempfile.NamedTemporaryFile(prefix='own-', dir='.')\n"
    )
    with serving(project, "--workers", "2", "--preload", preload) as server:
        server.wait_for("worker-ready", count=2)
        for number, pid in enumerate(server.workers(), 1):
            assert _folders(project) == ["own", "own"]
            os.kill(pid, signal.SIGTERM)
            server.wait_for("worker-ended", count=number)
        assert server.stop() == 0
    assert _folders(project) == []


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("how", ["raises", "has no workers"])
def test_what_code_has_made_that_a_reload_gives_up_is_removed(project: Path, how: str, hangs: bool) -> None:
    write_project(project, urls=FOLDERS)
    pipe = named_pipe(project)  # nobody ever reads it
    after_fork = project / "pages/forked.py"
    after_fork.write_text("def begin():\n    pass\n")
    options = ("--after-fork", "pages.forked:begin", "--workers", "1")
    with serving(project, *options, environ={"PIPE": str(pipe)}) as server:
        server.wait_for("worker-ready")
        more = "weakref.finalize(OWN, open, os.environ['PIPE'])\n" if hangs else ""
        if how == "raises":
            more += "1 / 0\n"
        else:
            after_fork.write_text("def begin():\n    1 / 0\n")
        write_project(project, urls=FOLDERS + more)
        server.signal(signal.SIGHUP)
        begun = time.monotonic()
        server.wait_for("reload-failed")
        assert time.monotonic() - begun < 60  # the start timeout would be 120
        assert "ZeroDivisionError" in server.wait_for("worker-start-failed")["text"]
        if not hangs:
            wait_until(lambda: _folders(project) == ["made", "own"], "the new code has cleaned up")
        assert server.get("/folders/") == "True True"
        assert server.stop() == 0
    assert hangs or _folders(project) == []


@pytest.mark.parametrize("preload", ["auto", "off"])
@pytest.mark.parametrize("how", ["stop", "reload"])
def test_what_code_has_made_is_removed_when_its_load_is_broken_off(
    project: Path, how: str, preload: str
) -> None:
    """By the end of the server or by newer code, while an import takes its time."""
    files = "KEPT = tempfile.NamedTemporaryFile(prefix='kept-', dir='.')\n"
    slow = FOLDERS + files + HANGS
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--preload", preload, environ={"PIPE": str(pipe)}) as server:
        server.wait_for("worker-ready")
        write_project(project, urls=slow)
        server.signal(signal.SIGHUP)
        wait_until((project / "hangs").exists, "it has made them")
        if how == "reload":
            write_project(project)
            server.signal(signal.SIGHUP)
            server.wait_for("worker-ready", count=2)
            wait_until(lambda: _folders(project) == [], "the broken load has cleaned up")
        assert server.stop() == 0
    assert _folders(project) == []
    assert [server.found(name) for name in ("zygote-died", "zygote-hangs", "exit")] == [[], [], []]


@pytest.mark.parametrize("preload", ["auto", "off"])
@pytest.mark.parametrize("hangs", [False, True])
def test_a_first_load_that_is_broken_off_leaves_nothing_and_holds_nobody_up(
    project: Path, hangs: bool, preload: str
) -> None:
    more = "weakref.finalize(OWN, open, os.environ['PIPE'])\n" if hangs else ""
    write_project(project, urls=FOLDERS + more + HANGS)
    pipe = named_pipe(project)  # nobody ever writes to it
    options = ("--preload", preload, "--workers", "1")
    with serving(project, *options, environ={"PIPE": str(pipe)}) as server:
        wait_until((project / "hangs").exists, "it has made them")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 5
    assert hangs or _folders(project) == []


@pytest.mark.parametrize(("settings", "preload"), [("", "off"), (THREAD, "auto")], ids=["off", "thread"])
def test_a_worker_that_is_given_up_in_its_warm_up_removes_what_it_has_made(
    project: Path, settings: str, preload: str
) -> None:
    write_project(project, settings=settings, urls=FOLDERS)
    pipe = named_pipe(project)
    options = ("--workers", "1", "--preload", preload, "--warmup-url", f"/hold/?pipe={pipe}")
    with serving(project, *options) as server, held(pipe):
        server.stop()
    assert _folders(project) == []


CHILD = """
import multiprocessing
import signal


def listen():
    print("listens", flush=True)
    while True:
        signal.pause()


multiprocessing.get_context("fork").Process(target=listen, daemon=True).start()
"""


@pytest.mark.parametrize("preload", ["auto", "off"])
def test_a_process_that_a_module_has_begun_ends_with_its_worker(project: Path, preload: str) -> None:
    """multiprocessing sends it SIGTERM and waits for that: what handles it here was inherited."""
    write_project(project, urls=CHILD)
    with serving(project, "--workers", "1", "--preload", preload) as server:
        pid = server.wait_for("worker-ready")["pid"]
        (listens,) = children(pid)
        server.requests.wait(lambda: "listens" in server.requests.all(), "it listens", DEADLINE)
        assert server.stop() == 0
        assert not alive(listens)
        assert server.found("worker-cut") == []


POOL = """
import multiprocessing
import signal

CONTEXT = multiprocessing.get_context("fork")


def double(number):
    return 2 * number


def listen(there):
    there.set()
    while True:
        signal.pause()


def compute(request):
    there = CONTEXT.Event()
    one = CONTEXT.Process(target=listen, args=(there,), daemon=True)
    one.start()
    there.wait()
    one.terminate()
    one.join()
    with CONTEXT.Pool(2) as pool:  # which ends its processes by SIGTERM too
        return HttpResponse(f"{one.exitcode} {pool.map(double, [1, 2, 3])}")


urlpatterns.append(path("compute/", compute))
"""


def test_processes_that_a_view_has_begun_end_by_sigterm_and_their_worker_stays(project: Path) -> None:
    """The loop's handler was theirs too, and so was what it writes into: the worker was replaced in their stead."""
    write_project(project, urls=POOL)
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        assert server.get("/compute/") == "-15 [2, 4, 6]"
        assert server.get("/") == "hello"
        assert server.stop() == 0
        assert [seen["reason"] for seen in server.found("worker-retires")] == ["the server stops"]


def _open(pid: int) -> set[str]:
    """Return what a process has open."""
    return {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}  # noqa: PTH115


@pytest.mark.parametrize(("settings", "preload"), [("", "off"), (THREAD, "auto")], ids=["off", "thread"])
def test_a_worker_that_has_loaded_the_project_removes_what_that_has_made(
    project: Path, settings: str, preload: str
) -> None:
    write_project(project, settings=settings, urls=FOLDERS)
    with serving(project, "--workers", "2", "--preload", preload) as server:
        server.wait_for("worker-ready", count=2)
        assert server.get("/folders/") == "True True"
        assert _folders(project) == ["made", "made", "own", "own"]
        assert server.stop() == 0
    assert _folders(project) == []
