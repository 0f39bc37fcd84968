"""Inside a memory limit that the kernel sets: a real cgroup."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from benchmarks import limits
from tests.process.clients import asking
from tests.process.harness import DEADLINE, Server, serving, wait_until, write_project
from tests.process.test_nothing_is_lost import fewest_ready
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

MB = 1 << 20


@contextlib.contextmanager
def group_of(limit: int) -> Iterator[limits.Group]:
    """Make a memory cgroup."""
    with contextlib.ExitStack() as stack:
        try:
            group = stack.enter_context(limits.limited(limit))
        except OSError as error:
            pytest.skip(str(error))
        yield group


@contextlib.contextmanager
def limited(limit: int) -> Iterator[Sequence[str]]:
    """Make a memory cgroup and give the command that enters it."""
    with group_of(limit) as group:
        yield group.wrapper


def test_as_many_workers_as_fit_the_memory_after_one_was_measured(project: Path) -> None:
    with limited(200 * MB) as wrapper, serving(project, "--workers", "auto", wrapper=wrapper) as server:
        first = server.wait_for("listening")
        assert first["workers"] == 1
        assert first["reason"].startswith("200 MB of memory by /sys/fs/cgroup/")
        measured = server.wait_for("measured")
        server.wait_for("worker-ready", count=measured["workers"])
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_project_that_does_not_fit_the_memory_at_all_says_what_killed_it(tmp_path: Path) -> None:
    project = write_project(
        tmp_path, settings=f"HUGE = bytearray({300 * MB})\nHUGE[::4096] = b'x' * len(HUGE[::4096])\n"
    )
    with limited(100 * MB) as wrapper, serving(project, wrapper=wrapper) as server:
        error = server.error()
        assert server.wait() == 3
    assert "was killed by SIGKILL: perhaps out of memory" in error


BALLAST = f"BALLAST = bytearray({60 * MB})\nBALLAST[::4096] = b'x' * len(BALLAST[::4096])\n"


def test_a_worker_is_forked_beside_the_old_one_where_only_a_whole_one_would_not_fit(tmp_path: Path) -> None:
    """What it shares with its zygote costs nothing: the project is in memory once, however many workers there are."""
    project = write_project(tmp_path / "project", settings=BALLAST)
    with limited(150 * MB) as wrapper, serving(project, "--workers", "2", wrapper=wrapper) as server:
        server.wait_for("worker-ready", count=2)
        for number in range(1, 5):
            os.kill(server.workers()[0], signal.SIGTERM)
            server.wait_for("worker-ended", count=number)
        assert fewest_ready(server, 2) == 2
        assert server.found("memory-short") == server.found("out-of-memory") == []
        assert server.stop() == 0


def test_where_a_second_worker_does_not_fit_the_old_one_ends_first_and_nothing_fails(tmp_path: Path) -> None:
    """Nobody serves for a moment, which is said aloud; who comes in it waits in the sockets' queues."""
    project = write_project(tmp_path / "project", settings=BALLAST)
    options = ("--workers", "1", "--preload", "off")
    with limited(150 * MB) as wrapper, serving(project, *options, wrapper=wrapper) as server:
        first = server.wait_for("worker-ready")["pid"]
        assert "does not fit" in server.wait_for("memory-short")["text"]
        with asking(server.address, "--rate", "50") as clients:
            clients.more(20)
            os.kill(first, signal.SIGTERM)
            assert "another starts when it has ended" in server.wait_for("worker-retires")["text"]
            server.wait_for("worker-ready", count=2)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert server.found("out-of-memory") == []
        assert server.stop() == 0


OWN = f"""\
def begin():
    global own
    own = bytearray({20 * MB})
    own[::4096] = b"x" * len(own[::4096])
"""


@contextlib.contextmanager
def heavy_workers(folder: Path, wrapper: Sequence[str]) -> Iterator[tuple[Path, Server]]:
    """Four workers with 20 MB of their own each, of a project with 60 MB: 75 MB more for its code a second time."""
    project = write_project(folder, settings=BALLAST)
    (project / "pages" / "fork.py").write_text(OWN)
    options = ("--workers", "4", "--after-fork", "pages.fork:begin", "--recycle-memory", "off")
    with serving(project, *options, wrapper=wrapper) as server:
        server.wait_for("worker-ready", count=4)
        yield project, server


