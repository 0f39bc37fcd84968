"""A rolling update as the Deployment controller does it, purely: which pods start and which end, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class Phase(Enum):
    """Where a pod is in its life."""

    STARTING = "starting"
    READY = "ready"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class Pod:
    """A replica of a release."""

    id: int
    release: str
    phase: Phase = Phase.STARTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An HTTP probe of the kubelet: a path, and seconds between two questions and for one answer."""

    path: str
    port: str
    period: float
    timeout: float
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a Deployment says about its rollout. `termination` is in seconds."""

    replicas: int
    surge: int
    unavailable: int
    recreate: bool
    startup: Probe
    readiness: Probe
    termination: float


@dataclass(frozen=True, slots=True)
class Start:
    """Start a pod."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class End:
    """Send a pod SIGTERM, and take it out of the balancer."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class Wanted:
    """Another release is to run."""

    release: str


@dataclass(frozen=True, slots=True)
class Probed:
    """A pod's readiness changed."""

    id: int
    ready: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """A pod's process has ended, asked or not."""

    id: int


Event = Wanted | Probed | Gone
Action = Start | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The pods of a Deployment; every state comes from `step`."""

    rules: Rules
    release: str
    pods: tuple[Pod, ...] = ()
    made: int = 0

    @property
    def ready(self) -> int:
        """How many pods are ready."""
        return sum(pod.phase is Phase.READY for pod in self.pods)

    @property
    def is_complete(self) -> bool:
        """Whether all pods are of the wanted release and ready, and the others are gone."""
        fits = all(pod.release == self.release and pod.phase is Phase.READY for pod in self.pods)
        return fits and len(self.pods) == self.rules.replicas


def rules_of(deployment: Mapping[str, Any]) -> Rules:
    """Return the rules of a Deployment document."""
    spec = deployment["spec"]
    rolling = spec["strategy"].get("rollingUpdate", {})
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    return Rules(
        replicas=spec.get("replicas", 1),
        surge=rolling.get("maxSurge", 0),
        unavailable=rolling.get("maxUnavailable", 0),
        recreate=spec["strategy"]["type"] == "Recreate",
        startup=_probe(container["startupProbe"]),
        readiness=_probe(container["readinessProbe"]),
        termination=pod["terminationGracePeriodSeconds"],
    )


def _probe(probe: Mapping[str, Any]) -> Probe:
    return Probe(
        path=probe["httpGet"]["path"],
        port=str(probe["httpGet"]["port"]),
        period=probe.get("periodSeconds", 10),
        timeout=probe.get("timeoutSeconds", 1),
        failures=probe.get("failureThreshold", 3),
    )


def step(rollout: Rollout, event: Event | None = None) -> tuple[Rollout, tuple[Action, ...]]:
    """Return the rollout after an event, and what is to be done; None: the first step."""
    match event:
        case Wanted(release):
            rollout = replace(rollout, release=release)
        case Gone(id):
            rollout = replace(rollout, pods=tuple(pod for pod in rollout.pods if pod.id != id))
        case Probed(id, ready):
            phase = Phase.READY if ready else Phase.STARTING
            pods = (
                replace(pod, phase=phase) if pod.id == id and pod.phase is not Phase.ENDING else pod
                for pod in rollout.pods
            )
            rollout = replace(rollout, pods=tuple(pods))
    rollout, ended = _end_old(rollout)
    rollout, started = _start_new(rollout)
    return rollout, (*started, *ended)


def _start_new(rollout: Rollout) -> tuple[Rollout, tuple[Action, ...]]:
    rules = rollout.rules
    actions: list[Action] = []
    while True:
        alive = [pod for pod in rollout.pods if pod.phase is not Phase.ENDING]
        new = [pod for pod in alive if pod.release == rollout.release]
        waits = rules.recreate and any(pod.release != rollout.release for pod in rollout.pods)
        if waits or len(new) >= rules.replicas or len(alive) >= rules.replicas + rules.surge:
            return rollout, tuple(actions)
        pod = Pod(rollout.made + 1, rollout.release)
        rollout = replace(rollout, pods=(*rollout.pods, pod), made=pod.id)
        actions.append(Start(pod))


def _end_old(rollout: Rollout) -> tuple[Rollout, tuple[Action, ...]]:
    """End pods of another release: those that do not serve at once, the others where enough remain."""
    rules = rollout.rules
    spare = rollout.ready - (rules.replicas - rules.unavailable)
    actions: list[Action] = []
    pods = []
    for pod in rollout.pods:
        old = pod.release != rollout.release and pod.phase is not Phase.ENDING
        if old and (rules.recreate or pod.phase is Phase.STARTING or spare > 0):
            spare -= pod.phase is Phase.READY
            pod = replace(pod, phase=Phase.ENDING)
            actions.append(End(pod))
        pods.append(pod)
    return replace(rollout, pods=tuple(pods)), tuple(actions)
