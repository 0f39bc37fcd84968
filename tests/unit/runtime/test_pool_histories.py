"""`pool.step` on random histories: starts that hang or fail, crashes, reloads during reloads, stops during reloads."""

from __future__ import annotations

from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nuages.runtime import pool as pools
from nuages.runtime.balance import STUCK_SECONDS, resume_at
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
    Spare,
    Start,
    Stop,
    Stuck,
)
from nuages.runtime.pool import Limits, Phase, Pool, Stage

START, GRACE, FINISH, CUT, DRAIN, LINGER = 10.0, 5.0, 20.0, 1.0, 3.0, 60.0
STALL = (Phase.STARTING, Phase.READY, Phase.RETIRING, Phase.LINGERING)


class Histories(RuleBasedStateMachine):
    """Plays the operating system: it has processes, carries out actions and lets things happen to processes."""

    @initialize(workers=st.integers(1, 4), surge=st.integers(0, 1), linger=st.sampled_from([0.0, LINGER]))
    def begin(self, workers: int, surge: int, linger: float) -> None:
        self.now = 0.0
        self.alive: dict[int, Phase] = {}
        self.generations: dict[int, int] = {}
        self.ever: set[int] = set()
        self.said_ready: set[int] = set()
        self.stopped = False
        self.gave_up = False
        self.stalled: set[int] = set()
        self.may_linger: set[int] = set()
        self.retired: dict[int, float] = {}
        self.has_time: set[int] = set()
        self.drained: set[int] = set()
        self.replaced_for_threads: list[float] = []
        self.spared: set[int] = set()
        self.going_on: set[int] = set()
        self.hurried: set[int] = set()
        limits = Limits(
            workers=workers, surge=surge, start=START, grace=GRACE, finish=FINISH, cut=CUT, linger=linger
        )
        self.pool = Pool(limits=limits)
        self.happen(None)

    def happen(self, event: Event | None) -> Actions:
        before = self.pool
        ready_before = {number for number, phase in self.alive.items() if phase is Phase.READY}
        self.pool, actions = pools.step(before, self.now, event)
        for action in actions:
            self.carry_out(action, before)
        again, more = pools.step(self.pool, self.now)
        assert more == (), "a second step at the same time has nothing to do"
        assert again == self.pool
        if any(isinstance(action, Start) for action in actions):
            running = [*self.ids(Phase.STARTING), *self.serving()]
            assert len(running) <= self.pool.limits.workers + self.pool.limits.surge, (
                "only the surge comes on top"
            )
            assert (
                self.pool.limits.surge or len(self.alive) <= self.pool.limits.workers or not self.said_ready
            ), "where no second one fits, the old one has ended before the new one starts"
            if not self.pool.limits.surge and self.two_codes_are_there():
                assert len(self.alive) <= max(self.pool.limits.workers + 1 - self.pool.unavailable, 2), (
                    "while two codes are in memory as many are gone as that needs the memory of"
                )
        retired = {action.id for action in actions if isinstance(action, Retire)}
        fewer = isinstance(event, Resize)
        retired |= {action.id for action in actions if isinstance(action, Cut)} & ready_before
        if (
            retired & ready_before
            and not self.stopped
            and not self.gave_up
            and self.pool.limits.surge
            and not fewer
        ):
            still = {number for number, phase in self.alive.items() if phase is Phase.READY}
            assert len(still) >= self.pool.limits.workers, "a replacement is ready before the old one retires"
        if ready_before and self.pool.limits.workers > 1 and not self.stopped and not self.gave_up:
            assert self.ids(Phase.READY), "the last one that serves goes when another is ready"
        if isinstance(event, Reload | Due) and before.limits.surge and self.pool.limits.surge:
            assert ready_before <= {number for number, phase in self.alive.items() if phase is Phase.READY}, (
                "an order to replace takes nothing away by itself"
            )
        return actions

    def carry_out(self, action: Action, before: Pool) -> None:
        match action:
            case Start(number, generation):
                assert not self.stopped, "after a stop no worker is started"
                assert not self.gave_up
                assert number not in self.ever, "an id is never used twice"
                self.ever.add(number)
                self.alive[number] = Phase.STARTING
                self.generations[number] = generation
            case Drain(number):
                assert self.alive[number] is Phase.READY
                assert number not in self.drained, "who drains is told once"
                self.drained.add(number)
            case Spare(number):
                assert number not in self.spared, "that a worker is spared is said once"
                self.spared.add(number)
            case Retire(number, _, lingers, first):
                if self.alive[number] is not Phase.READY:
                    assert number in self.has_time, "only who has time can be told to hurry, and once"
                    assert not lingers, "what lingers is told to linger once"
                is_hurried = first or self.stopped or number in self.hurried
                has_time = self.alive[number] is Phase.READY and not is_hurried
                assert not (lingers and number in self.hurried), "nothing lingers whose end is waited for"
                self.has_time = (self.has_time - {number}) | ({number} if has_time else set())
                self.retired[number] = self.now
                assert not (lingers and self.stopped), "nothing lingers in a server that stops"
                assert not (first and self.pool.limits.surge), (
                    "only where no second one fits the old one goes first"
                )
                self.may_linger -= {number}
                self.may_linger |= {number} if lingers else set()
                self.alive[number] = Phase.RETIRING
            case Cut(number):
                if self.alive[number] is Phase.READY:
                    assert number in self.stalled or self.stopped, (
                        "only what is stalled is cut without being asked"
                    )
                else:
                    allowed = FINISH if number in self.has_time else GRACE
                    assert (
                        number in self.stalled
                        or self.pool.hurried
                        or self.now >= self.retired[number] + allowed
                    ), "what was replaced has longer than what stops"
                assert self.alive[number] in {Phase.READY, Phase.RETIRING, Phase.LINGERING}
                self.alive[number] = Phase.CUT
            case Kill(number):
                assert self.alive[number] in {Phase.STARTING, Phase.CUT}, (
                    "a worker with requests is cut before it is killed"
                )
                self.alive[number] = Phase.KILLED
            case Abandon(number, generation):
                assert generation not in {self.generations[other] for other in self.said_ready}, (
                    "code that was ready once is not abandoned"
                )
                assert self.said_ready, "without old code there is nothing to go back to"
            case GiveUp():
                assert not self.said_ready, "a server that was ready once never gives up"
                assert not self.gave_up, "it gives up once"
                self.gave_up = True

    def two_codes_are_there(self) -> bool:
        return bool(self.said_ready) and len({self.generations[number] for number in self.alive}) > 1

    def ids(self, *phases: Phase) -> list[int]:
        return sorted(number for number, phase in self.alive.items() if phase in phases)

    def serving(self) -> list[int]:
        return [number for number in self.ids(Phase.READY) if number not in self.stalled]

    @precondition(lambda self: self.ids(Phase.STARTING))
    @rule(data=st.data())
    def a_worker_gets_ready(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(Phase.STARTING)))
        self.alive[number] = Phase.READY
        self.said_ready.add(number)
        self.happen(Ready(number))

    @precondition(lambda self: self.ids(Phase.KILLED, Phase.CUT))
    @rule(data=st.data())
    def a_late_ready_is_ignored(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(Phase.KILLED, Phase.CUT)))
        assert self.happen(Ready(number)) == ()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), reported=st.booleans(), served=st.booleans())
    def a_process_ends(self, data: st.DataObject, reported: bool, served: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.alive)))
        phase = self.alive.pop(number)
        served = served and phase is not Phase.STARTING
        self.happen(Exited(number, reported=reported and phase is Phase.STARTING, served=served))

    @precondition(lambda self: self.ids(Phase.READY, Phase.STARTING))
    @rule(data=st.data(), patient=st.booleans(), hurried=st.booleans())
    def a_worker_is_due(self, data: st.DataObject, patient: bool, hurried: bool) -> None:
        lingering = self.ids(Phase.LINGERING)
        number = data.draw(st.sampled_from(self.ids(Phase.READY, Phase.STARTING)))
        others = [worker for worker in self.pool.workers if worker.due and not worker.patient]
        self.hurried |= {number} if hurried else set()
        self.happen(Due(number, "age" if patient else "memory", patient=patient, hurried=hurried))
        if patient and not others and self.pool.generation == self.pool.proven:
            assert self.ids(Phase.LINGERING) == lingering, "what can wait ends nothing that lingers"

    @precondition(lambda self: self.ids(*STALL))
    @rule(data=st.data())
    def a_worker_stalls(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(*STALL)))
        self.stalled.add(number)
        self.happen(Due(number, "it stands still", stalled=True))

    @precondition(lambda self: self.ids(Phase.READY))
    @rule(data=st.data())
    def a_thread_is_stuck(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(Phase.READY)))
        was_due = any(worker.id == number and worker.due for worker in self.pool.workers)
        actions = self.happen(Stuck(number, "its thread is stuck"))
        if not was_due:
            most = max(1, self.pool.limits.workers // 2)
            late = sum(self.now - at < STUCK_SECONDS for at in self.replaced_for_threads)
            if any(worker.id == number and worker.due for worker in self.pool.workers):
                assert late < most, "no more than half are replaced for their threads"
                self.replaced_for_threads.append(self.now)
            else:
                assert late >= most, "it is spared only where so many were replaced"
                assert number in self.spared, "and that is said"
        assert not {type(action) for action in actions} & {Cut, Kill}

    @rule(seconds=st.sampled_from([1.0, START, LINGER, 2 * STUCK_SECONDS]))
    def all_stand_still_for_a_while(self, seconds: float) -> None:
        if self.pool.stage is Stage.DRAINING and self.pool.drain_until <= self.now + seconds:
            return
        self.pool = pools.forgiven(self.pool, seconds)
        self.now += seconds
        self.retired = {number: at + seconds for number, at in self.retired.items()}
        actions = self.happen(None)
        assert {type(action) for action in actions} <= {Start}, (
            "nobody is late for a time in which all stood still"
        )

    @precondition(lambda self: self.stalled & set(self.alive))
    @rule(data=st.data())
    def a_stalled_worker_goes_on(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.stalled & set(self.alive))))
        self.stalled.discard(number)
        self.happen(Recovered(number))

    @precondition(lambda self: self.ids(Phase.RETIRING))
    @rule(data=st.data())
    def a_worker_has_only_what_takes_long(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(Phase.RETIRING)))
        if number in self.may_linger:
            self.alive[number] = Phase.LINGERING
        self.happen(Lingers(number))

    @precondition(lambda self: self.ids(Phase.LINGERING))
    @rule(data=st.data())
    def what_a_worker_lingers_for_is_over(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.ids(Phase.LINGERING)))
        self.alive[number] = Phase.RETIRING
        self.may_linger -= {number}
        self.retired[number] = self.now
        self.happen(Finishes(number))

    @rule(fits=st.booleans())
    def the_memory_changes(self, fits: bool) -> None:
        self.happen(Room(fits))

    @rule(number=st.integers(0, 4), forks=st.booleans(), fits=st.sampled_from([None, False, True]))
    def new_code_comes(self, number: int, forks: bool, fits: bool | None) -> None:
        before = self.ids(Phase.READY)
        missing = max(0, self.pool.limits.workers - len(self.serving()))
        self.happen(Reload(max(1, number), tuple(before[:number]), forks, fits))
        if self.pool.stage is Stage.RUNNING:
            starting = self.ids(Phase.STARTING)
            self.going_on = {one for one in starting if self.generations[one] < self.pool.generation}
            assert len(self.going_on) <= missing, "only who is missing goes on"
            if forks and self.pool.limits.surge:
                assert {self.generations[one] for one in self.going_on} <= {self.pool.proven}
        if len(before) > 1 and self.pool.limits.workers > 1 and not self.stalled & set(before):
            assert self.ids(Phase.READY), "somebody serves while new code is loaded"

    @rule(by=st.sampled_from([-1, 1]))
    def the_number_changes(self, by: int) -> None:
        self.happen(Resize(by))

    @rule(drain=st.sampled_from([0.0, DRAIN]))
    def a_stop_comes(self, drain: float) -> None:
        before = self.pool.stage
        actions_to_come = before is not Stage.RUNNING or drain == 0 or not self.ids(Phase.READY)
        self.stopped = self.stopped or actions_to_come
        self.happen(Stop(drain))
        if before is not Stage.RUNNING:
            assert not self.ids(Phase.READY, Phase.RETIRING, Phase.LINGERING, Phase.STARTING), (
                "a second stop ends everything at once"
            )

    @rule(share=st.floats(0.01, 0.99))
    def a_while_passes_in_which_nothing_is_due(self, share: float) -> None:
        deadline = pools.next_deadline(self.pool)
        wait = (min(deadline, self.now + 100) - self.now) * share
        # A pause that comes within the last of a float's digits would be rounded up to the deadline.
        if wait > 0 and self.now + wait < deadline - 1e-6:
            self.now += wait
            before = self.pool
            assert self.happen(None) == (), "before the next deadline time alone changes nothing"
            assert self.pool == before

    @rule()
    def the_next_deadline_comes(self) -> None:
        deadline = pools.next_deadline(self.pool)
        if deadline == inf:
            return
        assert deadline >= self.now, "no deadline is missed"
        self.now = deadline
        self.stopped = self.stopped or (
            self.pool.stage is Stage.DRAINING and self.pool.drain_until <= deadline
        )
        before = self.pool
        self.happen(None)
        assert self.pool != before, "a deadline is never announced for nothing"

    @invariant()
    def the_pool_knows_the_processes(self) -> None:
        assert {worker.id: worker.phase for worker in self.pool.workers} == self.alive

    @invariant()
    def nobody_loads_code_that_is_not_wanted(self) -> None:
        proven = self.pool.proven if self.pool.forks else None
        loaded = {number: self.generations[number] for number in self.ids(Phase.STARTING)}
        others = {number for number in loaded if loaded[number] not in {self.pool.generation, proven}}
        assert others <= self.going_on, "only who is missing goes on with code that was replaced meanwhile"
        assert all((self.pool.proven or 0) <= loaded[number] <= self.pool.generation for number in others), (
            "code that was given up, or is older than what serves, is of no use"
        )

    @invariant()
    def new_code_that_loads_costs_nobody_where_the_old_can_be_had(self) -> None:
        pool, proven = self.pool, self.pool.proven
        if not pool.forks or proven is None or pool.generation == proven or not pool.limits.surge:
            return
        if pool.stage is Stage.RUNNING and resume_at(pool) <= self.now:
            there = [*self.ids(Phase.STARTING), *self.serving()]
            old = [number for number in there if self.generations[number] <= proven]
            assert len(old) >= pool.limits.workers or len(there) == pool.limits.workers + 1

    @invariant()
    def something_happens_next_by_itself_unless_all_is_well(self) -> None:
        if pools.next_deadline(self.pool) < inf or pools.done(self.pool):
            return
        ready = self.ids(Phase.READY)
        leaving = self.ids(Phase.KILLED)  # every other way of leaving has a deadline
        assert len(ready) >= self.pool.limits.workers or leaving, (
            "too few workers, and nothing would change it"
        )

    @invariant()
    def while_the_server_drains_whoever_serves_has_been_told(self) -> None:
        if self.pool.stage is Stage.DRAINING:
            assert set(self.ids(Phase.READY)) <= self.drained

    @invariant()
    def after_a_stop_every_worker_is_on_its_way_out(self) -> None:
        if self.pool.stage is Stage.STOPPING:
            assert not self.ids(Phase.STARTING, Phase.READY, Phase.LINGERING)

    @invariant()
    def nothing_lingers_while_memory_is_short(self) -> None:
        assert self.pool.limits.surge or not self.ids(Phase.LINGERING)

    @invariant()
    def only_so_many_linger_as_serve(self) -> None:
        assert len(self.ids(Phase.LINGERING)) <= self.pool.limits.workers

    @invariant()
    def whoever_is_due_is_replaced_some_day(self) -> None:
        due = [worker for worker in self.pool.workers if worker.phase is Phase.READY and worker.due]
        if due and self.pool.stage is Stage.RUNNING:
            assert self.ids(Phase.STARTING, Phase.KILLED) or pools.next_deadline(self.pool) < inf, (
                "somebody is due, and nothing would change it"
            )

    def come_to_rest(self) -> None:
        """Where nothing fails any more all serve soon, with the code that is wanted, and nobody is to be replaced."""
        begun = self.now
        while True:
            leaving = self.ids(Phase.RETIRING, Phase.LINGERING, Phase.CUT, Phase.KILLED)
            if leaving:
                del self.alive[leaving[0]]
                self.happen(Exited(leaving[0]))
            elif starting := self.ids(Phase.STARTING):
                self.alive[starting[0]] = Phase.READY
                self.said_ready.add(starting[0])
                self.happen(Ready(starting[0]))
            elif pools.next_deadline(self.pool) < inf:
                self.now = pools.next_deadline(self.pool)
                self.happen(None)
                assert self.now <= begun + 30, "the longest that is waited after failures"
            else:
                break
        serving = [worker for worker in self.pool.workers if worker.phase is Phase.READY]
        assert len(serving) == self.pool.limits.workers
        assert {(worker.generation, worker.due) for worker in serving} == {(self.pool.generation, "")}

    def teardown(self) -> None:
        """Whatever happened: it comes to rest, and two stops and no more help than the deadlines end everything."""
        if not hasattr(self, "pool"):
            return
        if self.pool.stage is Stage.RUNNING:
            self.come_to_rest()
        self.stopped = True
        self.happen(Stop())
        for _ in range(3):
            if pools.next_deadline(self.pool) < inf:
                self.now = pools.next_deadline(self.pool)
                self.happen(None)
            for number in self.ids(Phase.KILLED):
                del self.alive[number]
                self.happen(Exited(number))
        for number in self.ids(Phase.RETIRING, Phase.CUT):
            del self.alive[number]
            self.happen(Exited(number))
        assert pools.done(self.pool)


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
