"""One worker process: loads the project or has it from its zygote, serves it, obeys the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import importlib.util
import json
import os
import random
import resource
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from nuages.errors import NuagesError, StartError
from nuages.runtime import child, departure, faults, overrun, process, recycling
from nuages.runtime import settings as options
from nuages.runtime.inquiry import Inquiry
from nuages.runtime.log import Log
from nuages.runtime.retirement import Order
from nuages.runtime.scoreboard import IDENTITY_BYTES, PATH_BYTES, Board, Figures
from nuages.runtime.stacks import stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nuages.runtime.site import Site
    from nuages.runtime.tls import Tls

_CLOSING_SECONDS = 1.0  # for database connections to be closed properly at the end
_TELLING_SECONDS = 0.5  # for the supervisor to read what was cut; after a second it kills
_ASK_AGAIN_SECONDS = 10.0  # between two times that a worker with a stuck thread asks to be replaced


class Worker:
    """What the parts of a worker share: its logs, its slot on the scoreboard and its line to the supervisor."""

    def __init__(self, control: socket.socket, assignment: dict[str, Any]) -> None:
        from nuages.runtime.application import Application

        self.control = control
        self.id: int = assignment["worker"]
        self.settings = options.from_json(assignment["settings"])
        self.application = Application.from_json(assignment["application"])
        self.log = Log(access=assignment["access_log"], events=assignment["events_log"], worker=self.id)
        self.board = Board(assignment["board"], assignment["slot"])
        os.close(assignment["board"])
        self.sockets = [socket.socket(fileno=descriptor) for descriptor in assignment["sockets"]]
        self.lent = frozenset(assignment["lent"])
        # They came through exec; programs that the project starts are not to hold the port.
        for inherited in (control, *self.sockets):
            inherited.set_inheritable(False)
        self.started = time.monotonic()
        self.server: Any = None
        self.threads: Any = None
        self.tls: Tls | None = None
        asks = {"always": self.settings.ready_database, "migrations": self.settings.ready_migrations}
        self._inquiry = Inquiry(self.board, **asks) if any(asks.values()) else None
        self._stuck: tuple[str, float] = ("", 0.0)

    def say(self, **message: Any) -> None:
        """Tell the supervisor something."""
        with contextlib.suppress(OSError):  # it is gone, and this process will be in a moment
            self.control.send(child.to_line(message))

    def report(self, event: str, text: str = "", **fields: Any) -> None:
        """Let the supervisor say something once for all workers: what was filled in, what was found."""
        self.say(report=event, text=text, fields=fields)

    def serve(self, site: Site | None = None) -> None:
        """Serve the project until told to end, and load it first if nobody has; raises NuagesError when it cannot."""
        import uvicorn

        from nuages.runtime import hooks, loggers
        from nuages.runtime.protocol import protocol_class
        from nuages.runtime.server import Server

        self.read_certificate()
        loads = site is None
        if site is None:
            from nuages.runtime import site as sites

            site = sites.load(self.application, self.settings, self.report, first=self.id == 1)
        hooks.call(self.settings.after_fork, "--after-fork", self.application)
        said = loggers.UvicornLog(self.log)
        if self.settings.fill_settings:
            loggers.hear_django(self.log)
        protocol = protocol_class(site, self.settings, self.log, self.board, self.report)
        self.hub = protocol.hub
        self.threads = self.hub.pool
        if loads:
            gc.collect()
        # What loading made stays for good: the collector need not walk through it again and again.
        gc.freeze()
        config = uvicorn.Config(
            site.asgi or _no_asgi,
            http=protocol,
            ws="auto" if site.asgi else "none",
            # Django's own handler has no lifespan, and agents would report what it raises to say so.
            lifespan="auto" if site.asgi and site.websockets else "off",
            interface="asgi3" if site.asgi is None else "auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=2048,
            workers=1,
            timeout_keep_alive=int(self.settings.keep_alive),
        )
        self.server = Server(
            config, on_ready=self._ready, beat=self._beat, busy=lambda: self.board.in_flight, tally=self.board,
            tls=self.tls.context if self.tls else None, handshake_seconds=self.settings.header_timeout,
            on_lingers=lambda states: self.say(lingers={state.value: states[state] for state in states}),
            warm_up=self._warm_up if self.settings.warmup_url else None, lent=self.lent, on_full=self._full,
        )  # fmt: skip
        with contextlib.suppress(SystemExit):  # uvicorn's way to say that the application's lifespan failed
            _run(self._main())
        if not self.server.started:
            raise StartError(
                "the ASGI application failed to start",
                where=" ".join(self.application.apps),
                why="\n".join(said.texts) or "its lifespan startup failed",
                hint="correct what its lifespan does at startup",
            )
        # Pool threads close their database connections themselves; a stuck one is not waited for.
        threads, until = list(self.threads.threads), time.monotonic() + _CLOSING_SECONDS
        protocol.hub.close()
        for thread in threads:
            if thread.is_alive():  # one that is just being started cannot be joined
                thread.join(max(0.0, until - time.monotonic()))

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self.control.fileno(), self._obey)
        loop.add_signal_handler(signal.SIGTERM, self.say_due, "SIGTERM came to this worker")
        departure.end_forked_by_sigterm()
        await self.server.serve(self.sockets)

    async def _warm_up(self, make: Callable[[], asyncio.Protocol]) -> None:
        from django.conf import settings

        from nuages.runtime import warmup

        host = warmup.host_for(settings)
        await warmup.warm_up(
            self.settings.warmup_url, host, make, lambda text: self.report("warm-up", text, level="warning")
        )

    def say_due(self, reason: str, *, patient: bool = False) -> None:
        """Ask to be replaced: a new worker first, then this one retires; a `patient` one can wait."""
        self.say(due=reason, patient=patient)

    def _ready(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self.settings.recycle_requests:
            self._limit_requests(self.settings.recycle_requests)
        self.say(ready=round(time.monotonic() - self.started, 3), pid=os.getpid())

    def _full(self, connections: int) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        text = (
            f"has {connections} connections, and more of them wait: it may open {files} files, and keeps some for "
            "views; raise the limit (`ulimit -n`, LimitNOFILE= of a unit, --ulimit nofile= of a container)"
        )
        self.log.event("warning", "connections-wait", text, connections=connections, files=files)

    def _limit_requests(self, limit: int | str) -> None:
        # A generator of its own: the project may have seeded the usual one.
        jitter = 1 + recycling.JITTER * random.SystemRandom().uniform(-1, 1)
        is_auto = isinstance(limit, str)
        count = recycling.AUTO_REQUESTS if isinstance(limit, str) else limit
        requests = max(1, round(count * jitter))
        ready = time.monotonic()

        def reached() -> None:
            loop = asyncio.get_running_loop()
            wait = ready + recycling.LEAST_AGE * jitter - time.monotonic() if is_auto else 0.0
            reason = f"it has had {requests} requests"
            loop.call_later(max(0.0, wait), lambda: self.say_due(reason, patient=True))

        self.board.limit(requests, reached)

    def _beat(self) -> None:
        from nuages.runtime.connections import count_open

        self._look_at_threads()
        self.hub.allowance.apply()
        if self._inquiry:
            self._inquiry.look()
        state = self.server.server_state
        self.board.beat(
            Figures(
                pid=os.getpid(), started=self.started, requests=state.total_requests,
                connections=len(state.connections),
                threads_busy=self.threads.running,
                threads=len(self.threads.threads),
                queued=self.threads.queued,
                database_connections=count_open(),
                in_flight=self.board.in_flight,
            )
        )  # fmt: skip

    def _look_at_threads(self) -> None:
        """Ask to be replaced when a view stays stuck in its thread; again and again, for it may have no turn yet."""
        now = time.monotonic()
        what, asked = self._stuck
        if self.settings.stuck_timeout is None or now - asked < _ASK_AGAIN_SECONDS:
            return
        found = overrun.longest(self.threads, self.hub.time_limits, self.settings.stuck_timeout, now)
        if found is None:
            return
        self._stuck = found.what, now
        if not found.told and found.what != what:
            how = (
                f"has not answered in {found.seconds:.0f} s" if found.is_awaited else "has no client any more"
            )
            self.log.event("error", "timeout", f"{found.what} {how}; its thread is at\n{found.stack}")
        self.say(stuck=f"{found.what} has kept its thread for {found.seconds:.0f} s")

    def _obey(self) -> None:
        try:
            data = self.control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end(1)  # the supervisor is gone, and with it whoever could stop us
        for line in data.splitlines():
            order = json.loads(line)
            match order["order"]:
                case "accept":
                    self.server.accept()
                case "drain":
                    self.server.drain()
                case "retire":
                    self.threads.streams.keeps = False  # the new worker's views want the connections
                    self.server.retire(Order(**order["how"]))
                case "certificate":
                    self.read_certificate()
                case "cut":
                    # They may be more than its buffer takes at once.
                    self.control.settimeout(_TELLING_SECONDS)
                    for some in child.in_parts(self._unbegun()):
                        self.say(unbegun=some)
                    self.end(0)
                case "end":  # it has loaded the project itself, and is not ready
                    departure.give_up()
                    self.end(0)
                case "stacks":
                    self.log.event("info", "stacks", stacks())
                    self.say(stacked=True)

    def _unbegun(self) -> Iterator[dict[str, Any]]:
        """The requests that no thread is at and that are not on the board: their bodies are still coming."""
        for connection in self.server.connections if self.server else ():
            for exchange in getattr(connection, "exchanges", ()):
                if exchange.request is not None and exchange.slot is None and not exchange.status:
                    yield {
                        "method": exchange.request.method,
                        "path": exchange.request.path[:PATH_BYTES].decode("latin-1"),
                        "request_id": exchange.request_id[:IDENTITY_BYTES], "since": exchange.began,
                    }  # fmt: skip

    def read_certificate(self) -> None:
        """Read certificate and key for the handshakes to come; raises NuagesError where the first ones are not fit.

        Later ones that are not are logged, and those that were read last go on.
        """
        from nuages.runtime import tls

        if self.tls is None:
            files = tls.files_of(self.settings.tls_cert, self.settings.tls_key)
            self.tls = tls.Tls(files) if files else None
            return
        try:
            self.tls.reload()
        except NuagesError as error:
            self.log.event("error", "tls", f"the certificate is not read again\n{error.render()}")

    def end(self, code: int) -> NoReturn:
        """End this process at once, whatever its threads do, with everything logged that was noted."""
        self.log.close(departure.LAST_EVENTS)
        os._exit(code)


def main(control: socket.socket, dump: int, assignment: dict[str, Any]) -> NoReturn:
    """Run a worker that loads the project itself; until its loop runs SIGTERM ends it."""
    process.end_with(assignment["supervisor"])
    process.prepare(dump)
    departure.on_sigterm(departure.break_off)
    begin(control, dump, assignment)


def begin(
    control: socket.socket, dump: int, assignment: dict[str, Any], site: Site | None = None, tls: Tls | None = None,
    *, is_forked: bool = False,
) -> NoReturn:  # fmt: skip
    """Run a worker; a failure to start is told to the supervisor, which prints it once for all workers.

    `site` and `tls` are what its zygote has loaded, which it shares with others if it `is_forked`.
    """
    worker = Worker(control, assignment)
    worker.tls = tls
    process.watch_start(assignment["begun"], worker.settings.start_timeout, dump)
    control.setblocking(False)
    try:
        worker.serve(site)
    except BaseException as error:  # noqa: BLE001 - whatever it is, somebody must say it
        started = bool(worker.server and worker.server.started)
        told = error if isinstance(error, NuagesError) else faults.unforeseen(error, started=started)
        worker.say(error=child.error_fields(told))
        if not is_forked:
            departure.give_up()
        worker.end(told.exit_code)
    departure.leave(worker.log, is_forked=is_forked)


def _run(main: Any) -> None:
    """Run on uvloop where it is installed, else on asyncio."""
    # Never inside an `except`: asgiref keeps sys.exc_info(), whose traceback would keep every request alive.
    if importlib.util.find_spec("uvloop") is None:
        asyncio.run(main)
        return
    import uvloop

    if sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
    else:
        uvloop.install()
        asyncio.run(main)


async def _no_asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    raise StartError("this project has no ASGI application", why="a request took the way of async views")