def ready_after_loading(server: Server, *, generation: int) -> int:
    """Return how many workers have got ready since that code was loaded."""
    events = server.events.objects()
    loaded = (at for at, seen in enumerate(events) if seen.get("generation") == generation)
    since = next(loaded, len(events))
    return sum(seen["event"] == "worker-ready" for seen in events[since:])


def test_new_code_that_fits_only_in_the_memory_of_some_workers_has_them_end_first(tmp_path: Path) -> None:
    with (
        limited(270 * MB) as wrapper,
        heavy_workers(tmp_path / "project", wrapper) as (project, server),
        asking(server.address, "--rate", "50") as clients,
    ):
        for turn in (1, 2):
            clients.more(20)
            urls = project / "pages" / "urls.py"
            urls.write_text(
                urls.read_text() + f"\nhello = lambda request: HttpResponse({str(turn)!r})\n"
                "urlpatterns[0] = path('', hello)\n"
            )
            server.signal(signal.SIGHUP)
            text = server.wait_for("memory-short", count=turn, workers=3)["text"]
            assert "3 workers end first; " in text, "nothing is missing then"
            server.wait_for("worker-ready", count=4 + 4 * turn)
            server.wait_for("worker-ended", count=4 * turn)
            assert server.get("/") == str(turn)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert server.found("out-of-memory") == server.found("worker-died") == []
        assert server.stop() == 0


GROWS = f"""\
own = []

def grow(request):
    by = int(request.GET["by"])
    own.extend(b"x" * {MB} for _ in range(by - len(own)))
    return HttpResponse(os.getpid())

urlpatterns.append(path("grow", grow))
"""


@pytest.mark.parametrize(
    ("limit", "workers", "by", "serve"),
    [(255, 1, 50, 1), (275, 2, 50, 2), (252, 4, 16, 2)],
    ids=["alone", "all fit", "some fit"],
)
def test_new_code_takes_what_workers_have_taken_since_they_were_forked(
    tmp_path: Path, limit: int, workers: int, by: int, serve: int
) -> None:
    """Fresh ones follow them first: these share all they have with their zygote, and serve while the code loads."""
    project = write_project(tmp_path / "project", settings=BALLAST, urls=GROWS)
    options = ("--workers", f"{workers}", "--recycle-memory", "off")
    with limited(limit * MB) as wrapper, serving(project, *options, wrapper=wrapper) as server:
        server.wait_for("worker-ready", count=workers)
        grown = set()
        while (
            len(grown) < workers
        ):  # over connections that are kept, as browsers keep theirs for a minute or so
            grown.add(server.begin(f"/grow?by={by}").answer().text)
        with asking(server.address, "--rate", "50") as clients:
            clients.more(20)
            server.signal(signal.SIGHUP)
            assert "taken for itself" in server.wait_for("worker-retires")["text"]
            wait_until(
                lambda: ready_after_loading(server, generation=1) == workers,
                f"new workers in:\n{server.said}",
            )
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert fewest_ready(server, workers) >= serve
        assert server.found("reload-failed") == server.found("out-of-memory") == []
        assert server.stop() == 0


SOCKET = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pages.settings")
from django.core.asgi import get_asgi_application

