"""The rolling update, purely: whatever happens to pods, the rules of the Deployment hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.deploy import plans

from nuages.bench.rollout import (
    End,
    Gone,
    Phase,
    Probe,
    Probed,
    Rollout,
    Rules,
    Start,
    Wanted,
    rules_of,
    step,
)
from nuages.deploy.kubernetes.documents import documents
from nuages.deploy.yaml import without_comments

PROBE = Probe(path="/", port="http", period=1, timeout=1, failures=1)


def rules(replicas: int = 3, surge: int = 1, unavailable: int = 0, *, recreate: bool = False) -> Rules:
    return Rules(
        replicas=replicas, surge=surge, unavailable=unavailable, recreate=recreate, startup=PROBE, readiness=PROBE,
        termination=40,
    )  # fmt: skip


def settled(found: Rules) -> Rollout:
    """Return a Deployment whose pods are all there."""
    rollout, _ = step(Rollout(rules=found, release="old"))
    for pod in rollout.pods:
        rollout, _ = step(rollout, Probed(pod.id, ready=True))
    return rollout


def test_the_first_pods_start_together() -> None:
    rollout, actions = step(Rollout(rules=rules(), release="old"))

    assert [type(action) for action in actions] == [Start, Start, Start]
    assert not rollout.is_complete
    assert settled(rules()).is_complete


def test_one_new_pod_starts_and_an_old_one_ends_only_when_it_is_ready() -> None:
    rollout, actions = step(settled(rules()), Wanted("new"))
    assert [type(action) for action in actions] == [Start]
    (new,) = [pod for pod in rollout.pods if pod.release == "new"]

    rollout, actions = step(rollout, Probed(new.id, ready=True))
    assert [type(action) for action in actions] == [Start, End]
    assert rollout.ready == 3


def test_recreate_ends_all_before_one_starts() -> None:
    rollout, actions = step(settled(rules(1, 0, recreate=True)), Wanted("new"))
    assert [type(action) for action in actions] == [End]

    rollout, actions = step(rollout, Gone(1))
    assert [type(action) for action in actions] == [Start]


def test_rules_are_read_from_the_document() -> None:
    options = plans.options(replicas="3")
    found = documents(plans.workload(replicas="3"), options)
    deployment = next(without_comments(one) for one in found if one["kind"] == "Deployment")

    read = rules_of(deployment)
    assert (read.replicas, read.surge, read.unavailable, read.termination) == (3, 1, 0, 40)
    assert (read.readiness.path, read.readiness.port, read.readiness.period) == ("/-/ready", "management", 5)


@given(st.integers(1, 5), st.integers(1, 3), st.data())
def test_never_fewer_ready_pods_than_the_rules_allow_and_never_more_pods(
    replicas: int, surge: int, data: st.DataObject
) -> None:
    rollout = settled(rules(replicas, surge))
    rollout, _ = step(rollout, Wanted("new"))
    for _ in range(40):
        starting = [pod for pod in rollout.pods if pod.phase is Phase.STARTING]
        ending = [pod for pod in rollout.pods if pod.phase is Phase.ENDING]
        if not starting and not ending:
            break
        pod = data.draw(st.sampled_from(starting + ending))
        event = Gone(pod.id) if pod.phase is Phase.ENDING else Probed(pod.id, ready=True)
        rollout, _ = step(rollout, event)
        alive = [pod for pod in rollout.pods if pod.phase is not Phase.ENDING]
        assert rollout.ready >= replicas
        assert len(alive) <= replicas + surge
    assert rollout.is_complete
    assert {pod.release for pod in rollout.pods} == {"new"}
