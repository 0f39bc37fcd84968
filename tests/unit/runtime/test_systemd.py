"""When a server is ready, reloading or stopping in systemd's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nuages.runtime.pool import Limits, Phase, Pool, Stage, Worker
from nuages.runtime.systemd import Condition, condition, words


def _pool(
    *workers: tuple[Phase, int], generation: int = 0, proven: int | None = 0, stage: Stage = Stage.RUNNING
) -> Pool:
    made = tuple(
        Worker(id=number, generation=of, phase=phase, since=0.0)
        for number, (phase, of) in enumerate(workers, 1)
    )
    return Pool(
        limits=Limits(workers=2),
        workers=made,
        generation=generation,
        newest=generation,
        proven=proven,
        stage=stage,
    )


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (_pool((Phase.STARTING, 0), proven=None), Condition.STARTING),
        (_pool((Phase.READY, 0), (Phase.STARTING, 0)), Condition.READY),
        (_pool((Phase.READY, 0), (Phase.STARTING, 1), generation=1), Condition.RELOADING),
        (_pool((Phase.READY, 0), (Phase.READY, 1), generation=1, proven=1), Condition.RELOADING),
        (_pool((Phase.RETIRING, 0), (Phase.READY, 1), generation=1, proven=1), Condition.READY),
        (_pool(generation=1, proven=1), Condition.READY),
        (_pool((Phase.READY, 0), stage=Stage.DRAINING), Condition.STOPPING),
        (_pool(proven=None, stage=Stage.STOPPING), Condition.STOPPING),
    ],
)
def test_conditions(pool: Pool, expected: Condition) -> None:
    assert condition(pool) is expected


def test_the_line_of_systemctl_status() -> None:
    state = _pool((Phase.READY, 0), (Phase.STARTING, 0))
    assert words(state) == "ready: 1 of 2 workers serve"
    stalled = tuple(replace(worker, stalled=True) for worker in state.workers)
    assert words(replace(state, workers=stalled)) == "ready: 0 of 2 workers serve"
