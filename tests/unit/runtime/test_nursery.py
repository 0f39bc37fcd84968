"""Workers whose number comes late, or from themselves."""

from __future__ import annotations

import selectors
import signal
from dataclasses import replace
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from nuages.runtime.child import Assignment, Child, Process, to_line
from nuages.runtime.dumps import Dumps
from nuages.runtime.nursery import Nursery, Zygote


def _nursery(
    selector: selectors.BaseSelector, failed: list[int] | None = None, *, preload: str = "auto"
) -> Nursery:
    say: Any = SimpleNamespace(zygote_died=lambda _: None, preloaded=lambda *_: None)
    return Nursery(
        {}, selector, say, Dumps(selector, say), preload=preload, adopts=lambda: True, is_short=lambda: False,
        failed=lambda worker: (failed if failed is not None else []).append(worker.id),
    )  # fmt: skip


@pytest.mark.parametrize("doomed", [False, True])
def test_a_worker_that_tells_its_number_itself_is_killed_if_it_was_to_be(
    monkeypatch: pytest.MonkeyPatch, doomed: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Child, "signal", lambda worker, number: sent.append((worker.pid, number)))
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector)
        worker = Child(1, 0, 0)
        worker.doomed = doomed
        nursery.born(worker, 4711)
        nursery.born(worker, 4712)  # its zygote says it too, later
    worker.close()
    assert worker.pid == 4711
    assert sent == ([(4711, signal.SIGKILL)] if doomed else [])


ASSIGNMENT = Assignment(
    worker=1, generation=0, supervisor=0, sys_path=(), application="", settings={}, sockets=(), lent=(),
    board=0, slot=0, access_log="off", events_log="off",
)  # fmt: skip


def test_a_load_that_is_broken_off_has_a_moment_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[signal.Signals] = []
    monkeypatch.setattr(Zygote, "execute", lambda zygote, *_: setattr(zygote, "pid", 4711))
    monkeypatch.setattr(Zygote, "signal", lambda _, number: sent.append(number))
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector)
        assert nursery.next_deadline() == inf
        worker = nursery.start(ASSIGNMENT)
        nursery.drop(0)
        assert sent == [signal.SIGTERM]
        until = nursery.next_deadline()
        assert 0 < until < inf
        nursery.forgive(5.0)  # the machine slept
        assert nursery.next_deadline() == until + 5.0
        nursery.expire(until, {0})
        assert sent == [signal.SIGTERM]
        nursery.expire(until + 5.0, {0})
        assert sent == [signal.SIGTERM, signal.SIGKILL]
        assert nursery.next_deadline() == inf
        assert nursery.reaped(4711, signal.SIGKILL)
        nursery.close()
    worker.close()


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_worker_may_clean_up_that_still_loads_the_project_itself(
    monkeypatch: pytest.MonkeyPatch, is_ready: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(Process, "execute", lambda worker, *_: setattr(worker, "pid", 4711))
    monkeypatch.setattr(Process, "order", lambda _, order: sent.append(order))
    monkeypatch.setattr(Process, "signal", lambda _, number: sent.append(number))
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector, preload="off")
        worker = nursery.start(ASSIGNMENT)
        worker.ready_after = 1.5 if is_ready else 0.0
        nursery.kill(worker)
        nursery.close()
    worker.close()
    assert sent == ([signal.SIGKILL] if is_ready else ["end", signal.SIGTERM])
    assert (worker.ends_by == inf) is is_ready


@pytest.mark.parametrize("why", ["", "a thread would not survive a fork"])
@pytest.mark.parametrize("killed_by_us", [False, True])
def test_what_a_zygote_said_that_has_ended_meanwhile_makes_no_workers(
    monkeypatch: pytest.MonkeyPatch, why: str, killed_by_us: bool
) -> None:
    """It has loaded, and is killed before anybody has heard of it."""
    begun: list[int] = []
    monkeypatch.setattr(Zygote, "execute", lambda zygote, *_: setattr(zygote, "pid", 4711))
    monkeypatch.setattr(Child, "execute", lambda worker, *_: begun.append(worker.id))
    monkeypatch.setattr(Zygote, "signal", lambda *_: None)
    failed: list[int] = []
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector, failed)
        workers = [nursery.start(replace(ASSIGNMENT, worker=number)) for number in (1, 2, 3)]
        (zygote,) = nursery.zygotes()
        zygote._theirs.send(to_line({"loaded": 1.0, "why": why, "owns": False}))
        if killed_by_us:
            nursery.drop(0)
        assert nursery.reaped(4711, signal.SIGKILL)
        assert not nursery.reaped(4711, 0), "that number may be anybody's now"
        nursery.close()
    for worker in workers:
        worker.close()
    assert (failed, begun) == ([1, 2, 3], [])


def test_workers_come_from_a_zygote_where_they_can_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Zygote, "execute", lambda zygote, *_: setattr(zygote, "pid", 4711))
    monkeypatch.setattr(Zygote, "signal", lambda *_: None)
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector)
        worker = nursery.start(ASSIGNMENT)
        assert nursery.forks(0)
        (zygote,) = nursery.zygotes()
        zygote._theirs.send(to_line({"loaded": 1.0, "why": "a thread", "owns": False}))
        nursery.hear()  # it becomes the worker
        assert worker.pid == 4711
        assert not nursery.forks(0)
        assert nursery.forks(1), "of which nothing is known yet"
        zygote.close()
    worker.close()


def test_code_that_never_served_does_not_stay_in_memory_once_newer_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGHUP after SIGHUP, each while the worker of the code before it starts, which has its process already."""
    pids = iter((4711, 4712, 4713))
    killed: list[int] = []
    monkeypatch.setattr(Zygote, "execute", lambda zygote, *_: setattr(zygote, "pid", next(pids)))
    monkeypatch.setattr(Zygote, "signal", lambda zygote, _: killed.append(zygote.pid))
    monkeypatch.setattr(Child, "signal", lambda *_: None)
    workers: list[Child] = []
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector)
        for generation in range(3):
            worker = nursery.start(replace(ASSIGNMENT, worker=generation, generation=generation))
            workers.append(worker)
            zygote = next(one for one in nursery.zygotes() if one.generation == generation)
            zygote._theirs.send(to_line({"loaded": 1.0, "why": "", "owns": False}))
            zygote._theirs.send(to_line({"forked": worker.id, "pid": 100 + generation}))
            nursery.hear()
            if generation == 0:
                nursery.prove(worker, 0)
            if generation == 1:
                nursery.kill(worker)  # for the next code is there
        assert killed == [4712]
        assert [one.generation for one in nursery.zygotes()] == [0, 2], "what serves can be forked still"
        for pid in (4711, 4712, 4713):
            nursery.reaped(pid, signal.SIGKILL)
        nursery.close()
    for worker in workers:
        worker.close()


def test_code_that_somebody_missing_waits_for_is_loaded_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = iter((4711, 4712))
    monkeypatch.setattr(Zygote, "execute", lambda zygote, *_: setattr(zygote, "pid", next(pids)))
    monkeypatch.setattr(Zygote, "signal", lambda *_: None)
    with selectors.DefaultSelector() as selector:
        nursery = _nursery(selector)
        workers = [nursery.start(replace(ASSIGNMENT, worker=one, generation=one)) for one in (1, 2)]
        assert [one.generation for one in nursery.zygotes()] == [1, 2]
        nursery.kill(workers[0])
        assert [one.generation for one in nursery.zygotes()] == [2], "for nobody, it is not"
        for pid in (4711, 4712):
            nursery.reaped(pid, signal.SIGKILL)
        nursery.close()
    for worker in workers:
        worker.close()
