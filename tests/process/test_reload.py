"""SIGHUP: new code beside the old, under load; broken code leaves the old serving and is named; TTIN and TTOU."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
from tests.process.clients import asking
from tests.process.harness import IN_A_GROUP, Server, held, named_pipe, serving, wait_until, write_project
from tests.process.test_nothing_is_lost import fewest_ready

NEW = 'hello.__code__ = (lambda request: HttpResponse("new")).__code__\n'
FORK = """
import os
from pathlib import Path

def begin():
    if Path(__file__).with_name("now").exists():
        os._exit(9)
"""
BROKEN = {
    "syntax": ({"urls": "def hello(:\n"}, "SyntaxError", 'urls.py", line '),
    "import": ({"urls": "import no_such_module\n"}, "no_such_module", 'urls.py", line '),
    "settings": ({"settings": "DATABASES = 1 / 0\n"}, "ZeroDivisionError", 'settings.py", line 8'),
}


def has_said(server: Server, text: str) -> bool:
    """Return whether a line of the log has this text, be it an event's or the stack of what hangs."""
    texts = [str(event.get("text")) for event in server.events.objects()]
    return any(text in line for line in (*texts, *server.events.all()))


def _gone(server: Server, workers: list[int]) -> None:
    """Wait until these have ended: by number, for those that a reload began in vain end too."""
    for pid in workers:
        server.wait_for("worker-ended", pid=pid)


@pytest.mark.parametrize("how", [*BROKEN, "hang"])
def test_broken_code_loses_nothing_and_is_named_and_what_mends_it_is_served(project: Path, how: str) -> None:
    pipe = named_pipe(project)
    texts, *said = BROKEN.get(how, ({"settings": f'open("{pipe}").read()\n'}, "", 'settings.py", line 8'))
    patience = "8s" if how == "hang" else "30s"
    with serving(project, "--workers", "2", "--start-timeout", patience) as server:
        server.wait_for("worker-ready", count=2)
        old = server.workers()
        with asking(server.address, "--rate", "100", "--bodies") as clients:
            clients.more(20)
            write_project(project, **texts)
            server.signal(signal.SIGHUP)
            assert "the old goes on serving" in server.wait_for("reload-failed")["text"]
            for text in said:
                assert has_said(server, text), server.said
            clients.more(20)
            write_project(project, urls=NEW)
            server.signal(signal.SIGHUP)
            _gone(server, old)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert set(clients.tally.bodies) == {"hello", "new"}
        assert server.get("/") == "new"
        assert fewest_ready(server, 2) == 2
        assert 0 not in {event.get("pid") for event in server.events.objects()}
        assert server.stop() == 0


