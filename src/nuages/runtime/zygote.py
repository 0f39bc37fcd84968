"""The process that loads the project once and forks workers from it.

Nothing of it serves: it has no event loop and no thread, and between two orders it sleeps. What it has loaded is in
memory that its workers share for as long as they do not write to it.

A worker is forked twice: the one in between says its number and ends, so that the supervisor, a child subreaper
(prctl(2), PR_SET_CHILD_SUBREAPER), becomes its parent and gets its true exit status.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import random
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from nuages.errors import NuagesError
from nuages.runtime import (
    belongings,
    child,
    departure,
    faults,
    heap,
    immortal,
    mappings,
    obstacles,
    process,
    worker,
)
from nuages.runtime import settings as options
from nuages.runtime.application import Application
from nuages.runtime.forking import Forks
from nuages.runtime.log import Log
from nuages.runtime.notes import Notes

_LONGEST_ORDER = 1 << 16
_CALM_MS = 2000  # without an order; until then a worker that begins needs the processor more


class Zygote:
    """The loaded project and the line to the supervisor."""

    def __init__(self, control: socket.socket, dump: int, assignment: dict[str, Any]) -> None:
        self.control, self.assignment = control, assignment
        self._dump = dump
        self.settings = options.from_json(assignment["settings"])
        self.application = Application.from_json(assignment["application"])
        self._known = belongings.given_descriptors() | {control.fileno(), dump}
        for descriptor in (control.fileno(), assignment["board"], *assignment["sockets"]):
            os.set_inheritable(descriptor, False)
        self.site: Any = None
        self.tls: Any = None
        self.has_loaded = False
        self._notes: Notes | None = None

    def say(self, **message: Any) -> None:
        """Tell the supervisor something."""
        with contextlib.suppress(OSError):  # it is gone, and this process will be in a moment
            self.control.send(child.to_line(message))

    def report(self, event: str, text: str = "", **fields: Any) -> None:
        """Let the supervisor say what was filled in and found."""
        self.say(report=event, text=text, fields=fields)

    def load(self) -> None:
        """Load the project and say so, and why workers must not be forked from it, if they must not."""
        from nuages.runtime import hooks, preload, tls

        begun = time.monotonic()
        self._notes = notes = Notes()
        files = tls.files_of(self.settings.tls_cert, self.settings.tls_key)
        self.tls = tls.Tls(files) if files else None
        self.site = preload.load(self.application, self.settings, self.report)
        hooks.call(self.settings.before_fork, "--before-fork", self.application)
        notes.close()
        faulthandler.cancel_dump_traceback_later()  # it has a thread
        why = obstacles.obstacle(belongings.read_state(self._known, notes))
        if why and self.settings.preload == "on":
            self.report("warning", f"workers are forked as --preload on says, but {why}")
            why = ""
        mappings.give_back()  # before what takes most, for in a reload the old code is there too
        if not why and immortal.is_possible():
            immortal.keep()
        self._forks = Forks()
        heap.trim()
        if not why:
            heap.fill()
        self.has_loaded = True
        signal.signal(signal.SIGTERM, lambda _signal, _frame: None)  # to workers too until their loops run
        self.say(loaded=round(time.monotonic() - begun, 3), why=why, owns=departure.owns(notes.endings))

    def obey(self) -> tuple[socket.socket, int, dict[str, Any]]:
        """Fork workers until the supervisor is gone; return in each worker, with its descriptors and its assignment."""
        orders = select.poll()
        orders.register(self.control, select.POLLIN)
        has_forked = False
        while True:
            if has_forked and not orders.poll(_CALM_MS):
                mappings.give_back()  # what forking has used
            line, descriptors, _, _ = socket.recv_fds(
                self.control, _LONGEST_ORDER, 2, socket.MSG_CMSG_CLOEXEC
            )
            if not line:
                os._exit(0)
            order = json.loads(line)
            if order["order"] == "close":
                for listening in self.assignment["sockets"]:
                    os.close(listening)
                continue
            if order["order"] == "end":
                self.settle()
                os._exit(0)
            assignment = {**self.assignment, **{name: order[name] for name in ("worker", "slot", "begun")}}
            control, dump = socket.socket(fileno=descriptors[0]), descriptors[1]
            if order["order"] == "become" or self._fork(assignment):
                self.control.close()
                process.show_stacks_on(dump)
                os.close(self._dump)
                gc.enable()
                return control, dump, assignment
            control.close()
            os.close(dump)
            has_forked = True

    def break_off(self) -> None:
        """Stop loading if that is the supervisor's order, and clean up; a signal to the whole group means nothing."""
        with contextlib.suppress(OSError, ValueError):
            line = self.control.recv(_LONGEST_ORDER, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            if json.loads(line)["order"] == "end":
                departure.give_up()
                os._exit(0)

    def settle(self) -> None:
        """Remove what was made while loading, as its owner does in the end; who hangs in it is killed soon."""
        log = Log(access="off", events=self.assignment["events_log"])
        departure.settle(self._notes.endings if self._notes else (), log)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()

    def _fork(self, assignment: dict[str, Any]) -> bool:
        """Fork a worker; return whether this is it."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()  # what is in its buffer would be written by every worker
        gc.freeze()  # the collector does not touch, and so copy, what is there already
        message = f'{{"forked": {assignment["worker"]}, "pid": %d}}\n'
        try:
            is_worker = self._forks.fork(self.control, message)
        except OSError as error:
            self.say(refused=assignment["worker"], why=error.strerror)
            return False
        if is_worker:
            process.end_with(assignment["supervisor"])
            _reseed()
            departure.disown(self._notes.endings if self._notes else ())
        return is_worker


def _reseed() -> None:
    """Give this process random numbers of its own. OpenSSL's and the kernel's are already: they know of forks."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        with contextlib.suppress(Exception):
            numpy_random.seed()


def main(control: socket.socket, dump: int, assignment: dict[str, Any]) -> NoReturn:
    """Run a zygote; an error of the project is told to the supervisor, once for all workers."""
    process.end_with(assignment["supervisor"])
    # A collection would make holes in what is shared, and each worker would fill, and so copy, them anew.
    gc.disable()
    process.prepare(dump)
    zygote, own = Zygote(control, dump, assignment), os.getpid()
    departure.on_sigterm(zygote.break_off)
    process.watch_start(assignment["begun"], zygote.settings.start_timeout, dump)
    try:
        zygote.load()
        control, dump, assignment = zygote.obey()
    except BaseException as error:  # noqa: BLE001 - whatever it is, somebody must say it
        told = error if isinstance(error, NuagesError) else faults.unforeseen(error, started=False)
        zygote.say(error=child.error_fields(told))
        if not zygote.has_loaded:  # else there may be workers, or this is one
            departure.give_up()
        os._exit(told.exit_code)
    worker.begin(control, dump, assignment, zygote.site, zygote.tls, is_forked=os.getpid() != own)
