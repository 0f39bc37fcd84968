"""A request that a thread answers through the project's WSGI callable, in one hop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import stat
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nuages.runtime import shrinking
from nuages.runtime.asyncstream import send_stream
from nuages.runtime.body import Body
from nuages.runtime.connections import active
from nuages.runtime.exchange import Exchange
from nuages.runtime.handover import HandedOver, hand_over
from nuages.runtime.inflow import Inflow
from nuages.runtime.reception import LONGEST_REST
from nuages.runtime.response import BadHeaderError, Head, plain, render
from nuages.runtime.retirement import ends_with
from nuages.runtime.transfer import send_file
from nuages.runtime.wsgi import EmptyBody, FileWrapper, Flow, Started, build_environ, with_written

if TYPE_CHECKING:
    from nuages.runtime.protocol import Connection
    from nuages.runtime.proxies import Client
    from nuages.runtime.request import Request
    from nuages.runtime.xsendfile import Named


class SyncExchange(Exchange):
    """Its body is collected, then one thread runs middleware, view, rendering and closing.

    Methods that run in the thread say so; everything else belongs to the event loop.
    """

    queued_at = 0.0
    cancelled = False
    running_since = 0.0
    thread = 0
    is_turn = False
    flow: Flow | None = None
    unflushed = 0
    task: asyncio.Task[None] | None = None
    body: Body | Inflow | None = None
    inflow: Inflow | None = None
    overrun: int | None = None
    """Where it stands on the board while its thread goes on after its time was over."""

    def __init__(self, connection: Connection, request: Request, client: Client, identity: str) -> None:
        super().__init__(connection, request, client, identity)
        if request.has_body and self.hub.unbuffered.take(request):
            self.body = self.inflow = Inflow(
                self.loop, request.length or 0, on_wanted=self._wanted, on_wait=self.hub.pool.begin_stream,
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
        elif self.request.expects_continue and self.body is not None and not self.body.size:
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def feed(self, data: bytes) -> None:
        """Collect a piece of the body."""
        if self.body is not None and not self.lost:
            self.body.feed(data)

    def complete(self) -> None:
        """Start once the body is stored."""
        if self.body is None:
            self._ready()
        else:
            self.body.complete()

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
        self.hub.log.event("error", "body", f"a request's body cannot be stored: {error}")
        self.connection.refuse(507)

    def _start(self) -> None:
        self.begin()
        if not self.hub.pool.submit(self, self.loop):
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
        if self.running_since == 0.0:
            if now - self.queued_at <= self.hub.settings.timeout:
                return False
            self.cancelled = True
            self._answer_ourselves(503)
            return True
        waited = self.inflow.waited(now) if self.inflow is not None else 0.0
        if now - self.running_since - waited <= self.hub.settings.timeout:
            return False
        frame = sys._current_frames().get(self.thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        self.hub.log.event(
            "error", "timeout", f"{self.request.method} {self.request.path.decode('latin-1')} has not answered in "
            f"{self.hub.settings.timeout:g} s; its thread is at\n{stack}".rstrip(), request_id=self.request_id,
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
            self._failed(error)
        finally:
            active.exchange = None
            self.response = None
        if self.lost:
            self.loop.call_soon_threadsafe(self._leave)

    def _run(self, context: contextvars.Context) -> None:
        connection = self.connection
        body = self.body
        environ = build_environ(
            self.request, client=self.client, server=connection.local, body=body.stream() if body else EmptyBody(),
            size=body.size if body else 0, ssl_header=self.hub.site.ssl_header,
        )  # fmt: skip
        started = Started()
        result: Any = None
        try:
            result = self.hub.wsgi(environ, started)
            response = self.response
            if self.stream is not None and result is response:
                if self._stream_async(result, started, context):
                    result = None
            elif isinstance(result, FileWrapper) and self._send_whole_file(result, started):
                pass
            elif (response is not None and not response.streaming) or isinstance(result, (list, tuple)):
                self._send_at_once(b"".join(result), started)
            else:
                self._stream(result, started)
        except HandedOver as handed:
            self.thread = 0  # it is not where this request is any more
            self.loop.call_soon_threadsafe(self._hand_over, handed.named, started.headers)
        finally:
            try:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
            finally:
                if body is not None:
                    body.close()
                self.hub.after_request()

    def _ends_soon(self) -> bool:
        """Return whether the connection can go on when the rest of the request has come (in the thread)."""
        most = 0 if self.request.expects_continue else LONGEST_REST
        return self.inflow is None or self.inflow.rest <= most

    def _head(self, started: Started, size: int | None) -> Head:
        """Render the head (in the thread)."""
        connection = self.connection
        if not started.status:
            raise AssertionError("the application did not call start_response")
        head = render(
            started.status, started.headers, method=self.request.method, version=self.request.version,
            keep_alive=connection.keeps(self.request.keep_alive) and self._ends_soon(), size=size,
            defaults=connection.server_state.default_headers, request_id=self.request_id,
        )  # fmt: skip
        if head.file is not None and head.status == 200:
            named = self.hub.named_file(*head.file)
            if named is not None:
                raise HandedOver(named)
        return head

    def _send_at_once(self, body: bytes, started: Started) -> None:
        """Hand a whole answer to the loop (in the thread)."""
        if started.written:
            body = b"".join(started.written) + body
        if self.hub.settings.gzip and started.status:
            fields = shrinking.shrunk(
                self.request.fields, int(started.status[:3]), started.headers, len(body)
            )
            if fields is not None:
                started.headers, body = fields, shrinking.compress(body)
        head = self._head(started, len(body))
        keep_alive = head.keep_alive
        if not head.has_body:
            body = b""
        elif head.length is not None and head.length != len(body):
            body = body[: head.length]
            keep_alive = keep_alive and len(body) == head.length
        self.hub.pool.tell(self.loop, self._answered, head, body, keep_alive)

    def _stream(self, result: Iterable[bytes], started: Started) -> None:
        """Hand an answer over piece by piece, waiting for the client (in the thread)."""
        head: Head | None = None
        flow = self.flow = Flow()
        if self.lost:
            return
        remaining: int | None = None
        number = 0
        iterator = iter(result)
        if started.status and self.request.method == "HEAD":
            iterator = iter(())
        chunks = with_written(iterator, started)
        if self.hub.settings.gzip:
            chunks = shrinking.stream(self.request.fields, started, chunks)
        for chunk in chunks:
            if not chunk:
                continue
            data = chunk
            if head is None:
                head = self._head(started, None)
                remaining = head.length
            if not head.has_body:
                break
            if remaining is not None:
                data = data[:remaining]
                remaining -= len(data)
            size = len(data)
            if head.chunked:
                data = b"%x\r\n%b\r\n" % (size, data)
            number += 1
            if not flow.wait(size):
                return
            self.loop.call_soon_threadsafe(self._write, head if number == 1 else None, data, size)
            if number == 1:
                # It may wait for whatever comes next: events, a slow client.
                self.hub.pool.begin_stream()
        if head is None:
            head = self._head(started, 0)
        if number == 0:
            self.loop.call_soon_threadsafe(self._answered, head, b"", head.keep_alive and not head.length)
            return
        tail = b"0\r\n\r\n" if head.chunked else b""
        self.loop.call_soon_threadsafe(self._streamed, tail, head.keep_alive and not remaining)

    def _send_whole_file(self, wrapper: FileWrapper, started: Started) -> bool:
        """Give a regular file to the loop under a descriptor of our own, so that no thread waits (in the thread)."""
        try:
            descriptor = wrapper.file.fileno()
            facts = os.fstat(descriptor)
            start = wrapper.file.tell()
        except (AttributeError, OSError, ValueError):
            return False
        if not stat.S_ISREG(facts.st_mode) or started.written:
            return False
        head = self._head(started, max(0, facts.st_size - start))
        if not head.has_body or not head.length:
            self.loop.call_soon_threadsafe(self._answered, head, b"", head.keep_alive)
            return True
        own = os.dup(descriptor)
        self.loop.call_soon_threadsafe(self._send_file, head, own, start)
        return True

    def _stream_async(self, result: Any, started: Started, context: contextvars.Context) -> bool:
        """Give an async stream to the loop (in the thread); return whether the loop closes it."""
        head = self._head(started, None)
        if not head.has_body:
            self.loop.call_soon_threadsafe(self._answered, head, b"", head.keep_alive)
            return False
        copied = context.copy()
        self.loop.call_soon_threadsafe(self._start_async, head, result, copied)
        return True

    def _failed(self, error: BaseException) -> None:
        """Tell the log and the client what the application did not catch (in the thread)."""
        text = "".join(traceback.format_exception(error)).rstrip()
        if isinstance(error, (BadHeaderError, AssertionError)) and not self.status:
            text = f"the response cannot be sent: {error}\n{text}"
        self.hub.log.event("error", "application", text, request_id=self.request_id)
        self.loop.call_soon_threadsafe(self._broken)

    # On the loop again

    def _leave(self) -> None:
        """Note that the thread has ended what nobody waits for."""
        self.end()
        if self.overrun is not None:
            self.hub.board.end(self.overrun)
            self.overrun = None

    def _broken(self) -> None:
        if self.lost:
            self._leave()
        elif self.status:
            self.connection.done(self, keep_alive=False)
        else:
            self._answer_ourselves(500)

    def _hand_over(self, named: Named, headers: list[tuple[str, str]]) -> None:
        if self.lost:
            self.end()
        else:
            hand_over(self, named, headers)

    def _answered(self, head: Head, body: bytes, keep_alive: bool) -> None:
        if self.lost:
            self._leave()
            return
        self.status = head.status
        self.sent = len(body)
        self.connection.transport.write(head.data + body)
        self.connection.done(self, keep_alive=keep_alive)

    def _write(self, head: Head | None, data: bytes, size: int) -> None:
        if self.lost:
            return
        if head is not None:
            self.status = head.status
            self.events_end = ends_with(head.data)
            data = head.data + data
        self.sent += size
        connection = self.connection
        connection.transport.write(data)
        if connection.flow.write_paused:
            self.unflushed += size
        elif self.flow is not None:
            self.flow.taken(size)

    def _streamed(self, tail: bytes, keep_alive: bool) -> None:
        if self.lost:
            self._leave()
            return
        if tail:
            self.connection.transport.write(tail)
        self.connection.done(self, keep_alive=keep_alive)

    def _send_file(self, head: Head, descriptor: int, start: int) -> None:
        if self.lost:
            os.close(descriptor)
            self._leave()
            return
        self.status = head.status
        assert head.length is not None
        part = (start, start + head.length)
        send_file(self, head.data, descriptor, [part], keep_alive=head.keep_alive)

    def _start_async(self, head: Head, result: Any, context: contextvars.Context) -> None:
        self.sees_end = True
        self.task = context.run(self.loop.create_task, send_stream(self, head, result))
        self.connection.server_state.tasks.add(self.task)
        self.task.add_done_callback(self.connection.server_state.tasks.discard)
