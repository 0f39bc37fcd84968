"""The workers' processes: started, listened to, told what to do, reaped; what the pool orders is carried out here."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from nuages.runtime import balance, child, dumps, kernel, messages, nursery, pool
from nuages.runtime import settings as options
from nuages.runtime.ledger import CRASH, Ledger
from nuages.runtime.scoreboard import Figures, InFlight, Scoreboard, at_work
from nuages.runtime.surroundings import surroundings

if TYPE_CHECKING:
    from nuages.runtime.application import Application
    from nuages.runtime.chronicle import Chronicle
    from nuages.runtime.memory import Group
    from nuages.runtime.settings import Settings
    from nuages.runtime.sockets import Listener

IDLE_LINGER = (
    1.0  # seconds; how long a retiring worker keeps idle connections for a request that is on its way
)
INTERRUPTED_LINGER = 0.2  # the same on SIGINT: enough for requests that are on their way already
STREAMS_BEFORE = (
    0.5  # seconds before the grace is over, when event streams are ended: their clients come again
)
_STACKS_SECONDS = 1.0  # for a worker's loop to show the stacks
# Of the scoreboard, for each worker that there may be and at least: those that still finish requests have one too,
# and TTIN adds workers.
_SLOTS_EACH, _LEAST_SLOTS = 8, 64


class Crew:
    """The processes of all workers, by id.

    `state` returns the pool as it is, `happen` tells it what a worker said or did; what comes up while an order is
    carried out goes to `later`. `interrupted` tells that somebody waits for the end (SIGINT).
    """

    def __init__(
        self, application: Application, settings: Settings, listeners: list[Listener], environ: Mapping[str, str],
        selector: selectors.BaseSelector, say: Chronicle, *, workers: int, adopts: Callable[[], bool],
        state: Callable[[], pool.Pool], happen: Callable[[messages.Event], None],
        later: Callable[[messages.Event], None],
    ) -> None:  # fmt: skip
        self.settings, self.say = settings, say
        self.children: dict[int, child.Child] = {}
        self.last_ended: child.Child | None = None
        self.refused: OSError | None = None
        self.restarts = 0
        self.cut_requests = 0
        self.interrupted = False
        self.on_reaped: Callable[[int], None] = lambda _: None
        self._asked_for_stacks: dict[int, float] = {}  # until when each is waited for, by worker
        self.dumps = dumps.Dumps(selector, say.stacks)
        self.nursery = nursery.Nursery(
            surroundings(environ, application), selector, say, self.dumps, preload=settings.preload,
            failed=self._exited, adopts=adopts,
            is_short=lambda: not self._state().limits.surge and pool.ready(self._state()),
        )  # fmt: skip
        self.board = Scoreboard(max(_LEAST_SLOTS, _SLOTS_EACH * workers))
        self.ledger = Ledger(self.board)
        os.set_inheritable(self.board.descriptor, True)
        for listener in listeners:
            listener.socket.set_inheritable(True)
        self._listeners, self._application, self._selector = listeners, application, selector
        self._state, self._happen, self._later = state, happen, later

    def figures(self, process: child.Child) -> tuple[Figures, tuple[InFlight, ...]]:
        """Return what a worker says of itself and the requests it is at."""
        return self.board.figures(process.slot), self.board.in_flight(process.slot)

    def close(self) -> None:
        """End every process that is left and give the shared memory back."""
        for process in self.children.values():
            process.signal(signal.SIGKILL)
        self.nursery.close()
        self.board.close()

    # What happens

    def reap(self) -> None:
        """Take every exit status there is: our workers', and as PID 1 or subreaper those of anybody's orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.on_reaped(pid)
            if self.nursery.reaped(pid, status):
                continue
            # The number of a worker that was forked and died may be in a message still.
            self.nursery.hear()
            for unborn in [one for one in self.children.values() if not one.pid]:
                self._hear(unborn)
            if process := next((one for one in self.children.values() if one.pid == pid), None):
                process.status = status
                self._exited(process)

    def _exited(self, process: child.Child) -> None:
        self._hear(process)  # what it said before it died comes before the news of its death
        self._forget_control(process)
        self.dumps.forget(process)
        process.close()
        del self.children[process.id]
        self.board.leave(process.slot)
        self.ledger.ended(process.slot)
        self.last_ended = process
        state = self._state()
        worker = pool.find(state, process.id)
        phase = worker.phase if worker else pool.Phase.KILLED
        self.restarts += phase in {pool.Phase.STARTING, pool.Phase.READY}
        self.say.worker_ended(process, phase, later=state.proven is not None)
        if phase is pool.Phase.READY:
            self.ledger.replaced(process.id, f"{CRASH}: it {process.ending()}")
        if phase is not pool.Phase.STARTING:
            self._tell_lost(process, "lost with its worker")
        if not process.unbegun_told and (phase is pool.Phase.READY or process.status):
            uploads, more = self.board.coming(process.slot)
            self._note_lost(process, uploads, "had not come whole when its worker died", more=more)
        served = self.board.counted(process.slot).total > 0
        self._happen(messages.Exited(process.id, reported=process.error is not None, served=served))
        state, now = self._state(), time.monotonic()
        if state.failures > 1 and balance.wanted(state) and (wait := balance.resume_at(state) - now) > 0:
            self.say.backs_off(wait, state.failures, serves=pool.ready(state))

    def guarded(self, pid: int, group: Group, grown: int, seconds: float) -> None:
        """Note that a process was killed which was about to take the last of the memory: a worker, or another."""
        worker = next((one for one in self.children.values() if one.pid == pid), None)
        requests = self.board.in_flight(worker.slot) if worker else ()
        who = (
            f"worker {worker.id}" if worker else f"process {pid} ({kernel.read(f'/proc/{pid}/comm').strip()})"
        )
        if any(zygote.pid == pid for zygote in self.nursery.zygotes()):
            who = "the process that loads the code"
        self.say.guarded(who, pid, requests, group, grown, seconds)
        if worker:
            worker.told_to_end = worker.told_to_end or "it took the last of the memory"

    def _hear(self, process: child.Child) -> None:
        heard = process.messages()
        if heard is None:
            self._forget_control(process)
        for message in heard or ():
            if "ready" in message:
                self._became_ready(process, message["pid"])
            elif "error" in message:
                process.error = child.error_from(message["error"])
            elif "stacked" in message:
                self._asked_for_stacks.pop(process.id, None)
            elif "lingers" in message:
                self._lingers(process, message["lingers"])
            elif "due" in message:
                self._happen(messages.Due(process.id, message["due"], patient=message["patient"]))
            elif "stuck" in message:
                self._happen(messages.Stuck(process.id, message["stuck"]))
            elif "unbegun" in message:
                process.unbegun_told = True
                self._note_lost(
                    process, [InFlight(**one) for one in message["unbegun"]], "had not come whole"
                )
            elif "report" in message:
                self.say.reported(process, message)

    def _became_ready(self, process: child.Child, pid: int) -> None:
        """Let a worker accept: only now, for else one that is given up in this moment would lose what it has begun."""
        if (
            process.status is not None
        ):  # it has ended, or nobody could learn its number from its zygote any more
            return
        self.nursery.born(process, pid)
        worker = pool.find(self._state(), process.id)
        if worker and worker.phase is pool.Phase.STARTING:
            process.order("accept")
        process.ready_after = time.monotonic() - process.started
        self.say.worker_ready(process)
        self._happen(messages.Ready(process.id))
        self.nursery.prove(process, self._state().proven or 0)

    def _lingers(self, process: child.Child, holds: dict[str, int]) -> None:
        if holds:
            self.say.worker_lingers(process, holds)
            self._happen(messages.Lingers(process.id))
        else:
            self._happen(messages.Finishes(process.id))

    def _forget_control(self, process: child.Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.control)

    def _tell_lost(self, process: child.Child, why: str) -> None:
        """Log the requests and WebSockets that a worker did not finish, once; requests that a stop cuts off count."""
        if process.lost_told:
            return
        process.lost_told = True
        figures, noted = self.figures(process)
        self._note_lost(process, noted, why, more=at_work(figures, noted) - len(noted))
        sockets, more = self.board.open_sockets(process.slot)
        self.say.sockets_lost(process, sockets, why, time.monotonic(), more=more)

    def _note_lost(
        self, process: child.Child, requests: Sequence[InFlight], why: str, *, more: int = 0
    ) -> None:
        if self._state().stage is not pool.Stage.RUNNING:
            self.cut_requests += len(requests) + more
        self.say.lost(process, requests, why, time.monotonic(), more=more)

    # What is done

    def renew_certificates(self) -> None:
        """Have every process read the certificate again; one that has yet to begin reads it then."""
        for process in self.children.values():
            if process.pid:
                process.order("certificate")

    def show_stacks(self, now: float) -> None:
        """Have every process log what its threads are at: from its loop, or from outside if that does not answer."""
        for zygote in self.nursery.zygotes():
            if not zygote.loaded_at or zygote.waiting:  # else it sleeps
                zygote.signal(signal.SIGUSR1)
        for worker in self._state().workers:
            process = self.children.get(worker.id)
            if process is None:
                continue
            if worker.phase is pool.Phase.STARTING:
                process.signal(signal.SIGUSR1)  # it has no loop yet
            else:
                process.order("stacks")
                self._asked_for_stacks.setdefault(worker.id, now + _STACKS_SECONDS)

    def next_deadline(self) -> float:
        """Return when `expire` has something to do, in monotonic seconds."""
        ends = (process.ends_by for process in self.children.values())
        others = (self.dumps.next_deadline(), self.nursery.next_deadline())
        return min(*self._asked_for_stacks.values(), *ends, *others, inf)

    def forgive(self, seconds: float) -> None:
        """Give processes that break off so much more time to clean up, and zygotes to fork."""
        self.nursery.forgive(seconds)
        for process in self.children.values():
            process.ends_by += seconds

    def expire(self, now: float) -> None:
        """Read the stacks of those that have not shown them, and end who does not clean up or answer in time."""
        self.dumps.expire(now)
        self.nursery.expire(now, {process.generation for process in self.children.values()})
        for late in [one for one in self.children.values() if one.ends_by <= now]:
            late.kill()
        for number in [number for number, until in self._asked_for_stacks.items() if until <= now]:
            del self._asked_for_stacks[number]
            if process := self.children.get(number):
                self.say.worker_silent(process)
                process.signal(signal.SIGUSR1)

    def act(self, action: messages.Action) -> None:
        """Carry out an order that concerns one worker."""
        process = self.children.get(action.id)
        match action:
            case messages.Start():
                self._start(action)
            case messages.Drain() if process:
                process.order("drain")
            case messages.Retire() if process:
                if process.told_to_end != action.reason:
                    self.say.worker_retires(process, action.reason, first=action.first)
                self._told_to_end(process, action.reason)
                process.told_to_end = action.reason
                process.order("retire", how=self._how_to_retire(action))
            case messages.Cut(_, reason) if process:
                self._told_to_end(process, reason)
                self.say.worker_cut(process, reason)
                self._tell_lost(process, f"cut off: {reason}")
                process.order("cut")
            case messages.Spare(_, reason) if process:
                self.say.worker_spared(process, reason)
            case messages.Kill(_, reason) if process:
                self._told_to_end(process, reason)
                self.say.worker_killed(process, reason)
                self._tell_lost(process, f"cut off: {reason}")
                self.nursery.kill(process)

    def _told_to_end(self, process: child.Child, reason: str) -> None:
        """Remember the first reason, and that a worker which served is replaced for it."""
        if process.told_to_end:
            return
        process.told_to_end = reason
        if process.ready_after and self._state().stage is pool.Stage.RUNNING:
            self.ledger.replaced(process.id, reason)

    def _how_to_retire(self, action: messages.Retire) -> dict[str, Any]:
        """The worker's `retirement.Order`: who stops has little time, who is replaced has as much as it wants."""
        last = self._state().stage is pool.Stage.STOPPING
        idle = self.settings.keep_alive if action.lingers else IDLE_LINGER
        streams = max(0.0, self.settings.grace - STREAMS_BEFORE) if last or action.first else 0.0
        if self.interrupted:
            idle = INTERRUPTED_LINGER
        return {"last": last, "idle": idle, "lingers": action.lingers, "streams": streams}

    def _start(self, action: messages.Start) -> None:
        used = {process.slot for process in self.children.values()}
        slot = next((number for number in range(self.board.slots) if number not in used), None)
        if slot is None:
            self._not_started(
                action,
                OSError(
                    errno.EBUSY, f"the {self.board.slots} places are taken by workers that have not ended"
                ),
            )
            return
        self.board.clear(slot)
        log = self.say.log
        assignment = child.Assignment(
            worker=action.id, generation=action.generation, supervisor=os.getpid(), sys_path=tuple(sys.path),
            application=self._application.to_json(), settings=options.to_json(self.settings),
            sockets=tuple(one.socket.fileno() for one in self._listeners),
            lent=tuple(one.socket.fileno() for one in self._listeners if one.inherited),
            board=self.board.descriptor, slot=slot, access_log=log.access_format, events_log=log.events_format,
        )  # fmt: skip
        try:
            process = self.nursery.start(assignment)
        except OSError as error:
            self._not_started(action, error)
            return
        self.children[process.id] = process
        self.ledger.began(process.id, self._state())
        self._selector.register(process.control, selectors.EVENT_READ, lambda: self._hear(process))
        self.dumps.listen(process)

    def _not_started(self, action: messages.Start, error: OSError) -> None:
        self.refused = error
        self.say.not_started(action.id, error)
        self._later(messages.Exited(action.id))
