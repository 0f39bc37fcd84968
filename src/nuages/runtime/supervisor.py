"""The process that owns the sockets and the workers: it starts, watches, replaces and stops them, and serves nothing.

It imports neither uvicorn nor Django. Signals only wake the loop; the loop tells `pool.step` what happened and carries
out the actions it returns; nothing here waits for a worker. All deadlines are monotonic.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

from nuages.errors import NuagesError, Origin
from nuages.runtime import (
    capacity,
    child,
    chronicle,
    management,
    messages,
    multiprocess,
    observation,
    pool,
    recycling,
    sockets,
    systemd,
)
from nuages.runtime import settings as options
from nuages.runtime.crew import Crew
from nuages.runtime.guard import Guard
from nuages.runtime.log import Log, open_log
from nuages.runtime.prefixes import TimeLimits
from nuages.runtime.signals import Signals, become_subreaper
from nuages.runtime.watch import Watch

if TYPE_CHECKING:
    from nuages.runtime.application import Application
    from nuages.runtime.settings import Settings

CUT_OFF = 1  # exit code when requests did not finish within the grace
_KUBERNETES_DRAIN = 5.0
_ANSWER = 1.0  # seconds to send what a view's limit of time has brought about
_LAST_EVENTS = 3.0  # seconds for the last events to be read, as long as somebody reads them
_ECHO = (
    0.2  # seconds; timeout(1) and process managers signal both the process and its group: that is one signal
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
    if settings.tls_cert or settings.tls_key:
        from nuages.runtime import tls  # late: few need OpenSSL here

        tls.check(settings.tls_cert, settings.tls_key, origins or {}, say=log.event)
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
        log.close(_LAST_EVENTS)


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
        self.urls = [listener.url(secure=settings.tls_cert is not None) for listener in listeners]
        self.project = application.directory
        self.started, self.started_at = time.monotonic(), time.time()
        self._listeners = listeners
        self._environ, self._origins = environ, origins
        self._stop_signal, self._stopped_at = 0, -inf
        self._seen = inf  # when something was last waited for
        self._error: NuagesError | None = None
        self._had_terminal = os.isatty(2)
        self._management: management.Management | None = None
        self._selector = selectors.DefaultSelector()
        self._adopts = os.getpid() == 1
        self._signals = Signals()
        self._systemd = systemd.from_environment(environ)
        self._selector.register(self._signals.reader, selectors.EVENT_READ, self._read_signals)
        # Events that come up while others are acted on wait here for their turn.
        self._events: deque[messages.Event] = deque()
        self.metrics = self._prepare_metrics()
        self.capacity = self._decide_workers()
        limits = pool.Limits(
            workers=self.capacity.workers,
            start=settings.start_timeout,
            grace=settings.grace,
            finish=max(settings.grace, TimeLimits(settings.timeout, settings.timeout_path).longest + _ANSWER),
            linger=settings.recycle_linger,
        )
        self.pool = pool.Pool(limits=limits)
        most = max(self.capacity.workers, self.capacity.upto)
        self.crew = Crew(
            application, settings, listeners, environ, self._selector, self.say, workers=most,
            adopts=lambda: self._adopts, state=lambda: self.pool, happen=self._step, later=self._events.append,
        )  # fmt: skip

        if self.metrics:
            self.crew.on_reaped = self.metrics.forget
        self._watch = Watch(settings, self.crew)
        self._guard = Guard(settings.memory_guard, self.crew)
        self._observer = observation.Observer(self)

    def run(self) -> int:
        """Start the workers and act on what happens until all have ended; raises NuagesError for a failed start."""
        self._step()
        # Everything else has time while the workers load the project.
        self.say.listening(self.urls, self.capacity, self.settings)
        self._open_management()
        self._adopts = become_subreaper() or self._adopts
        self._seen = time.monotonic()
        while not pool.done(self.pool):
            for key in self._wait():
                key.data()
            now = time.monotonic()
            if self._management:
                self._management.expire(now)
            self.crew.expire(now)
            self._step()
            self._events += self._watch.look(self.pool, now)
            while self._events:
                self._step(self._events.popleft())
        if self._error:
            raise self._error
        if not self.crew.cut_requests:
            return 0
        return 128 + self._stop_signal if self.pool.hurried else CUT_OFF

    def _tell(self) -> None:
        """Let workers and systemd know how things are."""
        self._systemd.tell(self.pool, time.monotonic())
        self.crew.board.show_accepting(not self._observer.why_not_ready())

    def close(self) -> None:
        """Give everything back: sockets and their files, shared memory, signals; no child is left behind."""
        self.crew.close()
        self._close_listeners()
        if self._management:
            self._management.close()
        self._signals.close()
        self._systemd.close()
        self._guard.close()
        if self.metrics:
            self.metrics.close()
        self._selector.close()

    def _wait(self) -> list[selectors.SelectorKey]:
        """Return what can be read, as soon as there is something or the next deadline has come."""
        deadline = self._next_deadline()
        while True:
            timeout = max(0.0, min(deadline, self._guard.next_deadline()) - time.monotonic())
            ready = self._selector.select(None if timeout == inf else timeout)
            before, self._seen = self._seen, time.monotonic()
            if self._seen - before - timeout > recycling.LATE:
                self._forgive(self._seen - before - timeout)
            self._guard.look()
            if ready or self._seen >= deadline:
                return [key for key, _ in ready]

    def _next_deadline(self) -> float:
        if self._events:
            return -inf
        deadline = min(
            pool.next_deadline(self.pool),
            self.crew.next_deadline(),
            self._watch.next_deadline(self.pool),
            self._systemd.next_deadline(),
        )
        return min(deadline, self._management.next_deadline()) if self._management else deadline

    def _forgive(self, seconds: float) -> None:
        """Give everybody the time again in which this process stood still: a paused container stands still whole."""
        self.pool = pool.forgiven(self.pool, seconds)
        self.crew.forgive(seconds)
        self._watch.forgive(seconds)

    def _step(self, event: messages.Event | None = None) -> None:
        stage, proven = self.pool.stage, self.pool.proven
        self.pool, actions = pool.step(self.pool, time.monotonic(), event)
        self._tell()
        if self.pool.stage is not stage:
            self.say.stage(self.pool.stage)
            if self.pool.stage is pool.Stage.STOPPING:
                self._close_listeners()
                self.crew.nursery.retire()  # a zygote has them too
        for action in actions:
            self._act(action)
        if isinstance(event, messages.Ready):
            self._watch.weigh(event.id, time.monotonic())
            if proven is None:
                self.say.ready(self.urls, time.monotonic() - self.started)
                self._measure(self.crew.children[event.id])

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.turn_away()
            listener.close()
        self._listeners = []

    # What happened: signals

    def _read_signals(self) -> None:
        for number in self._signals.come():
            match number:
                case signal.SIGCHLD:
                    self.crew.reap()
                case signal.SIGTERM | signal.SIGQUIT | signal.SIGINT:
                    self._on_stop(number)
                case signal.SIGHUP if self._terminal_is_gone():
                    self._on_stop(signal.SIGTERM)
                case signal.SIGHUP if self.pool.stage is not pool.Stage.RUNNING:
                    self.say.signal(number.name, ": no new code is loaded, for the server stops")
                case signal.SIGHUP:
                    self.say.signal(number.name, ": loading the new code beside the old")
                    self.crew.renew_certificates()
                    self._systemd.expect_reload()
                    for event in self._watch.reload(self.pool, time.monotonic()):
                        self._step(event)
                case signal.SIGTTIN | signal.SIGTTOU:
                    self._resize(1 if number == signal.SIGTTIN else -1, number.name)
                case signal.SIGUSR1:
                    self.crew.show_stacks(time.monotonic())
                case signal.SIGUSR2:  # gunicorn's way to a new program; unhandled it would end the server
                    self.say.signal(number.name, ": it means nothing here; SIGHUP loads new code")

    def _on_stop(self, number: signal.Signals) -> None:
        now = time.monotonic()
        if now - self._stopped_at < _ECHO and number == self._stop_signal:
            return
        again = self.pool.stage is not pool.Stage.RUNNING
        self._stop_signal, self._stopped_at = number, now
        self.crew.interrupted = number == signal.SIGINT
        self.say.signal(number.name, " again: ending at once" if again else "")
        self._step(messages.Stop(0.0 if number == signal.SIGINT else self._drain_seconds()))

    def _resize(self, by: int, name: str) -> None:
        if self.pool.stage is pool.Stage.STOPPING:
            self.say.signal(name, ": the number of workers stays, for the server stops")
            return
        wanted, most = self.pool.limits.workers + by, self.crew.board.slots // 4
        if wanted < 1 or (by > 0 and wanted > most):
            bound = "there are never fewer than" if by < 0 else "there can be no more than"
            self.say.signal(name, f": {bound} {chronicle.counted(wanted - by)}")
            return
        self.say.signal(name, f": {chronicle.counted(wanted)}")
        self._step(messages.Resize(by))

    def _terminal_is_gone(self) -> bool:
        """Whether SIGHUP means that the terminal was closed: its descriptor says so; a reload leaves it alone."""
        return self._had_terminal and not os.isatty(2)

    # What to do about it

    def _act(self, action: messages.Action) -> None:
        match action:
            case messages.GiveUp():
                failed = self.crew.children.get(action.id) or self.crew.last_ended
                self._error = chronicle.why_it_cannot_start(
                    failed, self.settings.start_timeout, self.crew.refused
                )
            case messages.Abandon():
                self.crew.ledger.failed_reloads += 1
                self.crew.nursery.drop(action.generation)
                self.say.abandoned(action.id)
            case _:
                self.crew.act(action)

    # What is decided from outside facts

    def _decide_workers(self) -> capacity.Capacity:
        if self.settings.workers is not None:
            origin = self._origins.get("workers", "--workers")
            return capacity.Capacity(workers=self.settings.workers, reason=f"given by {origin}")
        self._facts = capacity.read_facts()
        return capacity.decide(self._facts)

    def _measure(self, process: child.Child) -> None:
        """Where memory decides: weigh the first worker, and have as many as fit."""
        if not self.capacity.upto:
            return
        self.capacity = capacity.decide(self._facts, measured_bytes=capacity.measure(process.pid))
        self.say.measured(self.capacity)
        if self.capacity.workers != self.pool.limits.workers:
            self._step(messages.Resize(self.capacity.workers - self.pool.limits.workers))

    def _prepare_metrics(self) -> multiprocess.ProjectMetrics | None:
        """Let the workers of a project that uses prometheus_client count together."""
        try:
            found = multiprocess.prepare(self._environ, management.folder(self._environ), os.getpid())
        except OSError as error:
            self.say.metrics_off(self._environ.get(multiprocess.VARIABLE, ""), str(error))
            return None
        if found:
            place = str(found.place)
            found.on_trouble = lambda error: self.say.metrics_incomplete(place, str(error))
        return found

    def _drain_seconds(self) -> float:
        if self.settings.drain is not None:
            return self.settings.drain
        return _KUBERNETES_DRAIN if options.in_kubernetes(self._environ) else 0.0

    def _open_management(self) -> None:
        """Answer health checks; a taken address ends the server, as that of `--bind` does."""
        from nuages.runtime import status  # late: the workers are started before

        origin = self._origins.get("management", "--management")
        listener = management.open_listener(self.settings.management, self._environ, origin=origin)
        if listener:
            self._management = management.Management(
                listener, self._selector, status.answers(self, self._observer)
            )
        if listener or self.settings.management == "auto":
            self.say.management(str(listener.address) if listener else "")
