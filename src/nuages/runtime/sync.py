"""A request that a thread answers through the project's WSGI callable, in one hop."""

from __future__ import annotations

import contextvars
import errno
import sys
import tempfile
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from nuages.runtime.body import Body
from nuages.runtime.connections import active
from nuages.runtime.handover import HandedOver
from nuages.runtime.inflow import Inflow
from nuages.runtime.response import BadHeaderError, plain
from nuages.runtime.sending import Sending
from nuages.runtime.wsgi import Started, build_environ

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request

# A thread or a file that the kernel refuses for now: nothing is full, and a client may try again.
_PASSING = {errno.EAGAIN, errno.EMFILE, errno.ENFILE}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class SyncExchange(Sending):
    """Its body is collected, then one thread runs middleware, view, rendering and closing.

    Methods that run in the thread say so; everything else belongs to the event loop.
    """

    queued_at = 0.0
    cancelled = False
    running_since = 0.0
    is_turn = False
    body: Body | Inflow | None = None
    environ: dict[str, Any]

    def __init__(self, connection: Connection, request: Request, client: Client, identity: str) -> None:
        super().__init__(connection, request, client, identity)
        if request.has_body and self.hub.unbuffered.take(request):
            self.body = self.inflow = Inflow(
                self.loop, request.length or 0, on_wanted=self._wanted, on_wait=self._waits,
                pause=connection.pause, resume=connection.resume,
            )  # fmt: skip
        elif request.has_body:
            self.body = Body(
                self.loop, on_ready=self._ready, on_error=self._disk_failed, pause=connection.pause,
                resume=connection.resume,
            )  # fmt: skip

    def turn(self) -> None:
        """Start, or ask for the body."""
        self.is_turn = True
        if self.received or self.inflow is not None:
            self._start()
        elif self.body is not None and self.request.expects_continue and not self.body.size:
            self.awaits_body()
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def feed(self, data: bytes) -> None:
        """Collect a piece of the body."""
        if self.body is not None and not self.lost:
            self.body.feed(data)

    def complete(self) -> None:
        """Start once the body is stored."""
        if self.body is not None:
            self.body.complete()
            return
        self.received = True
        if self.is_turn and not self.lost:
            self._start()

    def _waits(self) -> None:
        """Note that the thread waits for the client (in the thread)."""
        self.hub.pool.streams.begin(is_long=True)

    def _wanted(self) -> None:
        """Ask for the body that a view wants to read."""
        if (
            self.request.expects_continue
            and not self.lost
            and not self.status
            and self.body
            and not self.body.size
        ):
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _ready(self) -> None:
        self.received = True
        if self.is_turn and not self.lost:
            self._start()

    def _disk_failed(self, error: OSError) -> None:
        method, path = self.request.method, self.request.path.decode("latin-1")
        where, hint = "", ""
        if error.errno not in _PASSING:
            # Without a folder that can be written gettempdir would raise what the error tells already.
            where = f" in {tempfile.tempdir}" if tempfile.tempdir else ""
            hint = "; make room there, or let TMPDIR name a folder that has some"
            if error.errno not in _FULL:
                hint = "; let TMPDIR name a folder that can be written"
        text = f"the body of {method} {path} cannot be stored{where}: {error}{hint}"
        self.hub.log.event("error", "body", text, method=method, path=path)
        status = 503 if error.errno in _PASSING else 507
        if self.connection.receiving is self:
            self.connection.refuse(status)
        else:  # it has come whole; and it is its turn, before which less is read than is stored
            self._answer_ourselves(status)

    def _start(self) -> None:
        self.begin()
        # Its requests are told apart from the views between them: see `Sending._send_at_once`.
        body, hub = self.body, self.hub
        self.environ = build_environ(
            self.request, client=self.client, server=self.connection.local, size=body.size if body else 0,
            ssl_header=hub.site.ssl_header,
        )  # fmt: skip
        if not hub.pool.submit(self, self.loop):
            self._answer_ourselves(503)

    def _answer_ourselves(self, status: int) -> None:
        """Answer instead of the application, whose output is dropped from now on."""
        extra = "retry-after: 1\r\n" if status == 503 else ""
        data = plain(
            status, keep_alive=False, defaults=self.connection.server_state.default_headers, extra=extra,
            body=self.request.method != "HEAD",
        )  # fmt: skip
        self.status = status
        self.lost = True
        self._lose_body("the request was answered for its view")
        self._free()
        self.connection.transport.write(data)
        self.connection.done(self, keep_alive=False)

    def expired(self, now: float) -> bool:
        """Answer 504 when the view has not begun its response in time, 503 when no thread was free for as long."""
        if not self.queued_at or self.status or self.lost:
            return False
        limit = self.hub.time_limits.of(self.request.path)
        if self.running_since == 0.0:
            if now - self.queued_at <= limit:
                return False
            self.cancelled = True
            self._answer_ourselves(503)
            return True
        waited = self.inflow.waited(now) if self.inflow is not None else 0.0
        if now - self.running_since - waited <= limit:
            return False
        frame = sys._current_frames().get(self.thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        self.hub.log.event(
            "error", "timeout", f"{self.request.method} {self.request.path.decode('latin-1')} has not answered in "
            f"{limit:g} s; its thread is at\n{stack}".rstrip(), request_id=self.request_id,
        )  # fmt: skip
        self.overrun, self.slot = self.slot, None
        self._answer_ourselves(504)
        return True

    def withdraw(self) -> bool:
        """Give the answer up, and the disk that the body takes with it."""
        self._lose_body("the client sent its body too slowly, or broke it")
        self._free()
        return super().withdraw()

    def _lose_body(self, why: str) -> None:
        if self.inflow is not None:
            self.inflow.lose(why)

    def _free(self) -> None:
        """Free the body that no thread will read: a reference cycle would keep its file until it is collected."""
        if self.body is not None and not self.running_since:
            self.body.close()

    def drop(self) -> None:
        """Stop what can be stopped: a waiting task, a stream. A view that runs is left to finish."""
        super().drop()
        self._lose_body("the client is gone, and its body is not whole")
        if not self.running_since:
            self.cancelled = True
            self._free()
            self.end()
        if self.flow is not None:
            self.flow.lose()
        if self.task is not None:
            self.task.cancel()
        elif self.stream is not None:
            self.stream.cancel()

    def writable(self) -> None:
        """Let the streaming thread go on."""
        if self.flow is not None and self.unflushed:
            taken, self.unflushed = self.unflushed, 0
            self.flow.taken(taken)

    def refuse(self) -> None:
        """Answer 503, as no thread can be had; any thread may call this."""
        self.loop.call_soon_threadsafe(self._refused)

    def _refused(self) -> None:
        if not self.lost:
            self._answer_ourselves(503)

    # In the thread

    def run(self) -> None:
        """Answer the request, in the thread's own context."""
        self.thread = threading.get_ident()
        self.running_since = now = time.monotonic()
        self.queued = now - self.queued_at
        active.exchange = self
        context: contextvars.Context = active.base.copy()
        try:
            context.run(self._run, context)
        except BaseException as error:  # noqa: BLE001 - a thread must outlive whatever a view raises
            self.failed(error)
        finally:
            active.exchange = None
            self.response = None
        if self.lost:
            self.loop.call_soon_threadsafe(self.leave)

    def _run(self, context: contextvars.Context) -> None:
        body, environ = self.body, self.environ
        del self.environ
        if body is not None:
            environ["wsgi.input"] = body.stream()
        started = Started()
        result: Any = None
        try:
            result = self.hub.wsgi(environ, started)
            if self.send(result, started, context):
                result = None
        except HandedOver as handed:
            self.thread = 0  # it is not where this request is any more
            self.loop.call_soon_threadsafe(self.hand_over, handed.named, started.headers)
        finally:
            try:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
            finally:
                if body is not None:
                    body.close()
                self.hub.after_request()

    def failed(self, error: BaseException) -> None:
        """Tell the log and the client what the application did not catch; any thread may."""
        text = "".join(traceback.format_exception(error)).rstrip()
        if isinstance(error, (BadHeaderError, AssertionError)) and not self.status:
            text = f"the response cannot be sent: {error}\n{text}"
        self.hub.log.event("error", "application", text, request_id=self.request_id)
        self.loop.call_soon_threadsafe(self._broken)

    # On the loop again

    def _broken(self) -> None:
        if self.lost:
            self.leave()
        elif self.status:
            self.connection.done(self, keep_alive=False)
        else:
            self._answer_ourselves(500)
