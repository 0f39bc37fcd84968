"""Which workers are due, from what was measured of them."""

from __future__ import annotations

from math import inf

import pytest

from nuages.runtime.memory import Group, group_from
from nuages.runtime.messages import Due, Recovered, Reload, Room
from nuages.runtime.recycling import (
    Looked,
    Reading,
    Rules,
    due,
    fits,
    look,
    making_room,
    renewed,
    room,
    rules_for,
)

MB = 1 << 20
GROUP = Group(origin="/sys/fs/cgroup/memory.max", limit=520 * MB, used=300 * MB, kills=0)


def reading(number: int = 1, **fields: float) -> Reading:
    known = {"ready_since": 0.0, "heartbeat": 1000.0, **fields}
    return Reading(id=number, **known)  # type: ignore[arg-type]


def test_a_worker_is_due_by_its_age_give_or_take_a_tenth() -> None:
    rules = Rules(age=100)
    assert due(reading(), 99, rules) is None
    assert due(reading(), 100, rules) == Due(1, "it is 100 s old", patient=True)
    assert due(reading(jitter=1.0), 109, rules) is None
    assert due(reading(jitter=-1.0), 90, rules) == Due(1, "it is 90 s old", patient=True)


def test_a_worker_is_due_by_what_it_takes_of_the_memory() -> None:
    rules = rules_for(None, 2, age=None, memory=100 * MB, stall=None)
    assert due(reading(memory=99 * MB), 1, rules) is None
    assert due(reading(memory=101 * MB, fresh=50 * MB), 1, rules) == (
        Due(1, "it takes 101 MB of memory; 100 are --recycle-memory")
    )


def test_memory_presses_where_age_could_wait() -> None:
    found = due(reading(memory=101 * MB, fresh=50 * MB), 500, Rules(age=100, memory=100 * MB))
    assert found is not None
    assert not found.patient


def test_a_worker_that_grows_fast_is_due_before_it_is_past_the_limit() -> None:
    rules = Rules(memory=100 * MB, memory_origin="--recycle-memory")
    assert due(reading(memory=70 * MB, fresh=20 * MB, growth=4 * MB), 1, rules) is None
    assert due(reading(memory=70 * MB, fresh=20 * MB, growth=16 * MB), 1, rules) == (
        Due(1, "it takes 70 MB of memory and grows fast; 100 are --recycle-memory")
    )


def test_a_worker_that_was_as_heavy_when_it_got_ready_is_not_replaced_again_and_again() -> None:
    assert due(reading(memory=110 * MB, fresh=105 * MB), 1, Rules(memory=100 * MB)) is None


def test_auto_is_a_part_of_the_share_that_each_worker_has_of_the_cgroup() -> None:
    rules = rules_for(GROUP, 4, age=None, memory="auto", stall=None)
    assert rules.memory == 100 * MB
    assert rules.memory_origin == "80% of its share of 520 MB by /sys/fs/cgroup/memory.max"
    assert rules_for(None, 4, age=None, memory="auto", stall=None).memory is None
    assert rules_for(GROUP, 4, age=None, memory="off", stall=None).memory is None


def test_a_loop_that_stands_still_is_found_and_one_that_goes_on_again_too() -> None:
    rules = Rules(stall=30)
    before = Looked(at=1029.9)
    # Since the heartbeat of 1000 it may have gone round for a second more.
    assert look(before, 1030.9, (reading(),), rules)[1] == ()
    assert look(before, 1031, (reading(),), rules)[1] == (
        Due(1, "its event loop has stood still for 30 s", stalled=True),
    )
    assert look(before, 1031, (reading(stalled=True),), rules)[1] == ()
    assert look(before, 1031, (reading(stalled=True, heartbeat=1029.5),), rules)[1] == (Recovered(1),)
    assert look(before, 1031, (reading(),), Rules())[1] == ()


def test_only_one_stalled_worker_is_replaced_in_a_stall_period() -> None:
    both = (reading(1), reading(2, heartbeat=999.0))
    after, events = look(Looked(at=1029.0), 1030, both, Rules(stall=30))
    assert [event.id for event in events if isinstance(event, Due)] == [2]
    after, events = look(after, 1031, (reading(1),), Rules(stall=30))
    assert events == ()
    assert (
        look(Looked(at=1059.0, judges_from=after.judges_from), 1060, (reading(1),), Rules(stall=30))[1] != ()
    )


def test_whoever_looks_late_itself_first_gives_the_workers_their_time_again() -> None:
    late, events = look(Looked(at=1000.5), 1040, (reading(),), Rules(stall=30))
    assert events == ()
    assert late.judges_from == 1070
    assert look(Looked(), 1040, (reading(),), Rules(stall=30))[1] != (), "the first look is never late"
    assert Looked().at == inf


def test_a_second_worker_fits_or_not_and_barely_is_not_enough_to_change_it() -> None:
    assert fits(None, 10**15)
    assert room(GROUP, 100 * MB, fitted=True) is None
    assert room(GROUP, 250 * MB, fitted=True) == Room(fits=False)
    assert room(GROUP, 200 * MB, fitted=True) is None
    assert room(GROUP, 200 * MB, fitted=False) is None
    assert room(GROUP, 150 * MB, fitted=False) == Room(fits=True)


