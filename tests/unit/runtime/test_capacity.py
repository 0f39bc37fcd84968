"""How many workers fit, from the texts that kernels really write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuages.runtime.capacity import Capacity, Facts, decide, facts_from
from nuages.runtime.kernel import cgroup_files

MB = 1 << 20


def facts(cpus: int = 8, machine: int = 8, **others: object) -> Facts:
    return Facts(cpus=cpus, machine_cpus=machine, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_facts", "workers", "reason"),
    [
        (facts(64, 64), 4, "nothing limits the CPU: 4 of 64 CPUs"),
        (facts(2, 2), 2, "2 CPUs, as the machine has"),
        (facts(1, 1), 1, "1 CPU, as the machine has"),
        (facts(6, 64), 6, "6 CPUs of 64 by the CPU affinity"),
        (facts(64, 64, quota=2.0, quota_origin="cpu.max"), 2, "2 CPUs by cpu.max"),
        (facts(64, 64, quota=0.25, quota_origin="cpu.max"), 1, "0.25 CPUs by cpu.max"),
        (facts(64, 64, quota=1.5, quota_origin="cpu.max"), 2, "1.5 CPUs by cpu.max"),
        (facts(64, 64, quota=12.0, quota_origin="cpu.max"), 12, "12 CPUs by cpu.max"),
        (facts(2, 2, quota=8.0, quota_origin="cpu.max"), 2, "2 CPUs, as the machine has"),
        (facts(4, 4, memory=4096 * MB, memory_origin="memory.max"), 4, "4 CPUs, as the machine has"),
        (facts(1, 1, memory=64 * MB, memory_origin="memory.max"), 1, "1 CPU, as the machine has"),
    ],
)
def test_the_number_of_workers_and_its_reason(given_facts: Facts, workers: int, reason: str) -> None:
    capacity = decide(given_facts)
    assert (capacity.workers, capacity.reason) == (workers, reason)


def test_where_memory_may_be_short_the_first_worker_is_measured() -> None:
    limited = facts(4, 4, memory=512 * MB, memory_origin="memory.max")
    assert decide(limited) == Capacity(
        workers=1,
        reason="512 MB of memory by memory.max; more when the first has been measured",
        upto=4,
    )
    assert decide(limited, measured_bytes=120 * MB) == Capacity(
        workers=2, reason="512 MB of memory by memory.max, 120 MB measured for each and room to grow"
    )
    assert decide(limited, measured_bytes=40 * MB) == Capacity(workers=4, reason="4 CPUs, as the machine has")
    assert decide(limited, measured_bytes=900 * MB).workers == 1


def test_cgroup_v2_in_a_container() -> None:
    membership = "0::/\n"
    mounts = (
        "2467 2460 0:31 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n"
    )
    assert list(cgroup_files(membership, mounts)) == ["/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max"]


def test_cgroup_v2_asks_every_level_above() -> None:
    membership = "0::/system.slice/web.service\n"
    mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
    found = [path for path in cgroup_files(membership, mounts) if path.endswith("memory.max")]
    assert found == [
        "/sys/fs/cgroup/system.slice/web.service/memory.max",
        "/sys/fs/cgroup/system.slice/memory.max",
        "/sys/fs/cgroup/memory.max",
    ]


def test_cgroup_v1_with_the_containers_own_group_mounted() -> None:
    membership = "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
    mounts = (
        "100 90 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "101 90 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    )
    assert list(cgroup_files(membership, mounts)) == [
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]


def test_limits_are_read_and_the_tightest_of_all_levels_wins() -> None:
    files = {
        "/c/a/cpu.max": "max 100000\n",
        "/c/a/memory.max": "max\n",
        "/c/cpu.max": "150000 100000\n",
        "/c/memory.max": "268435456\n",
    }
    found = facts_from(files, cpus=4, machine_cpus=8)
    assert (found.quota, found.quota_origin) == (1.5, "/c/cpu.max")
    assert (found.memory, found.memory_origin) == (256 * MB, "/c/memory.max")


def test_limits_of_cgroup_v1() -> None:
    files = {
        "/c/cpu.cfs_quota_us": "50000\n",
        "/c/cpu.cfs_period_us": "100000\n",
        "/c/memory.limit_in_bytes": "9223372036854771712\n",
    }
    found = facts_from(files, cpus=4, machine_cpus=8)
    assert (found.quota, found.memory) == (0.5, None)
    assert facts_from({"/c/cpu.cfs_quota_us": "-1\n"}, cpus=4, machine_cpus=8).quota is None


@given(
    st.dictionaries(
        st.sampled_from(["/c/cpu.max", "/c/memory.max", "/c/cpu.cfs_quota_us", "/c/memory.limit_in_bytes"]),
        st.text(alphabet="0123456789max -\n\x00٣", max_size=20),
    ),
    st.integers(1, 256),
)
def test_whatever_the_files_hold_at_least_one_worker_runs(files: dict[str, str], cpus: int) -> None:
    assert decide(facts_from(files, cpus=cpus, machine_cpus=256)).workers >= 1


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_for_the_kernels_tables_is_survived(membership: str, mounts: str) -> None:
    list(cgroup_files(membership, mounts))
