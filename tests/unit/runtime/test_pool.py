"""`pool.step` on histories that a person can read; random ones are in test_pool_histories."""

from __future__ import annotations

from math import inf

import pytest

from nuages.runtime.messages import (
    Abandon,
    Action,
    Actions,
    Cut,
    Drain,
    Due,
    Event,
    Exited,
    Finishes,
    GiveUp,
    Kill,
    Lingers,
    Ready,
    Recovered,
    Reload,
    Resize,
    Retire,
    Room,
    Start,
    Stop,
)
from nuages.runtime.pool import Limits, Phase, Pool, Stage, done, forgiven, next_deadline, ready, step


class History:
    """A pool to which things happen; `do` returns what is to be done about them."""

    def __init__(self, workers: int = 2, *, linger: float = 0.0, **limits: float) -> None:
        self.pool = Pool(limits=Limits(workers=workers, linger=linger, **limits))  # type: ignore[arg-type]
        self.now = 100.0
        self.do()

    def do(self, event: Event | None = None, *, after: float = 0.0) -> Actions:
        self.now += after
        self.pool, actions = step(self.pool, self.now, event)
        return actions

    def serving(self, *, settled: bool = True) -> History:
        """Let every worker get ready, and be so for long enough that its death is no failed start."""
        while starting := [worker.id for worker in self.pool.workers if worker.phase is Phase.STARTING]:
            self.do(Ready(starting[0]))
        self.now += 60 if settled else 0
        return self

    def phases(self) -> dict[int, Phase]:
        return {worker.id: worker.phase for worker in self.pool.workers}


def kinds(actions: Actions) -> list[type[Action]]:
    return [type(action) for action in actions]


def test_who_loads_code_that_was_replaced_meanwhile_takes_no_place_of_the_old() -> None:
    """It goes on where somebody is missing, and once more memory is there again the newest code is loaded beside it."""
    history = History(2).serving()
    assert history.do(Reload()) == (Start(3, 1),)
    assert history.do(Ready(3)) == (Retire(1, "new code"), Start(4, 1))
    assert history.do(Reload()) == (Kill(4, "its code has been replaced"), Start(5, 2))
    assert history.do(Room(fits=False)) == (Retire(2, "new code", first=True),)
    assert history.do(Reload(forks=True)) == ()
    assert history.do(Room(fits=True)) == (Start(6, 3),)
    assert history.pool.proven == 1


def test_the_first_worker_starts_alone_and_the_others_together() -> None:
    pool, actions = step(Pool(limits=Limits(workers=3)), 0.0)
    assert actions == (Start(1, 0),)
    assert not ready(pool)
    pool, actions = step(pool, 1.0, Ready(1))
    assert actions == (Start(2, 0), Start(3, 0))
    assert ready(pool)


def test_nobody_is_late_because_all_stood_still() -> None:
    history = History(workers=1, start=60, finish=30).serving()
    history.do(Reload())
    history.pool = forgiven(history.pool, 1000)
    assert history.do(after=1059) == ()
    history.do(Ready(2))
    history.pool = forgiven(history.pool, 1000)
    assert history.do(after=1029) == ()
    assert kinds(history.do(after=1)) == [Cut]


def test_a_dead_worker_is_replaced_at_once() -> None:
    history = History().serving()
    assert history.do(Exited(1)) == (Start(3, 0),)
    assert history.phases() == {2: Phase.READY, 3: Phase.STARTING}


def test_workers_that_keep_dying_are_started_later_and_later() -> None:
    history = History(workers=1).serving(settled=False)
    waits = []
    for _ in range(9):
        actions = history.do(Exited(history.pool.next_id - 1))
        wait = 0.0
        if not actions:
            wait = next_deadline(history.pool) - history.now
            assert history.do(after=wait / 2) == ()
            assert kinds(history.do(after=wait / 2)) == [Start]
        waits.append(wait)
        history.do(Ready(history.pool.next_id - 1), after=0.1)
    assert [round(wait, 3) for wait in waits] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_those_that_die_together_have_failed_once() -> None:
    """As those do that wait for a zygote which is killed: the next one is tried at once, and for all of them."""
    history = History(workers=4).serving()
    for died in ((1, 2, 3, 4), (5, 6, 7, 8)):
        for number in died:
            assert history.do(Exited(number)) == (Start(number + 4, 0),)
        history.now += 1
    for number in (9, 10, 11, 12):
        assert history.do(Exited(number), after=0.01) == ()
    assert history.do(after=0.5) == tuple(Start(number, 0) for number in (13, 14, 15, 16))
    assert history.pool.failures == 2


