"""How many threads may run at a time: the thread pool's policy, pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

STALL_SECONDS = 0.001  # a queue that stands this long wants a look
WAITING_SHARE = 0.5  # threads that want a CPU for less than this share of the time wait
COMPUTING_SHARE = 0.7  # and those that want it for more compute
FULL_SHARE = 0.95  # threads and loop together: one interpreter can hardly do more
OLD_SECONDS = 0.1  # a task that runs for this long does not keep the others from their turn
MOST_OLD = 3
# And while async views are asked. Of two threads that compute, the one that is told to give way lets the other have the
# interpreter as often as the loop: on several cores the loop was seen to wait for 0.1 to 0.8 s.
HURRIED_OLD_SECONDS = 3.0
MOST_HURRIED_OLD = 1
KNOWN = 8  # threads of which it is looked up how long they stood in line for a CPU
FEWER_SECONDS = 0.1  # between two steps down
MEMORY_SECONDS = 0.02  # over which shares are averaged: single requests are shorter, changes of load are not


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the pool sees when it looks at itself.

    `running` threads have a task and `old` of them for longer than `old_after(hurried)`; `waited` is how long the head
    of the queue stands, and `steady` how long the limit is what it is, in seconds. Shares of the time that passed:
    `computed` by the running threads together, `wanted` also with the time in which they could have run but had no CPU
    (known for up to KNOWN threads), `loop` computed by the event loop. `hurried`: async views are asked, for which
    every computing thread is one more that takes the interpreter before the loop does. `wanting` is how many run or
    wait for the interpreter at this very moment, where that was looked up.
    """

    running: int
    old: int
    limit: int
    most: int
    waited: float
    steady: float
    computed: float
    wanted: float
    loop: float
    hurried: bool = False
    wanting: int | None = None


def old_after(hurried: bool) -> float:
    """Return the seconds for which a task may keep the others from their turn."""
    return HURRIED_OLD_SECONDS if hurried else OLD_SECONDS


def next_limit(seen: Look) -> int:
    """Return how many threads may run from now on. Pure: this is the pool's whole policy.

    Where threads wait and the queue stands, more of them may run, until the interpreter has no time left: a quarter
    more, for a step too few leaves it idle, while one too many costs short requests nothing. Where it has no time
    left, more threads only fight for it: there may be fewer, one by one, for as long as the others keep it busy; at
    least one, and one more for each of up to three that are at a long task (one, and a longer, while `hurried`).

    On a machine with other work a computing thread gets little CPU, and computes all the same: it wants it all the
    time. One that waits wants it now and then, though for longer than it would where the machine is idle.
    """
    wanted = seen.wanted if seen.running <= KNOWN else seen.computed
    if seen.wanting is not None:
        wanted = seen.wanting
    share = wanted / max(1, seen.running)
    full = seen.computed + seen.loop > FULL_SHARE
    floor = min(seen.most, 1 + min(seen.old, MOST_HURRIED_OLD if seen.hurried else MOST_OLD))
    if (full or share > COMPUTING_SHARE) and seen.limit > floor and seen.steady >= FEWER_SECONDS:
        return max(floor, min(seen.limit, seen.running) - 1)
    if seen.waited < STALL_SECONDS or seen.running < seen.limit:
        return seen.limit
    if not full and share < WAITING_SHARE:
        return min(seen.most, seen.limit + max(1, seen.limit // 4))
    return max(seen.limit, floor) if seen.waited > OLD_SECONDS else seen.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Averages over about the last MEMORY_SECONDS; `seconds` is how much of that they know."""

    seconds: float = 0.0
    computed: float = 0.0
    stood: float = 0.0
    loop: float = 0.0

    def after(self, passed: float, *, computed: float, stood: float, loop: float) -> Shares:
        """Return the averages after `passed` more seconds, with the seconds of them that were computed and stood."""
        seconds = min(self.seconds + passed, max(MEMORY_SECONDS, passed))
        part = passed / seconds
        return Shares(
            seconds=seconds,
            computed=self.computed + (computed / passed - self.computed) * part,
            stood=self.stood + (stood / passed - self.stood) * part,
            loop=self.loop + (loop / passed - self.loop) * part,
        )

    def scaled(self, factor: float) -> Shares:
        """Return what is to be expected of so many times the threads, until it is seen."""
        return replace(self, computed=self.computed * factor, stood=self.stood * factor)
