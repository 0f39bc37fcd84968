"""How a thread's answer leaves: at once, piece by piece, as a file, or as an async stream that the loop iterates."""

from __future__ import annotations

import asyncio
import contextvars
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from nuages.runtime import shrinking
from nuages.runtime.asyncstream import end_stream, send_stream
from nuages.runtime.dispatch import send_file
from nuages.runtime.exchange import Exchange
from nuages.runtime.handover import HandedOver, hand_over
from nuages.runtime.inflow import Inflow
from nuages.runtime.reception import LONGEST_REST
from nuages.runtime.response import Head, render
from nuages.runtime.retirement import ends_with, is_event_stream
from nuages.runtime.wsgi import FileWrapper, Flow, Started, with_written
from nuages.runtime.xsendfile import Named


class Sending(Exchange):
    """What becomes of what the application returned.

    Methods that run in the thread say so; everything else belongs to the event loop.
    """

    flow: Flow | None = None
    unflushed = 0
    task: asyncio.Task[bool] | None = None
    inflow: Inflow | None = None
    thread = 0
    overrun: int | None = None
    """Where it stands on the board while its thread goes on after its time was over."""

    def failed(self, error: BaseException) -> None:
        """Tell the log and the client what the application did not catch; any thread may."""
        raise NotImplementedError

    # In the thread

    def send(self, result: Any, started: Started, context: contextvars.Context) -> bool:
        """Send what the application returned, in its context (in the thread); return whether the loop closes it."""
        response = self.response
        if self.stream is not None and result is response:
            return self._stream_async(result, started, context)
        if isinstance(result, FileWrapper) and self._send_whole_file(result, started):
            return False
        if (response is not None and not response.streaming) or isinstance(result, (list, tuple)):
            self._send_at_once(b"".join(result), started)
        else:
            self._stream(result, started)
        return False

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
        # The head is made on the loop, which makes many in a row: what the processor has learned of it is not
        # forgotten over the views in between.
        self.hub.pool.tell(self.loop, self._whole, started, body)

    def _stream(self, result: Iterable[bytes], started: Started) -> None:
        """Hand an answer over piece by piece, waiting for the client (in the thread)."""
        head: Head | None = None
        flow = self.flow = Flow()
        if self.lost:
            return
        remaining: int | None = None
        begun = False
        streams, is_events = self.hub.pool.streams, is_event_stream(started.headers)
        if is_events:
            streams.begin(is_long=True)
        if is_events and started.status and self.request.method != "HEAD":
            # The first event may take hours, and clients know by the head that they are heard (HTML, section 9.2).
            # Elsewhere it goes out with the first piece: until then an error can still be said (PEP 3333).
            head = self._head(started, None)
            remaining = head.length
            begun = head.has_body
            if begun:
                self.loop.call_soon_threadsafe(self._write, head, b"", 0)
        for chunk in self._chunks(result, started):
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
            if not flow.wait(size):
                return
            self.loop.call_soon_threadsafe(self._write, None if begun else head, data, size)
            begun = True
            # It may wait for whatever comes next: events, a slow client.
            streams.begin(is_long=is_events)
        if head is None:
            head = self._head(started, 0)
        if not begun:
            self.loop.call_soon_threadsafe(self._answered, head, b"", head.keep_alive and not head.length)
            return
        tail = b"0\r\n\r\n" if head.chunked else b""
        self.loop.call_soon_threadsafe(self._streamed, tail, head.keep_alive and not remaining)

    def _chunks(self, result: Iterable[bytes], started: Started) -> Iterator[bytes]:
        """Return what is to be sent, without what is empty (in the thread)."""
        wanted = () if started.status and self.request.method == "HEAD" else result
        chunks = with_written(iter(wanted), started)
        if self.hub.settings.gzip:
            chunks = shrinking.stream(self.request.fields, started, chunks)
        return filter(None, chunks)

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

    # In the thread or on the loop

    def _head(self, started: Started, size: int | None) -> Head:
        """Render the head."""
        request, connection = self.request, self.connection
        if not started.status:
            raise AssertionError("the application did not call start_response")
        head = render(
            started.status, started.headers, method=request.method, version=request.version,
            keep_alive=connection.keeps(request.keep_alive) and (self.inflow is None or self._ends_soon(self.inflow)),
            size=size, defaults=connection.server_state.default_headers, request_id=self.request_id,
        )  # fmt: skip
        if head.file is not None and head.status == 200:
            named = self.hub.named_file(*head.file)
            if named is not None:
                raise HandedOver(named)
        return head

    def _ends_soon(self, inflow: Inflow) -> bool:
        """Return whether the connection can go on when the rest of the request has come."""
        return inflow.rest <= (0 if self.request.expects_continue else LONGEST_REST)

    # On the loop

    def leave(self) -> None:
        """Note that the thread has ended what nobody waits for."""
        self.end()
        if self.overrun is not None:
            self.hub.board.end(self.overrun)
            self.overrun = None

    def hand_over(self, named: Named, headers: list[tuple[str, str]]) -> None:
        """Send the file that the application has named."""
        if self.lost:
            self.end()
        else:
            hand_over(self, named, headers)

    def _whole(self, started: Started, body: bytes) -> None:
        if self.lost:
            self.leave()
            return
        try:
            head = self._head(started, len(body))
        except HandedOver as handed:
            self.thread = 0  # it is not where this request is any more
            hand_over(self, handed.named, started.headers)
            return
        except Exception as error:  # noqa: BLE001 - whatever its fields are, the other answers have to leave
            self.failed(error)
            return
        keep_alive = head.keep_alive
        if not head.has_body:
            body = b""
        elif head.length is not None and head.length != len(body):
            body = body[: head.length]
            keep_alive = keep_alive and len(body) == head.length
        self._answered(head, body, keep_alive)

    def _answered(self, head: Head, body: bytes, keep_alive: bool) -> None:
        if self.lost:
            self.leave()
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
            if head.is_endless:
                self.ends_with_connection(whole=False)
        self.sent += size
        connection = self.connection
        connection.transport.write(data)
        if connection.flow.write_paused:
            self.unflushed += size
        elif self.flow is not None:
            self.flow.taken(size)

    def _streamed(self, tail: bytes, keep_alive: bool) -> None:
        if self.lost:
            self.leave()
            return
        if tail:
            self.connection.transport.write(tail)
        elif not keep_alive:
            self.ends_with_connection(whole=True)
        self.connection.done(self, keep_alive=keep_alive)

    def _send_file(self, head: Head, descriptor: int, start: int) -> None:
        if self.lost:
            os.close(descriptor)
            self.leave()
            return
        self.status = head.status
        assert head.length is not None
        part = (start, start + head.length)
        send_file(self, head.data, descriptor, [part], keep_alive=head.keep_alive)

    def _start_async(self, head: Head, result: Any, context: contextvars.Context) -> None:
        self.sees_end = True
        self.task = context.run(self.loop.create_task, send_stream(self, head))

        def sent(task: asyncio.Task[bool]) -> None:
            whole = not task.cancelled() and not task.exception() and task.result()
            self._keep(self.loop.create_task(end_stream(self, head, result, whole=whole)))

        self.task.add_done_callback(sent)
        self._keep(self.task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        tasks = self.connection.server_state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)
