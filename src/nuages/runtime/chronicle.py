"""What the supervisor says: every event of the server, its name, its words and its fields, in one place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nuages.errors import NuagesError, OutsideError, StartError
from nuages.runtime.child import Child
from nuages.runtime.pool import Phase, Stage

if TYPE_CHECKING:
    from nuages.runtime.capacity import Capacity
    from nuages.runtime.child import Process
    from nuages.runtime.log import Log
    from nuages.runtime.memory import Group
    from nuages.runtime.parent import Zygote
    from nuages.runtime.scoreboard import InFlight
    from nuages.runtime.settings import Settings

SEE_LIMITS = "see the limits of processes and memory: `ulimit -u`, pids.max, memory.max"
_STAGES = {
    Stage.RUNNING: "running",
    Stage.DRAINING: "not ready any more; still accepting while balancers notice",
    Stage.STOPPING: "accepting nothing new; finishing what is in flight",
}
# What a worker that was replaced may hold for long, by `retirement.State`: one, and more of it.
_LONG = {
    "socket": ("WebSocket", "WebSockets"),
    "upload": ("upload", "uploads"),
    "stream": ("answer that has begun", "answers that have begun"),
    "idle": ("idle connection", "idle connections"),
}


class Chronicle:
    """Writes the events of one server."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._said: dict[tuple[str, str], int] = {}

    def listening(self, urls: Sequence[str], capacity: Capacity, settings: Settings) -> None:
        """The start: where, with how many workers and why, and what that means for the database."""
        workers, threads = capacity.workers, settings.threads
        self.log.event(
            "info", "listening", f"listening on {', '.join(urls)}; {counted(workers)}: {capacity.reason}",
            addresses=list(urls), workers=workers, reason=capacity.reason, pid=os.getpid(),
        )  # fmt: skip
        self.log.event(
            "info", "limits",
            f"at most {workers * threads} database connections: {counted(workers)} × {threads} threads; "
            f"proxies believed: {' '.join(settings.trusted_proxies) or 'none'}",
            connections=workers * threads, trusted_proxies=list(settings.trusted_proxies),
        )  # fmt: skip

    def measured(self, capacity: Capacity) -> None:
        """How many workers fit the memory, now that one has been weighed."""
        text = f"{counted(capacity.workers)}: {capacity.reason}"
        self.log.event("info", "measured", text, workers=capacity.workers, reason=capacity.reason)

    def management(self, address: str) -> None:
        """Where health checks are answered; an empty address: nowhere."""
        if address:
            self.log.event("info", "management", f"health checks and status at {address}", address=address)
        else:
            text = "no folder for the management socket: health checks are off"
            self.log.event("warning", "management-off", text)

    def metrics_off(self, place: str, why: str) -> None:
        """The project's own metrics cannot be kept together."""
        text = f"metrics of the project's own are each worker's alone: {why}"
        self.log.event("warning", "metrics-off", text, place=place)

    def metrics_incomplete(self, place: str, why: str) -> None:
        """The folder of the project's own metrics cannot be read or written; said once."""
        text = f"metrics of the project's own may be incomplete: {why}"
        self.log.event("warning", "metrics-incomplete", text, place=place)

    def ready(self, urls: Sequence[str], seconds: float) -> None:
        """The first worker of the server accepts."""
        self.log.event("info", "ready", f"ready to serve at {', '.join(urls)}", seconds=round(seconds, 3))

    def stage(self, stage: Stage) -> None:
        """The server enters a stage."""
        self.log.event("info", stage.value, _STAGES[stage])

    def signal(self, name: str, meaning: str = "") -> None:
        """A signal came, and what it means here."""
        self.log.event("info", "signal", f"{name} came{meaning}", signal=name)

    def abandoned(self, worker: int) -> None:
        """A reload has failed."""
        text = "the new code could not be loaded: the old goes on serving"
        self.log.event("error", "reload-failed", text, worker=worker)

    def reported(self, process: Process, message: dict[str, Any]) -> None:
        """What a process found: each of a generation finds the same, and the next ones mostly do.

        It is said once, and again where the generation before had something else to say.
        """
        key = (message["report"], message["text"])
        last = self._said.get(key)
        self._said[key] = max(process.generation, last or 0)
        if last is not None and process.generation <= last + 1:
            return
        fields = dict(message["fields"])
        level = fields.pop("level", "warning" if message["report"] == "warning" else "info")
        self.log.event(level, message["report"], message["text"], **fields)

    def stacks(self, process: Process, text: str) -> None:
        """What the threads of a process are at that did not say so itself."""
        fields = {"worker": process.id} if isinstance(process, Child) else {"generation": process.generation}
        self.log.event(
            "info", "stacks", f"stacks of process {process.pid}\n{text}", pid=process.pid, **fields
        )

    # Of a zygote

    def preloaded(self, zygote: Zygote, why_not: str) -> None:
        """The project is loaded, and workers are forked from it, or why they cannot be."""
        fields = {"generation": zygote.generation, "pid": zygote.pid, "seconds": round(zygote.loaded, 3)}
        if why_not:
            text = f"every worker loads the project itself: {why_not}"
            self.log.event("warning", "preload-off", text, why=why_not, **fields)
        else:
            text = f"the project is loaded after {zygote.loaded:.2f} s; workers are forked from it"
            self.log.event("info", "preloaded", text, **fields)

    def zygote_died(self, zygote: Zygote) -> None:
        """The process that workers are forked from has ended unasked, or before it had loaded what is."""
        does = "that loads the project" if zygote.is_loading else "that workers are forked from"
        text = f"the process {does} {zygote.ending()}; the workers go on"
        text += f"\n{zygote.error.render()}" if zygote.error else ""
        self.log.event(
            "error", "zygote-died", text, generation=zygote.generation, pid=zygote.pid, status=zygote.status
        )

    def zygote_hangs(self, zygote: Zygote, seconds: float) -> None:
        """The process that workers are forked from does not fork."""
        text = f"the process that workers are forked from has not answered for {seconds:.0f} s; another takes its place"
        self.log.event("error", "zygote-hangs", text, generation=zygote.generation, pid=zygote.pid)

    # Of one worker

    def worker_ready(self, process: Child) -> None:
        """A worker accepts."""
        seconds = process.ready_after
        self._say(
            process, "info", "worker-ready", f"is ready after {seconds:.2f} s", seconds=round(seconds, 3)
        )

    def worker_retires(self, process: Child, reason: str, *, first: bool) -> None:
        """A worker was told to accept nothing new; `first`: before another takes its place."""
        text = f"retires: {reason}"
        if first:
            text += "; a second one does not fit the memory, so another starts when it has ended"
        self._say(process, "warning" if first else "info", "worker-retires", text, reason=reason)

    def worker_lingers(self, process: Child, holds: Mapping[str, int]) -> None:
        """A worker was replaced and has only what may take long: so many of each kind, by `retirement.State`."""
        found = [f"{holds[kind]} {_LONG[kind][holds[kind] > 1]}" for kind in _LONG if holds.get(kind)]
        self._say(process, "info", "worker-lingers", f"lives on for {', '.join(found)}", holds=dict(holds))

    def worker_silent(self, process: Child) -> None:
        """A worker's loop does not show its stacks: they are read from outside, and follow."""
        self._say(process, "warning", "worker-silent", "does not answer: its threads are at what follows")

    def worker_cut(self, process: Child, reason: str) -> None:
        """A worker was told to drop what it still has; that may be nothing but a hanging end."""
        self._say(process, "warning", "worker-cut", f"is cut off: {reason}", reason=reason)

    def worker_spared(self, process: Child, reason: str) -> None:
        """A worker with a stuck thread is not replaced."""
        text = (
            f"goes on with a thread less, as enough workers were replaced for such threads of late: {reason}"
        )
        self._say(process, "warning", "worker-spared", text, reason=reason)

    def worker_killed(self, process: Child, reason: str) -> None:
        """A worker was killed by us."""
        how = "is killed" if process.pid else "is given up"  # its zygote loads still
        self._say(process, "warning", "worker-killed", f"{how}: {reason}", reason=reason)

    def worker_ended(self, process: Child, phase: Phase, *, later: bool) -> None:
        """A worker's process has ended, as it was told to or not; `later`: the server was ready before."""
        if phase is Phase.STARTING and process.error:
            if later:  # else the error ends the server, and whoever called us prints it
                text = f"could not start\n{process.error.render()}"
                self._say(process, "error", "worker-start-failed", text)
        elif not process.pid and process.told_to_end:
            self._say(process, "info", "worker-not-forked", "was not forked: it is not needed any more")
        elif not process.pid and phase is Phase.STARTING:
            text = f"was not forked: the zygote that was to do it {process.ending()}"
            self._say(process, "warning", "worker-not-forked", text, status=process.status)
        elif phase in {Phase.STARTING, Phase.READY} or (
            phase in {Phase.RETIRING, Phase.LINGERING} and process.status
        ):
            self._say(
                process, "error", "worker-died", process.ending(), status=process.status, phase=phase.value
            )
        else:
            self._say(process, "info", "worker-ended", "has ended")

    def backs_off(self, wait: float, failures: int, *, serves: bool) -> None:
        """A worker is missing, and the next one is started `wait` seconds later."""
        text = (
            f"the next worker is started in {wait:.1f} s, for {failures} in a row have died without answering"
        )
        if not serves:
            text += "; until then nobody serves"
        self.log.event("warning", "worker-waits", text, seconds=round(wait, 3), failures=failures)

    def stalled(self, process: Child, reason: str, requests: Sequence[InFlight]) -> None:
        """A worker's loop stands still; its stacks follow."""
        urls = [f"{request.method} {request.path}" for request in requests]
        self._say(
            process, "error", "worker-stalled", f"is to be replaced: {reason}{_at(urls)}", requests=urls
        )

    def memory_room(self, group: Group, need: int, number: int, *, fits: bool) -> None:
        """Another worker fits beside those that serve, or so many that are missing, or not any more."""
        is_one = number == 1
        who = f"{'another worker' if is_one else f'{number} more workers'} ({need >> 20} MB)"
        level, event = "info", "memory-room"
        text = f"{who} fit{'s' * is_one} again: a new one is ready before the old one stops"
        if not fits:
            level, event = "warning", "memory-short"
            text = f"{who} do{'es' * is_one} not fit: where one is replaced, the old one ends first"
        self.log.event(level, event, f"{text}; {_free(group)}", room=group.room, need=need)

    def reload_room(self, group: Group, need: int, number: int, *, ends: int, lacking: int) -> None:
        """New code does not fit beside the old: so many workers are gone until it serves, of which so many end now.

        So many bytes may be `lacking` even so.
        """
        first = "the old one ends first" if ends == 1 else f"{ends} workers end first"
        if not ends:
            first = "it is loaded in the place of workers that have ended"
        if lacking:
            first += f", and even so {lacking >> 20} MB are missing: it may not load"
        self.log.event(
            "warning", "memory-short",
            f"the new code and a worker ({need >> 20} MB) do not fit: {first}; {_free(group)}",
            room=group.room, need=need, workers=number,
        )  # fmt: skip

    def killed_by_limit(self, group: Group, number: int) -> None:
        """The kernel has killed somebody because of the memory limit."""
        text = f"the kernel has killed {number} of our processes: {group.limit >> 20} MB is the limit by {group.origin}"
        self.log.event("error", "out-of-memory", text, limit=group.limit, origin=group.origin)

    def guarded(
        self, who: str, pid: int, requests: Sequence[InFlight], group: Group, grown: int, seconds: float
    ) -> None:
        """A process was killed by us before the kernel would have killed all of them."""
        urls = [f"{request.method} {request.path}" for request in requests]
        left = f"{group.left >> 20} of {group.limit >> 20} MB by {group.origin} are left"
        why = (
            "with the last the kernel ends the whole container"
            if group.whole
            else "it was about to take them"
        )
        self.log.event(
            "error", "memory-guard",
            f"{who} is killed: it took {grown >> 20} MB within {seconds:.1f} s, {left}, and {why}{_at(urls)}",
            pid=pid, grown=grown, left=group.left, requests=urls,
        )  # fmt: skip

    def not_started(self, worker: int, error: OSError) -> None:
        """The kernel did not give us another process."""
        who = f"worker {worker}" if worker else "the process that workers are forked from"
        text = f"{who} could not be started: {error.strerror}"
        if error.errno in {errno.EAGAIN, errno.ENOMEM}:
            text += f"; {SEE_LIMITS}"
        self.log.event("error", "worker-start-failed", text, worker=worker)

    def lost(
        self, process: Child, requests: Iterable[InFlight], why: str, now: float, *, more: int = 0
    ) -> None:
        """Requests that a worker did not finish; of so many `more` nothing is known but that they were."""
        for request in requests:
            self._lost("error", "request-lost", process, request, why, now)
        if more:
            text = f"and {more} more requests {why}"
            self.log.event("error", "requests-lost", text, worker=process.id, pid=process.pid, more=more)

    def sockets_lost(
        self, process: Child, sockets: Iterable[InFlight], why: str, now: float, *, more: int = 0
    ) -> None:
        """The same of WebSockets: nobody waits for an answer, and clients connect again."""
        for one in sockets:
            self._lost("warning", "websocket-lost", process, one, why, now)
        if more:
            text = f"and {more} more WebSockets {why}"
            self.log.event("warning", "websockets-lost", text, worker=process.id, pid=process.pid, more=more)

    def _lost(self, level: str, event: str, process: Child, what: InFlight, why: str, now: float) -> None:
        age = now - what.since
        self.log.event(
            level, event, f"{what.method} {what.path} {why}, after {age:.1f} s",
            worker=process.id, pid=process.pid, method=what.method, path=what.path, request_id=what.request_id,
            age=round(age, 3),
        )  # fmt: skip

    def _say(self, process: Child, level: str, event: str, text: str, **fields: Any) -> None:
        words = f"worker {process.id} {text}"
        number = {"pid": process.pid} if process.pid else {}
        self.log.event(level, event, words, worker=process.id, **number, **fields)