def test_workers_that_served_until_they_died_are_followed_soon_however_often_they_die() -> None:
    """A page that ends its worker, asked for every second, would else have all the others wait for half a minute."""
    history = History(workers=1).serving(settled=False)
    for lived, waits in [(0.1, 0.4), (1.0, 0.0), (0.2, 0.3), (0.0, 0.5), (4.9, 0.0)] * 4:
        actions = history.do(Exited(history.pool.next_id - 1, served=True), after=lived)
        if waits:
            assert actions == ()
            assert round(next_deadline(history.pool) - history.now, 3) == waits
            actions = history.do(after=waits + 1e-6)
        assert kinds(actions) == [Start]
        history.do(Ready(history.pool.next_id - 1))


def test_a_worker_that_dies_at_every_start_is_tried_for_days() -> None:
    history = History(workers=2).serving()
    history.do(Exited(2))
    begun = history.now
    while history.now < begun + 2 * 24 * 3600:
        starting = [worker.id for worker in history.pool.workers if worker.phase is Phase.STARTING]
        if starting:
            history.do(Exited(starting[0]))
        else:
            assert kinds(history.do(after=next_deadline(history.pool) - history.now)) == [Start]
    assert history.phases()[1] is Phase.READY


def test_an_error_of_the_project_before_any_worker_was_ready_ends_the_server_once() -> None:
    history = History(workers=3)
    assert history.do(Exited(1, reported=True)) == (GiveUp(1),)
    assert done(history.pool)
    assert history.pool.gave_up


def test_a_worker_that_dies_silently_at_the_first_start_is_tried_three_times() -> None:
    history = History(workers=1)
    assert history.do(Exited(1)) == (Start(2, 0),)
    assert history.do(Exited(2)) == ()
    assert history.do(after=0.5) == (Start(3, 0),)
    assert history.do(Exited(3)) == (GiveUp(3),)
    assert done(history.pool)


def test_a_first_start_that_takes_long_to_die_is_tried_no_more_often() -> None:
    history = History(workers=1)
    assert history.do(Exited(1), after=65) == (Start(2, 0),)
    history.do(Exited(2), after=65)
    history.do(after=0.5)
    assert history.do(Exited(3), after=65) == (GiveUp(3),)


def test_while_the_server_drains_new_code_that_fails_is_left_for_the_old() -> None:
    history = History(workers=2).serving()
    history.do(Reload())
    history.do(Stop(drain=60))
    assert history.do(Exited(1)) == ()
    assert Abandon(3, 1) in history.do(Exited(3, reported=True))
    assert {worker.generation for worker in history.pool.workers if worker.phase is Phase.STARTING} == {0}


def test_while_the_server_drains_a_failing_start_is_repeated_later_and_later() -> None:
    history = History(workers=1).serving(settled=False)
    history.do(Stop(drain=60))
    starts = 0
    for _ in range(100):
        number = history.pool.next_id - 1
        starts += kinds(history.do(Exited(number))) == [Start]
    assert starts <= 2


def test_a_worker_that_is_not_ready_in_time_ends_a_server_that_never_was() -> None:
    history = History(workers=2, start=10)
    assert next_deadline(history.pool) == 110
    assert history.do(after=10) == (Kill(1, "not ready within 10 s"), GiveUp(1))
    assert history.do(Exited(1)) == ()
    assert done(history.pool)


def test_a_replacement_is_ready_before_the_old_worker_retires() -> None:
    history = History().serving()
    assert history.do(Due(1, "it answered 10000 requests")) == (Start(3, 0),)
    assert history.do(Ready(3)) == (Retire(1, "it answered 10000 requests"),)
    assert history.phases() == {1: Phase.RETIRING, 2: Phase.READY, 3: Phase.READY}
    assert history.do(Exited(1)) == ()


def test_workers_are_replaced_one_at_a_time() -> None:
    history = History().serving()
    history.do(Due(1, "age"))
    assert history.do(Due(2, "age")) == ()
    assert history.do(Ready(3)) == (Retire(1, "age"), Start(4, 0))
    assert history.do(Ready(4)) == (Retire(2, "age"),)


def test_where_a_second_worker_does_not_fit_the_old_one_goes_and_ends_first() -> None:
    history = History(surge=0).serving()
    assert history.do(Due(1, "memory")) == (Retire(1, "memory", first=True),)
    assert history.do(Due(2, "memory")) == ()
    assert history.do(Exited(1)) == (Start(3, 0),)
    assert history.do(Ready(3)) == (Retire(2, "memory", first=True),)
    assert history.do(Exited(2)) == (Start(4, 0),)