def test_the_heaviest_workers_end_before_new_code_is_loaded_until_it_fits() -> None:
    fit = next(size for size in range(1000) if not fits(GROUP, (size + 1) * MB))
    owns = {1: 20 * MB, 2: 10 * MB, 3: 30 * MB, 4: 40 * MB}
    assert making_room(GROUP, (fit + 40) * MB, owns) == Reload(1, (4,))
    assert making_room(GROUP, (fit + 41) * MB, owns) == Reload(2, (4, 3))
    assert making_room(GROUP, (fit + 71) * MB, owns) == Reload(3, (4, 3, 1))
    assert making_room(GROUP, (fit + 500) * MB, owns) == Reload(3, (4, 3, 1))
    assert making_room(GROUP, (fit + 500) * MB, {1: 20 * MB}) == making_room(GROUP, 0, {}) == Reload()


def test_as_many_workers_are_renewed_as_new_code_needs_the_memory_of() -> None:
    fit = next(size for size in range(1000) if not fits(GROUP, (size + 1) * MB))
    owns = {1: 40 * MB, 2: 30 * MB, 3: 50 * MB}
    assert renewed(GROUP, fit * MB, owns, 5 * MB) == ()
    assert renewed(GROUP, (fit + 1) * MB, owns, 5 * MB) == (3,)
    assert renewed(GROUP, (fit + 46) * MB, owns, 5 * MB) == (3, 1)
    assert renewed(GROUP, (fit + 500) * MB, owns, 5 * MB) == (3, 1, 2), "one of them goes on while others end"
    assert renewed(GROUP, (fit + 500) * MB, owns, 40 * MB) == (3,), "new ones would have as much"
    assert renewed(GROUP, (fit + 1) * MB, owns, (fit + 1) * MB) == (), "a new one does not fit"
    assert renewed(GROUP, (fit + 25) * MB, {1: 30 * MB}, 5 * MB) == (1,)
    assert renewed(GROUP, (fit + 26) * MB, {1: 30 * MB}, 5 * MB) == (), "it would have to end all the same"
    assert renewed(GROUP, (fit + 1) * MB, {}, 5 * MB) == ()


def test_workers_that_are_to_start_beside_new_code_have_to_wait_for_it_first() -> None:
    """As after new code that did not load: the memory of those that ended for it is free, and is theirs."""
    fit = next(size for size in range(1000) if not fits(GROUP, (size + 1) * MB))
    owns, absent = {1: 10 * MB, 2: 10 * MB}, [20 * MB, 20 * MB]
    assert making_room(GROUP, fit * MB, owns, absent) == Reload(2)
    assert making_room(GROUP, (fit - 20) * MB, owns, absent) == Reload(1)
    assert making_room(GROUP, (fit + 10) * MB, owns, absent) == Reload(3, (1,))
    assert making_room(GROUP, fit * MB, {1: 10 * MB}, [*absent, 20 * MB]) == Reload(3)


@pytest.mark.parametrize(
    "files",
    [
        {
            "memory.max": "1000\n", "memory.current": "900\n", "memory.events": "low 0\nmax 7\noom 3\noom_kill 2\n",
            "memory.stat": "anon 5\ninactive_file 300\nactive_file 90\nslab_reclaimable 10\n",
        },
        {
            "memory.limit_in_bytes": "1000\n", "memory.usage_in_bytes": "900\n",
            "memory.stat": "inactive_file 1\ntotal_inactive_file 300\nactive_file 2\ntotal_active_file 100\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        },
    ],
    ids=["v2", "v1"],
)  # fmt: skip
def test_both_kinds_of_cgroup_are_read(files: dict[str, str]) -> None:
    group = group_from(files, "here")
    assert group == Group(origin="here", limit=1000, used=600, kills=2, usage=900, kept=500)
    assert group.room == 400
    assert group.left == 500


@pytest.mark.parametrize(
    ("whole", "swap", "swaps", "ends_all"),
    [
        ("1\n", "0\n", True, True), ("1\n", "max\n", True, False), ("1\n", "4096\n", True, False),
        ("1\n", "max\n", False, True), ("1\n", "", False, True), ("0\n", "0\n", False, False), ("", "", False, False),
    ],
)  # fmt: skip
def test_the_limit_ends_all_where_the_kernel_is_told_so_and_cannot_swap(
    whole: str, swap: str, swaps: bool, ends_all: bool
) -> None:
    files = {
        "memory.max": "1000",
        "memory.current": "900",
        "memory.oom.group": whole,
        "memory.swap.max": swap,
    }
    group = group_from(files, "here", swaps=swaps)
    assert group is not None
    assert group.whole is ends_all


def test_a_cgroup_without_a_limit_is_none() -> None:
    assert group_from({"memory.max": "max", "memory.current": "1"}, "here") is None
    assert (
        group_from({"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "1"}, "") is None
    )
    assert group_from({}, "here") is None
