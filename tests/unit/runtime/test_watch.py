"""What the supervisor says of what it sees once a second."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nuages.runtime.memory import Group
from nuages.runtime.watch import Watch


def _group(name: str, kills: int) -> Group:
    return Group(origin=f"/no/such/cgroup/{name}memory.max", limit=100 << 20, used=90 << 20, kills=kills)


def test_the_kills_of_a_cgroup_are_compared_with_its_own() -> None:
    said: list[tuple[str, int]] = []
    say = SimpleNamespace(killed_by_limit=lambda group, number: said.append((group.origin, number)))
    crew: Any = SimpleNamespace(say=say)
    settings: Any = SimpleNamespace()
    watch = Watch(settings, crew)
    outer, inner = _group("", 7), _group("pod/", 1)
    for group in (inner, outer, inner, None, outer, inner):
        watch._note_kills(group)
    assert said == []
    for group in (_group("pod/", 2), outer, _group("pod/", 2), _group("", 9)):
        watch._note_kills(group)
    assert said == [(inner.origin, 1), (outer.origin, 2)]
