"""Where workers come from: forked from their generation's zygote, or started by exec to load the project themselves.

A zygote (`zygote`) loads the project once. Until it has, the workers that are asked for wait here without a process
of their own. Where it finds that the project cannot be forked safely it becomes the first of them, for it has loaded
everything, and the others are started by exec. A zygote that dies is followed by a new one; its workers, which are
the supervisor's own children, go on. One that is replaced and owns files, such as a module's temporary folder, lives
as long as they do, and then removes them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf
from typing import Any

from nuages.errors import OutsideError
from nuages.runtime import child, memory
from nuages.runtime.child import CLEANS_UP, Assignment, Child
from nuages.runtime.chronicle import SEE_LIMITS, Chronicle
from nuages.runtime.dumps import Dumps
from nuages.runtime.parent import ANSWERS, ANSWERS_SURELY, NOT_NEEDED, Zygote

# glibc and OpenBLAS read these when a process starts, and only then (mallopt(3)). One arena for each of 64 threads
# costs memory that is never given back; a thread pool inside a numeric library does not survive a fork, and every
# worker computes on one processor anyway.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
_SETTLED = 5.0  # seconds; a zygote that dies sooner after it had loaded is followed by another only when one is needed


class Nursery:
    """Makes workers.

    `failed` is called with a worker that never came to be, out of the loop and never from inside of `start`.
    `adopts` says whether orphans become children of this process; it is asked when the first zygote has loaded.
    `is_short` says whether the memory is too little for a second worker, and some worker serves.
    """

    def __init__(
        self, environ: Mapping[str, str], selector: selectors.BaseSelector, say: Chronicle, dumps: Dumps, *,
        preload: str,
        failed: Callable[[Child], None], adopts: Callable[[], bool], is_short: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._environ = {**ENVIRONMENT, **environ}
        self._selector, self._say, self._dumps, self._failed = selector, say, dumps, failed
        self._adopts, self._is_short = adopts, is_short
        self._preloads = preload != "off" and sys.platform == "linux"
        self._zygotes: dict[int, Zygote] = {}  # by generation
        self._replaced: dict[int, Zygote] = {}  # by pid; those that own what their workers use still
        self._ending: dict[int, Zygote] = {}  # by pid; killed or breaking off, and not reaped yet
        self._unsafe: set[int] = set()  # generations whose workers load the project themselves
        self._proven = -1  # the generation that serves

    # What the supervisor asks

    def start(self, assignment: Assignment) -> Child:
        """Return a new worker; it may get its process (`pid`) later. Raises OSError when none can be made."""
        worker = Child(assignment.worker, assignment.slot, assignment.generation)
        if not self._preloads or assignment.generation in self._unsafe:
            worker.execute(f"worker-{worker.id}", assignment, self._environ)
            return worker
        zygote = self._zygotes.get(assignment.generation) or self._begin(assignment)
        zygote.waiting[worker.id] = worker
        if zygote.loaded_at:
            self._ask(zygote, worker)
        return worker

    def kill(self, worker: Child) -> None:
        """End a worker, also one that has no process yet; what it has made while it loads goes with it."""
        if worker.pid:
            worker.end(at_once=self._is_short())
            return
        # It dies as soon as it lives: also if its zygote, told to end, has just forked it.
        worker.doomed = True
        zygote = self._zygotes.get(worker.generation)
        if zygote is None or worker.id not in zygote.waiting:
            return
        asked = worker.asked_at
        if asked:
            useless = time.monotonic() - asked > ANSWERS  # it hangs; else it answers in a moment
        else:
            useless = all(other.doomed for other in zygote.waiting.values())
        if useless:
            self._end(zygote)

    def next_deadline(self) -> float:
        """Return when `expire` has something to do, in monotonic seconds."""
        until = [min(one.answers_until(), one.ends_by) for one in self._living()]
        return min([*until, *(one.ends_by for one in self._ending.values())], default=inf)

    def forgive(self, seconds: float) -> None:
        """Give zygotes so much more time to fork, and to end."""
        for zygote in (*self._living(), *self._ending.values()):
            zygote.ends_by += seconds
            for worker in zygote.waiting.values():
                worker.asked_at += seconds if worker.asked_at else 0.0

    def expire(self, now: float, used: Collection[int]) -> None:
        """End zygotes that do not fork: who waits for them is told to `failed` when they have been reaped.

        And those that were replaced and have no worker any more; `used` are the generations that have some.
        """
        for zygote in self._replaced.values():
            if zygote.generation not in used and zygote.ends_by == inf:
                zygote.ends_by = now + ANSWERS_SURELY  # nobody waits for it
                zygote.order("end")
        for zygote in self._living():
            if now >= min(zygote.answers_until(), zygote.ends_by):
                if not zygote.told_to_end:
                    self._say.zygote_hangs(zygote, ANSWERS_SURELY)
                self._end(zygote)
        for zygote in self._ending.values():
            if now >= zygote.ends_by:
                zygote.kill()

    def born(self, worker: Child, pid: int) -> None:
        """Note a worker's number: its zygote says it, or the worker itself where who was to say it was killed."""
        if worker.pid:
            return
        worker.pid = pid
        for zygote in (*self._living(), *self._ending.values()):
            zygote.waiting.pop(worker.id, None)
        if worker.doomed:
            worker.signal(signal.SIGKILL)

    def prove(self, worker: Child, generation: int) -> None:
        """Note that a worker serves, and that this is its generation: zygotes before it end, for nobody needs them."""
        self._proven = generation
        self._end_before(generation)
        self._unsafe = {number for number in self._unsafe if number >= generation}
        memory.let_go_as_others(worker.pid)
        if zygote := self._zygotes.get(generation):
            memory.let_go_as_others(zygote.pid)

    def drop(self, generation: int) -> None:
        """Let a generation's zygote end: its code is given up."""
        if zygote := self._zygotes.get(generation):
            self._replace(zygote)

    def reaped(self, pid: int, status: int) -> bool:
        """Take the news that a process has ended; return whether it was a zygote."""
        zygote = self._ending.pop(pid, None)
        if zygote is None:
            zygote = next((one for one in self._living() if one.pid == pid), None)
        if zygote is None:
            return False
        zygote.status = status
        self._hear(zygote)  # what it said, and whom it forked, before it died
        self._forget(zygote)
        lost, zygote.waiting = list(zygote.waiting.values()), {}
        if not zygote.told_to_end and not (lost and zygote.error):  # else its error is told as theirs
            self._say.zygote_died(zygote)
        for worker in lost:
            worker.error, worker.status = zygote.error, status
            self._failed(worker)
        settled = zygote.loaded_at and time.monotonic() - zygote.loaded_at > _SETTLED
        if settled and not zygote.told_to_end and zygote.generation not in self._zygotes:
            try:
                self._begin(zygote.assignment)
            except OSError as error:
                self._say.not_started(0, error)
        return True

    def hear(self) -> None:
        """Read what the zygotes have said: the number of a process that has ended already may be among it.

        Also what those said that were told to end: a worker that nobody knows by its number would be waited for.
        """
        for zygote in [*self._living(), *self._ending.values()]:
            self._hear(zygote)

    def zygotes(self) -> Iterator[Zygote]:
        """The zygotes that workers are forked from."""
        return iter(tuple(self._zygotes.values()))

    def forks(self, generation: int) -> bool:
        """Return whether more workers of this generation come from a zygote, and not each by loading the project.

        Where that has died another follows: one that begins to load now is not begun anew with each SIGHUP.
        """
        return self._preloads and generation not in self._unsafe

    def retire(self) -> None:
        """Have zygotes give up the listening sockets, for the server stops; who waits for one that loads is `failed`.

        What has loaded owns what its workers still use, such as a module's temporary folder: it lives until they ended.
        """
        for zygote in self.zygotes():
            if zygote.loaded_at:
                zygote.told_to_end = NOT_NEEDED
                zygote.order("close")
            else:
                self._end(zygote)

    def close(self) -> None:
        """End every zygote when no worker is left, and wait for that: they may have a moment to clean up."""
        until = time.monotonic() + CLEANS_UP
        for zygote in self._living():
            if zygote.loaded_at:
                zygote.order("end")
            else:
                self._end(zygote)
        for zygote in self._living():
            zygote.wait(until)
            self._end(zygote)
        for pid, zygote in self._ending.items():
            if zygote.ends_by < inf:
                zygote.wait(zygote.ends_by)
                zygote.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            self._forget(zygote)
        self._ending.clear()

    # The zygotes

    def _begin(self, assignment: Assignment) -> Zygote:
        for former in self.zygotes():  # of code that has never served, and is not wanted any more
            is_useless = all(worker.doomed for worker in former.waiting.values())
            if self._proven < former.generation < assignment.generation and is_useless:
                self._replace(former)
        zygote = Zygote(assignment)
        zygote.execute(f"zygote-{zygote.generation}", zygote.assignment, self._environ)
        self._zygotes[zygote.generation] = zygote
        self._selector.register(zygote.control, selectors.EVENT_READ, lambda: self._hear(zygote))
        self._dumps.listen(zygote)
        return zygote

    def _living(self) -> list[Zygote]:
        return [*self._zygotes.values(), *self._replaced.values()]

    def _end_before(self, generation: int) -> None:
        for zygote in self._living():
            if zygote.generation < generation:
                self._replace(zygote)

    def _replace(self, zygote: Zygote) -> None:
        """End a zygote that nobody is forked from any more: at once, or when its workers have."""
        if not zygote.owns or self._is_short():
            self._end(zygote)
        elif zygote.pid not in self._replaced:
            zygote.told_to_end = NOT_NEEDED
            zygote.order("close")
            self._replaced[zygote.pid] = self._zygotes.pop(zygote.generation)

    def _end(self, zygote: Zygote) -> None:
        """Kill a zygote; one that still loads has a moment to clean up, where there is the memory for that."""
        zygote.told_to_end = NOT_NEEDED
        self._ending[zygote.pid] = zygote
        self._leave_out(zygote)
        zygote.end(at_once=self._is_short())

    def _leave_out(self, zygote: Zygote) -> None:
        self._replaced.pop(zygote.pid, None)
        if self._zygotes.get(zygote.generation) is zygote:
            del self._zygotes[zygote.generation]

    def _forget(self, zygote: Zygote) -> None:
        self._leave_out(zygote)
        self._deafen(zygote)
        self._dumps.forget(zygote)
        zygote.close()

    def _deafen(self, zygote: Zygote) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(zygote.control)

    def _ask(self, zygote: Zygote, worker: Child) -> None:
        worker.asked_at = time.monotonic()
        zygote.hand_over(worker, "fork", worker=worker.id, slot=worker.slot, begun=worker.started)

    def _hear(self, zygote: Zygote) -> None:
        heard = zygote.messages()
        if heard is None:
            self._deafen(zygote)
        for message in heard or ():
            self._take(zygote, message)

    def _take(self, zygote: Zygote, message: dict[str, Any]) -> None:
        if "loaded" in message:
            self._loaded(zygote, message)
        elif "forked" in message:
            worker = zygote.waiting.pop(message["forked"], None)
            if worker and message["pid"] < 0:
                self._refused(worker, "the process between the zygote and the worker could not fork")
            elif worker:
                self.born(worker, message["pid"])
        elif "refused" in message:
            worker = zygote.waiting.pop(message["refused"], None)
            if worker:
                self._refused(worker, message["why"])
        elif "error" in message:
            zygote.error = child.error_from(message["error"])
        elif "report" in message:
            self._say.reported(zygote, message)

    def _refused(self, worker: Child, why: str) -> None:
        worker.error = OutsideError(
            "no worker could be started", where="fork(2)", why=why,
            hint=SEE_LIMITS,
        )  # fmt: skip
        self._failed(worker)

    def _loaded(self, zygote: Zygote, message: dict[str, Any]) -> None:
        if zygote.told_to_end or zygote.status is not None:
            return  # who waits for it is told so when it has been reaped
        zygote.loaded, zygote.loaded_at = message["loaded"], time.monotonic()
        zygote.owns, why = message["owns"], message["why"]
        if not why and not self._adopts():
            why = "this kernel does not let orphans become our children (prctl(2), PR_SET_CHILD_SUBREAPER)"
        self._say.preloaded(zygote, why)
        if zygote.generation == self._proven:
            memory.let_go_as_others(zygote.pid)
        if not why:
            if self._is_short():
                self._end_before(zygote.generation)  # for the first worker takes what that gives back
            for worker in list(zygote.waiting.values()):
                self._ask(zygote, worker)
            return
        self._unsafe.add(zygote.generation)
        waiting = [worker for worker in zygote.waiting.values() if not worker.doomed]
        if not waiting:
            self._end(zygote)
            return
        for worker in zygote.waiting.values():
            if worker.doomed:
                self._failed(worker)
        first, *others = waiting
        zygote.hand_over(first, "become", worker=first.id, slot=first.slot, begun=first.started)
        first.pid, first.owns = zygote.pid, True
        self._forget(zygote)
        for worker in others:
            assignment = dataclasses.replace(zygote.assignment, worker=worker.id, slot=worker.slot)
            try:
                worker.execute(f"worker-{worker.id}", assignment, self._environ)
            except OSError as error:
                self._say.not_started(worker.id, error)
                self._failed(worker)
