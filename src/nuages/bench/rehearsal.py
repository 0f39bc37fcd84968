"""A rollout rehearsed on this machine: pods are processes, HAProxy is the balancer, visitors come all the time."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuages.bench.balancer import Balancer, balancer
from nuages.bench.options import RehearsalOptions
from nuages.bench.pods import Release, RunningPod
from nuages.bench.rollout import Action, End, Event, Gone, Probed, Rollout, Rules, Start, Wanted, step
from nuages.errors import StartError

Say = Callable[[str], None]

_START_SECONDS = 180.0
_QUIET = 0.2
"""The share of the visits before the rollout begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a rehearsal. `without` are the seconds in which no pod was ready, `took` those of the rollout."""

    name: str
    pages: Mapping[str, int]
    files: Mapping[str, int]
    missing: Mapping[str, int]
    p50: float
    p99: float
    max: float
    without: float
    took: float | None

    @property
    def failed(self) -> int:
        """How many pages were not answered as they should."""
        return sum(count for status, count in self.pages.items() if not status.startswith(("2", "3")))

    @property
    def lost(self) -> int:
        """How many static files were not there."""
        return sum(count for status, count in self.files.items() if status != "200")


class _Rehearsal:
    """The loop: events come from probes, ends and the clock; actions go to processes and the balancer."""

    def __init__(
        self, rules: Rules, releases: Sequence[Release], front: Balancer, delay: float, folder: Path
    ) -> None:
        self._releases = {release.name: release for release in releases}
        self._front, self._delay, self._folder = front, delay, folder
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._running: dict[int, RunningPod] = {}
        self.rollout = Rollout(rules=rules, release=releases[0].name)
        self.without = 0.0
        self._unready_since: float | None = None

    def begin(self) -> None:
        """Start the first pods."""
        self._take(None)

    def want(self, release: str) -> None:
        """Begin the rollout."""
        self._take(Wanted(release))

    def run_until(self, done: Callable[[], bool], deadline: float) -> bool:
        """Handle events until `done`; return whether it came in time."""
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(queue.Empty):
                self._take(self._events.get(timeout=min(left, 0.1)))
        return True

    def count_gaps(self) -> None:
        """Begin to count the time without a ready pod."""
        self._unready_since = None
        self._note_readiness()
        self.without = 0.0

    def end(self) -> None:
        """End everything that was started."""
        for running in self._running.values():
            running.kill()

    def _take(self, event: Event | None) -> None:
        if isinstance(event, Gone):
            self._front.forget(event.id)
            self._running.pop(event.id, None)
        if isinstance(event, Probed) and event.id in self._running:
            if event.ready:
                self._front.route(event.id, self._running[event.id].port)
            else:
                self._front.unroute(event.id)
        self.rollout, actions = step(self.rollout, event)
        for action in actions:
            self._do(action)
        self._note_readiness()

    def _do(self, action: Action) -> None:
        pod = action.pod
        if isinstance(action, Start):
            log = self._folder / f"pod-{pod.id}.log"
            self._running[pod.id] = RunningPod(
                pod,
                self._releases[pod.release],
                self.rollout.rules,
                self._events,
                log,
            )
        elif isinstance(action, End):
            self._running[pod.id].end()
            # The endpoints learn of it later than the pod: what `--drain` is for.
            timer = threading.Timer(self._delay, self._front.unroute, [pod.id])
            timer.daemon = True
            timer.start()

    def _note_readiness(self) -> None:
        now = time.monotonic()
        if self.rollout.ready:
            if self._unready_since is not None:
                self.without += now - self._unready_since
                self._unready_since = None
        elif self._unready_since is None:
            self._unready_since = now


def rehearse(
    name: str, rules: Rules, old: Release, new: Release, static: str, options: RehearsalOptions, say: Say
) -> Result:
    """Roll from one release to the other under load. Raises StartError where the pods do not get ready."""
    with tempfile.TemporaryDirectory(prefix="nuages-rollout-") as text:
        folder = Path(text)
        # Pods that end keep their place until they are gone.
        slots = 2 * (rules.replicas + rules.surge)
        with (
            balancer(folder, slots=slots) as front,
            _ended(_Rehearsal(rules, (old, new), front, options.endpoint_delay, folder)) as rehearsal,
        ):
            say(f"{name}: starting {rules.replicas} of {old.name}")
            rehearsal.begin()
            if not rehearsal.run_until(
                lambda: rehearsal.rollout.is_complete, time.monotonic() + _START_SECONDS
            ):
                raise _not_ready(folder, old.name)
            rehearsal.count_gaps()
            return _visited(name, rehearsal, front, new, static, options, say)


def _visited(
    name: str,
    rehearsal: _Rehearsal,
    front: Balancer,
    new: Release,
    static: str,
    options: RehearsalOptions,
    say: Say,
) -> Result:
    words = [str(front.port), str(options.duration), str(options.rate), static, *options.page]
    visitors = subprocess.Popen(
        [sys.executable, "-m", "nuages.bench.visitors", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        began = time.monotonic()
        rehearsal.run_until(lambda: False, began + _QUIET * options.duration)
        say(f"{name}: rolling to {new.name}")
        rolling = time.monotonic()
        rehearsal.want(new.name)
        complete = rehearsal.run_until(lambda: rehearsal.rollout.is_complete, rolling + _START_SECONDS)
        took = time.monotonic() - rolling if complete else None
        rehearsal.run_until(lambda: visitors.poll() is not None, time.monotonic() + options.duration + 60)
        met: dict[str, Any] = json.loads(visitors.communicate()[0])
    except BaseException:
        visitors.kill()
        visitors.communicate()
        raise
    return Result(name=name, without=round(rehearsal.without, 2), took=took and round(took, 1), **met)


@contextlib.contextmanager
def _ended(rehearsal: _Rehearsal) -> Iterator[_Rehearsal]:
    try:
        yield rehearsal
    finally:
        rehearsal.end()


def _not_ready(folder: Path, release: str) -> StartError:
    logs = sorted(folder.glob("pod-*.log"))
    last = logs[0].read_text(errors="replace").splitlines()[-12:] if logs else []
    return StartError(
        f"the replicas of {release} do not get ready", where=f"waited for {_START_SECONDS:g} s",
        why="\n".join(last) or "they said nothing", hint="try it alone: nuages up",
    )  # fmt: skip
