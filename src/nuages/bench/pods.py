"""Pods as processes of this machine: started, probed as the kubelet probes, and ended as it ends them."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nuages.bench.balancer import free_port
from nuages.bench.rollout import Event, Gone, Pod, Probe, Probed, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How a pod of a release is started: `argv` of its port and its management port, variables, a folder.

    `removal` gives the command that ends at once what its process stands for, where that is a container.
    """

    name: str
    argv: Callable[[int, int], tuple[str, ...]]
    environ: Mapping[str, str]
    directory: Path
    removal: Callable[[int], tuple[str, ...]] | None = None


class RunningPod:
    """A pod's process, its two ports, and the thread that probes it."""

    def __init__(
        self, pod: Pod, release: Release, rules: Rules, events: queue.SimpleQueue[Event], log: Path
    ) -> None:
        self.pod = pod
        self.port, self._management = free_port(), free_port()
        self._rules, self._events, self._release = rules, events, release
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                release.argv(self.port, self._management), env=dict(release.environ), cwd=release.directory,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        threading.Thread(target=self._watch, daemon=True).start()
        threading.Thread(target=self._probe, daemon=True).start()

    def end(self) -> None:
        """Begin the end: SIGTERM now, SIGKILL when the period is over."""
        self._signal(signal.SIGTERM)
        timer = threading.Timer(self._rules.termination, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self.process.poll() is None:
            if self._release.removal:
                subprocess.run(self._release.removal(self.port), capture_output=True, check=False)
            with contextlib.suppress(ProcessLookupError):  # the removal may have ended it
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def _watch(self) -> None:
        self.process.wait()
        self._events.put(Gone(self.pod.id))

    def _probe(self) -> None:
        """Probe until the process has ended: start-up first, then readiness."""
        while self.process.poll() is None and not self._asks(self._rules.startup):
            time.sleep(self._rules.startup.period)
        ready, failures = False, 0
        while self.process.poll() is None:
            probe = self._rules.readiness
            answered = self._asks(probe)
            failures = 0 if answered else failures + 1
            now = answered or (ready and failures < probe.failures)
            if now != ready:
                ready = now
                self._events.put(Probed(self.pod.id, ready))
            time.sleep(probe.period)

    def _asks(self, probe: Probe) -> bool:
        port = self._management if probe.port == "management" else self.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=probe.timeout)
        try:
            connection.request("GET", probe.path, headers={"Host": "localhost"})
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