def why_it_cannot_start(process: Child | None, start_seconds: float, refused: OSError | None) -> NuagesError:
    """Return the one error of a server that was never ready: the project's own where it told one."""
    if process is None:
        return OutsideError(
            "no worker could be started", where="posix_spawn(3)", why=str(refused),
            hint=SEE_LIMITS,
        )  # fmt: skip
    if process.error:
        return process.error
    if process.status is None:
        return StartError(
            f"the application was not ready within {start_seconds:g} s", where=f"worker {process.id}, still loading",
            why="what the project does while it is imported takes longer, or never ends: its stack stands above",
            hint=f"--start-timeout {max(1, round(start_seconds * 2))}s gives it more time",
        )  # fmt: skip
    return StartError(
        "the application ended while it was loading", where=f"worker {process.id}, after several attempts",
        why=f"its process {process.ending()}, and said nothing",
        hint="look above for what it wrote; `python manage.py check` loads the same code",
    )  # fmt: skip


def _at(urls: Sequence[str]) -> str:
    more = f" and {len(urls) - 5} more" if len(urls) > 5 else ""
    return f"; it is at {', '.join(urls[:5])}{more}" if urls else ""


def _free(group: Group) -> str:
    return f"{max(0, group.room) >> 20} of {group.limit >> 20} MB by {group.origin} are free"


def counted(workers: int) -> str:
    """`1 worker`, `2 workers`."""
    return f"{workers} worker" + ("" if workers == 1 else "s")