def test_whether_a_second_worker_fits_is_known_when_it_is_needed() -> None:
    history = History().serving()
    assert history.do(Room(fits=False)) == ()
    assert history.do(Reload()) == (Retire(1, "new code", first=True),)
    assert history.do(Room(fits=True)) == (Start(3, 1),)
    assert history.do(Ready(3)) == (Start(4, 1),)
    assert history.do(Ready(4)) == (Retire(2, "new code"),)


def test_where_two_codes_do_not_fit_as_many_workers_end_first_as_the_new_one_needs() -> None:
    history = History(workers=4, surge=0).serving()
    first = (1, 2, 4)
    assert history.do(Reload(3, first)) == tuple(Retire(number, "new code", first=True) for number in first)
    assert history.do(Exited(1)) == history.do(Exited(4)) == ()
    assert history.do(Exited(2)) == (Start(5, 1),)
    assert history.do(Ready(5)) == (Retire(3, "new code", first=True),)
    assert history.do(Exited(3)) == (Start(6, 1), Start(7, 1), Start(8, 1))


def test_where_that_code_does_not_load_there_are_as_many_as_before() -> None:
    history = History(workers=4, surge=0).serving()
    history.do(Reload(3, (1, 2, 3)))
    for number in (1, 2, 3):
        history.do(Exited(number))
    assert history.do(Exited(5)) == (Abandon(5, 1), Start(6, 0), Start(7, 0), Start(8, 0))


def test_no_more_fit_beside_two_codes_because_more_are_wanted() -> None:
    history = History(workers=4, surge=0).serving()
    history.do(Reload(3, (1, 2, 3)))
    for number in (1, 2, 3):
        history.do(Exited(number))
    assert history.do(Resize(1)) == history.do(Resize(1)) == ()
    history.do(Ready(5))
    assert history.do(Exited(4)) == tuple(Start(number, 1) for number in range(6, 11))


@pytest.mark.parametrize(("workers", "stay"), [(1, 0), (2, 1), (3, 1)])
def test_one_serves_while_new_code_is_loaded_if_there_is_another_to_end(workers: int, stay: int) -> None:
    history = History(workers=workers, surge=0).serving()
    assert len(history.do(Reload(workers))) == workers - stay


def test_a_worker_lingers_with_what_takes_long_until_its_time_is_over() -> None:
    history = History(workers=1, linger=3600, grace=30).serving()
    history.do(Due(1, "age"))
    assert history.do(Ready(2)) == (Retire(1, "age", lingers=True),)
    assert history.do(Lingers(1), after=5) == ()
    assert history.phases()[1] is Phase.LINGERING
    assert history.do(after=3599) == ()
    assert history.do(after=1) == (Retire(1, "it has lingered long enough"),)
    assert history.do(after=30) == (Cut(1, "not finished within 30 s"),)


def test_requests_of_a_worker_that_was_replaced_need_not_hurry() -> None:
    history = History(workers=1, linger=3600, grace=30, finish=301).serving()
    history.do(Due(1, "age"))
    history.do(Ready(2))
    assert history.do(after=300) == ()
    assert history.do(after=1) == (Cut(1, "not finished within 301 s"),)
    assert history.do(Lingers(1)) == ()


def test_who_has_nothing_left_that_takes_long_does_not_linger_on() -> None:
    history = History(workers=1, linger=3600, grace=30, finish=31).serving()
    history.do(Due(1, "age"))
    history.do(Ready(2))
    history.do(Lingers(1), after=5)
    assert history.do(Finishes(1), after=100) == ()
    assert history.do(after=30) == ()
    assert history.do(after=1) == (Cut(1, "not finished within 31 s"),)
    assert history.do(Finishes(1)) == ()
    assert history.do(after=1) == (Kill(1, "it did not end when told to"),)


def test_they_have_the_grace_from_when_the_server_stops() -> None:
    history = History(workers=1, grace=30, finish=301).serving()
    history.do(Due(1, "age"))
    history.do(Ready(2))
    assert history.do(Stop(), after=200) == (Retire(1, "the server stops"), Retire(2, "the server stops"))
    assert history.do(after=29) == ()
    assert kinds(history.do(after=1)) == [Cut, Cut]


