"""Decide from what was measured which workers are due to be replaced, and whether another one fits: pure.

Requests are counted by each worker itself; what is seen from outside is decided here: age, memory, a loop that stands
still. The shell is `watch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from nuages.runtime.capacity import SUPERVISOR_BYTES
from nuages.runtime.memory import Group
from nuages.runtime.messages import Due, Event, Recovered, Reload, Room

AUTO_REQUESTS = 10_000  # that a worker has before it is replaced, where nobody says another number
# And not before this: a leak by requests takes longer to matter, and a busy site would start workers all the time.
LEAST_AGE = 60.0  # seconds
JITTER = 0.1  # of a limit, each way, so that workers which started together do not end together
SHARE = 0.8  # of a worker's share of the memory, from which on it is replaced
GROWN = (
    1.2  # times what it took when it was ready: a worker that was heavy from the start is not replaced for it
)
FAST = 0.05  # of the limit, by which a worker grows from one look to the next that is going to pass it
KEPT_FREE = 0.03  # of a limit; the kernel needs some of it before it kills
WORTH = 0.01  # of a limit; for less no worker is followed by a fresh one before new code is loaded
LOOK = 1.0  # seconds between two looks
BEAT = 1.0  # seconds between two heartbeats: so long after the last one a loop may have gone round yet
LATE = 1.0  # seconds by which a look may come late before it tells more of us than of the workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a worker is due. `age` and `stall` are seconds, `memory` bytes; None: never for that reason.

    `memory_origin` says where the limit comes from, for the log.
    """

    age: float | None = None
    memory: int | None = None
    memory_origin: str = ""
    stall: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was seen of a worker that serves; times are monotonic seconds, sizes bytes.

    `memory` is what it takes now, `growth` by how much more than a look ago, `fresh` what it took when it got ready;
    None where the kernel does not tell. `jitter` is between -1 and 1 and stays the same for its whole life. `stalled`:
    it was found to stand still.
    """

    id: int
    ready_since: float
    heartbeat: float
    memory: int | None = None
    fresh: int | None = None
    growth: int = 0
    jitter: float = 0.0
    stalled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is kept from one look to the next: when it was, and from when on a silent worker counts as stalled."""

    at: float = inf
    judges_from: float = 0.0


def rules_for(
    group: Group | None, workers: int, *, age: float | None, memory: int | str, stall: float | None
) -> Rules:
    """Return the rules for so many workers in a cgroup; `memory` is a number of bytes, `auto` or `off`."""
    rules = Rules(age=age, stall=stall)
    if isinstance(memory, int):
        return replace(rules, memory=memory, memory_origin="--recycle-memory")
    if memory == "off" or group is None:
        return rules
    share = max(1, group.limit - SUPERVISOR_BYTES) / workers
    origin = f"{SHARE:.0%} of its share of {group.limit >> 20} MB by {group.origin}"
    return replace(rules, memory=int(share * SHARE), memory_origin=origin)


def due(reading: Reading, now: float, rules: Rules) -> Due | None:
    """Return that a worker is to be replaced, and why; None while it is not. Memory presses, age can wait."""
    if why := _too_heavy(reading, rules):
        return Due(reading.id, why)
    age = now - reading.ready_since
    if rules.age is not None and age >= rules.age * (1 + JITTER * reading.jitter):
        return Due(reading.id, f"it is {age:.0f} s old", patient=True)
    return None


def _too_heavy(reading: Reading, rules: Rules) -> str:
    if rules.memory is None or reading.memory is None:
        return ""
    # One that grows fast is past the limit before the next look, and grows on until another takes its place.
    ahead = 2 * reading.growth if reading.growth > rules.memory * FAST else 0
    if reading.memory + ahead < rules.memory:
        return ""
    if reading.fresh is not None and reading.memory < reading.fresh * GROWN:
        return ""
    grows = " and grows fast" if reading.memory < rules.memory else ""
    return (
        f"it takes {reading.memory >> 20} MB of memory{grows}; {rules.memory >> 20} are {rules.memory_origin}"
    )


def look(
    before: Looked, now: float, readings: tuple[Reading, ...], rules: Rules
) -> tuple[Looked, tuple[Event, ...]]:
    """Return what the pool is to be told of the workers that serve.

    A worker whose loop has not gone round for `rules.stall` is stalled: its heartbeat is as late. Whoever looks late
    itself, as after a stop of the whole container, first gives the workers their time again; and one that was found
    holds back the verdict on others for as long, for what stalls all of them at once is not cured by killing them.
    """
    events: list[Event] = []
    stall = rules.stall
    judges_from = before.judges_from
    if stall is not None and now - before.at > LOOK + LATE:
        judges_from = max(judges_from, now + stall)
    for reading in sorted(readings, key=lambda one: one.heartbeat):
        silent = now - max(reading.heartbeat, reading.ready_since) - BEAT
        if stall is not None and reading.stalled and silent < stall:
            events.append(Recovered(reading.id))
        elif stall is not None and not reading.stalled and silent >= stall and now >= judges_from:
            events.append(Due(reading.id, f"its event loop has stood still for {silent:.0f} s", stalled=True))
            judges_from = now + stall
        if found := due(reading, now, rules):
            events.append(found)
    return Looked(at=now, judges_from=judges_from), tuple(events)


def fits(group: Group | None, need: int) -> bool:
    """Return whether so many bytes more can be taken."""
    return group is None or lacking(group, need) <= 0


def lacking(group: Group, need: int) -> float:
    """Return how many bytes too few there are to take so many more; not above 0 where they fit."""
    return need - (group.room - group.limit * KEPT_FREE)


def making_room(
    group: Group | None, need: int, owns: Mapping[int, int], absent: Sequence[int] = ()
) -> Reload:
    """Return how code is replaced for which so many bytes have to be taken: the heaviest workers end first, never all.

    `owns` are the bytes that each of them gives back, by id; `absent` those that each one would take which is wanted
    and does not serve yet: before any ends, these stay away.
    """
    need += sum(absent)
    away, ends = 0, []
    while away < len(absent) and not fits(group, need):
        need -= absent[away]
        away += 1
    for worker in sorted(owns, key=lambda one: owns[one], reverse=True)[:-1]:
        if fits(group, need):
            break
        ends.append(worker)
        need -= owns[worker]
    return Reload(max(1, away + len(ends)), tuple(ends))


def renewed(group: Group, need: int, owns: Mapping[int, int], fresh: int) -> tuple[int, ...]:
    """Return the workers that fresh ones are to follow before code is loaded for which so many bytes have to be taken.

    As many as it takes, the heaviest first, and all where that is not enough: a fresh one shares nearly everything with
    its zygote, of which it takes `fresh` bytes. One that is alone is renewed only where it can go on serving for it.
    """
    found: list[int] = []
    for worker in sorted(owns, key=lambda one: owns[one], reverse=True):
        gains = owns[worker] - fresh
        # The old ones may end no sooner than all fresh ones serve.
        has_room = fits(group, fresh * (len(found) + 1))
        if fits(group, need) or gains <= group.limit * WORTH or not has_room:
            break
        found.append(worker)
        need -= gains
    return tuple(found) if len(owns) > 1 or fits(group, need) else ()


def room(group: Group | None, need: int, *, fitted: bool) -> Room | None:
    """Return what the pool is to be told if that has changed; where it fits barely it goes on not to fit."""
    now_fits = fits(group, need if fitted else int(need * 1.1))
    return None if now_fits == fitted else Room(now_fits)
