"""The access log on stdout and the events on stderr, as JSON or as text.

A request pays for one `append`; a thread formats and writes what has come together, at most 200 ms later. Whole
lines go out in writes of at most PIPE_BUF bytes, which pipe(7) promises not to mix with another worker's. Events go out
at once, or, where stderr is full, when somebody reads it (`outbox`).
The project's own `logging` is not touched.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from nuages.runtime.outbox import ATOMIC_BYTES, Outbox, write

FLUSH_SECONDS = 0.2
UNREAD_SECONDS = (
    2.0  # without anything read of stdout, after which nobody is expected to read the rest at the end
)
_LONGEST_TEXTS = (
    2048,
    50,
)  # characters that a text is cut to, one after the other, in a line that is too long
MOST_LINES = 20_000  # what is kept while nobody reads stdout; more is dropped, and said

_Record = tuple[Any, ...]


class Log:
    """Writes both logs. `access` is json, text or off; `events` is json or text."""

    def __init__(self, *, access: str, events: str, worker: int = 0, out: int = 1, err: int = 2) -> None:
        self.access_format = access
        self.events_format = events
        self.worker = worker
        self._out, self._events = out, Outbox(err)
        self._records: deque[_Record] = deque()
        self._dropped = self._written = 0
        self._lost_events = 0
        self._wake = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._second, self._second_text = -1, ""

    def access(
        self, *, method: str, path: str, query: str, route: str, status: int, sent: int, duration: float,
        queued: float, client: str, request_id: str, user: str = "",
    ) -> None:  # fmt: skip
        """Note one answered request; `duration` and `queued` are seconds, `sent` the body's bytes.

        `query` is not written, only that there was one: it carries tokens and names.
        """
        if self.access_format == "off":
            return
        records = self._records
        if len(records) >= MOST_LINES:
            self._dropped += 1
            return
        records.append(
            (
                time.time(),
                method,
                path,
                query,
                route,
                status,
                sent,
                duration,
                queued,
                client,
                request_id,
                user,
            )
        )
        if len(records) == 1 or self._thread is None:
            self._notice()

    def event(self, level: str, event: str, text: str = "", **fields: Any) -> None:
        """Write what happened to the server, at once unless stderr is full; `text` is what a person reads of it."""
        now = time.time()
        if self.events_format == "json":
            values = {"time": self._stamp(now), "level": level, "event": event, "worker": self.worker or None}
            values |= {"text": text or None, **fields}
            line = json.dumps({key: value for key, value in values.items() if value is not None}, default=str)
        else:
            said = text or " ".join([event, *(f"{key}={value}" for key, value in fields.items())])
            mark = "" if level == "info" else f"{level}: "
            clock = time.strftime("%H:%M:%S", time.localtime(now))
            line = "\n".join(
                f"{clock} {mark if number == 0 else ''}{part}"
                for number, part in enumerate(said.splitlines())
            )
        if self._lost_events:
            line += f"\n{self._lost_events} events before this were lost: nobody read stderr"
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if self._events.put(data):
            self._lost_events = 0
        else:
            self._lost_events += 1

    def close(self, most: float) -> None:
        """Write all there is at the end of the process; events are waited for so many seconds at most.

        The access log is written as long as somebody reads it: a full pipe would hold up the end of the server.
        """
        if self._records or self._writing.locked():
            thread = threading.Thread(target=self.flush, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # a limit of threads
                self.flush()
            else:
                seen = -1
                while thread.is_alive() and seen != self._written:
                    seen = self._written
                    thread.join(UNREAD_SECONDS)
        self._events.close(most)

    def flush(self) -> None:
        """Write every access record there is, now."""
        with self._writing:
            # The list is never swapped: a request may be appending in another thread at this very moment.
            records = [self._records.popleft() for _ in range(len(self._records))]
            for batch in batches([self._line(record) for record in records]):
                write(self._out, batch)
                self._written += 1
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self.event(
                    "warning",
                    "access-log-dropped",
                    f"{dropped} lines of the access log were dropped: nobody read stdout",
                )

    def _notice(self) -> None:
        """The first record of a batch, or nobody writes yet: see that somebody does."""
        if self._thread is None:
            thread = threading.Thread(target=self._write_on, name="nuages-log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # a limit of threads: the next record tries again; what is there stays
                return
            self._thread = thread
        self._wake.set()

    def _write_on(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(FLUSH_SECONDS * 0.75)  # what comes together in this time goes out together
            self.flush()

    def _line(self, record: _Record) -> bytes:
        line = self._format(record)
        for longest in _LONGEST_TEXTS:
            if len(line) <= ATOMIC_BYTES:
                break
            line = self._format(tuple(_cut(value, longest) for value in record))
        return line

    def _format(self, record: _Record) -> bytes:
        moment, method, path, query, route, status, sent, duration, queued, client, request_id, user = record
        if query:
            path += "?…"
        if self.access_format == "json":
            route_text = f', "route": {quote(route)}' if route else ""
            user_text = f', "user": {quote(user)}' if user else ""
            line = (
                f'{{"time": "{self._stamp(moment)}", "event": "request", "method": {quote(method)}, '
                f'"path": {quote(path)}{route_text}, "status": {status}, "bytes": {sent}, '
                f'"duration_ms": {duration * 1e3:.3f}, "queued_ms": {queued * 1e3:.3f}, '
                f'"client": {quote(client)}, "request_id": {quote(request_id)}{user_text}, '
                f'"worker": {self.worker}}}\n'
            )
        else:
            clock = time.strftime("%H:%M:%S", time.localtime(moment))
            line = (
                f"{clock} {status} {printable(method)} {printable(path)} {duration * 1e3:.1f} ms {sent} B "
                f"{client} {route or '-'} {printable(request_id)}{' ' + printable(user) if user else ''}\n"
            )
        return line.encode("utf-8", "backslashreplace")

    def _stamp(self, moment: float) -> str:
        """RFC 3339 in UTC with milliseconds; the part to the second is made once a second."""
        second = int(moment)
        if second != self._second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second_text, self._second = text, second
        return f"{self._second_text}.{int((moment - second) * 1000):03d}Z"


def formats(access_log: str, *, out_is_terminal: bool, err_is_terminal: bool) -> tuple[str, str]:
    """Return the formats of the access log and of the events for `--access-log`."""
    events = "text" if err_is_terminal else "json"
    if access_log == "auto":
        return ("text" if out_is_terminal else "json"), events
    return access_log, (events if access_log == "off" else access_log)


def open_log(access_log: str) -> Log:
    """Return the log of this process, for what its stdout and stderr are."""
    access, events = formats(access_log, out_is_terminal=_terminal(1), err_is_terminal=_terminal(2))
    return Log(access=access, events=events)


def batches(lines: list[bytes]) -> Iterator[bytes]:
    """Yield whole lines in as few atomic writes as they fit; a line is at most ATOMIC_BYTES long by construction."""
    batch: list[bytes] = []
    length = 0
    for line in lines:
        if length + len(line) > ATOMIC_BYTES and batch:
            yield b"".join(batch)
            batch, length = [], 0
        batch.append(line)
        length += len(line)
    if batch:
        yield b"".join(batch)


def _cut(value: Any, longest: int) -> Any:
    return value[:longest] + "…" if isinstance(value, str) and len(value) > longest else value


def printable(text: str) -> str:
    """Percent-encode what could end a line or move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable()
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def _terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