def test_who_goes_before_another_takes_its_place_has_the_grace() -> None:
    history = History(surge=0, grace=30, finish=301).serving()
    assert history.do(Due(1, "memory")) == (Retire(1, "memory", first=True),)
    assert history.do(after=30) == (Cut(1, "not finished within 30 s"),)


def test_what_can_wait_ends_no_download_of_the_worker_before() -> None:
    history = History(workers=1, linger=3600).serving()
    history.do(Due(1, "requests", patient=True))
    history.do(Ready(2))
    history.do(Lingers(1))
    assert history.do(Due(2, "requests", patient=True)) == ()
    assert history.phases() == {1: Phase.LINGERING, 2: Phase.READY}
    assert history.do(Due(2, "memory")) == (Retire(1, "another one is to linger in its place"),)
    assert history.do(Exited(1)) == (Start(3, 0),)
    assert history.do(Ready(3)) == (Retire(2, "memory", lingers=True),)


def test_new_code_does_not_wait_with_a_worker_that_could() -> None:
    history = History(workers=1, linger=3600).serving()
    history.do(Due(1, "requests", patient=True))
    history.do(Ready(2))
    history.do(Lingers(1))
    assert history.do(Due(2, "requests", patient=True)) == ()
    assert history.do(Reload()) == (Retire(1, "another one is to linger in its place"),)
    assert history.do(Exited(1)) == (Start(3, 1),)


@pytest.mark.parametrize("lingers", [False, True])
def test_who_serves_nobody_waits_for_nobody(lingers: bool) -> None:
    history = History(workers=1, linger=3600, finish=301).serving()
    history.do(Due(1, "requests", patient=True))
    history.do(Ready(2))
    if lingers:
        history.do(Lingers(1))
    assert history.do(Due(2, "it stands still", stalled=True)) == (Start(3, 0),)
    assert history.do(Ready(3)) == (Cut(2, "it stands still"),)
    assert history.phases()[1] is (Phase.LINGERING if lingers else Phase.RETIRING)


def test_who_has_waited_is_replaced_when_the_one_before_has_ended() -> None:
    history = History(workers=1, linger=3600).serving()
    history.do(Due(1, "requests", patient=True))
    history.do(Ready(2))
    history.do(Lingers(1))
    history.do(Due(2, "requests", patient=True))
    assert history.do(Exited(1)) == (Start(3, 0),)


def test_one_lingers_in_the_place_of_another() -> None:
    history = History(workers=1, linger=3600).serving()
    for old, new in ((1, 2), (2, 3)):
        history.do(Due(old, "age"))
        if old == 2:
            assert history.phases() == {1: Phase.RETIRING, 2: Phase.READY}
            history.do(Exited(1))
        history.do(Ready(new))
        history.do(Lingers(old))
    assert history.phases() == {2: Phase.LINGERING, 3: Phase.READY}
    assert history.do(Due(3, "age")) == (Retire(2, "another one is to linger in its place"),)
    assert history.do(Exited(2)) == (Start(4, 0),)


def test_a_lingering_worker_makes_room_when_memory_is_short_and_when_the_server_stops() -> None:
    for event, reason in ((Room(fits=False), "memory is short"), (Stop(), "the server stops")):
        history = History(workers=1, linger=3600).serving()
        history.do(Due(1, "age"))
        history.do(Ready(2))
        history.do(Lingers(1))
        assert history.do(event)[0] == Retire(1, reason)


def test_a_worker_that_may_linger_is_told_when_the_server_stops() -> None:
    history = History(workers=1, linger=3600).serving()
    history.do(Due(1, "age"))
    history.do(Ready(2))
    assert history.do(Stop()) == (Retire(1, "the server stops"), Retire(2, "the server stops"))


def test_a_stalled_worker_is_cut_off_once_its_replacement_is_ready() -> None:
    history = History().serving()
    assert history.do(Due(1, "its loop stands still", stalled=True)) == (Start(3, 0),)
    assert history.do(Ready(3)) == (Cut(1, "its loop stands still"),)
    assert history.do(after=1) == (Kill(1, "it did not end when told to"),)


def test_a_worker_that_stalls_while_new_code_loads_is_followed_by_one_of_the_old() -> None:
    history = History().serving()
    history.do(Reload(forks=True))
    assert history.do(Due(1, "its loop stands still", stalled=True)) == (Start(4, 0),)
    assert history.do(Ready(4)) == (Cut(1, "its loop stands still"),)
    assert history.do(Ready(3)) == (Retire(2, "new code"),)
    assert history.do(Exited(1)) == (Start(5, 1),)


