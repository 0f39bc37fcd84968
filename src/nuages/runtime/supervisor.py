"""The process that owns the sockets and the workers: it starts, watches, replaces and stops them, and serves nothing.

It imports neither uvicorn nor Django. Signals only wake the loop; the loop tells `pool.step` what happened and carries
out the actions it returns; nothing here waits for a worker. All deadlines are monotonic.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from nuages.errors import NuagesError, Origin, StartError
from nuages.runtime import capacity, child, pool, sockets
from nuages.runtime import settings as options
from nuages.runtime.log import Log, open_log
from nuages.runtime.scoreboard import Figures, InFlight, Scoreboard

if TYPE_CHECKING:
    from nuages.runtime.application import Application
    from nuages.runtime.management import Management
    from nuages.runtime.settings import Settings

CUT_OFF = 1  # exit code when requests did not finish within the grace
IDLE_LINGER = (
    1.0  # seconds; how long a retiring worker keeps idle connections for a request that is on its way
)
_KUBERNETES_DRAIN = 5.0
_ECHO = (
    0.2  # seconds; timeout(1) and process managers signal both the process and its group: that is one signal
)
_PR_SET_CHILD_SUBREAPER = 36
_SIGNALS = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1,
)  # fmt: skip


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
        self.urls = [listener.url for listener in listeners]
        self._listeners = listeners
        self.started = time.monotonic()
        self.restarts = 0
        self._application, self._environ, self._origins = application, environ, origins
        self._signal_number = 0
        self._signal_at = -inf
        self._cut_requests = 0
        self._error: NuagesError | None = None
        self._ended: child.Child | None = None
        self._had_terminal = os.isatty(2)
        self._reports: set[tuple[int, str, str]] = set()
        self._management: Management | None = None
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = _wakeup_pair()
        self._selector.register(self._woken, selectors.EVENT_READ, self._read_signals)
        self.capacity = self._decide_workers()
        self.children: dict[int, child.Child] = {}
        self._board = Scoreboard(max(64, 4 * self.capacity.workers))
        os.set_inheritable(self._board.descriptor, True)
        for listener in listeners:
            listener.socket.set_inheritable(True)
        self.pool = pool.Pool(
            limits=pool.Limits(
                workers=self.capacity.workers, start=settings.start_timeout, grace=settings.grace
            )
        )

    def run(self) -> int:
        """Start the workers and act on what happens until all have ended."""
        self._step()
        # Everything else has time while the workers load the project.
        self._say_start()
        self._open_management()
        _become_subreaper()
        while not pool.done(self.pool):
            deadline = pool.next_deadline(self.pool)
            if self._management:
                deadline = min(deadline, self._management.next_deadline())
            timeout = None if deadline == inf else max(0.0, deadline - time.monotonic())
            for key, _ in self._selector.select(timeout):
                key.data()
            if self._management:
                self._management.expire(time.monotonic())
            self._step()
        if self._error:
            raise self._error
        return self._exit_code()

    def close(self) -> None:
        """Give everything back: sockets and their files, shared memory, signal handlers; no child is left behind."""
        for process in self.children.values():
            process.signal(signal.SIGKILL)
        self._close_listeners()
        if self._management:
            self._management.close()
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        self._selector.close()
        self._woken.close()
        self._waker.close()
        self._board.close()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []

    # What happened

    def _step(self, event: pool.Event | None = None) -> None:
        stage = self.pool.stage
        self.pool, actions = pool.step(self.pool, time.monotonic(), event)
        if self.pool.stage is not stage:
            self.log.event("info", self.pool.stage.value, _STAGES[self.pool.stage])
            if self.pool.stage is pool.Stage.STOPPING:
                self._close_listeners()
        for action in actions:
            self._act(action)

    def _read_signals(self) -> None:
        try:
            numbers = set(self._woken.recv(4096))
        except BlockingIOError:
            return
        # The order to stop comes before the news of a worker that the same signal may have ended.
        for number in (number for number in _SIGNALS if number in numbers):
            self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if number == signal.SIGHUP and self._terminal_is_gone():
            number = signal.SIGTERM
        if number in {signal.SIGTERM, signal.SIGINT}:
            if now - self._signal_at < _ECHO and number == self._signal_number:
                return
            self._signal_number, self._signal_at = number, now
            drain = self._drain_seconds() if number == signal.SIGTERM else 0.0
            again = self.pool.stage is not pool.Stage.RUNNING
            self.log.event(
                "info", "signal", f"{name} came" + (" again: ending at once" if again else ""), signal=name
            )
            self._step(pool.Stop(drain))
        elif number == signal.SIGHUP:
            self.log.event("info", "reload", "SIGHUP came: loading the new code beside the old", signal=name)
            self._step(pool.Reload())
        elif number in {signal.SIGTTIN, signal.SIGTTOU}:
            self._resize(1 if number == signal.SIGTTIN else -1, name)
        elif number == signal.SIGUSR1:
            for process in self.children.values():
                process.signal(signal.SIGUSR1)
        elif number == signal.SIGCHLD:
            self._reap()

    def _resize(self, by: int, name: str) -> None:
        wanted = self.pool.limits.workers + by
        if not 1 <= wanted <= self._board.slots // 4:
            return
        self.log.event("info", "resize", f"{name} came: {wanted} workers", signal=name, workers=wanted)
        self._step(pool.Resize(by))

    def _reap(self) -> None:
        """Take every exit status there is: our workers', and as PID 1 or subreaper those of anybody's orphans."""
        by_pid = {process.pid: process for process in self.children.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if process := by_pid.get(pid):
                process.status = status
                self._exited(process)

    def _exited(self, process: child.Child) -> None:
        self._hear(process)  # what it said before it died comes before the news of its death
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.control)
        process.control.close()
        del self.children[process.id]
        worker = pool.find(self.pool, process.id)
        phase = worker.phase if worker else pool.Phase.KILLED
        unexpected = phase in {pool.Phase.STARTING, pool.Phase.READY}
        if unexpected and not (phase is pool.Phase.STARTING and process.error):
            self.restarts += 1
            self._say(
                "error", "worker-died", f"worker {process.id} {process.ending()}", process, status=process.status,
                phase=phase.value,
            )  # fmt: skip
        elif not process.error:
            self._say("info", "worker-ended", f"worker {process.id} has ended", process)
        if phase is not pool.Phase.STARTING:
            self._tell_lost(process, "lost with its worker")
        if phase is pool.Phase.STARTING and process.error and self.pool.proven is not None:
            text = f"worker {process.id} could not start\n{process.error.render()}"
            self._say("error", "worker-start-failed", text, process)
        self._ended = process
        self._step(pool.Exited(process.id, reported=process.error is not None))

    def _hear(self, process: child.Child) -> None:
        messages = process.messages()
        if messages is None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(process.control)
            return
        for message in messages:
            if "ready" in message:
                self._became_ready(process)
            elif "error" in message:
                process.error = child.error_from(message["error"])
            elif "due" in message:
                self._step(pool.Due(process.id, message["due"]))
            elif "report" in message:
                self._say_once(process, message)

    def _became_ready(self, process: child.Child) -> None:
        process.ready_after = time.monotonic() - process.started
        text = f"worker {process.id} is ready after {process.ready_after:.2f} s"
        self._say("info", "worker-ready", text, process, seconds=round(process.ready_after, 3))
        first = self.pool.proven is None
        self._step(pool.Ready(process.id))
        if first:
            self._measure(process)
            urls = ", ".join(self.urls)
            self.log.event(
                "info",
                "ready",
                f"ready to serve at {urls}",
                seconds=round(time.monotonic() - self.started, 3),
            )

    # What to do about it

    def _act(self, action: pool.Action) -> None:
        if isinstance(action, pool.Start):
            self._start(action)
            return
        process = self.children.get(action.id)
        match action:
            case pool.GiveUp():
                self._error = self._why_gave_up(process or self._ended)
            case pool.Abandon(id, _):
                text = "the new code could not be loaded: the old goes on serving"
                self.log.event("error", "reload-failed", text, worker=id)
            case pool.Drain() if process:
                process.order("drain")
            case pool.Retire(_, reason) if process:
                process.told_to_end = reason
                linger = 0.0 if self._signal_number == signal.SIGINT else IDLE_LINGER
                self._say(
                    "info", "worker-retires", f"worker {process.id} retires: {reason}", process, reason=reason
                )
                process.order("retire", linger=linger)
            case pool.Cut(_, reason) if process:
                process.told_to_end = reason
                self._tell_lost(process, f"cut off: {reason}")
                process.order("cut")
            case pool.Kill(_, reason) if process:
                process.told_to_end = process.told_to_end or reason
                self._say(
                    "warning",
                    "worker-killed",
                    f"worker {process.id} is killed: {reason}",
                    process,
                    reason=reason,
                )
                self._tell_lost(process, f"cut off: {reason}")
                process.signal(signal.SIGKILL)

    def _start(self, action: pool.Start) -> None:
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
            process = child.Child(assignment, self._environ)
        except OSError as error:
            self.log.event(
                "error", "worker-start-failed", f"worker {action.id} could not be started: {error}"
            )
            self._step(pool.Exited(action.id))
            return
        self.children[process.id] = process
        self._selector.register(process.control, selectors.EVENT_READ, lambda: self._hear(process))

    def _why_gave_up(self, process: child.Child | None) -> NuagesError:
        assert process is not None  # its process was started
        if process.error:
            return process.error
        limit = self.settings.start_timeout
        if process.status is None:
            return StartError(
                f"the application was not ready within {limit:g} s", where=f"worker {process.id}, still loading",
                why="what the project does while it is imported takes longer, or never ends: its stack stands above",
                hint=f"--start-timeout {round(limit * 2)}s gives it more time",
            )  # fmt: skip
        return StartError(
            "the application ended while it was loading", where=f"worker {process.id}, after several attempts",
            why=f"its process {process.ending()}, and said nothing",
            hint="look above for what it wrote; `python manage.py check` loads the same code",
        )  # fmt: skip

    def _exit_code(self) -> int:
        if not self._cut_requests:
            return 0
        hurried = self.pool.hurried
        return 128 + self._signal_number if hurried else CUT_OFF

    # What is said

    def _say(self, level: str, event: str, text: str, process: child.Child, **fields: Any) -> None:
        self.log.event(level, event, text, worker=process.id, pid=process.pid, **fields)

    def _say_once(self, process: child.Child, message: dict[str, Any]) -> None:
        """Every worker of a generation finds the same; it is said for the first."""
        key = (process.generation, message["report"], message["text"])
        if key not in self._reports:
            self._reports.add(key)
            fields = dict(message["fields"])
            level = fields.pop("level", "warning" if message["report"] == "warning" else "info")
            self.log.event(level, message["report"], message["text"], **fields)

    def _tell_lost(self, process: child.Child, why: str) -> None:
        """Log the requests that a worker did not finish, once."""
        if process.lost_told:
            return
        process.lost_told = True
        now = time.monotonic()
        for request in self._board.in_flight(process.slot):
            self._cut_requests += self.pool.stage is not pool.Stage.RUNNING
            age = now - request.since
            self._say(
                "error", "request-lost", f"{request.method} {request.path} {why}, after {age:.1f} s", process,
                method=request.method, path=request.path, request_id=request.request_id, age=round(age, 3),
            )  # fmt: skip

    def _say_start(self) -> None:
        workers, threads = self.capacity.workers, self.settings.threads
        urls, counted = self.urls, _counted(workers, "worker")
        self.log.event(
            "info", "listening", f"listening on {', '.join(urls)}; {counted}: {self.capacity.reason}",
            addresses=urls, workers=workers, reason=self.capacity.reason, pid=os.getpid(),
        )  # fmt: skip
        self.log.event(
            "info", "limits",
            f"at most {workers * threads} database connections: {counted} × {threads} threads; "
            f"proxies believed: {' '.join(self.settings.trusted_proxies) or 'none'}",
            connections=workers * threads, trusted_proxies=list(self.settings.trusted_proxies),
        )  # fmt: skip

    def figures(self, process: child.Child) -> tuple[Figures, tuple[InFlight, ...]]:
        """Return what a worker says of itself and the requests it is at."""
        return self._board.figures(process.slot), self._board.in_flight(process.slot)

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
        workers = self.capacity.workers
        text = f"{_counted(workers, 'worker')}: {self.capacity.reason}"
        self.log.event("info", "measured", text, workers=workers, reason=self.capacity.reason)
        if workers != self.pool.limits.workers:
            self._step(pool.Resize(workers - self.pool.limits.workers))

    def _drain_seconds(self) -> float:
        if self.settings.drain is not None:
            return self.settings.drain
        return _KUBERNETES_DRAIN if options.in_kubernetes(self._environ) else 0.0

    def _terminal_is_gone(self) -> bool:
        """Whether SIGHUP means that the terminal was closed: its descriptor says so, a reload leaves it alone."""
        return self.log.events_format == "text" and self._had_terminal and not os.isatty(2)

    def _open_management(self) -> None:
        """Answer health checks; a taken address ends the server, as that of `--bind` does."""
        from nuages.runtime import management, status

        origin = self._origins.get("management", "--management")
        listener = management.open_listener(self.settings.management, self._environ, origin=origin)
        if listener:
            answers = status.answers(self)
            self._management = management.Management(listener, self._selector, answers)
            self.log.event(
                "info",
                "management",
                f"health checks and status at {listener.address}",
                address=str(listener.address),
            )
        elif self.settings.management == "auto":
            self.log.event(
                "warning", "management-off", "no folder for the management socket: health checks are off"
            )


_STAGES = {
    pool.Stage.RUNNING: "running",
    pool.Stage.DRAINING: "not ready any more; still accepting while balancers notice",
    pool.Stage.STOPPING: "accepting nothing new; finishing what is in flight",
}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _wakeup_pair() -> tuple[socket.socket, socket.socket]:
    """Let every signal write its number into a socket that the loop reads; signal.set_wakeup_fd."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda _signal, _frame: None)
    return reader, writer


def _become_subreaper() -> None:
    """Let orphans of our workers become our children, so that they are reaped; prctl(2), Linux only."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