pages = get_asgi_application()


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        return await send({"type": "lifespan.startup.complete"})
    if scope["type"] != "websocket":
        return await pages(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
"""


def test_new_code_takes_the_memory_of_who_lingers_before_that_of_who_serves(tmp_path: Path) -> None:
    """A WebSocket has kept the code before last in memory: one worker alone would serve nobody in the meantime."""
    project = write_project(tmp_path / "project", settings=BALLAST)
    (project / "pages" / "asgi.py").write_text(SOCKET)
    app = "pages.asgi:application"
    with limited(280 * MB) as wrapper, serving(project, "--workers", "1", wrapper=wrapper, app=app) as server:
        server.wait_for("worker-ready")
        with (
            connect(f"ws://{server.address}/") as one,
            asking(server.address, "--rate", "50", "--kind", "fresh") as clients,
        ):
            clients.more(20)
            server.signal(signal.SIGHUP)
            server.wait_for("worker-lingers")
            server.signal(signal.SIGHUP)
            with pytest.raises(ConnectionClosed):
                one.recv(timeout=DEADLINE)
            server.wait_for("worker-ready", count=3)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert fewest_ready(server, 1) == 1
        assert server.found("memory-short") == server.found("out-of-memory") == []
        assert server.stop() == 0


def test_the_old_zygote_makes_room_for_the_first_worker_of_the_new_one(tmp_path: Path) -> None:
    with limited(270 * MB) as wrapper, heavy_workers(tmp_path / "project", wrapper) as (project, server):
        old = server.wait_for("preloaded")["pid"]
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        waits = f"import os\ndef begin():\n    os.path.exists({str(pipe)!r}) and open({str(pipe)!r}).read()\n"
        (project / "pages" / "fork.py").write_text(waits)
        server.signal(signal.SIGHUP)
        server.wait_for("preloaded", count=2)
        with pipe.open("w"):  # the worker is at the other end
            wait_until(lambda: not Path(f"/proc/{old}").exists(), "the old zygote has ended")
            assert server.get("/") == "hello"
            pipe.unlink()
        server.wait_for("worker-ready", count=8)
        assert server.found("out-of-memory") == []
        assert server.stop() == 0


def test_where_workers_ended_for_new_code_that_does_not_load_there_are_as_many_as_before(
    tmp_path: Path,
) -> None:
    with limited(270 * MB) as wrapper, heavy_workers(tmp_path / "project", wrapper) as (project, server):
        settings = project / "pages" / "settings.py"
        settings.write_text(settings.read_text() + "raise ValueError('broken')\n")
        server.signal(signal.SIGHUP)
        server.wait_for("memory-short")
        server.wait_for("reload-failed")
        server.wait_for("worker-ready", count=7)
        assert server.get("/") == "hello"
        assert server.found("out-of-memory") == []
        assert server.stop() == 0


def test_new_code_that_is_mended_at_once_finds_the_memory_of_those_that_ended_for_the_broken(
    tmp_path: Path,
) -> None:
    with (
        limited(270 * MB) as wrapper,
        heavy_workers(tmp_path / "project", wrapper) as (project, server),
        asking(server.address, "--rate", "50") as clients,
    ):
        settings = project / "pages" / "settings.py"
        good = settings.read_text()
        settings.write_text(good + "raise ValueError('broken')\n")
        server.signal(signal.SIGHUP)
        server.wait_for("reload-failed")
        settings.write_text(good)
        server.signal(signal.SIGHUP)
        wait_until(lambda: ready_after_loading(server, generation=2) == 4, f"new workers in:\n{server.said}")
        clients.more(20)
        assert len(server.found("reload-failed")) == 1
        assert server.found("out-of-memory") == server.found("worker-died") == []
    assert clients.tally.failures == {}, clients.tally


def test_new_code_finds_memory_where_the_process_that_had_loaded_the_old_was_killed(tmp_path: Path) -> None:
    """What the project takes is known from before: nothing that lives has it for itself any more."""
    with limited(270 * MB) as wrapper, heavy_workers(tmp_path / "project", wrapper) as (_, server):
        os.kill(server.wait_for("preloaded")["pid"], signal.SIGKILL)
        server.wait_for("zygote-died")
        server.signal(signal.SIGHUP)
        server.wait_for("memory-short", workers=3)
        wait_until(lambda: ready_after_loading(server, generation=1) == 4, f"new workers in:\n{server.said}")
        assert server.found("reload-failed") == server.found("out-of-memory") == []
        assert server.stop() == 0


def test_new_code_that_does_not_fit_beside_the_old_costs_the_old_nothing(tmp_path: Path) -> None:
    """The kernel ends who still loads, and not those that serve."""
    project = write_project(tmp_path / "project", settings=BALLAST)
    with limited(150 * MB) as wrapper, serving(project, "--workers", "2", wrapper=wrapper) as server:
        server.wait_for("worker-ready", count=2)
        with asking(server.address, "--rate", "50") as clients:
            clients.more(20)
            server.signal(signal.SIGHUP)
            text = server.wait_for("memory-short")["text"]
            assert "the old one ends first, and even so" in text
            assert "MB are missing: it may not load" in text
            assert "that loads the project was killed" in server.wait_for("zygote-died")["text"]
            server.wait_for("reload-failed")
            server.wait_for("out-of-memory")
            server.wait_for("worker-ready", count=3)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert server.found("worker-not-forked")
        assert server.found("worker-died") == []
        assert server.stop() == 0