@pytest.mark.parametrize("lingers", [False, True])
def test_a_worker_that_stalls_while_it_goes_is_waited_for_no_longer(lingers: bool) -> None:
    history = History(workers=1, linger=3600, finish=301).serving()
    history.do(Reload())
    history.do(Ready(2))
    if lingers:
        history.do(Lingers(1))
    assert kinds(history.do(Reload())) == ([Retire] if lingers else []), "the next one waits for its end"
    assert history.do(Due(1, "its loop stands still", stalled=True)) == (Cut(1, "its loop stands still"),)
    assert history.do(after=1) == (Kill(1, "it did not end when told to"), Start(3, 2))


def test_a_process_that_the_kernel_does_not_end_holds_up_no_new_code() -> None:
    """One that waits for a file server that is away is killed, and stays (signal(7), uninterruptible sleep)."""
    history = History(workers=1, finish=30, cut=1).serving()
    history.do(Reload())
    history.do(Ready(2))
    assert kinds(history.do(after=30)) == [Cut]
    assert history.do(Reload()) == (), "one that finishes still is waited for"
    assert kinds(history.do(after=1)) == [Kill, Start]
    assert history.do(Ready(3)) == (Retire(2, "new code"),)


def test_a_worker_that_only_seemed_stalled_retires_in_order() -> None:
    history = History().serving()
    history.do(Due(1, "its loop stands still", stalled=True))
    assert history.do(Recovered(1)) == ()
    assert history.do(Ready(3)) == (Retire(1, "its loop stands still"),)


def test_a_stalled_worker_goes_before_those_that_are_due() -> None:
    history = History().serving()
    history.do(Due(1, "age"))
    history.do(Due(2, "its loop stands still", stalled=True))
    assert history.do(Ready(3)) == (Cut(2, "its loop stands still"), Start(4, 0))


def test_a_reload_replaces_every_worker_by_new_code() -> None:
    history = History().serving()
    assert history.do(Reload()) == (Start(3, 1),)
    assert history.do(Ready(3)) == (Retire(1, "new code"), Start(4, 1))
    assert history.do(Ready(4)) == (Retire(2, "new code"),)
    assert history.do(Exited(1)) == history.do(Exited(2)) == ()


def test_new_code_that_does_not_load_leaves_the_old_serving_and_a_later_reload_works() -> None:
    history = History().serving()
    history.do(Reload())
    assert history.do(Exited(3, reported=True)) == (Abandon(3, 1),)
    assert history.phases() == {1: Phase.READY, 2: Phase.READY}
    assert history.do(after=1000) == ()
    assert history.do(Reload()) == (Start(4, 2),)
    assert history.do(Ready(4)) == (Retire(1, "new code"), Start(5, 2))


def test_new_code_that_hangs_is_abandoned_after_the_start_timeout() -> None:
    history = History(start=10).serving()
    history.do(Reload())
    assert history.do(after=10) == (Kill(3, "not ready within 10 s"), Abandon(3, 1))


def test_a_reload_during_a_reload_starts_again_with_the_newest_code() -> None:
    history = History().serving()
    history.do(Reload())
    assert history.do(Reload()) == (Kill(3, "its code has been replaced"), Start(4, 2))
    assert history.do(Exited(3)) == ()
    assert history.do(Ready(4)) == (Retire(1, "new code"), Start(5, 2))


def test_who_dies_while_new_code_loads_is_followed_by_one_of_the_old() -> None:
    history = History(workers=2).serving()
    assert history.do(Reload(forks=True)) == (Start(3, 1),)
    assert history.do(Exited(1)) == (Start(4, 0),)
    assert history.do(Reload(forks=True)) == (Kill(3, "its code has been replaced"), Start(5, 2))
    assert history.do(Ready(4)) == ()
    assert history.do(Exited(3)) == ()
    assert history.do(Exited(2)) == (Start(6, 0),)
    # The new code serves: whoever is not ready yet of the old has come too late.
    assert history.do(Ready(5)) == (Kill(6, "its code has been replaced"), Start(7, 2))
    assert history.do(Ready(7)) == (Retire(4, "new code"),)


def test_where_the_old_code_cannot_be_had_at_once_everybody_waits_for_the_new() -> None:
    history = History(workers=2).serving()
    assert history.do(Reload()) == (Start(3, 1),)
    assert history.do(Exited(1)) == ()
    assert history.do(Exited(2)) == (Start(4, 1),)


