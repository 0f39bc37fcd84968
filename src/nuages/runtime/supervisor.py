"""The process that owns the sockets and the workers: it starts, watches, replaces and stops them, and serves nothing.

It imports neither uvicorn nor Django. Signals only wake the loop; the loop tells `pool.step` what happened and carries
out the actions it returns; nothing here waits for a worker. All deadlines are monotonic.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from nuages.errors import NuagesError, Origin
from nuages.runtime import capacity, child, chronicle, messages, nursery, pool, sockets
from nuages.runtime import settings as options
from nuages.runtime.log import Log, open_log
from nuages.runtime.scoreboard import Figures, InFlight, Scoreboard
from nuages.runtime.signals import Signals, become_subreaper

if TYPE_CHECKING:
    from nuages.runtime.application import Application
    from nuages.runtime.management import Management
    from nuages.runtime.settings import Settings

CUT_OFF = 1  # exit code when requests did not finish within the grace
IDLE_LINGER = (
    1.0  # seconds; how long a retiring worker keeps idle connections for a request that is on its way
)
STREAMS_BEFORE = (
    0.5  # seconds before the grace is over, when event streams are ended: their clients come again
)
_KUBERNETES_DRAIN = 5.0
_ECHO = (
    0.2  # seconds; timeout(1) and process managers signal both the process and its group: that is one signal
)
_LEAST_SLOTS = (
    64  # of the scoreboard; workers that still finish requests have one too, and TTIN may add workers
)


def serve(
    application: Application,
    settings: Settings,
    *,
    origins: Mapping[str, Origin] | None = None,
    environ: Mapping[str, str] | None = None,
    log: Log | None = None,
) -> int:
    """Serve until a signal ends it; return the exit code: 0, or CUT_OFF, or 128 + the second signal's number.

    Raises NuagesError when it cannot listen or the application does not start. Must run in the main thread.
    """
    environ = dict(os.environ if environ is None else environ)
    log = log or open_log(settings.access_log)
    origin = (origins or {}).get("bind", "--bind")
    listeners = sockets.inherited(environ, pid=os.getpid())
    if listeners and str(origin) != "--bind" and str(origin) != "default":
        log.event("warning", "bind-ignored", f"{origin} is ignored: systemd handed over the sockets")
    listeners = listeners or sockets.listen(settings.bind, origin=origin)
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    supervisor = Supervisor(application, settings, listeners, log, environ, origins or {})
    try:
        return supervisor.run()
    finally:
        supervisor.close()


class Supervisor:
    """The shell around `pool.step`: descriptors, processes and signals on one side, values on the other."""

    def __init__(
        self,
        application: Application,
        settings: Settings,
        listeners: list[sockets.Listener],
        log: Log,
        environ: dict[str, str],
        origins: Mapping[str, Origin],
    ) -> None:
        self.settings, self.log = settings, log
        self.say = chronicle.Chronicle(log)
        self.urls = [listener.url for listener in listeners]
        self.started = time.monotonic()
        self.restarts = 0
        self.children: dict[int, child.Child] = {}
        self._listeners = listeners
        self._application, self._environ, self._origins = application, environ, origins
        self._stop_signal, self._stopped_at = 0, -inf
        self._cut_requests = 0
        self._error: NuagesError | None = None
        self._last_ended: child.Child | None = None
        self._refused: OSError | None = None
        self._had_terminal = os.isatty(2)
        self._management: Management | None = None
        self._selector = selectors.DefaultSelector()
        self._adopts = os.getpid() == 1
        self.nursery = nursery.Nursery(
            environ, self._selector, self.say, preload=settings.preload, failed=self._exited,
            adopts=lambda: self._adopts,
        )  # fmt: skip
        self._signals = Signals()
        self._selector.register(self._signals.reader, selectors.EVENT_READ, self._read_signals)
        # Events that come up while others are acted on wait here for their turn.
        self._events: deque[messages.Event] = deque()
        self.capacity = self._decide_workers()
        self._board = Scoreboard(max(_LEAST_SLOTS, 4 * self.capacity.workers))
        os.set_inheritable(self._board.descriptor, True)
        for listener in listeners:
            listener.socket.set_inheritable(True)
        limits = pool.Limits(
            workers=self.capacity.workers,
            start=settings.start_timeout,
            grace=settings.grace,
            linger=settings.recycle_linger,
        )
        self.pool = pool.Pool(limits=limits)

    def run(self) -> int:
        """Start the workers and act on what happens until all have ended; raises NuagesError for a failed start."""
        self._step()
        # Everything else has time while the workers load the project.
        self.say.listening(self.urls, self.capacity, self.settings)
        self._open_management()
        self._adopts = become_subreaper() or self._adopts
        while not pool.done(self.pool):
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            if self._management:
                self._management.expire(time.monotonic())
            self._step()
            while self._events:
                self._step(self._events.popleft())
        if self._error:
            raise self._error
        if not self._cut_requests:
            return 0
        return 128 + self._stop_signal if self.pool.hurried else CUT_OFF

    def close(self) -> None:
        """Give everything back: sockets and their files, shared memory, signals; no child is left behind."""
        for process in self.children.values():
            process.signal(signal.SIGKILL)
        self.nursery.close()
        self.nursery.wait()
        self._close_listeners()
        if self._management:
            self._management.close()
        self._signals.close()
        self._selector.close()
        self._board.close()

    def figures(self, process: child.Child) -> tuple[Figures, tuple[InFlight, ...]]:
        """Return what a worker says of itself and the requests it is at."""
        return self._board.figures(process.slot), self._board.in_flight(process.slot)

    def _timeout(self) -> float | None:
        if self._events:
            return 0.0
        deadline = pool.next_deadline(self.pool)
        if self._management:
            deadline = min(deadline, self._management.next_deadline())
        return None if deadline == inf else max(0.0, deadline - time.monotonic())

    def _step(self, event: messages.Event | None = None) -> None:
        stage = self.pool.stage
        self.pool, actions = pool.step(self.pool, time.monotonic(), event)
        if self.pool.stage is not stage:
            self.say.stage(self.pool.stage)
            if self.pool.stage is pool.Stage.STOPPING:
                self._close_listeners()
                self.nursery.close()  # a zygote has them too
        for action in actions:
            self._act(action)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    # What happened: signals

    def _read_signals(self) -> None:
        for number in self._signals.come():
            match number:
                case signal.SIGCHLD:
                    self._reap()
                case signal.SIGTERM | signal.SIGINT:
                    self._on_stop(number)
                case signal.SIGHUP if self._terminal_is_gone():
                    self._on_stop(signal.SIGTERM)
                case signal.SIGHUP:
                    self.say.signal(number.name, ": loading the new code beside the old")
                    self._step(messages.Reload())
                case signal.SIGTTIN | signal.SIGTTOU:
                    self._resize(1 if number == signal.SIGTTIN else -1, number.name)
                case signal.SIGUSR1:
                    for process in (*self.children.values(), *self.nursery.zygotes()):
                        process.signal(signal.SIGUSR1)

    def _on_stop(self, number: signal.Signals) -> None:
        now = time.monotonic()
        if now - self._stopped_at < _ECHO and number == self._stop_signal:
            return
        again = self.pool.stage is not pool.Stage.RUNNING
        self._stop_signal, self._stopped_at = number, now
        self.say.signal(number.name, " again: ending at once" if again else "")
        self._step(messages.Stop(self._drain_seconds() if number == signal.SIGTERM else 0.0))

    def _resize(self, by: int, name: str) -> None:
        wanted = self.pool.limits.workers + by
        if 1 <= wanted <= self._board.slots // 4:
            self.say.signal(name, f": {chronicle.counted(wanted)}")
            self._step(messages.Resize(by))

    def _terminal_is_gone(self) -> bool:
        """Whether SIGHUP means that the terminal was closed: its descriptor says so; a reload leaves it alone."""
        return self._had_terminal and not os.isatty(2)

    # What happened: workers

    def _reap(self) -> None:
        """Take every exit status there is: our workers', and as PID 1 or subreaper those of anybody's orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.nursery.reaped(pid, status):
                continue
            self.nursery.hear()  # the number of a worker that was forked and died may be in a message still
            if process := next((one for one in self.children.values() if one.pid == pid), None):
                process.status = status
                self._exited(process)

    def _exited(self, process: child.Child) -> None:
        self._hear(process)  # what it said before it died comes before the news of its death
        self._forget_control(process)
        process.close()
        del self.children[process.id]
        self._board.leave(process.slot)
        self._last_ended = process
        worker = pool.find(self.pool, process.id)
        phase = worker.phase if worker else pool.Phase.KILLED
        self.restarts += phase in {pool.Phase.STARTING, pool.Phase.READY}
        self.say.worker_ended(process, phase, later=self.pool.proven is not None)
        if phase is not pool.Phase.STARTING:
            self._tell_lost(process, "lost with its worker")
        self._step(messages.Exited(process.id, reported=process.error is not None))

    def _hear(self, process: child.Child) -> None:
        heard = process.messages()
        if heard is None:
            self._forget_control(process)
        for message in heard or ():
            if "ready" in message:
                self._became_ready(process)
            elif "error" in message:
                process.error = child.error_from(message["error"])
            elif "lingers" in message:
                self._step(messages.Lingers(process.id))
            elif "due" in message:
                self._step(messages.Due(process.id, message["due"]))
            elif "report" in message:
                self.say.reported(process, message)

    def _forget_control(self, process: child.Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.control)

    def _became_ready(self, process: child.Child) -> None:
        process.ready_after = time.monotonic() - process.started
        self.say.worker_ready(process)
        first = self.pool.proven is None
        self._step(messages.Ready(process.id))
        self.nursery.keep(self.pool.proven or 0)
        if first:
            self.say.ready(self.urls, time.monotonic() - self.started)
            self._measure(process)

    def _tell_lost(self, process: child.Child, why: str) -> None:
        """Log the requests that a worker did not finish, once; what a stop cuts off is counted."""
        if process.lost_told:
            return
        process.lost_told = True
        requests = self._board.in_flight(process.slot)
        if self.pool.stage is not pool.Stage.RUNNING:
            self._cut_requests += len(requests)
        self.say.lost(process, requests, why, time.monotonic())

    # What to do about it

    def _act(self, action: messages.Action) -> None:
        process = self.children.get(action.id)
        match action:
            case messages.Start():
                self._start(action)
            case messages.GiveUp():
                failed = process or self._last_ended
                self._error = chronicle.why_it_cannot_start(
                    failed, self.settings.start_timeout, self._refused
                )
            case messages.Abandon():
                self.nursery.drop(action.generation)
                self.say.abandoned(action.id)
            case messages.Drain() if process:
                process.order("drain")
            case messages.Retire(_, reason) if process and process.told_to_end:
                process.order("retire", how=self._how_to_retire(action))
            case messages.Retire(_, reason) if process:
                process.told_to_end = reason
                self.say.worker_retires(process, reason)
                process.order("retire", how=self._how_to_retire(action))
            case messages.Cut(_, reason) if process:
                self._tell_lost(process, f"cut off: {reason}")
                process.order("cut")
            case messages.Kill(_, reason) if process:
                process.told_to_end = process.told_to_end or reason
                self.say.worker_killed(process, reason)
                self._tell_lost(process, f"cut off: {reason}")
                self.nursery.kill(process)

    def _how_to_retire(self, action: messages.Retire) -> dict[str, Any]:
        """The worker's `retirement.Order`: who stops has little time, who is replaced has as much as it wants."""
        last = self.pool.stage is pool.Stage.STOPPING
        idle = self.settings.keep_alive if action.lingers else IDLE_LINGER
        streams = max(0.0, self.settings.grace - STREAMS_BEFORE) if last or action.first else 0.0
        if self._stop_signal == signal.SIGINT:
            idle = 0.0
        return {"last": last, "idle": idle, "lingers": action.lingers, "streams": streams}

    def _start(self, action: messages.Start) -> None:
        used = {process.slot for process in self.children.values()}
        slot = next(number for number in range(self._board.slots) if number not in used)
        self._board.clear(slot)
        assignment = child.Assignment(
            worker=action.id, generation=action.generation, supervisor=os.getpid(), sys_path=tuple(sys.path),
            application=self._application.to_json(), settings=options.to_json(self.settings),
            sockets=tuple(listener.socket.fileno() for listener in self._listeners), board=self._board.descriptor,
            slot=slot, access_log=self.log.access_format, events_log=self.log.events_format,
        )  # fmt: skip
        try:
            process = self.nursery.start(assignment)
        except OSError as error:
            self._refused = error
            self.say.not_started(action.id, error)
            self._events.append(messages.Exited(action.id))
            return
        self.children[process.id] = process
        self._selector.register(process.control, selectors.EVENT_READ, lambda: self._hear(process))

    # What is decided from outside facts

    def _decide_workers(self) -> capacity.Capacity:
        if self.settings.workers is not None:
            origin = self._origins.get("workers", "--workers")
            return capacity.Capacity(workers=self.settings.workers, reason=f"given by {origin}")
        self._facts = capacity.read_facts()
        return capacity.decide(self._facts)

    def _measure(self, process: child.Child) -> None:
        """Where memory decides: weigh the first worker, and have as many as fit."""
        if not self.capacity.provisional:
            return
        self.capacity = capacity.decide(self._facts, measured_bytes=capacity.measure(process.pid))
        self.say.measured(self.capacity)
        if self.capacity.workers != self.pool.limits.workers:
            self._step(messages.Resize(self.capacity.workers - self.pool.limits.workers))

    def _drain_seconds(self) -> float:
        if self.settings.drain is not None:
            return self.settings.drain
        return _KUBERNETES_DRAIN if options.in_kubernetes(self._environ) else 0.0

    def _open_management(self) -> None:
        """Answer health checks; a taken address ends the server, as that of `--bind` does."""
        from nuages.runtime import management, status  # late: the workers are started before

        origin = self._origins.get("management", "--management")
        listener = management.open_listener(self.settings.management, self._environ, origin=origin)
        if listener:
            self._management = management.Management(listener, self._selector, status.answers(self))
        if listener or self.settings.management == "auto":
            self.say.management(str(listener.address) if listener else "")