def test_a_stop_while_new_code_loads_is_obeyed_at_once(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        write_project(project, settings=f'open("{pipe}").read()\n')
        server.signal(signal.SIGHUP)
        with held(pipe):
            assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_who_dies_or_stalls_while_new_code_loads_is_followed_by_one_of_the_old(
    project: Path, number: signal.Signals
) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--stall-timeout", "1s") as server:
        first = server.wait_for("worker-ready")["pid"]
        write_project(project, settings=f'open("{pipe}").read()\n')
        server.signal(signal.SIGHUP)
        with held(pipe):
            write_project(project, urls=NEW)
            os.kill(first, number)
            second = server.wait_for("worker-ready", count=2)["pid"]
            assert server.get("/") == "hello", "the old code, for the new one loads still"
        server.wait_for("worker-ended", pid=second)
        assert server.get("/") == "new"
        assert server.found("reload-failed") == []
        assert server.stop() == 0


@pytest.mark.parametrize("preload", ["off", "auto"])
def test_who_is_missing_comes_back_although_sighups_come_faster_than_the_project_loads(
    project: Path, preload: str
) -> None:
    """With auto a thread of the project's is in the way of a fork."""
    pipe = named_pipe(project)
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    write_project(project, settings=thread)
    with serving(project, "--workers", "2", "--preload", preload) as server:
        server.wait_for("worker-ready", count=2)
        serve: set[str] = set()  # who has served until it died is followed at once
        wait_until(lambda: serve.add(server.get("/pid/")) or len(serve) == 2, "both have answered")
        write_project(project, settings=f'{thread}open("{pipe}").read()\n')
        server.signal(signal.SIGHUP)
        with held(pipe):
            write_project(project, settings=thread)
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
            server.wait_for("worker-died", count=2)
            for number in (2, 3):
                server.signal(signal.SIGHUP)
                server.wait_for("signal", count=number)
        ready = [server.wait_for("worker-ready", count=count)["worker"] for count in (3, 4)]
        assert sorted(ready) == [3, 4], server.said
        server.wait_for("worker-ended", worker=3)  # the newest code serves; perhaps 4 has begun with that
        assert server.stop() == 0
    assert len(server.found("worker-died")) == 2
    assert "Traceback" not in server.said


def test_a_signal_that_comes_too_late_is_said_to_do_nothing(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "1", "--drain", "1s") as server:
        server.wait_for("worker-ready")
        exchange = server.begin(f"/hold/?pipe={pipe}")
        with held(pipe):
            server.signal(signal.SIGTERM)
            server.wait_for("draining")
            server.signal(signal.SIGHUP)
            server.wait_for("stopping")
            server.signal(signal.SIGTTIN)
            said = server.wait_for("signal", count=3)["text"]
        assert exchange.answer().status == 200
        assert server.wait() == 0
        assert server.found("signal")[1]["text"] == "SIGHUP came: no new code is loaded, for the server stops"
        assert said == "SIGTTIN came: the number of workers stays, for the server stops"
        assert len(server.found("preloaded")) == 1


def test_two_reloads_at_once_are_one(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2") as server:
        server.wait_for("worker-ready", count=2)
        old = server.workers()
        write_project(project, settings=f'open("{pipe}").read()\n')
        server.signal(signal.SIGHUP)
        with held(pipe):
            # What the first one loads may be old already: the second begins anew, and only its code gets to serve.
            write_project(project, urls=NEW)
            server.signal(signal.SIGHUP)
            server.wait_for("worker-ready", count=4)
        _gone(server, old)
        assert server.get("/") == "new"
        assert len(server.found("worker-ready")) == 4
        assert server.found("reload-failed") == []
        assert server.stop() == 0


def test_the_number_of_workers_changes_with_ttin_and_ttou_and_loses_nothing(project: Path) -> None:
    with serving(project, "--workers", "1") as server:
        server.wait_for("ready")
        with asking(server.address, "--rate", "100") as clients:
            server.signal(signal.SIGTTIN)
            server.wait_for("worker-ready", count=2)
            clients.more(20)
            server.signal(signal.SIGTTOU)
            assert server.wait_for("worker-retires")["reason"] == "fewer workers were asked for"
            server.wait_for("worker-ended")
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        assert len(server.workers()) == 1


def test_a_worker_that_dies_at_every_start_is_tried_less_and_less_often(project: Path) -> None:
    """The code is the running one, so there is nothing to go back to: the zygote loads it and its workers die."""
    (project / "pages" / "fork.py").write_text(FORK)
    with serving(project, "--workers", "2", "--after-fork", "pages.fork:begin") as server:
        server.wait_for("worker-ready", count=2)
        (project / "pages" / "now").touch()
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("worker-died", count=4)
        died = [datetime.fromisoformat(seen["time"].rstrip("Z")) for seen in server.found("worker-died")]
        assert (died[2] - died[1]).total_seconds() >= 0.4
        assert (died[3] - died[2]).total_seconds() >= 0.9
        waits = server.wait_for("worker-waits", count=2)["text"]
        # A second from the last death, as far as this machine has told it at once.
        assert re.fullmatch(
            r"the next worker is started in (0\.\d|1\.0) s, for 3 in a row have died without answering", waits
        )
        assert server.get("/") == "hello"
        (project / "pages" / "now").unlink()
        server.wait_for("worker-ready", count=3)
        assert server.stop() == 0


def test_a_signal_to_the_whole_group_is_the_supervisor_s_alone(project: Path) -> None:
    with serving(project, "--workers", "1", "--drain", "1s", wrapper=("setsid",)) as server:
        server.wait_for("worker-ready")
        old = server.workers()
        with asking(server.address, "--rate", "100") as clients:
            clients.more(20)
            os.killpg(server.pid, signal.SIGHUP)
            _gone(server, old)
            clients.more(20)
        assert clients.tally.failures == {}, clients.tally
        os.killpg(server.pid, signal.SIGTERM)
        assert server.wait() == 0
        assert [server.found(name) for name in ("worker-died", "zygote-died")] == [[], []]


def test_more_and_fewer_workers_may_be_asked_of_the_whole_group(project: Path) -> None:
    with serving(project, "--workers", "1", wrapper=IN_A_GROUP) as server:
        server.wait_for("worker-ready")
        os.killpg(server.pid, signal.SIGTTIN)
        server.wait_for("worker-ready", count=2)
        assert server.get("/") == "hello"
        os.killpg(server.pid, signal.SIGTTOU)
        server.wait_for("worker-ended")
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_what_means_another_program_elsewhere_leaves_the_whole_group_alone(project: Path) -> None:
    with serving(project, "--workers", "1", wrapper=IN_A_GROUP) as server:
        server.wait_for("worker-ready")
        os.killpg(server.pid, signal.SIGUSR2)
        assert "SIGHUP loads new code" in server.wait_for("signal")["text"]
        assert server.get("/") == "hello"
        assert server.found("worker-died") == server.found("zygote-died") == []


def test_there_may_be_more_workers_than_at_the_start_and_a_limit_is_said(project: Path) -> None:
    with serving(project, "--workers", "16") as server:
        server.wait_for("worker-ready", count=16)
        server.signal(signal.SIGTTIN)
        assert server.wait_for("signal")["text"] == "SIGTTIN came: 17 workers"
        server.wait_for("worker-ready", count=17)
    with serving(project, "--workers", "1") as server:
        server.wait_for("worker-ready")
        server.signal(signal.SIGTTOU)
        assert server.wait_for("signal")["text"] == "SIGTTOU came: there are never fewer than 1 worker"


def test_where_no_place_is_left_on_the_scoreboard_the_old_code_goes_on(project: Path, tmp_path: Path) -> None:
    """Places run out where many workers still finish requests; here there is one in all."""
    (tmp_path / "sitecustomize.py").write_text(
        "from nuages.runtime import crew\ncrew._SLOTS_EACH = crew._LEAST_SLOTS = 1\n"
    )
    with serving(project, "--workers", "1", environ={"PYTHONPATH": str(tmp_path)}) as server:
        server.wait_for("worker-ready")
        server.signal(signal.SIGHUP)
        said = server.wait_for("worker-start-failed")["text"]
        assert said.endswith("the 1 places are taken by workers that have not ended")
        server.wait_for("reload-failed")
        assert server.get("/") == "hello"
        assert server.stop() == 0


def test_a_pause_of_the_container_is_no_time_that_new_code_took_to_load(project: Path) -> None:
    pipe = named_pipe(project)
    with serving(project, "--workers", "2", "--start-timeout", "12s") as server:
        server.wait_for("worker-ready", count=2)
        write_project(project, settings=f'open("{pipe}").read()\n')
        server.signal(signal.SIGHUP)
        with held(pipe):
            server.signal(signal.SIGSTOP)
            resumes = time.monotonic() + 13
            wait_until(lambda: time.monotonic() > resumes, "the pause is over")
            server.signal(signal.SIGCONT)
        server.wait_for("worker-ready", count=4)
        assert server.found("reload-failed") == []
        assert server.stop() == 0