@pytest.mark.parametrize("surge", [0, 1])
def test_who_is_missing_comes_back_however_fast_new_code_comes(surge: int) -> None:
    """It would be killed as often as its code is replaced, and with it the only one where no second one fits."""
    history = History(workers=1, surge=surge).serving()
    history.do(Reload())
    history.do(Exited(1))
    assert history.phases() == {2: Phase.STARTING}
    for _ in range(3):
        assert history.do(Reload(), after=0.1) == ()
    history.do(Ready(2))
    if not surge:
        history.do(Exited(2))
    assert history.do(Ready(3)) == ((Retire(2, "new code"),) if surge else ())
    assert history.pool.proven == history.pool.generation == 4


def test_code_that_was_replaced_while_somebody_missing_loaded_it_fails_without_a_word() -> None:
    history = History(workers=1).serving()
    history.do(Reload())
    history.do(Exited(1))
    history.do(Reload())
    assert history.do(Exited(2, reported=True)) == (Start(3, 2),)
    assert history.do(Exited(3, reported=True)) == (Abandon(3, 2), Start(4, 0))


def test_a_worker_of_the_old_code_that_does_not_start_does_not_end_the_reload() -> None:
    history = History(workers=1).serving()
    history.do(Reload(forks=True))
    assert history.do(Exited(1)) == (Start(3, 0),)
    assert history.do(Exited(3, reported=True)) == (Start(4, 0),)
    assert history.do(Exited(4, reported=True)) == ()
    assert history.do(Ready(2)) == ()
    assert history.phases() == {2: Phase.READY}


def test_a_stop_during_a_reload_is_obeyed_at_once() -> None:
    history = History().serving()
    history.do(Reload())
    stops = "the server stops"
    assert history.do(Stop()) == (Retire(1, stops), Retire(2, stops), Kill(3, stops))
    for worker in (1, 2, 3):
        history.do(Exited(worker))
    assert done(history.pool)


def test_a_stop_drains_then_retires_then_cuts_then_kills() -> None:
    history = History(workers=1, grace=30, cut=1).serving()
    assert history.do(Stop(drain=5)) == (Drain(1),)
    assert not ready(history.pool)
    assert next_deadline(history.pool) == history.now + 5
    assert history.do(after=5) == (Retire(1, "the server stops"),)
    assert history.do(after=30) == (Cut(1, "not finished within 30 s"),)
    assert history.do(after=1) == (Kill(1, "it did not end when told to"),)
    assert next_deadline(history.pool) == inf
    assert history.do(Exited(1)) == ()
    assert done(history.pool)


def test_a_worker_that_dies_while_the_server_drains_is_replaced() -> None:
    history = History(workers=1).serving()
    history.do(Stop(drain=5))
    assert history.do(Exited(1), after=1) == (Start(2, 0),)
    assert history.do(after=4) == (Kill(2, "the server stops"),)


def test_a_worker_that_comes_while_the_server_drains_drains_too() -> None:
    history = History(workers=1).serving()
    history.do(Stop(drain=5))
    history.do(Exited(1), after=1)
    assert history.do(Ready(2)) == (Drain(2),)


def test_a_second_stop_ends_everything_at_once() -> None:
    history = History().serving()
    history.do(Stop(drain=5))
    second = "a second signal came"
    assert history.do(Stop(drain=5)) == (Cut(1, second), Cut(2, second))
    assert history.pool.hurried
    assert history.pool.stage is Stage.STOPPING


def test_a_stop_while_nothing_is_ready_yet_kills_what_starts() -> None:
    history = History()
    assert history.do(Stop(drain=5)) == (Kill(1, "the server stops"),)
    assert not history.pool.gave_up


def test_workers_that_are_still_starting_are_killed_at_a_stop() -> None:
    history = History()
    history.do(Ready(1))
    assert history.do(Stop()) == (Retire(1, "the server stops"), Kill(2, "the server stops"))


def test_more_and_fewer_workers() -> None:
    history = History().serving()
    assert history.do(Resize(1)) == (Start(3, 0),)
    history.do(Ready(3))
    assert history.do(Resize(-1)) == (Retire(3, "fewer workers were asked for"),)
    history.do(Resize(-1))
    assert history.do(Resize(-1)) == ()
    assert history.pool.limits.workers == 1


def test_a_worker_that_dies_after_it_was_told_to_retire_is_not_replaced_twice() -> None:
    history = History().serving()
    history.do(Due(1, "age"))
    history.do(Ready(3))
    assert history.do(Exited(1)) == ()
    assert history.pool.failures == 0
